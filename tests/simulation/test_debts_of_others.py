"""A drain that loses a commit to another worker does not cross off that worker's debts unpaid."""

from __future__ import annotations

import pytest

from lami.channels.channel import Alert
from lami.core.decode import decode
from lami.core.ids import ResourceId
from lami.core.model import Change, Subject
from lami.core.stimuli import Told
from lami.handling import handle
from tests.simulation.azure import CONTRIBUTOR, SUB, app_id
from tests.simulation.world import World


def test_anothers_debts_are_not_crossed_off_unpaid(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one alert is sent, another worker commits a finding to the same book and dies before draining."""
    world = World(1, "0s")
    principal = world.azure.put_app(app_id("app"))
    world.azure.events.clear()
    world.azure.sleep(3600)
    world.take()
    subject = Subject("principal", principal)
    world.azure.grant(principal, CONTRIBUTOR, ResourceId(f"/subscriptions/{SUB}"))
    world.azure.grant(principal, CONTRIBUTOR, ResourceId(f"/subscriptions/{SUB}/resourceGroups/rg"))
    first, second = world.azure.events
    tools = world.lami.service._tools
    channel = world.channels[0]
    send = channel.send

    def send_while_another_commits(alert: Alert) -> None:
        monkeypatch.setattr(channel, "send", send)
        change = decode(second, tools.rules.watched)
        assert isinstance(change, Change)
        tools.index.add_principal(change.resource, principal)
        handle(tools, subject, Told(change))
        send(alert)

    monkeypatch.setattr(channel, "send", send_while_another_commits)
    world.lami.service.receive(first)
    book = tools.books.load(subject).book
    assert len(book.findings) == 2
    owed = {alert.finding for row in book.owed for alert in row.alerts}
    assert not {finding for finding, _ in channel.told} & owed
    assert len(owed) == 1, "the second finding is owed by nobody and was never told"

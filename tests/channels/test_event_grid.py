"""Findings on a custom topic: CloudEvents with lasting ids, sent by Microsoft's client."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator

import pytest
from azure.core.credentials import AccessToken, AzureKeyCredential
from msgspec.structs import replace

from lami.channels.event_grid import EventGrid, render
from lami.core.shapes import finding_json
from lami.errors import LamiError, Permanent, Temporary
from tests.channels import samples
from tests.channels.servers import Recorder, http


class Token:
    """A credential that has a token."""

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        return AccessToken("t0ken", int(time.time()) + 3600)


@pytest.fixture
def topic() -> Iterator[Recorder]:
    """A custom topic on loopback."""
    with http() as recorder:
        recorder.status = 200
        yield recorder


def _channel(topic: Recorder) -> EventGrid:
    return EventGrid(topic.url + "/api/events", AzureKeyCredential("loopback"))


def test_each_finding_is_one_cloud_event(topic: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    """Type, source, subject, time and data are those of the finding; the client has nothing to warn of."""
    caplog.set_level(logging.WARNING)
    _channel(topic).send(samples.several())
    [(path, headers, body)] = topic.posts
    assert path.startswith("/api/events?")
    assert headers["content-type"].startswith("application/cloudevents-batch+json")
    events = json.loads(body)
    assert [event["id"] for event in events] == [f"{f.id}.{f.revision}" for f in samples.several().findings]
    first = events[0]
    assert (first["type"], first["source"], first["specversion"]) == ("lami.finding.opened", "/lami", "1.0")
    assert first["subject"] == samples.BROAD.subject.id
    assert first["time"] == "2026-11-24T08:14:21.000Z"
    assert first["data"] == finding_json(samples.BROAD)
    assert caplog.text == ""


def test_the_same_alert_has_the_same_ids() -> None:
    """Sent again, an event is recognised as the one it was."""
    ids = [event.id for event in render(samples.several())]
    assert ids == [event.id for event in render(samples.several())]
    assert len(set(ids)) == 5


def test_many_findings_go_in_requests_that_event_grid_takes(topic: Recorder) -> None:
    """No request is over 1 MB, and every finding is in one."""
    many = tuple(replace(samples.CHURN, id=f"f-{n}", title="w" * 10_000) for n in range(300))
    _channel(topic).send(replace(samples.several(), findings=many))
    assert len(topic.posts) > 1
    assert all(len(body) < 1_000_000 for _, _, body in topic.posts)
    assert sum(len(json.loads(body)) for _, _, body in topic.posts) == 300


def test_hostile_text_arrives_as_it_was(topic: Recorder) -> None:
    """Programs get the text unchanged: it is theirs to escape."""
    _channel(topic).send(samples.hostile())
    [(_, _, body)] = topic.posts
    assert json.loads(body)[0]["data"]["title"] == samples.HOSTILE


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Permanent) for status in (307, 400, 401, 403, 404, 413)),
        *((status, Temporary) for status in (408, 429, 500, 503)),
    ],
)
def test_answers_say_whether_to_try_again(topic: Recorder, status: int, kind: type[Exception]) -> None:
    """One try, no redirect, and the answer is sorted into final and not."""
    topic.status = status
    topic.headers = {"Retry-After": "7", "Location": topic.url + "/elsewhere"}
    with pytest.raises(kind) as caught:
        _channel(topic).send(samples.redeploy())
    assert len(topic.posts) == 1
    if isinstance(caught.value, Temporary):
        assert caught.value.retry_after == 7


def test_no_topic_is_temporary() -> None:
    """A topic that does not answer may do so later."""
    with http() as gone:
        pass
    with pytest.raises(Temporary):
        _channel(gone).send(samples.redeploy())


def test_a_token_is_never_sent_in_plain_http(topic: Recorder) -> None:
    """With a real credential plain http is refused before anything is said."""
    with pytest.raises(LamiError):
        EventGrid(topic.url + "/api/events", Token()).send(samples.redeploy())
    assert topic.posts == []

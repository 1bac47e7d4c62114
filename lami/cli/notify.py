"""`lami notify`: try a channel before it is needed."""

from __future__ import annotations

import os
import secrets
import sys

import click

from lami.channels.channel import Alert
from lami.channels.console import Console
from lami.cli.opening import operator
from lami.cli.output import Columns, Output, output_options
from lami.core.model import Cause, Finding, FindingSubject
from lami.errors import Permanent
from lami.settings import read
from lami.wiring import make_channels, make_credential, now

_COLUMNS: Columns = {"CHANNEL": "channel", "ALERT": "alertId"}
_SETTINGS = {
    "teams": "LAMI_TEAMS_WEBHOOK_URL",
    "email": "LAMI_SMTP_URL, LAMI_EMAIL_FROM and LAMI_EMAIL_TO",
    "event-grid": "LAMI_EVENTGRID_TOPIC_ENDPOINT",
}


@click.group()
def notify() -> None:
    """Try a channel.

    \b
    Example:
      lami notify test teams
    """


@notify.command()
@click.argument("channel", type=click.Choice((*_SETTINGS, "console")))
@output_options
def test(out: Output, channel: str) -> None:
    """Send an alert through CHANNEL as it is configured; it is marked as a test.

    \b
    Example:
      lami notify test email
    """
    settings = read(os.environ)
    channels = {one.name: one for one in make_channels(settings, make_credential(settings))}
    if channel == "console":
        channels[channel] = Console(sys.stderr)
    if channel not in channels:
        raise Permanent(f"the channel {channel} is not configured: set {_SETTINGS[channel]}")
    alert = _alert(settings.public_url)
    try:
        channels[channel].send(alert)
    except Permanent as failure:
        raise Permanent(f"{channel} refuses the alert for good: {failure}") from failure
    out.show([{"channel": channel, "alertId": alert.id}], _COLUMNS)
    out.voice.say(f"{channel} took the alert. Look whether it arrived: some accept what they never show.")


def _alert(link: str) -> Alert:
    at, name = now(), f"test-{secrets.token_hex(6)}"
    cause = Cause(name, "lami/notify/test", at, actor=operator())
    finding = Finding(
        id=f"f-{name}",
        rule="test",
        severity="info",
        status="open",
        subject=FindingSubject("lami", "lami", "lami"),
        title="TEST: this is how an alert of lami looks; nothing happened",
        detail={},
        cause=cause,
        opened_at=at,
        telling="",
        thread=name,
        revision=1,
        notes=("This is a test of the channel. There is nothing to mend and nothing to accept.",),
    )
    return Alert(f"a-{name}", name, (finding,), link)

"""`lami serve`: webhook, API and page on one port, and what is due in a thread."""

from __future__ import annotations

import os
import sys
from contextlib import closing

import click

from lami import __version__
from lami.channels.console import Console
from lami.cli.opening import store_in_words
from lami.cli.voice import Voice, voice_options
from lami.core.shapes import time_json
from lami.drain import Told
from lami.runs import Report
from lami.service import Outcome
from lami.settings import read
from lami.web.server import Server
from lami.web.webhook import PATH
from lami.wiring import Lami, Watch, build, make_channels


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; other than loopback only with LAMI_AUTH=key and LAMI_EVENT_KEY.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 is any free port."
)
@voice_options
def serve(voice: Voice, host: str, port: int) -> None:
    """Run lami on this machine: Event Grid's webhook, API and page on one port.

    Takes the baseline first where none was taken: what stands then is expected. Where no channel is
    configured, alerts are printed here. Ctrl-C and SIGTERM end it once everything begun is answered.

    \b
    Example: watch the sandbox (`lami sandbox` says which settings point at it)
      lami serve --port 8080
    """
    settings = read(os.environ)
    watch = Watch(lambda outcome: _heard(voice, outcome), lambda told: _told(voice, told))
    unheard = not make_channels(settings, None)
    with closing(build(settings, watch, (Console(sys.stdout),) if unheard else ())) as lami:
        server = Server(lami, host, port)
        voice.say(
            f"lami {__version__} starts; where no baseline was taken, what stands now becomes expected."
        )
        with voice.progress() as listen:
            report = server.start(listen)
        voice.say(_banner(lami, server, report))
        server.serve_forever()
    voice.say("lami stopped.")


def _banner(lami: Lami, server: Server, report: Report | None) -> str:
    settings = lami.settings
    names = ", ".join(channel.name for channel in lami.channels)
    key = ", with ?code= and the key in LAMI_EVENT_KEY" if settings.event_key else ""
    lines = (
        ("watches", ", ".join(sorted(settings.subscriptions))),
        ("Azure", settings.arm_endpoint),
        ("store", store_in_words(settings)),
        ("baseline", _baseline(lami, report)),
        ("channels", "none: alerts are printed here" if names == Console.name else names),
        ("webhook", f"{server.url}{PATH}{key}"),
        ("page", f"{server.url}/"),
    )
    return "\n".join(f"  {name:<9} {what}" for name, what in lines)


def _baseline(lami: Lami, report: Report | None) -> str:
    if report is None:
        at = lami.queries.health(lami.settings.subscriptions).baseline_at
        return f"taken {time_json(at)}" if at else "taken"
    if report.partial:
        unread = ", ".join(sorted(report.unread)) or f"{len(report.failed)} subjects"
        return f"taken now, but not of {unread}; tried again every minute"
    return f"taken now: {report.differing} subjects are as they should be"


def _heard(voice: Voice, outcome: Outcome) -> None:
    about = [f"event {outcome.event_id or 'without an id'}: {outcome.outcome}"]
    about += [outcome.reason] if outcome.reason else []
    about += [f"findings {', '.join(outcome.findings)}"] if outcome.findings else []
    voice.say("; ".join(about))


def _told(voice: Voice, told: Told) -> None:
    if told.failure:
        voice.say(f"{told.channel} could not be told, and will be: {told.failure}")
    elif told.channel != Console.name:
        voice.say(f"told {told.channel}: {told.alert.findings[0].title}")

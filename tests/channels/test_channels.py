"""The visible list of channels is the truth."""

from __future__ import annotations

import io

from azure.core.credentials import AzureKeyCredential

from lami.channels import NAMES
from lami.channels.channel import Channel
from lami.channels.console import Console
from lami.channels.email import Email
from lami.channels.event_grid import EventGrid
from lami.channels.relay import SmtpServer
from lami.channels.targets import PublicTargets
from lami.channels.teams import Teams


def test_every_channel_is_named_and_every_name_is_a_channel() -> None:
    """`NAMES` and the classes agree, and each class is a `Channel`."""
    channels: list[Channel] = [
        Teams("https://x.logic.azure.com/", PublicTargets()),
        Email(SmtpServer("localhost"), "a@b.example", ("c@d.example",)),
        EventGrid("https://x.eventgrid.azure.net/api/events", AzureKeyCredential("k")),
        Console(io.StringIO()),
    ]
    assert tuple(channel.name for channel in channels) == NAMES

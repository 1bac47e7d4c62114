"""The only module that names implementations: from settings to a lami that runs. Nothing connects here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from lami.arm.azure import AzureArm
from lami.arm.protocol import Arm
from lami.census import Census
from lami.channels.channel import Channel
from lami.check import Checker
from lami.core.draft import Rules
from lami.core.policy import parse
from lami.detectors import DETECTORS
from lami.drain import Drain, Told
from lami.enacting import Enactor
from lami.errors import BadSettings, LamiError
from lami.gaps import Gaps
from lami.graph.protocol import Directory
from lami.handling import Tools
from lami.pace import CALM, Calm
from lami.queries import Queries
from lami.reconcile import Reconciler
from lami.service import Outcome, Service
from lami.settings import Settings, packaged_policy, wrong, wrong_policy
from lami.store.books import Books
from lami.store.due import DueList
from lami.store.index import Index
from lami.store.read_only import ReadOnlyTable
from lami.store.table import StoreUnavailable, Table
from lami.take import Taker

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from lami.channels.event_grid import EventGrid


class Lami(Struct, frozen=True):
    """A lami put together: what changes things, what answers questions, and what must be closed."""

    settings: Settings
    service: Service
    taker: Taker
    gaps: Gaps
    enactor: Enactor
    queries: Queries
    index: Index
    channels: tuple[Channel, ...]
    clock: Callable[[], datetime]
    table: Table
    arm: Arm
    checker: Checker
    directory: Directory | None = None

    def close(self) -> None:
        """Let go of all connections."""
        if self.directory is not None:
            self.directory.close()
        self.arm.close()
        self.table.close()


class Watch(Struct, frozen=True):
    """Who is shown what happens, as it happens: outcomes of events and alerts told."""

    outcome: Callable[[Outcome], None] = lambda outcome: None
    told: Callable[[Told], None] = lambda told: None


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def build(settings: Settings, watch: Watch | None = None, more: Sequence[Channel] = ()) -> Lami:
    """Put a lami together as the settings say; `more` are channels beside those configured.

    Where the policy file is wrong the last good policy is read from the table, the one thing that connects
    here. Raises `BadSettings` where there never was a good one.
    """
    credential = make_credential(settings)
    table = make_table(settings, credential)
    return assemble(
        with_last_good_policy(settings, table) if settings.policy_faults else settings,
        table,
        AzureArm(settings.arm_endpoint, credential),
        (*make_channels(settings, credential), *more),
        watch or Watch(),
        directory=make_directory(settings, credential),
    )


def build_to_read(settings: Settings) -> Lami:
    """Put a lami together that writes nothing, to the store or to a channel."""
    if settings.sqlite_path and not Path(settings.sqlite_path).exists():
        # SQLite would make the file.
        raise StoreUnavailable(f"SQLite at {settings.sqlite_path}: there is no such file")
    credential = make_credential(settings)
    table = ReadOnlyTable(make_table(settings, credential))
    settings = with_last_good_policy(settings, table) if settings.policy_faults else settings
    return assemble(settings, table, AzureArm(settings.arm_endpoint, credential), (), Watch())


def with_last_good_policy(settings: Settings, table: Table) -> Settings:
    """Settings whose policy is the last good one, and whose `policy_faults` are those of the file.

    Raises `BadSettings`, and lets go of the table, where no good policy was ever in force or it no longer
    reads.
    """
    faults = wrong_policy(settings.policy_faults)
    try:
        text = Index(table).policy()
        if text is None:
            raise wrong(faults)
        policy = parse(text, packaged_policy())
    except BadSettings as error:
        table.close()
        raise wrong([*faults, *error.faults]) from error
    except LamiError:
        table.close()
        raise
    log.error("the last good policy is in force. %s", faults[0])
    return replace(settings, policy=policy, policy_text=text)


def assemble(
    settings: Settings,
    table: Table,
    arm: Arm,
    channels: Sequence[Channel],
    watch: Watch,
    clock: Callable[[], datetime] = now,
    sleep: Callable[[float], None] = time.sleep,
    calm: Calm = CALM,
    directory: Directory | None = None,
) -> Lami:
    """Put a lami together from parts; without a directory nobody is asked about principals."""
    books, index, due = Books(table), Index(table), DueList(table)
    rules = Rules(settings.policy, DETECTORS, settings.subscriptions, settings.patience)
    tools = Tools(books, index, arm, rules, clock, sleep)
    drain = Drain(tools, due, channels, settings.public_url, watch.told)
    gaps = Gaps(tools, drain)
    enactor = Enactor(tools, due, gaps)
    census = Census(tools, due, drain, directory, gaps) if directory is not None else None
    reconciler = Reconciler(tools, due, drain, gaps, enactor, census)
    return Lami(
        settings=settings,
        service=Service(tools, due, drain, reconciler, watch.outcome, calm),
        queries=Queries(books, index, due),
        taker=Taker(tools, due, drain, gaps),
        gaps=gaps,
        enactor=enactor,
        index=index,
        channels=tuple(channels),
        clock=clock,
        table=table,
        arm=arm,
        checker=Checker(books, arm, settings.subscriptions, settings.policy),
        directory=directory,
    )


def make_credential(settings: Settings) -> TokenCredential | None:
    """What proves to Azure who lami is; None on loopback, where nothing asks."""
    if settings.credential == "none":
        return None
    return make_default_credential()


def make_directory(settings: Settings, credential: TokenCredential | None) -> Directory | None:
    """Microsoft Graph, where it may be asked; else not even its code is imported."""
    if not settings.graph_endpoint:
        return None
    from lami.graph.microsoft import MicrosoftGraph

    return MicrosoftGraph(settings.graph_endpoint, credential)


def make_table(settings: Settings, credential: TokenCredential | None) -> Table:
    """The store that `LAMI_STORE` names."""
    if settings.sqlite_path:
        from lami.store.sqlite import SqliteTable

        return SqliteTable(settings.sqlite_path)
    from lami.store.azure_tables import from_connection_string, from_endpoint

    if settings.store.startswith("https://"):
        return from_endpoint(settings.store, settings.table, credential or make_default_credential())
    return from_connection_string(settings.store, settings.table)


def make_default_credential() -> TokenCredential:
    """Azure's default credential: environment, managed identity, developer's sign-in."""
    # Imported here: it is a third of the start-up, and neither the demo nor a help text needs it.
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()


def make_channels(settings: Settings, credential: TokenCredential | None) -> tuple[Channel, ...]:
    """The channels that are configured; of the others not even the code is imported."""
    channels: list[Channel] = []
    if settings.teams_webhook_url:
        from lami.channels.teams import Teams

        channels.append(Teams(settings.teams_webhook_url, settings.targets))
    if settings.smtp is not None and settings.email_to:
        from lami.channels.email import Email

        channels.append(Email(settings.smtp, settings.email_from, settings.email_to))
    if settings.topic_endpoint:
        channels.append(_event_grid(settings, credential))
    return tuple(channels)


def _event_grid(settings: Settings, credential: TokenCredential | None) -> EventGrid:
    from lami.channels.event_grid import EventGrid

    if credential is not None:
        return EventGrid(settings.topic_endpoint, credential)
    from azure.core.credentials import AzureKeyCredential

    return EventGrid(settings.topic_endpoint, AzureKeyCredential("loopback"))

"""A lami as an operator would set it up, pointed at the sandbox; put together as the command line does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lami.arm.azure import AzureArm
from lami.bench.azure import Addresses
from lami.bench.measure import NotMeasured
from lami.pace import Calm
from lami.sandbox.model import JsonObject
from lami.settings import Settings, read
from lami.store.table import Table
from lami.wiring import Lami, Watch, assemble, make_channels

ONE_BY_ONE = Calm(changes=1_000_000, looks=1_000_000, few=1_000_000)
"""However many events come at once, each is handled as it comes: no storm is to be seen in them."""


def settings_for(azure: Addresses, folder: Path, *, store: str = "", tells: bool = False) -> Settings:
    """The settings: a store in this folder, or the one named; with `tells`, Teams is the sandbox's."""
    return read(environment_for(azure, folder, store=store, tells=tells))


def environment_for(
    azure: Addresses, folder: Path, *, store: str = "", tells: bool = False
) -> dict[str, str]:
    """The same as an environment, which can be handed to another process."""
    environment = {
        "LAMI_STORE": store or f"sqlite:///{folder / 'lami.db'}",
        "LAMI_SUBSCRIPTIONS": azure.subscription,
        "LAMI_ARM_ENDPOINT": azure.arm,
        "LAMI_CREDENTIAL": "none",
        "LAMI_LOOPBACK": "1",
    }
    if tells:
        environment["LAMI_TEAMS_WEBHOOK_URL"] = azure.teams
    return environment


@contextmanager
def lami_on(settings: Settings, table: Table) -> Iterator[Lami]:
    """A lami on this table that handles events one by one."""
    arm = AzureArm(settings.arm_endpoint, None)
    channels = make_channels(settings, None)
    with closing(assemble(settings, table, arm, channels, Watch(), calm=ONE_BY_ONE)) as lami:
        yield lami


def record(lami: Lami, told: JsonObject) -> None:
    """Have an event handled; raises unless it was, at once: anything else is not what is measured."""
    outcome = lami.service.receive(told)
    if outcome.outcome != "recorded":
        raise NotMeasured(f"an event was {outcome.outcome} ({outcome.reason}), where it was to be recorded")

"""A lami as an operator would set it up, pointed at the sandbox; put together as the command line does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lami.arm.azure import AzureArm
from lami.arm.pipeline import Policy
from lami.bench.azure import Addresses
from lami.settings import Settings, read
from lami.store.table import Table
from lami.wiring import Lami, Watch, assemble, make_channels


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
def lami_on(settings: Settings, table: Table, *hooks: Policy) -> Iterator[Lami]:
    """A lami on this table; `hooks` see every request that it sends to ARM."""
    arm = AzureArm(settings.arm_endpoint, None, hooks=hooks)
    with closing(assemble(settings, table, arm, make_channels(settings, None), Watch())) as lami:
        yield lami

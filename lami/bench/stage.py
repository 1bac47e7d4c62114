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


def settings_for(azure: Addresses, folder: Path, *, tells: bool = False) -> Settings:
    """The settings; with `tells`, its alerts go to the sandbox's Teams."""
    environment = {
        "LAMI_STORE": f"sqlite:///{folder / 'lami.db'}",
        "LAMI_SUBSCRIPTIONS": azure.subscription,
        "LAMI_ARM_ENDPOINT": azure.arm,
        "LAMI_CREDENTIAL": "none",
        "LAMI_LOOPBACK": "1",
    }
    if tells:
        environment["LAMI_TEAMS_WEBHOOK_URL"] = azure.teams
    return read(environment)


@contextmanager
def lami_on(settings: Settings, table: Table, *hooks: Policy) -> Iterator[Lami]:
    """A lami on this table; `hooks` see every request that it sends to ARM."""
    arm = AzureArm(settings.arm_endpoint, None, hooks=hooks)
    with closing(assemble(settings, table, arm, make_channels(settings, None), Watch())) as lami:
        yield lami

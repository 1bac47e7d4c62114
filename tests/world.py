"""A whole little world for tests: the sandbox's Azure, a lami that watches it, and its server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lami.sandbox import WORKFLOW, Sandbox, resource_id
from lami.settings import read
from lami.web.server import Server
from lami.wiring import Lami, build

GROUP = "rg-claims"
POLICY = '[grace]\norphaned-assignment = "0s"\nmissing-grant = "0s"\n'
"""Nothing waits: what is left behind or missing is a finding at once."""


@dataclass(frozen=True, slots=True)
class World:
    """A little Azure and the lami that watches it; `server` answers on loopback."""

    azure: Sandbox
    lami: Lami
    server: Server

    @property
    def events_url(self) -> str:
        """The webhook, with its key where there is one."""
        key = self.lami.settings.event_key
        return f"{self.server.url}/api/events" + (f"?code={key}" if key else "")

    def app(self, name: str = "claims-intake") -> str:
        """The id of a Consumption logic app."""
        return resource_id(self.azure.subscription, GROUP, WORKFLOW, name)

    def vault(self, name: str = "kv-claims") -> str:
        """The id of a key vault."""
        return resource_id(self.azure.subscription, GROUP, "Microsoft.KeyVault/vaults", name)

    def subscribe(self, schema: str = "eventgrid") -> None:
        """Have Event Grid deliver to the server, after its handshake."""
        self.azure.subscribe(self.events_url, "cloudevents" if schema == "cloudevents" else "eventgrid")

    def settled(self) -> None:
        """Wait until every event was delivered."""
        assert self.azure.settled(20)

    def redeploy(self) -> None:
        """What lami exists for: the app is deleted and created again, and gets Contributor at last."""
        self.azure.estate.recreate(self.app())
        self.settled()
        self.azure.estate.assign("Contributor", f"/subscriptions/{self.azure.subscription}", of=self.app())
        self.settled()


def eventually(true: Callable[[], object], what: str) -> None:
    """Wait until something is so; fail after 20 s."""
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until, f"never: {what}"
        time.sleep(0.05)


@contextmanager
def world(
    folder: Path, environment: Mapping[str, str] | None = None, schedule_every: float = 60
) -> Iterator[World]:
    """A world with one logic app that may read secrets and the group; its baseline is taken.

    `environment` has settings beside those that point lami at the sandbox.
    """
    policy = folder / "policy.toml"
    policy.write_text(POLICY, "utf-8")
    with Sandbox(port=0, seed=7, scale=0.02) as azure:
        app = resource_id(azure.subscription, GROUP, WORKFLOW, "claims-intake")
        azure.estate.put(app, tags={"owner": "team-claims"})
        vault = resource_id(azure.subscription, GROUP, "Microsoft.KeyVault/vaults", "kv-claims")
        group = f"/subscriptions/{azure.subscription}/resourceGroups/{GROUP}"
        azure.estate.assign("Key Vault Secrets User", vault, of=app)
        azure.estate.assign("Reader", group, of=app)
        settings = read(
            {
                "LAMI_STORE": f"sqlite:///{folder / 'lami.db'}",
                "LAMI_SUBSCRIPTIONS": azure.subscription,
                "LAMI_ARM_ENDPOINT": azure.url,
                "LAMI_CREDENTIAL": "none",
                "LAMI_LOOPBACK": "1",
                "LAMI_POLICY": str(policy),
                "LAMI_TEAMS_WEBHOOK_URL": azure.teams_url,
                **(environment or {}),
            }
        )
        lami = build(settings)
        try:
            with Server(lami, port=0, schedule_every=schedule_every) as server:
                yield World(azure, lami, server)
        finally:
            lami.close()

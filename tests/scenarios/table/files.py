"""Words on the files of Standard logic apps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lami.sandbox import IDENTITY, resource_id
from lami.sandbox.definitions import CARELESS_FILES, PLAIN_FILES
from tests.scenarios.table.stage import GROUP, SUBSCRIPTION, Stage


@dataclass(frozen=True, slots=True)
class Filed:
    """A Standard app is given other files, as the designer saves them."""

    name: str
    what: Literal["plain", "careless", "dangling"]

    def __str__(self) -> str:
        does = {
            "plain": "keep to its identity",
            "careless": "send a password, show secrets in their history and ask for a wrong audience",
            "dangling": "have a connection by an identity that is not attached",
        }
        return f"{self.name} is given workflows that {does[self.what]}"

    def act(self, stage: Stage) -> None:
        stray = resource_id(SUBSCRIPTION, GROUP, IDENTITY, "id-stray")
        block = {"type": "ManagedServiceIdentity", "identity": stray}
        connections = {"managedApiConnections": {"sql": {"authentication": block}}}
        given = {
            "plain": PLAIN_FILES,
            "careless": CARELESS_FILES,
            "dangling": {**PLAIN_FILES, "connections.json": connections},
        }
        stage.azure.estate.deploy(stage.id(self.name), given[self.what])
        stage.changed()

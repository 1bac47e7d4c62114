"""The scripted server, an Arm that looks at it, and a transport that doesn't sleep."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.core.pipeline.transport import RequestsTransport

from lami.arm.azure import AzureArm
from lami.arm.protocol import Arm
from tests.arm.replies import DEFINITIONS, OWNER, definition, page
from tests.arm.scripted import Reply, Scripted


@pytest.fixture
def azure() -> Iterator[Scripted]:
    """A server that knows two role definitions and nothing else."""
    server = Scripted()
    server.says[DEFINITIONS.lower()] = Reply(page(definition(), definition(OWNER, "Owner", actions=["*"])))
    yield server
    server.close()


@pytest.fixture
def arm(azure: Scripted) -> Iterator[Arm]:
    """Looks at the server."""
    made = AzureArm(azure.url, None)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds between tries, which the tests count and don't wait for."""
    seconds: list[float] = []
    monkeypatch.setattr(RequestsTransport, "sleep", lambda self, duration: seconds.append(duration))
    return seconds

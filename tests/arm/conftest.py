"""The scripted server, an Arm that looks at it, and a transport that doesn't sleep."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.core.pipeline.transport import RequestsTransport

from lami.arm.azure import AzureArm
from lami.arm.protocol import Arm
from tests.arm.replies import DEFINITIONS, OWNER, ROOT, definition, page, subscription
from tests.arm.scripted import Reply, Scripted


class Clock:
    """Time that passes when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


@pytest.fixture
def azure() -> Iterator[Scripted]:
    """A server that knows two role definitions and how the subscription is called, and nothing else."""
    server = Scripted()
    server.says[DEFINITIONS.lower()] = Reply(page(definition(), definition(OWNER, "Owner", actions=["*"])))
    server.says[ROOT.lower()] = Reply(subscription())
    yield server
    server.close()


@pytest.fixture
def arm(azure: Scripted, clock: Clock) -> Iterator[Arm]:
    """Looks at the server."""
    made = AzureArm(azure.url, None, clock=clock)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds between tries, which the tests count and don't wait for."""
    seconds: list[float] = []
    monkeypatch.setattr(RequestsTransport, "sleep", lambda self, duration: seconds.append(duration))
    return seconds

"""A scripted server, and Graph asked there; waits between tries are counted and not waited."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.core.pipeline.transport import RequestsTransport

from lami.graph.microsoft import MicrosoftGraph
from lami.graph.protocol import Directory
from tests.arm.scripted import Scripted


@pytest.fixture
def server() -> Iterator[Scripted]:
    """A server that knows nothing yet."""
    made = Scripted()
    yield made
    made.close()


@pytest.fixture
def graph(server: Scripted) -> Iterator[Directory]:
    """Asks the server."""
    made = MicrosoftGraph(server.url, None)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds between tries."""
    seconds: list[float] = []
    monkeypatch.setattr(RequestsTransport, "sleep", lambda self, duration: seconds.append(duration))
    return seconds

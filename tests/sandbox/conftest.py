"""One sandbox a test."""

from collections.abc import Iterator

import pytest

from lami.sandbox import Sandbox
from tests.sandbox.support import Webhook, listening


@pytest.fixture
def azure() -> Iterator[Sandbox]:
    with Sandbox(scale=0.001, page_size=3) as sandbox:
        yield sandbox


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with listening() as hook:
        yield hook

"""What the log says on standard error, by how much was asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

SAY = """
import logging
from lami.cli.voice import listen
listen(logging.{level})
logging.getLogger("waitress.queue").warning("Task queue depth is 1")
logging.getLogger("lami.drain").warning("teams could not be told")
"""


@pytest.mark.parametrize(("level", "queue"), [("WARNING", False), ("INFO", True)])
def test_a_request_that_waits_for_a_thread_is_no_warning(level: str, queue: bool) -> None:
    """It is said with -v only; what is a warning of lami's is always said."""
    code = SAY.format(level=level)
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
    assert ("Task queue depth" in said) is queue
    assert "warning: teams could not be told" in said

"""Starts a function app under `harness.py`, and speaks to it for a test.

The worker needs Python 3.13 with exactly the packages of requirements.txt in `.venv313`, and its own packages
beside them in `.venv313/worker`; `make test` makes both. Where no Python 3.13 can be found, the tests that
need it are skipped, loudly, except under CI (`CI=true`), where they fail.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".venv313"
HARNESS = Path(__file__).with_name("harness.py")
ADVICE = (
    "needs Python 3.13 with Microsoft's Functions worker: install one "
    "(Debian 13: apt-get install python3.13-venv; elsewhere: pyenv install 3.13) and run `make test`"
)


def python313() -> Path:
    """The interpreter of `.venv313`; without it the test is skipped, or fails under CI."""
    interpreter = VENV / "bin" / "python"
    if not (VENV / "worker" / "functions_protos" / "__init__.py").exists():
        if os.environ.get("CI") == "true":
            pytest.fail(ADVICE)
        pytest.skip(ADVICE)
    return interpreter


@dataclass(frozen=True, slots=True)
class Answer:
    """How one invocation ended; `status` and `body` are those of an HTTP function's response."""

    ok: bool
    exception: str | None
    status: int | None = None
    body: str = ""


class Worker:
    """One worker process with one app loaded, for the time of a `with` block.

    `functions` maps each function's name to its bindings' types; `exception` says why none was loaded.
    """

    functions: dict[str, dict[str, str]]
    exception: str | None

    def __init__(self, app: Path, settings: Mapping[str, str]) -> None:
        self._app = app
        self._settings = settings

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [python313(), HARNESS, "--app", self._app, "--worker", VENV / "worker"],
            env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")} | dict(self._settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            answer = self._read()
        except BaseException:
            self._stop()
            raise
        self.functions, self.exception = answer["functions"], answer["exception"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def call(self, function: str, payload: object) -> Answer:
        """Invoke a function on an Event Grid event or a timer's state."""
        return self._ask({"function": function, "json": payload})

    def get(self, function: str, path: str, headers: Mapping[str, str]) -> Answer:
        """Invoke an HTTP function on a GET."""
        http = {"method": "GET", "url": f"https://lami.example{path}", "headers": dict(headers)}
        return self._ask({"function": function, "http": http})

    def _ask(self, call: Mapping[str, object]) -> Answer:
        assert call["function"] in self.functions, self.exception or "function_app.py has no such function"
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        returned = answer["returned"] or {}
        return Answer(answer["ok"], answer["exception"], returned.get("status"), returned.get("body", ""))

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the worker ended with code {self._process.wait()}; see its standard error")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _stop(self) -> None:
        """End of input ends the worker; one that hangs is killed."""
        try:
            self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

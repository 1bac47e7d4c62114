"""A small Azure, a store in a folder, and the command line between them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lami.cli.root import lami
from lami.sandbox import WORKFLOW, Sandbox, resource_id

HERE = "5f0c2a51-1111-4a6b-8d10-9a27c1e4f001"
THERE = "5f0c2a51-2222-4a6b-8d10-9a27c1e4f002"


def app(subscription: str, name: str = "claims-intake") -> str:
    """The id of a logic app."""
    return resource_id(subscription, "rg-claims", WORKFLOW, name)


@dataclass(frozen=True)
class Cli:
    """Runs commands with the environment that points at the sandbox."""

    environment: dict[str, str]
    folder: Path

    def __call__(self, *arguments: str, input: str | bytes | None = None, **settings: str) -> Result:
        """Run a command in this process."""
        environment = {**self.environment, **settings}
        return CliRunner().invoke(lami, arguments, input=input, env=environment, prog_name="lami")

    def value(self, *arguments: str, **settings: str) -> list[dict[str, Any]]:
        """What a command prints as JSON."""
        result = self(*arguments, "-o", "json", **settings)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        found = json.loads(result.stdout)["value"]
        assert isinstance(found, list)
        return found

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        """Start a command in a process of its own."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LAMI_")}
        return subprocess.Popen(
            [sys.executable, "-m", "lami.cli", *arguments],
            env={**clean, "PYTHONUNBUFFERED": "1", **self.environment, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def azure() -> Iterator[Sandbox]:
    """A small Azure with two subscriptions."""
    with Sandbox(subscriptions=(HERE, THERE)) as sandbox:
        yield sandbox


@pytest.fixture
def cli(azure: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line, watching the first subscription."""
    for name in [name for name in os.environ if name.startswith("LAMI_")]:
        monkeypatch.delenv(name)
    policy = tmp_path / "policy.toml"
    policy.write_text('[grace]\norphaned-assignment = "0s"\nmissing-grant = "0s"\n')
    environment = {
        "LAMI_STORE": f"sqlite:///{tmp_path / 'lami.db'}",
        "LAMI_SUBSCRIPTIONS": HERE,
        "LAMI_ARM_ENDPOINT": azure.url,
        "LAMI_CREDENTIAL": "none",
        "LAMI_LOOPBACK": "1",
        "LAMI_TEAMS_WEBHOOK_URL": azure.teams_url,
        "LAMI_POLICY": str(policy),
    }
    return Cli(environment, tmp_path)


@dataclass
class Inbox:
    """A webhook that keeps the events it gets."""

    events: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def inbox(azure: Sandbox) -> Iterator[Inbox]:
    """A webhook that the sandbox's Event Grid delivers to."""
    kept = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = b""
            if self.headers.get("aeg-event-type") == "SubscriptionValidation":
                answer = json.dumps({"validationResponse": body[0]["data"]["validationCode"]}).encode()
            else:
                kept.events += body
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        azure.subscribe(f"http://127.0.0.1:{server.server_port}/")
        yield kept
        azure.grid.unsubscribe(f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()

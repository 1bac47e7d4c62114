"""`lami sandbox` and `lami serve` as processes, and the story that the sandbox prints."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Thread
from typing import IO
from urllib.request import Request, urlopen

import pytest

from lami.sandbox import Sandbox
from lami.sandbox.faults import Fault
from tests.cli.conftest import HERE, THERE, Cli, app

PATIENCE = 30.0


class Listener:
    """Reads what a process writes, line by line."""

    def __init__(self, stream: IO[str]) -> None:
        self._lines: Queue[str] = Queue()
        self.heard: list[str] = []
        Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self._lines.put(line.rstrip("\n"))

    def until(self, pattern: str) -> str:
        """The first line that has the pattern."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                self.heard.append(self._lines.get(timeout=0.1))
            except Empty:
                continue
            if re.search(pattern, self.heard[-1]):
                return self.heard[-1]
        raise AssertionError(f"no line has {pattern!r}: {self.heard}")


@contextmanager
def _running(
    cli: Cli, *arguments: str, **settings: str
) -> Iterator[tuple[subprocess.Popen[str], Listener, Listener]]:
    process = cli.start(*arguments, **settings)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield process, Listener(process.stdout), Listener(process.stderr)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def _ended(process: subprocess.Popen[str], number: signal.Signals) -> int:
    process.send_signal(number)
    return process.wait(PATIENCE)


def _curl(line: str) -> bytes:
    """Do what a printed curl command says."""
    words = shlex.split(line)[1:]
    method, body, url = "GET", None, ""
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-d":
            body = words.pop(0).encode()
        else:
            url = word
    with urlopen(Request(url, body, method=method), timeout=PATIENCE) as answer:  # a loopback address
        found: bytes = answer.read()
        return found


def _page(err: Listener) -> str:
    """The address of the page that the banner names."""
    return err.until(r"^  page ").split()[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_what_it_does_and_ends_cleanly(cli: Cli, azure: Sandbox, number: signal.Signals) -> None:
    """The banner names what is watched, store, channels, baseline and addresses; a signal ends it with 0."""
    azure.estate.put(app(HERE))
    with _running(cli, "serve", "--port", "0") as (process, out, err):
        page = _page(err)
        said = "\n".join(err.heard)
        for expected in (HERE, "lami.db", "teams", "taken now: 2 subjects", "/api/events"):
            assert expected in said
        with urlopen(page, timeout=PATIENCE) as answer:
            assert answer.status == 200
        assert _ended(process, number) == 0
        assert out.heard == []
    with _running(cli, "serve", "--port", "0") as (_, _, err):
        assert re.search(r"taken \d{4}-", err.until("^  baseline"))


def test_alert_within_the_delivery(cli: Cli, azure: Sandbox) -> None:
    """A change is told to lami and reaches Teams; the terminal says so as it happens."""
    azure.estate.put(app(HERE))
    with _running(cli, "serve", "--port", "0") as (_, _, err):
        azure.subscribe(f"{_page(err)}api/events")
        azure.estate.recreate(app(HERE))
        err.until("told teams: .*claims-intake was recreated")
        assert azure.settled(PATIENCE)
        assert len(azure.teams.cards) == 1


def test_without_channels_alerts_are_printed(cli: Cli, azure: Sandbox) -> None:
    """Where nobody else is told, the alert stands on standard output."""
    azure.estate.put(app(HERE))
    with _running(cli, "serve", "--port", "0", LAMI_TEAMS_WEBHOOK_URL="") as (_, out, err):
        assert "printed here" in err.until("^  channels")
        azure.subscribe(f"{_page(err)}api/events")
        azure.estate.recreate(app(HERE))
        assert out.until("identity-churn").startswith("HIGH")


def test_unreadable_subscription_is_said(cli: Cli, azure: Sandbox) -> None:
    """A baseline that could be taken only in part is said so, and lami serves."""
    azure.faults.add(Fault(path=f"/subscriptions/{THERE}*", status=403))
    with _running(cli, "serve", "--port", "0", LAMI_SUBSCRIPTIONS=f"{HERE},{THERE}") as (_, _, err):
        assert f"not of {THERE}" in err.until("^  baseline")
        _page(err)


def test_taken_port(cli: Cli) -> None:
    """A port that another program has is one message, exit 2, for both servers."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for command in ("serve", "sandbox"):
            result = cli(command, "--port", port)
            assert result.exit_code == 2
            assert port in result.stderr
            assert "Traceback" not in result.stderr


def test_open_to_others_needs_keys(cli: Cli) -> None:
    """On an address that others reach, lami does not start without keys."""
    result = cli("serve", "--host", "0.0.0.0", "--port", "0")
    assert result.exit_code == 2
    assert "LAMI_AUTH" in result.stderr
    assert "LAMI_EVENT_KEY" in result.stderr
    assert not (cli.folder / "lami.db").exists()


def test_the_printed_story(cli: Cli) -> None:
    """What `lami sandbox` prints can be pasted: it ends with both alerts in Teams and in the mailbox."""
    with _running(cli, "sandbox", "--port", "0") as (sandbox, out, _):
        out.until(r"curl \S+/mail$")
        assert any("simulation" in line for line in out.heard)
        exported = [line.split("#")[0].strip() for line in out.heard if line.startswith("  export ")]
        settings = dict(word.split("=", 1) for line in exported for word in shlex.split(line)[1:])
        commands = [line for line in out.heard[out.heard.index("A story") :] if line.startswith("  curl")]
        create, grant, subscribe, in_place, recreate, broad, teams, mail = commands
        _curl(create)
        _curl(grant)
        with _running(cli, "serve", "--port", "0", **settings) as (_, _, err):
            page = _page(err)
            _curl(subscribe.replace("http://127.0.0.1:8080/", page))
            for change in (in_place, recreate):
                _curl(change)
            err.until("told email: .*recreated")
            _curl(broad)
            err.until("told email: .*Contributor")
        for sink in (teams, mail):
            told = _curl(sink).decode()
            assert "claims-intake was recreated" in told
            assert "Contributor" in told
        assert _ended(sandbox, signal.SIGTERM) == 0

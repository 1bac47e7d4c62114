"""Azurite, Microsoft's own stand-in for Table Storage, as a real server on loopback for the tests.

It is the npm package that `package.json` pins, run with its table service only.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
PROGRAM = HERE / "node_modules" / "azurite" / "dist" / "src" / "table" / "main.js"
INSTALL = "Azurite is not installed; install it with: npm ci --prefix tests (needs Node.js 20 or later)"
# The account and key that every Azurite has and Microsoft documents; they guard nothing.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class NotInstalled(Exception):
    """Node.js or the npm package is missing; the message says how to install it."""


def connection_string(port: int, key: str = KEY) -> str:
    """Write the connection string of what listens (or does not) on this port of loopback."""
    endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};TableEndpoint={endpoint};"


def free_port() -> int:
    """Find a port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(workspace: Path) -> Iterator[str]:
    """Run an Azurite in this directory and give its connection string; end it on leaving."""
    server = Azurite(workspace, ("--inMemoryPersistence",))
    server.start()
    try:
        yield server.connection_string
    finally:
        server.end(signal.SIGTERM)


class Azurite:
    """An Azurite in this directory, always on the same port; it can be ended and started again.

    Without `--inMemoryPersistence` it keeps its data in the directory: it writes them every five seconds, and
    when it ends by SIGINT. By any other signal it ends without.
    """

    def __init__(self, workspace: Path, options: Sequence[str] = ()) -> None:
        node = shutil.which("node")
        if node is None or not PROGRAM.exists():
            raise NotInstalled(INSTALL)
        self._port = free_port()
        self._command = [node, str(PROGRAM), "--tableHost", "127.0.0.1", "--tablePort", str(self._port)]
        self._command += ["--silent", "--disableTelemetry", "--skipApiVersionCheck", *options]
        self._workspace = workspace
        self._process: subprocess.Popen[bytes] | None = None

    def has_saved(self, text: str) -> bool:
        """Whether this stands in the data that it has written into the directory."""
        return text in (self._workspace / "__azurite_db_table__.json").read_text("utf-8")

    @property
    def connection_string(self) -> str:
        """Its connection string, whether it runs or not."""
        return connection_string(self._port)

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        log = self._workspace / "azurite.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, cwd=self._workspace, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            _wait(self._process, self._port, log)
        except RuntimeError:
            self.end(signal.SIGKILL)
            raise

    def end(self, number: signal.Signals) -> None:
        """End it by this signal, or by SIGKILL 10 s later. Harmless where it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def hang(self, seconds: float) -> None:
        """Have it take connections and answer nothing for so long; then it does all that it was asked."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)
            time.sleep(seconds)
            self._process.send_signal(signal.SIGCONT)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until it takes connections, at most 60 s: node starts slowly on a busy machine."""
    for _ in range(600):
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"Azurite did not start on port {port}: {log.read_text(errors='replace')}")

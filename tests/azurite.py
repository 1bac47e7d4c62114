"""Azurite, Microsoft's own stand-in for Table Storage, as a real server on loopback for the tests.

It is the npm package that `package.json` pins, run with its table service only and with its data in memory.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
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
    node = shutil.which("node")
    if node is None or not PROGRAM.exists():
        raise NotInstalled(INSTALL)
    port = free_port()
    options = ["--tableHost", "127.0.0.1", "--tablePort", str(port), "--inMemoryPersistence"]
    options += ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    log = workspace / "azurite.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [node, str(PROGRAM), *options], cwd=workspace, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _wait(process, port, log)
            yield connection_string(port)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


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

"""`lami serve`: API, page and webhook on one port, and the threads that do what is due.

`waitress` serves. Its own way to stop cuts off answers, so its loop is turned here, and ended when what was
asked is answered.
"""

from __future__ import annotations

import logging
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from threading import Event, Lock, Thread, current_thread, main_thread
from types import FrameType, TracebackType
from typing import Any

from waitress import wasyncore
from waitress.server import create_server

from lami.channels.targets import is_loopback
from lami.errors import BadSettings, Permanent
from lami.runs import Progress, Report
from lami.schedule import begin, reconcile_if_due, take_baseline_if_none
from lami.settings import Settings
from lami.web.app import make_server_app
from lami.web.ticking import Ticker
from lami.wiring import Lami

log = logging.getLogger(__name__)

THREADS = 16
WALK_EVERY = 1.0
SCHEDULE_EVERY = 60.0
"""Seconds; the first comes after one interval, so that nothing is reconciled in the first minute."""
_PATIENCE = 20.0
"""Seconds that the end waits for answers, and then for each thread."""
_LARGEST = 32 * 1024 * 1024
"""Bytes of a body beyond which waitress cuts the connection; up to it the app says 413 itself."""


class Server:
    """A lami that listens: `with Server(lami, port=0) as server: server.url`.

    `start` binds, takes the baseline where there is none, and only then answers: an event that came before
    would make what stands look new. Whoever connects meanwhile waits. The lami is not closed here.
    """

    def __init__(
        self,
        lami: Lami,
        host: str = "127.0.0.1",
        port: int = 8080,
        schedule_every: float = SCHEDULE_EVERY,
    ) -> None:
        check_exposure(lami.settings, host)
        self._lami = lami
        self._host = "127.0.0.1" if host == "localhost" else host
        self._port = port
        self._map: dict[int, Any] = {}
        self._http: Any = None
        self._front = Thread(target=self._answer, name="lami-http", daemon=True)
        self._stopping = Event()
        self._ended = Event()
        self._closing = Lock()
        self._dead = ""
        self._tickers = (
            Ticker("walker", self._walk, WALK_EVERY, self._died),
            Ticker("schedule", self._schedule, schedule_every, self._died),
        )

    def start(self, progress: Callable[[Progress], None] = lambda progress: None) -> Report | None:
        """Bind, take the baseline if there is none, and begin to answer.

        Answers what was taken, or None where there was a baseline. What could not be read is in the report
        and is tried again each minute. Raises `Permanent` where the port is taken, and `Temporary` where
        the store cannot be reached: then nothing runs.
        """
        with ExitStack() as undo:
            listening = undo.enter_context(self._bind())
            begin(self._lami)
            report = take_baseline_if_none(self._lami, progress)
            undo.pop_all()
        self._http = create_server(
            make_server_app(lambda: self._lami),
            map=self._map,
            sockets=[listening],
            threads=THREADS,
            ident=None,
            clear_untrusted_proxy_headers=True,
            max_request_body_size=_LARGEST,
            connection_limit=500,
        )
        self._front.start()
        for ticker in self._tickers:
            ticker.start()
        return report

    def close(self) -> None:
        """Stop the threads, take no new connection, and finish what is being answered. Twice is harmless."""
        self._stopping.set()
        self._ended.set()
        with self._closing:
            if self._http is None:
                return
            for ticker in self._tickers:
                ticker.stop(_PATIENCE)
            self._http.pull_trigger()
            self._front.join(_PATIENCE + 5)
            self._http.task_dispatcher.shutdown()
            wasyncore.close_all(self._map)
            self._http = None

    def serve_forever(self) -> None:
        """Serve until interrupted (Ctrl-C), told to end (SIGTERM), or closed from another thread.

        Raises `Permanent` where one of the threads died, for then lami would seem well and not be.
        """
        if self._http is None:
            self.start()
        before = signal.signal(signal.SIGTERM, self._told_to_end) if _is_main() else None
        try:
            while not self._ended.wait(1):
                pass
        except KeyboardInterrupt:
            log.info("interrupted")
        finally:
            self.close()
            if before is not None:
                signal.signal(signal.SIGTERM, before)
        if self._dead:
            raise Permanent(f"lami's {self._dead} died of a fault in lami; the trace is above")

    def __enter__(self) -> Server:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    @property
    def port(self) -> int:
        """The port it listens on; the real one even where 0 was asked for, once started."""
        return self._port

    @property
    def url(self) -> str:
        """Where the page is, without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            listening = socket.create_server((self._host, self._port), family=family, backlog=1024)
        except (OSError, OverflowError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise Permanent(f"cannot listen on {self._host}, port {self._port}: {why}") from error
        self._port = listening.getsockname()[1]
        return listening

    def _answer(self) -> None:
        """Turn waitress's loop until told to stop; then take no more and finish what was begun."""
        finished = False
        try:
            while not self._stopping.is_set():
                wasyncore.loop(timeout=1, use_poll=True, map=self._map, count=1)
            self._http.accepting = False
            until = time.monotonic() + _PATIENCE
            while time.monotonic() < until and any(_is_busy(c) for c in self._http.active_channels.values()):
                wasyncore.loop(timeout=0.05, use_poll=True, map=self._map, count=1)
            finished = True
        finally:
            if not finished:
                self._died("http server")

    def _walk(self) -> bool:
        return self._lami.service.walk() > 0

    def _schedule(self) -> bool:
        if take_baseline_if_none(self._lami) is None:
            reconcile_if_due(self._lami)
        return False

    def _died(self, name: str) -> None:
        self._dead = name
        self._ended.set()

    def _told_to_end(self, number: int, frame: FrameType | None) -> None:
        self._ended.set()


def check_exposure(settings: Settings, host: str) -> None:
    """Refuse to listen where others can reach lami and nobody has to prove who they are."""
    if is_loopback(host):
        return
    faults = []
    if settings.auth == "none":
        faults.append("LAMI_AUTH: `none` would open API and page to everybody: use `key`")
    if not settings.event_key:
        faults.append("LAMI_EVENT_KEY: without it anybody could post events")
    if faults:
        raise BadSettings("\n  ".join([f"not on {host}, which others can reach:", *faults]))


def _is_main() -> bool:
    """Whether this is the thread that may handle signals."""
    return current_thread() is main_thread()


def _is_busy(channel: Any) -> bool:
    """Whether a connection is being answered, or has not got all of its answer."""
    return bool(channel.requests or channel.total_outbufs_len)

"""The little Azure's front door: one HTTP server on loopback for ARM, control API, sinks and page."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from socket import SHUT_RDWR, create_server, socket
from threading import Event, Lock, Thread
from time import sleep
from types import TracebackType
from urllib.parse import unquote

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Request, Response

from lami.sandbox.arm import Asked, answer, is_arm
from lami.sandbox.body import Body
from lami.sandbox.control import ROUTES, SIMULATION
from lami.sandbox.directory import Directory, is_graph
from lami.sandbox.directory import answer as graph_answer
from lami.sandbox.estate import Estate
from lami.sandbox.events import Schema
from lami.sandbox.faults import Fault, Faults, status_of
from lami.sandbox.grid import Grid
from lami.sandbox.model import Happening, Refused
from lami.sandbox.pages import Pages
from lami.sandbox.parts import Parts, Read
from lami.sandbox.sinks import MailSink, TeamsSink, TopicSink

LOOPBACK = "127.0.0.1"
LARGEST = 1 << 20  # bytes of a body
_FAILURES = {
    403: (
        "AuthorizationFailed",
        "The client does not have authorization to perform this action over this scope.",
    ),
    404: ("ResourceNotFound", "The resource was not found."),
    429: ("TooManyRequests", "The request is being throttled."),
}
_GRAPH_FAILURES = _FAILURES | {
    403: ("Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
    404: ("Request_ResourceNotFound", "The resource does not exist."),
}


class Sandbox:
    """A small Azure: `with Sandbox(port=0, seed=7) as azure: azure.url`.

    `estate`, `directory`, `faults`, `grid` and the sinks `teams`, `topic`, `mail` are the same that the
    control API works on; `reads` is the log of requests to ARM and Graph. `scale` shortens Event Grid's retry
    schedule. `on_change` hears of every change besides, within the lock: for whoever delivers events by
    hand.
    """

    def __init__(
        self,
        port: int = 0,
        seed: int = 7,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        page_size: int = 100,
        scale: float = 0.01,
        mail_port: int = 0,
        subscriptions: Sequence[str] = (),
        on_change: Callable[[Happening], None] = lambda happening: None,
    ) -> None:
        self.grid = Grid(seed, now, scale=scale)
        self.faults = Faults(seed)
        self._on_change = on_change
        self.estate = Estate(seed, now, self._happened, subscriptions)
        self.directory = Directory(self.estate)
        self.teams = TeamsSink(now)
        self.topic = TopicSink()
        self.mail = MailSink(now, self.faults, mail_port)
        self.reads: deque[Read] = deque(maxlen=100_000)
        self._parts = Parts(
            self.estate, self.directory, self.faults, self.grid, self.teams, self.topic, self.mail, self.reads
        )
        self._port = port
        self._page_size = page_size
        self._mail_port = 0
        self._server: _Server | None = None
        self._ended = Event()

    def _happened(self, happening: Happening) -> None:
        self.grid.publish(happening)
        self._on_change(happening)

    def start(self) -> None:
        """Bind the ports and begin to answer and deliver."""
        pages = Pages()
        routes = Map(
            [
                Rule("/", endpoint="page", methods=["GET"]),
                Rule("/sandbox/teams/webhook", endpoint="teams", methods=["POST"]),
                Rule("/sandbox/topic", endpoint="topic", methods=["POST"]),
                Rule("/sandbox/topic/api/events", endpoint="topic", methods=["POST"]),
                *(Rule(route.path, endpoint=route.handler, methods=[route.method]) for route in ROUTES),
            ],
            merge_slashes=False,
        )
        door = _Door(self._parts, routes, pages, self._page_size, lambda: self.mail_url)
        with create_server((LOOPBACK, self._port)) as bound:  # bound here: werkzeug exits on a taken port
            self._server = _Server(LOOPBACK, self._port, door, _Quiet, fd=bound.fileno())
        Thread(target=self._server.serve_forever, args=(0.05,), name="sandbox-http", daemon=True).start()
        try:
            self._mail_port = self.mail.start()
        except OSError:
            self.close()
            raise
        self.grid.start()

    def close(self) -> None:
        """Stop answering and delivering, and cut every connection."""
        self.grid.stop()
        self.mail.stop()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut()
            self._server = None
        self._ended.set()

    def __enter__(self) -> "Sandbox":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def serve_forever(self) -> None:
        """Answer until interrupted (Ctrl-C) or closed from another thread; starts if need be."""
        if self._server is None:
            self.start()
        try:
            while not self._ended.wait(1):
                pass
        except KeyboardInterrupt:
            self.close()

    @property
    def url(self) -> str:
        """Where ARM, control API and page are, without a slash at the end."""
        return f"http://{LOOPBACK}:{self._server.port if self._server else self._port}"

    @property
    def mail_url(self) -> str:
        """The mail server, as LAMI_SMTP_URL takes it."""
        return f"smtp://{LOOPBACK}:{self._mail_port}"

    @property
    def teams_url(self) -> str:
        """The Teams webhook, as LAMI_TEAMS_WEBHOOK_URL takes it."""
        return f"{self.url}/sandbox/teams/webhook"

    @property
    def topic_url(self) -> str:
        """The custom topic, as LAMI_EVENTGRID_TOPIC_ENDPOINT takes it."""
        return f"{self.url}/sandbox/topic/api/events"

    @property
    def subscription(self) -> str:
        """The id of the first subscription."""
        return self.estate.subscriptions[0]

    def banner(self) -> str:
        """What a terminal shows at the start: that it is a simulation, and how to point lami at it."""
        return "\n".join(
            (
                SIMULATION,
                "",
                f"  page and control API   {self.url}/   {self.url}/sandbox/",
                "",
                f"  export LAMI_LOOPBACK=1 LAMI_CREDENTIAL=none LAMI_ARM_ENDPOINT={self.url}",
                f"  export LAMI_GRAPH_ENDPOINT={self.url}",
                f"  export LAMI_SUBSCRIPTIONS={','.join(self.estate.subscriptions)}",
                f"  export LAMI_TEAMS_WEBHOOK_URL={self.teams_url}",
                f"  export LAMI_SMTP_URL={self.mail_url} LAMI_EMAIL_FROM=lami@contoso.example",
                "  export LAMI_EMAIL_TO=robin@contoso.example",
                f"  export LAMI_EVENTGRID_TOPIC_ENDPOINT={self.topic_url}",
            )
        )

    def subscribe(self, url: str, schema: Schema = "eventgrid") -> None:
        """Have Event Grid deliver to a webhook on this machine."""
        self.grid.subscribe(url, schema)

    def lag(self, reads: int, path: str = "*") -> None:
        """Let the next `reads` ARM reads of `path` show the estate as it is now, whatever changes."""
        self.faults.add(Fault(path=path, tick=self.estate.tick, count=reads))

    def settled(self, timeout: float) -> bool:
        """Wait until no event is on its way; False when `timeout` seconds did not suffice."""
        return self.grid.settled(timeout)


class _Request(Request):
    max_content_length = LARGEST


class _Door:
    """The WSGI application: finds who is asked, and turns refusals into answers."""

    def __init__(
        self, parts: Parts, routes: Map, pages: Pages, page_size: int, mail_url: Callable[[], str]
    ) -> None:
        self._parts = parts
        self._routes = routes
        self._pages = pages
        self._page_size = page_size
        self._mail_url = mail_url

    def __call__(self, environ: dict[str, object], start: Callable[..., object]) -> Iterable[bytes]:
        response = self._answer(_Request(environ))
        return response(environ, start)  # type: ignore[arg-type]

    def _answer(self, request: Request) -> Response:
        try:
            if is_arm(request.path):
                return self._read(request, self._arm_answer(request))
            if is_graph(request.path):
                return self._read(request, self._graph_answer(request))
            _refuse_strangers(request)
            return self._own(request)
        except Refused as refused:
            return _error(refused.status, refused.code, str(refused))
        except HTTPException as wrong:
            return _error(wrong.code or 500, wrong.name.replace(" ", ""), wrong.description or "")

    def _read(self, request: Request, response: Response) -> Response:
        query = unquote(request.query_string.decode("ascii", "replace"))
        self._parts.reads.append(Read(request.method, request.path, query, response.status_code))
        return response

    def _arm_answer(self, request: Request) -> Response:
        if request.method != "GET":
            response = _error(405, "MethodNotAllowed", "The sandbox's ARM answers reads only.")
            response.headers["Allow"] = "GET"
            return response
        struck = self._parts.faults.strike(request.path)
        if failure := _failure(struck):
            return failure
        asked = Asked(
            base=request.host_url.rstrip("/"),
            path=request.path,
            query={name.lower(): value for name, value in request.args.items()},
            tick=None,
            page_size=self._page_size,
        )
        for fault in struck:
            if fault.tick is not None or fault.lag is not None:
                tick = fault.tick if fault.tick is not None else self._parts.estate.tick_ago(fault.lag or 0)
                asked = replace(asked, tick=tick)
        try:
            return _json(answer(self._parts.estate, asked))
        except Refused as refused:
            return _error(refused.status, refused.code, str(refused))

    def _graph_answer(self, request: Request) -> Response:
        if failure := _failure(self._parts.faults.strike(request.path), _GRAPH_FAILURES):
            return failure
        try:
            body = json.loads(request.get_data() or b"{}")
            asked = body if isinstance(body, dict) else {}
            return _json(graph_answer(self._parts.directory, request.method, request.path, asked))
        except ValueError:
            return _error(400, "BadRequest", "The body is no JSON.")
        except Refused as refused:
            return _error(refused.status, refused.code, str(refused))

    def _own(self, request: Request) -> Response:
        endpoint, arguments = self._routes.bind_to_environ(request.environ).match()
        if endpoint == "page":
            html, headers = self._pages.render(self._parts, self._mail_url())
            return Response(html, headers=headers, content_type="text/html; charset=utf-8")
        if endpoint in ("teams", "topic"):
            if failure := _failure(self._parts.faults.strike(request.path)):
                return failure
            (self._parts.teams if endpoint == "teams" else self._parts.topic).take(request.get_data())
            return Response(status=202 if endpoint == "teams" else 200)
        return _json(endpoint(self._parts, arguments, Body.parse(request.get_data())))


def _refuse_strangers(request: Request) -> None:
    """A web page somewhere may not drive the sandbox through the browser of whoever runs it."""
    host = request.host.rpartition(":")[0] or request.host
    if host not in (LOOPBACK, "localhost") or request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise Refused("the sandbox answers to this machine only", 403, "Forbidden")


def _failure(struck: Sequence[Fault], known: Mapping[int, tuple[str, str]] = _FAILURES) -> Response | None:
    """Wait as the faults demand; the answer of the one that fails, if any."""
    for fault in struck:
        sleep(fault.slow or 0)
    failing = status_of(struck)
    if failing is None or failing.status is None:
        return None
    response = _error(
        failing.status, *known.get(failing.status, ("InternalServerError", "A fault on demand."))
    )
    if failing.retry_after is not None:
        response.headers["Retry-After"] = f"{failing.retry_after:g}"
    return response


def _json(body: object) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), content_type="application/json; charset=utf-8")


def _error(status: int, code: str, message: str) -> Response:
    response = _json({"error": {"code": code, "message": message}})
    response.status_code = status
    return response


class _Server(ThreadedWSGIServer):
    """A threaded server that can cut its keep-alive connections, so that closed means closed."""

    def __init__(self, host: str, port: int, app: _Door, handler: type[WSGIRequestHandler], fd: int) -> None:
        self._open: set[socket] = set()
        self._guard = Lock()
        super().__init__(host, port, app, handler, fd=fd)

    def process_request(self, request: socket, client_address: object) -> None:  # type: ignore[override]
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket) -> None:  # type: ignore[override]
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        with self._guard:
            for connection in self._open:
                try:
                    connection.shutdown(SHUT_RDWR)
                except OSError:
                    continue  # the other side was faster


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive
    disable_nagle_algorithm = True  # else every keep-alive answer waits some 40 ms for a delayed ack
    wbufsize = 1 << 16  # head and body leave together

    def run_wsgi(self) -> None:
        """Answer, and keep the connection after a read, as ARM does; werkzeug itself always closes it.

        After a request with a body it is closed: what of the body was not read would stand before the next.
        """
        if self.command != "GET" or "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            super().run_wsgi()
            return
        said: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], error: object = None) -> Callable[..., object]:
            said.append((status, headers))
            return self.wfile.write

        body = b"".join(self.server.app(self.make_environ(), start))
        ((status, headers),) = said
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Print nothing for each request."""

    def version_string(self) -> str:
        return "lami-sandbox (a simulation)"

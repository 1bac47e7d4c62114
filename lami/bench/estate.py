"""A generated estate of many subscriptions, listed by a server that does nothing else and is fast at it.

What it answers is rendered by the sandbox, once and beforehand, so that the time of a listing is lami's.
Every app is a Consumption logic app with a system-assigned identity, and every identity has as many narrow
grants as any other. Listings come in pages of `PAGE` lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, quote, unquote, urlsplit
from uuid import UUID

from lami.sandbox import WORKFLOW, resource_id
from lami.sandbox.arm import assignment_body, resource_body, role_body
from lami.sandbox.estate import Estate
from lami.sandbox.model import Assignment, Principal, Resource

PAGE = 500
_ROLE = "4633458b-17de-408a-b874-0445c86b69e6"
"""Key Vault Secrets User."""
_OF = re.compile(r"principalId eq '([^']+)'")
_CREATED = datetime.now(UTC) - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Shape:
    """How large an estate is, in all. Everything is spread evenly."""

    subscriptions: int
    apps: int
    assignments: int

    @property
    def names(self) -> tuple[str, ...]:
        """The subscriptions' ids."""
        return tuple(str(UUID(int=number + 1, version=4)) for number in range(self.subscriptions))


@dataclass(slots=True)
class Listed:
    """The lines of every listing as JSON, by the path that lists them; `of` are assignments by principal."""

    url: str = ""
    lines: dict[str, list[bytes]] = field(default_factory=dict)
    of: dict[tuple[str, str], list[bytes]] = field(default_factory=dict)
    single: dict[str, bytes] = field(default_factory=dict)
    granted: int = 0

    def grant(self, subscription: str, principal: str) -> None:
        """Add a narrow grant."""
        self.granted += 1
        line = _assignment(subscription, principal, self.granted)
        here = f"/subscriptions/{subscription}/providers/microsoft.authorization/roleassignments"
        self.lines.setdefault(here, []).append(line)
        self.of.setdefault((subscription, principal), []).append(line)

    def revoke(self, subscription: str, principal: str) -> None:
        """Take the first of a principal's grants away."""
        line = self.of[subscription, principal].pop(0)
        here = f"/subscriptions/{subscription}/providers/microsoft.authorization/roleassignments"
        self.lines[here].remove(line)

    def answer(self, target: str) -> bytes | None:
        """The body of a GET; None for what there is not."""
        url = urlsplit(target)
        path, query = unquote(url.path).lower().rstrip("/"), parse_qs(url.query)
        if path in self.single:
            return self.single[path]
        wanted = _OF.search(query.get("$filter", [""])[0])
        lines: Sequence[bytes] = self.lines.get(path, ())
        if wanted:
            lines = self.of.get((path.split("/")[2], wanted[1].lower()), ())
        begun = int(query.get("$skiptoken", ["0"])[0])
        link = b""
        if begun + PAGE < len(lines):
            version = query.get("api-version", [""])[0]
            on = f"{self.url}{quote(url.path)}?api-version={version}&$skiptoken={begun + PAGE}"
            link = b',"nextLink":' + json.dumps(on).encode()
        return b'{"value":[' + b",".join(lines[begun : begun + PAGE]) + b"]" + link + b"}"


@contextmanager
def generated(shape: Shape) -> Iterator[Listed]:
    """Serve an estate of this shape on a free port of loopback."""
    listed = _render(shape)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 1 << 16

        def do_GET(self) -> None:
            body = listed.answer(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing for each request."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        listed.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield listed
        server.shutdown()


def url_of(listed: Listed) -> str:
    """Where it answers."""
    return listed.url


def paths_of(listed: Listed) -> tuple[str, ...]:
    """The first page of every listing that has lines, and the pages behind it."""
    return tuple(
        f"{path}?api-version=2022-04-01&$skiptoken={begun}"
        for path, lines in listed.lines.items()
        for begun in range(0, max(1, len(lines)), PAGE)
    )


def drift(listed: Listed, count: int) -> None:
    """Let so many identities gain a grant or lose one, in turn."""
    for number, (subscription, principal) in enumerate(list(listed.of)[:count]):
        if number % 2:
            listed.revoke(subscription, principal)
        else:
            listed.grant(subscription, principal)


def _render(shape: Shape) -> Listed:
    listed = Listed()
    estate = Estate(7, lambda: _CREATED, lambda happening: None, shape.names)
    for number in range(shape.apps):
        subscription = shape.names[number % shape.subscriptions]
        principal = str(UUID(int=2**64 + number, version=4))
        app = _app(subscription, number, principal)
        line = json.dumps(resource_body(estate, app)).encode()
        here = f"/subscriptions/{subscription}/providers/microsoft.logic/workflows"
        listed.lines.setdefault(here, []).append(line)
        listed.single[app.id.lower()] = line
        share = shape.assignments // shape.apps + (number < shape.assignments % shape.apps)
        for _ in range(share):
            listed.grant(subscription, principal)
    for subscription in shape.names:
        scope = f"/subscriptions/{subscription}"
        here = f"{scope}/providers/microsoft.authorization/roledefinitions"
        listed.lines[here] = [json.dumps(role_body(role, scope)).encode() for role in estate.roles.all()]
    return listed


def _app(subscription: str, number: int, principal: str) -> Resource:
    return Resource(
        id=resource_id(subscription, f"rg-{number % 20:02d}", WORKFLOW, f"app-{number:05d}"),
        type=WORKFLOW,
        kind="",
        created=_CREATED,
        changed=_CREATED,
        state="Enabled",
        location="westeurope",
        tags={"owner": f"team-{number % 12}"},
        system=Principal(principal, str(UUID(int=2**65 + number, version=4))),
        attached={},
    )


def _assignment(subscription: str, principal: str, number: int) -> bytes:
    group = f"/subscriptions/{subscription}/resourceGroups/rg-{number % 20:02d}"
    made = Assignment(
        name=str(UUID(int=2**66 + number, version=4)),
        scope=f"{group}/providers/Microsoft.KeyVault/vaults/kv-{number:06d}",
        role=_ROLE,
        principal_id=principal,
        principal_type="ServicePrincipal",
        condition=None,
        description=None,
        created=_CREATED,
        updated=_CREATED,
        created_by=principal,
        updated_by=principal,
    )
    return json.dumps(assignment_body(made)).encode()

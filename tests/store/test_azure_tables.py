"""lami.store.azure_tables: the contract on a real Azurite, and how failures of Azure are told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.data.tables import TableServiceClient

from lami.errors import BadSettings
from lami.store.azure_tables import AzureTable, from_connection_string, from_endpoint
from lami.store.table import Conflict, Create, Delete, LimitExceeded, StoreUnavailable
from tests.azurite import connection_string, free_port
from tests.store.contract import TableContract


def table_name() -> str:
    """Make up a table's name that no other test has."""
    return f"t{uuid4().hex}"


@pytest.mark.azurite
class TestAzureTable(TableContract):
    """The contract on Azurite."""

    @pytest.fixture
    def table(self, azurite: str) -> Iterator[AzureTable]:
        table = from_connection_string(azurite, table_name())
        yield table
        table.close()


@pytest.mark.azurite
class TestMissingTable:
    """A table that is missing is created by whatever is asked first."""

    def test_read_first(self, azurite: str) -> None:
        """A read of a missing table creates it and finds it empty."""
        got, queried = table_name(), table_name()
        table = from_connection_string(azurite, got)
        assert table.get("p", "k") is None
        table.close()
        table = from_connection_string(azurite, queried)
        assert table.query("p") == []
        table.close()
        with TableServiceClient.from_connection_string(azurite) as service:
            assert {got, queried} <= {found.name for found in service.list_tables()}

    def test_several_at_once(self, azurite: str) -> None:
        """Of several that write to a missing table at once one creates it, and all write."""
        name = table_name()

        def write(number: int) -> None:
            table = from_connection_string(azurite, name)
            table.transact("p", [Create(f"{number}", {})])
            table.close()

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(write, range(6)))
        table = from_connection_string(azurite, name)
        assert len(table.query("p")) == 6
        table.close()

    def test_conflict_in_a_new_table(self, azurite: str) -> None:
        """A transaction that had to create the table is refused like any other."""
        table = from_connection_string(azurite, table_name())
        with pytest.raises(Conflict, match="missing"):
            table.transact("p", [Delete("k")])
        table.close()


@pytest.mark.azurite
def test_wrong_key(azurite: str) -> None:
    """Being refused is no absence: it says which role is missing, and may be tried again."""
    port = int(azurite.rsplit(":", 1)[1].split("/")[0])
    table = from_connection_string(connection_string(port, key="d3Jvbmc="), table_name())
    for ask in (
        lambda: table.get("p", "k"),
        lambda: table.query("p"),
        lambda: table.transact("p", [Create("k", {})]),
    ):
        with pytest.raises(StoreUnavailable, match="Storage Table Data Contributor"):
            ask()
    table.close()


def test_unreachable() -> None:
    """Where nothing listens, making the table goes through and each call finds it unavailable."""
    table = from_connection_string(connection_string(free_port()), "lami")
    for ask in (
        lambda: table.get("p", "k"),
        lambda: table.query("p"),
        lambda: table.transact("p", [Create("k", {})]),
    ):
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:\d+ cannot be reached"):
            ask()
    table.close()


@contextmanager
def failing(status: int | None, headers: dict[str, str], body: str = "") -> Iterator[tuple[str, list[str]]]:
    """Serve one answer to every request (`None`: hang up), and list the methods that were asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            asked.append(self.command)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.close_connection = True
            if status is None:
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield connection_string(server.server_port), asked
        finally:
            server.shutdown()
            thread.join()


def test_throttled() -> None:
    """An answer of 503 is passed on at once with its Retry-After; lami does not sleep on it."""
    with failing(503, {"Retry-After": "3600"}) as (address, asked):
        table = from_connection_string(address, "lami")
        with pytest.raises(StoreUnavailable, match="503") as reading:
            table.get("p", "k")
        with pytest.raises(StoreUnavailable, match="503") as writing:
            table.transact("p", [Create("k", {})])
        table.close()
    assert (reading.value.retry_after, writing.value.retry_after) == (3600, 3600)
    assert asked == ["GET", "POST"]


def test_hung_up() -> None:
    """A connection that breaks is tried again for a read, and not for a transaction, which may be done."""
    with failing(None, {}) as (address, asked):
        table = from_connection_string(address, "lami")
        with pytest.raises(StoreUnavailable):
            table.transact("p", [Create("k", {})])
        assert asked == ["POST"]
        with pytest.raises(StoreUnavailable):
            table.get("p", "k")
        assert asked == ["POST", "GET", "GET"]
        table.close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, "not here"),
        (404, '{"odata.error": {"code": "AccountNotFound", "message": {"value": "?"}}}'),
        (400, '{"odata.error": {"code": "InvalidHeaderValue", "message": {"value": "?"}}}'),
        (409, '{"odata.error": {"code": "TableBeingDeleted", "message": {"value": "?"}}}'),
        (500, ""),
    ],
)
def test_strange_answers(status: int, body: str) -> None:
    """Whatever else is answered, a 404 of something else too, is a failure and never an absence."""
    with failing(status, {"Content-Type": "application/json"}, body) as (address, _):
        table = from_connection_string(address, "lami")
        for ask in (
            lambda: table.get("p", "k"),
            lambda: table.query("p"),
            lambda: table.transact("p", [Create("k", {})]),
        ):
            with pytest.raises(StoreUnavailable, match=str(status)):
                ask()
        table.close()


def test_limit_found_by_the_service() -> None:
    """A limit that only the service knew of is told as one: trying again would not help."""
    body = '{"odata.error": {"code": "RequestBodyTooLarge", "message": {"value": "too large"}}}'
    with failing(413, {"Content-Type": "application/json"}, body) as (address, _):
        table = from_connection_string(address, "lami")
        with pytest.raises(LimitExceeded, match=r"partition 'p'.*too large"):
            table.transact("p", [Create("k", {})])
        table.close()


def test_shared_access_signature_is_not_told() -> None:
    """The message of a failure does not hold the signature that the address holds."""
    port = free_port()
    text = f"TableEndpoint=http://127.0.0.1:{port}/acc;SharedAccessSignature=sv=2020&sig=secret"
    table = from_connection_string(text, "lami")
    with pytest.raises(StoreUnavailable) as caught:
        table.get("p", "k")
    table.close()
    assert "secret" not in str(caught.value)


class NoToken:
    """A credential that has no token to give."""

    def get_token(self, *scopes: str, **kwargs: object) -> AccessToken:
        raise ClientAuthenticationError("no managed identity here")


def test_no_token() -> None:
    """An identity that gets no token makes the store unavailable, and the message says why."""
    table = from_endpoint(f"https://127.0.0.1:{free_port()}", "lami", NoToken())
    with pytest.raises(StoreUnavailable, match=r"Storage Table Data Contributor.*no managed identity here"):
        table.get("p", "k")
    table.close()


def test_bad_settings() -> None:
    """Connection strings, endpoints and table names that can't be right are refused without connecting."""
    for text in ("", "nonsense", "AccountName=a", "AccountName=a;AccountKey"):
        with pytest.raises(BadSettings):
            from_connection_string(text, "lami")
    for name in ("", "ab", "1abc", "a-b-c", "a" * 64):
        with pytest.raises(BadSettings, match="table name"):
            from_connection_string("UseDevelopmentStorage=true", name)
        with pytest.raises(BadSettings, match="table name"):
            from_endpoint("https://account.table.core.windows.net", name, NoToken())
    with pytest.raises(BadSettings):
        from_endpoint("http://account.table.core.windows.net", "lami", NoToken())
    from_connection_string("UseDevelopmentStorage=true;", "lami").close()

"""The Azure Table Storage back end: one table of a storage account, or of Azurite.

A read is tried twice, a transaction once: had its first try gone through unheard, a second would find the
row changed by the first and call that a conflict. A call gives up well within the 30 s of Event Grid.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.data.tables import (
    RequestTooLargeError,
    TableClient,
    TableEntity,
    TableErrorCode,
    TableTransactionError,
    UpdateMode,
)

from lami.errors import BadSettings
from lami.store import limits
from lami.store.table import (
    PAGE,
    Conflict,
    Create,
    Delete,
    LimitExceeded,
    Operation,
    Put,
    Replace,
    Row,
    StoreUnavailable,
)

_OPTIONS: Mapping[str, Any] = {
    "connection_timeout": 3,
    "read_timeout": 7,
    "retry_total": 1,
    # None for an answer such as 503: the library would sleep however long its Retry-After says.
    "retry_status": 0,
}
_TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")

# Error codes, as the service names them.
_NO_TABLE = "TableNotFound"
_NO_ROW = frozenset({"ResourceNotFound", "EntityNotFound"})
_CONFLICTS: Mapping[str, Literal["exists", "changed", "missing"]] = {
    "EntityAlreadyExists": "exists",
    "UpdateConditionNotSatisfied": "changed",
    "ConditionNotMet": "changed",
    "ResourceNotFound": "missing",
    "EntityNotFound": "missing",
}
_LIMITS = frozenset(
    {
        "EntityTooLarge",
        "KeyValueTooLarge",
        "OutOfRangeInput",
        "PropertyNameInvalid",
        "PropertyNameTooLong",
        "PropertyValueTooLarge",
        "RequestBodyTooLarge",
        "TooManyProperties",
    }
)

_T = TypeVar("_T")
_Entity = dict[str, str | int | bool]
_Condition = dict[str, UpdateMode | MatchConditions | str]
_Step = tuple[str, _Entity] | tuple[str, _Entity, _Condition]


class AzureTable:
    """A `lami.store.table.Table` over this client; made by the two functions below.

    Nothing connects before the first call, and a table that is missing then is created.
    """

    def __init__(self, client: TableClient) -> None:
        self._client = client

    def get(self, partition: str, key: str) -> Row | None:
        """Read one row, or None where there is none."""
        limits.check_key(partition, "partition")
        limits.check_key(key, "row")

        def read() -> Row | None:
            try:
                return _row(self._client.get_entity(partition, key))
            except ResourceNotFoundError as error:
                if _code(error) in _NO_ROW:
                    return None
                raise

        return self._ask(read)

    def query(
        self, partition: str, first: str = "", last: str | None = None, limit: int | None = None
    ) -> list[Row]:
        """Read the rows with `first <= key < last`, in key order, at most `limit` of them."""
        limits.check_key(partition, "partition")
        # Quoted here: the library's own `parameters=` replaces only words that stand between spaces.
        wanted = f"PartitionKey eq {_quoted(partition)} and RowKey ge {_quoted(first)}"
        if last is not None:
            wanted += f" and RowKey lt {_quoted(last)}"
        page = PAGE if limit is None else min(limit, PAGE)

        def read() -> list[Row]:
            entities = self._client.query_entities(wanted, results_per_page=page)
            return [_row(entity) for entity in islice(entities, limit)]

        return self._ask(read)

    def behind(self, partition: str, last: str) -> str | None:
        """The first partition behind this one, and before `last`, that has rows; None where there is none."""
        wanted = f"PartitionKey gt {_quoted(partition)} and PartitionKey lt {_quoted(last)}"

        def read() -> str | None:
            entities = self._client.query_entities(wanted, results_per_page=1, select="PartitionKey")
            first = next(iter(entities), None)
            return None if first is None else str(first["PartitionKey"])

        return self._ask(read)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        """Do all of the operations or none; answer the new etag of every row written, by key."""
        limits.check(partition, operations)
        steps = [_step(partition, operation) for operation in operations]

        def write() -> Sequence[Mapping[str, str]]:
            try:
                return self._client.submit_transaction(steps, retry_total=0)
            except TableTransactionError as error:
                code = _code(error)
                if code in _CONFLICTS:
                    # Assumption: Azure tells the operation as Azurite does, by its index before the message.
                    raise Conflict(operations[error.index].key, _CONFLICTS[code]) from error
                if code in _LIMITS or isinstance(error, RequestTooLargeError):
                    raise LimitExceeded(f"partition {partition!r}: {_text(error)}") from error
                raise

        # Assumption: Azure answers an etag for every row that a transaction writes, as Azurite does.
        answers = self._ask(write)
        return {
            operation.key: answer["etag"]
            for operation, answer in zip(operations, answers, strict=True)
            if not isinstance(operation, Delete)
        }

    def flush(self) -> None:
        """Do nothing: the service answers a transaction when it is durable."""

    def close(self) -> None:
        """Let go of connections. Closing twice is harmless."""
        self._client.close()

    def _ask(self, call: Callable[[], _T]) -> _T:
        """Make this call, and once more if the table had to be created first."""
        try:
            try:
                return call()
            except HttpResponseError as error:
                if _code(error) != _NO_TABLE:
                    raise
            self._create_table()
            return call()
        except AzureError as error:
            raise self._unavailable(error) from error

    def _create_table(self) -> None:
        try:
            self._client.create_table()
        except ResourceExistsError:
            return  # another lami was faster

    def _unavailable(self, error: AzureError) -> StoreUnavailable:
        where = f"Table Storage at {urlsplit(self._client.url).netloc}"
        if isinstance(error, ClientAuthenticationError) or _status(error) in (401, 403):
            return StoreUnavailable(
                f"{where} refuses lami: its identity needs the role 'Storage Table Data Contributor' on the "
                f"storage account ({_text(error)})"
            )
        if not isinstance(error, HttpResponseError):
            # Not the error's own text: it may hold the address, and with it a shared access signature.
            return StoreUnavailable(
                f"{where} cannot be reached ({type(error).__name__}): is it there, and does its firewall let "
                "lami in?"
            )
        return StoreUnavailable(f"{where} answered {error.status_code}: {_text(error)}", _retry_after(error))


def from_connection_string(text: str, table: str) -> AzureTable:
    """Make the store of a storage connection string; `UseDevelopmentStorage=true` is Azurite on its own port.

    Raises `BadSettings`; connects to nothing.
    """
    _check_table_name(table)
    try:
        client = TableClient.from_connection_string(text.strip("; "), table, **_OPTIONS)
    except ValueError as error:
        raise BadSettings(f"the storage connection string is not one: {error}") from error
    return AzureTable(client)


def from_endpoint(endpoint: str, table: str, credential: TokenCredential) -> AzureTable:
    """Make the store of an account's https table endpoint, which lami enters with an identity.

    Raises `BadSettings`; connects to nothing.
    """
    _check_table_name(table)
    try:
        client = TableClient(endpoint, table, credential=credential, **_OPTIONS)
    except ValueError as error:
        raise BadSettings(f"{endpoint} is no table endpoint: {error}") from error
    return AzureTable(client)


def _check_table_name(table: str) -> None:
    if not _TABLE_NAME.fullmatch(table):
        raise BadSettings(f"{table!r} is no table name: 3 to 63 letters and digits, a letter first")


def _step(partition: str, operation: Operation) -> _Step:
    keys: _Entity = {"PartitionKey": partition, "RowKey": operation.key}
    match operation:
        case Create(values=values):
            return "create", keys | dict(values)
        case Put(values=values):
            return "upsert", keys | dict(values), {"mode": UpdateMode.REPLACE}
        case Replace(values=values, etag=etag):
            return "update", keys | dict(values), {"mode": UpdateMode.REPLACE, **_if_etag(etag)}
        case Delete(etag=str(etag)):
            return "delete", keys, _if_etag(etag)
        case Delete():
            return "delete", keys


def _if_etag(etag: str) -> _Condition:
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


def _row(entity: TableEntity) -> Row:
    values = {name: value for name, value in entity.items() if name not in ("PartitionKey", "RowKey")}
    return Row(entity["PartitionKey"], entity["RowKey"], values, entity.metadata["etag"] or "")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _code(error: HttpResponseError) -> str:
    """Read the service's error code, which the library keeps in an attribute it does not declare."""
    code = getattr(error, "error_code", None)
    return code.value if isinstance(code, TableErrorCode) else str(code)


def _status(error: AzureError) -> int | None:
    return error.status_code if isinstance(error, HttpResponseError) else None


def _text(error: AzureError) -> str:
    """Take the first line of the service's message; the others are request ids and the raw body."""
    return str(error.message).partition("\n")[0]


def _retry_after(error: HttpResponseError) -> float | None:
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    seconds = headers.get("Retry-After", "")
    return float(seconds) if seconds.isdigit() else None

"""Table Storage's own limits, which every back end checks before anything is sent or written.

SQLite knows none of them and Azurite only some, so what passed on a developer's machine would fail in Azure.
Sizes are in bytes, and text counts as UTF-16, as Table Storage stores it. Source: Microsoft's "Understanding
the Table service data model" and "Performing entity group transactions".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from lami.store.table import Delete, LimitExceeded, Operation, Value

OPERATIONS = 100
KEY_BYTES = 1024
STRING_BYTES = 64 * 1024
ENTITY_BYTES = 1024 * 1024
TRANSACTION_BYTES = 4 * 1024 * 1024
PROPERTIES = 252
"""Table Storage's 255, less PartitionKey, RowKey and Timestamp."""

_SYSTEM = frozenset({"PartitionKey", "RowKey", "Timestamp"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_NOT_IN_KEYS = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")
_INT32 = range(-(2**31), 2**31)


def check_key(key: str, what: str) -> None:
    """Refuse what cannot be a partition's or a row's key; `what` says in the message which of them it is."""
    try:
        _check_key(key)
    except LimitExceeded as error:
        raise LimitExceeded(f"{what} {_short(key)}: {error}") from error


def check(partition: str, operations: Sequence[Operation]) -> None:
    """Refuse a transaction that Table Storage would refuse; the message names the row and the limit."""
    check_key(partition, "partition")
    if not 1 <= len(operations) <= OPERATIONS:
        raise LimitExceeded(
            f"partition {_short(partition)}: {len(operations)} operations, not 1 to {OPERATIONS}"
        )
    keys: set[str] = set()
    most = 0
    for operation in operations:
        key, values = operation.key, _values(operation)
        if key in keys:
            raise LimitExceeded(f"row {_short(key)}: only one operation of a transaction may be on it")
        try:
            _check_key(key)
            _check_entity(partition + key, values)
        except LimitExceeded as error:
            raise LimitExceeded(f"row {_short(key)}: {error}") from error
        keys.add(key)
        most += _sent_at_most(partition + key, values)
    if most > TRANSACTION_BYTES:
        _check_transaction(partition, operations)


def _check_transaction(partition: str, operations: Sequence[Operation]) -> None:
    size = 0
    for operation in operations:
        size += _sent(partition + operation.key, _values(operation))
        if size > TRANSACTION_BYTES:
            where = f"row {_short(operation.key)}"
            raise LimitExceeded(f"{where}: with it the transaction has more than {TRANSACTION_BYTES} bytes")


def _values(operation: Operation) -> Mapping[str, Value]:
    return {} if isinstance(operation, Delete) else operation.values


# What follows says what is wrong; whoever calls it says of which row or property.


def _check_key(key: str) -> None:
    if (found := _NOT_IN_KEYS.search(key)) is not None:
        raise LimitExceeded(f"a key may not hold {found[0]!r}")
    if (size := _utf16(key)) > KEY_BYTES:
        raise LimitExceeded(f"a key may have at most {KEY_BYTES} bytes, this one has {size}")


def _check_entity(keys: str, values: Mapping[str, Value]) -> None:
    if len(values) > PROPERTIES:
        raise LimitExceeded(f"at most {PROPERTIES} properties, not {len(values)}")
    size = 4 + _utf16(keys)
    for name, value in values.items():
        if name in _SYSTEM or not _NAME.fullmatch(name):
            raise LimitExceeded(f"{_short(name)} cannot be a property's name")
        try:
            size += 8 + 2 * len(name) + _value(value)
        except LimitExceeded as error:
            raise LimitExceeded(f"property {name}: {error}") from error
    if size > ENTITY_BYTES:
        raise LimitExceeded(f"at most {ENTITY_BYTES} bytes, not {size}")


def _value(value: Value) -> int:
    """Measure a value, by its exact type: a member of an enumeration would not come back as one."""
    if type(value) is bool:
        return 1
    if type(value) is int:
        if value not in _INT32:
            raise LimitExceeded(f"an int has 32 bits, which {value} does not fit")
        return 4
    if type(value) is str:
        # Assumption: a string may hold any character, control characters too, as in Azurite.
        if (size := _utf16(value)) > STRING_BYTES:
            raise LimitExceeded(f"a string may have at most {STRING_BYTES} bytes, this one has {size}")
        return size + 4
    raise LimitExceeded(f"only str, int and bool can be stored, not {type(value).__name__}")


def _sent_at_most(keys: str, values: Mapping[str, Value]) -> int:
    """What `_sent` cannot exceed, without making the JSON: a character takes at most 12 bytes of it."""
    most = 1026 + 15 * len(keys)
    for name, value in values.items():
        most += 48 + 14 * len(name) + 12 * (len(value) if type(value) is str else 1)
    return most


def _sent(keys: str, values: Mapping[str, Value]) -> int:
    """Measure an operation as it travels, rounded up: Table Storage counts the request's body.

    A part's headers take under 1 KiB. A key stands in the address and in the body: at most 9 and 6 bytes a
    character. The values travel as ASCII JSON, and a string's type with it.
    """
    types = sum(len(name) + 32 for name in values)
    return 1024 + 15 * len(keys) + types + len(json.dumps(dict(values)))


def _utf16(text: str) -> int:
    if text.isascii():
        return 2 * len(text)
    try:
        return len(text.encode("utf-16-le"))
    except UnicodeEncodeError as error:
        raise LimitExceeded("the text holds half a character (a lone surrogate)") from error


def _short(text: str) -> str:
    return ascii(text if len(text) <= 80 else text[:80] + "...")

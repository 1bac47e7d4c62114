"""The one place that knows how books, entries, findings and debts are laid out as rows.

A book's partition, in key order: `a.head`, then the state in shards (`b.grants.0` and so on), the open
findings (`c.findings.0`), the debts (`d.owed.…`); a load reads those with one range query. Behind them lie
what a load never reads: `entry.…` (newest first), `gate.…` and `resolved.…`.

Everything is JSON, in properties of at most 30,000 characters; long JSON is deflated first. A resource id is
its text, or `[text, name]` where it has a display name. The entries of a commit are one row, and so are the
findings it resolves; more rows only where one would not hold them. So a decision is one transaction however
many grants it touches (see docs/decisions/0002-shards-not-chunks.md).
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import TypeVar, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from lami.core.ids import ResourceId, digest
from lami.core.model import (
    Book,
    Carrier,
    Entry,
    Finding,
    Gap,
    Grant,
    Granted,
    Heard,
    Held,
    HolderState,
    IdentityNews,
    LamiState,
    Owed,
    Permission,
    PrincipalState,
    RoleState,
    Standing,
    Subject,
    SubjectState,
    Term,
    User,
)
from lami.store.table import BEHIND, Row, Value

HEAD = "a.head"
STATE_ENDS = "e"
"""All that a load reads has a key before this."""
OWED = "d.owed."
ENTRY = "entry."
_NEWEST = 999_999_999_999
_LATEST = "latest"
PROPERTY = 30_000
"""Characters a property; Table Storage takes 32 Ki."""
DEFLATE_FROM = 24_000
"""Bytes; JSON longer than this is deflated. In UTF-16, which Table Storage counts, it is never longer."""
ROW = 400_000
"""Characters a row; Table Storage takes 512 Ki, keys and names included."""

T = TypeVar("T")
Values = Mapping[str, Value]


class Head(Struct, frozen=True):
    """The head row: version, chain and the parts of the state that are small. `id` as Azure wrote it."""

    id: str
    version: int
    chain: str
    entries: int
    latest: datetime | None = None
    holder: HolderState | None = None
    type: str = ""
    standing: Standing | None = None
    role: RoleState | None = None
    lami: LamiState | None = None


def pack(value: object) -> Values:
    """A value as the properties of a row."""
    data = msgspec.json.encode(value, enc_hook=_plain)
    text = data.decode()
    if len(data) > DEFLATE_FROM:
        text = "z" + base64.b64encode(zlib.compress(data, 6)).decode()
    return {f"d{n}": text[at : at + PROPERTY] for n, at in enumerate(range(0, len(text), PROPERTY))}


def unpack(values: Values, type: type[T]) -> T:
    """The value that a row's properties hold."""
    text = ""
    while (part := values.get(f"d{len(text) // PROPERTY}")) is not None:
        text += str(part)
        if len(str(part)) < PROPERTY:
            break
    data = zlib.decompress(base64.b64decode(text[1:])) if text.startswith("z") else text.encode()
    return cast(T, _decoder(type)(data))  # type: ignore[arg-type]


def stack(key: str, items: Sequence[object]) -> dict[str, Values]:
    """The rows that hold the items of one commit: one row, or as many as it takes. The last items first."""
    packed = pack(items)
    if sum(len(str(part)) for part in packed.values()) <= ROW or len(items) == 1:
        return {f"{key}.00": packed}
    middle = len(items) // 2
    later, earlier = stack(key, items[middle:]), stack(key, items[:middle])
    found = [*later.values(), *earlier.values()]
    return {f"{key}.{number:02d}": values for number, values in enumerate(found)}


def unstack(found: Iterable[Row], item: type[T]) -> list[T]:
    """The items of one commit, in the order in which they were given."""
    ordered = sorted(found, key=lambda row: row.key, reverse=True)
    return [one for row in ordered for one in unpack(row.values, list[item])]  # type: ignore[valid-type]


def stacked(key: str) -> tuple[str, str]:
    """The range of keys in which the rows of one commit stand."""
    return key, key + BEHIND


def parts(book: Book) -> dict[str, Mapping[str, object]]:
    """The large parts of a book, each a mapping that is stored in shards; by their key's middle word."""
    state = book.state
    large: dict[str, Mapping[str, object]] = {"c.findings": book.findings}
    if isinstance(state, PrincipalState):
        large |= {"b.grants": state.grants, "b.terms": state.terms}
        large |= {"b.carriers": state.carriers, "b.heard": state.heard}
    elif isinstance(state, HolderState):
        large |= {"b.terms": state.terms, "b.granted": state.granted}
        large |= {"b.users": state.users, "b.identities": state.identities}
    elif isinstance(state, LamiState):
        large |= {"b.gaps": state.gaps, "b.unannounced": state.unannounced}
    else:
        large |= {"b.allowed": state.allowed, "b.held": state.held}
    return large


def head(book: Book) -> Values:
    """The head row of a book."""
    state = book.state
    return pack(
        Head(
            id=book.subject.id,
            version=book.version,
            chain=book.chain,
            entries=book.entries,
            latest=book.latest,
            holder=_without_parts(state) if isinstance(state, HolderState) else None,
            type=state.type if isinstance(state, PrincipalState) else "",
            standing=state.standing if isinstance(state, PrincipalState) else None,
            role=replace(state, allowed={}, held={}) if isinstance(state, RoleState) else None,
            lami=replace(state, gaps={}, unannounced={}) if isinstance(state, LamiState) else None,
        )
    )


def shard(name: str, item: str) -> str:
    """The key of the row that an item of a large part is in: it depends on the item's own key only."""
    return f"{name}.{digest(item, length=1)}"


def shards(name: str, part: Mapping[str, object], wanted: Container[str] | None = None) -> dict[str, Values]:
    """The rows of one large part, by key; only those that are wanted, where that is said."""
    sharded: dict[str, dict[str, object]] = {}
    for item, value in sorted(part.items()):
        key = shard(name, item)
        if wanted is None or key in wanted:
            sharded.setdefault(key, {})[item] = value
    return {key: pack(items) for key, items in sharded.items()}


def decode(subject: Subject, rows: Mapping[str, Row]) -> Book:
    """The book that the rows of a load hold; one that nobody has written where there are none."""
    if HEAD not in rows:
        return Book(subject, _blank(subject))
    top = unpack(rows[HEAD].values, Head)
    held: dict[str, list[Values]] = {}
    for key, row in rows.items():
        held.setdefault(key.rpartition(".")[0], []).append(row.values)
    state: SubjectState
    if top.holder is not None:
        state = replace(
            top.holder,
            terms=_part(held, "b.terms", Term),
            granted=_part(held, "b.granted", Granted),
            users=_part(held, "b.users", User),
            identities=_part(held, "b.identities", IdentityNews),
        )
    elif top.role is not None:
        allowed = _part(held, "b.allowed", tuple[Permission, ...])
        state = replace(top.role, allowed=allowed, held=_part(held, "b.held", Held))
    elif top.lami is not None:
        gaps, unannounced = _part(held, "b.gaps", Gap), _part(held, "b.unannounced", datetime)
        state = replace(top.lami, gaps=gaps, unannounced=unannounced)
    else:
        state = PrincipalState(
            type=top.type,
            grants=_part(held, "b.grants", Grant),
            terms=_part(held, "b.terms", Term),
            carriers=_part(held, "b.carriers", Carrier),
            heard=_part(held, "b.heard", Heard),
            standing=top.standing,
        )
    return Book(
        subject=Subject(subject.kind, top.id),
        state=state,
        version=top.version,
        chain=top.chain,
        entries=top.entries,
        latest=top.latest,
        findings=_part(held, "c.findings", Finding),
        owed=tuple(unpack(row.values, Owed) for key, row in sorted(rows.items()) if key.startswith(OWED)),
    )


def owed_key(id: str) -> str:
    """The key of an outbox row."""
    return OWED + id


def gate_key(gate: str) -> str:
    """The key of the row that says a stimulus was committed."""
    return f"gate.{gate}"


def entries_key(version: int) -> str:
    """The key of the row with the entries of one commit: newest first in key order."""
    return f"{ENTRY}{_NEWEST - version:012d}"


def resolved_key(version: int) -> str:
    """The key of the row with the findings that one commit resolved."""
    return f"resolved.{version:012d}"


def stack_entries(version: int, entries: Sequence[Entry], latest: datetime | None) -> dict[str, Values]:
    """The rows that hold the entries of one commit; each says the latest time of any entry up to this one."""
    until = {_LATEST: latest.isoformat()} if latest is not None else {}
    return {key: {**values, **until} for key, values in stack(entries_key(version), entries).items()}


def unpack_entries(row: Row) -> list[Entry]:
    """The entries of one row, oldest first."""
    return unpack(row.values, list[Entry])


def latest(row: Row) -> datetime | None:
    """The latest time of any entry in a row of a book and in those written before, or None."""
    found = row.values.get(_LATEST)
    return datetime.fromisoformat(str(found)) if found is not None else None


def version(row: Row) -> int:
    """The version that the commit of a row of entries gave the book."""
    return _NEWEST - int(row.key.removeprefix(ENTRY).partition(".")[0])


def said(row: Row) -> Values:
    """The properties of a row of entries that hold the entries themselves, as its copy has them too."""
    return {name: value for name, value in row.values.items() if name != _LATEST}


def _blank(subject: Subject) -> SubjectState:
    if subject.kind == "holder":
        return HolderState()
    if subject.kind == "lami":
        return LamiState()
    return PrincipalState() if subject.kind == "principal" else RoleState()


def _without_parts(state: HolderState) -> HolderState:
    return replace(state, terms={}, granted={}, users={}, identities={})


def _part(held: Mapping[str, Sequence[Values]], name: str, item: type[T]) -> dict[str, T]:
    merged: dict[str, T] = {}
    for values in held.get(name, ()):
        merged.update(unpack(values, dict[str, item]))  # type: ignore[valid-type]
    return dict(sorted(merged.items()))


def _plain(value: object) -> object:
    if isinstance(value, ResourceId):
        return [value.text, value.called] if value.called else value.text
    raise TypeError(f"no row holds a {type(value).__name__}")


def _rich(wanted: type, value: object) -> object:
    if wanted is ResourceId and isinstance(value, str):
        return ResourceId(value)
    if wanted is ResourceId and isinstance(value, list):
        return ResourceId(*value)
    raise TypeError(f"no row holds a {wanted.__name__}")


@cache
def _decoder(wanted: type) -> Callable[[bytes], object]:
    return msgspec.json.Decoder(wanted, dec_hook=_rich).decode

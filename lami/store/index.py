"""The index partitions: copies that help to find things. A book is always the home of what they say.

Index rows are written after the commit they belong to, from its debts; writing one twice is harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from heapq import merge
from itertools import groupby

from msgspec import Struct

from lami.core.findings import is_finding_id
from lami.core.ids import ResourceId, digest
from lami.core.model import Entry, Finding, Subject
from lami.store import rows
from lami.store.table import (
    Conflict,
    Create,
    Delete,
    Operation,
    Put,
    Replace,
    Row,
    Table,
    batched,
    partitions,
    taken,
)

SHARDS = "0123456789abcdef"
_POLICY = "policy"
_STANDING = "~"
"""What keys of copies of findings that stand begin with: behind all ids."""
_LAST_MS = 99_999_999_999_999
_READ_FIRST = (16, 64, 256)
"""How many rows of a partition are read at once, at first: the sixteen of a day together make a page."""


class IndexedFinding(Struct, frozen=True):
    """A finding as the index has it, with the subject whose book is its home."""

    finding: Finding
    subject: Subject


class _Digest(Struct, frozen=True):
    subject: Subject
    digest: str


class Index:
    """What can be looked up across books."""

    def __init__(self, table: Table) -> None:
        self._table = table

    # --- whose assignment ---

    def principals_of(self, assignment: ResourceId) -> tuple[str, ...]:
        """All principals that an assignment's name was ever seen to belong to: one round trip."""
        partition, key = _assignment(assignment)
        found = self._table.query(partition, f"{key}|", f"{key}|~")
        return tuple(row.key.removeprefix(f"{key}|") for row in found)

    def add_principal(self, assignment: ResourceId, principal: str) -> None:
        """Remember that an assignment was seen to belong to a principal; never overwritten."""
        partition, key = _assignment(assignment)
        self._table.transact(partition, [Put(f"{key}|{principal}", {"id": assignment.text})])

    def add_principals(self, pairs: Iterable[tuple[ResourceId, str]]) -> None:
        """Remember whose many assignments are: one round trip for a hundred of a shard."""
        shards: dict[str, dict[str, Operation]] = {}
        for assignment, principal in pairs:
            partition, key = _assignment(assignment)
            put = Put(f"{key}|{principal}", {"id": assignment.text})
            shards.setdefault(partition, {})[put.key] = put
        for partition, operations in sorted(shards.items()):
            for batch in batched(operations.values()):
                self._table.transact(partition, batch)

    # --- the timeline, by day ---

    def add_entries(self, commits: Iterable[tuple[Entry, ...]]) -> None:
        """Copy the entries of commits into their day.

        Commits of one cause share a partition, so that they cost one round trip together.
        """
        batches: dict[str, dict[str, Operation]] = {}
        for entries in commits:
            if entries:
                partition, key = place(entries)
                copies = rows.stack(key, entries)
                batches.setdefault(partition, {}).update({k: Put(k, v) for k, v in copies.items()})
        for partition, operations in sorted(batches.items()):
            for batch in batched(operations.values()):
                self._table.transact(partition, batch)

    def entries(self, since: datetime, until: datetime) -> Iterator[Entry]:
        """The entries of a span of time, newest first, each once; `since` is included, `until` is not.

        They are read as they are taken: the newest cost no more for all the older ones that there are.
        """
        first, end = _countdown(until), f"{_countdown(since)}~"
        for day in days(since, until):
            shards = [
                taken(self._table, f"day|{day:%Y-%m-%d}|{shard}", first, end, _READ_FIRST) for shard in SHARDS
            ]
            for _, same in groupby(merge(*shards, key=_moment), key=_moment):
                found = {entry.id: entry for row in same for entry in rows.unpack_entries(row)}
                for entry in sorted(found.values(), key=lambda one: (one.at, one.id), reverse=True):
                    if since <= entry.at < until:
                        yield entry

    def days(self) -> Iterator[str]:
        """The partitions that hold copies of entries, oldest first, found as they are taken."""
        return partitions(self._table, "day|")

    def copies(self, partition: str) -> Iterator[Row]:
        """The copies of entries in one of these partitions, read as they are taken."""
        return taken(self._table, partition, "", None, ())

    def copy(self, partition: str, key: str) -> Row | None:
        """One copy, as it is now."""
        return self._table.get(partition, key)

    # --- findings ---

    def put_finding(self, finding: Finding, subject: Subject) -> None:
        """Copy a finding; an older revision never replaces a newer one.

        As long as it stands there is another copy of it, among those that stand, in the same transaction.
        """
        partition, values = _findings(finding.id), rows.pack(IndexedFinding(finding, subject))
        apart, is_apart = f"{_STANDING}{finding.id}", True
        while True:
            row = self._table.get(partition, finding.id)
            old = rows.unpack(row.values, IndexedFinding).finding if row else None
            if old is not None and old.revision >= finding.revision:
                return
            writes: list[Operation] = [Create(finding.id, values)]
            if row is not None:
                writes = [Replace(finding.id, values, row.etag)]
            if finding.resolved_at is None:
                writes.append(Put(apart, values))
            elif old is not None and old.resolved_at is None and is_apart:
                writes.append(Delete(apart))
            try:
                self._table.transact(partition, writes)
            except Conflict as conflict:
                # Another worker wrote this finding in between: compare again.
                is_apart = conflict.key != apart
                continue
            return

    def finding(self, id: str) -> IndexedFinding | None:
        """A finding by its id, whatever its status; None also for what can be no id, and perhaps no key."""
        if not is_finding_id(id):
            return None
        row = self._table.get(_findings(id), id)
        return rows.unpack(row.values, IndexedFinding) if row else None

    def findings(self) -> Iterator[IndexedFinding]:
        """All findings, whatever their status, in no order."""
        return self._copies("", _STANDING)

    def standing(self) -> Iterator[IndexedFinding]:
        """The findings that have not ended, in no order. Those that have cost nothing."""
        return self._copies(_STANDING)

    def _copies(self, first: str, end: str | None = None) -> Iterator[IndexedFinding]:
        for shard in SHARDS:
            for row in self._table.query(f"findings|{shard}", first, end):
                yield rows.unpack(row.values, IndexedFinding)

    # --- digests ---

    def put_digest(self, subscription: str, subject: Subject, what: str) -> None:
        """Remember what was last seen of a subject in a subscription."""
        self.put_digests(subscription, {subject: what})

    def put_digests(self, subscription: str, seen: Mapping[Subject, str]) -> None:
        """Remember what was last seen of many subjects in a subscription: one round trip for a hundred."""
        puts = (
            Put(f"{subject.kind}|{digest(subject.key)}", rows.pack(_Digest(subject, what)))
            for subject, what in seen.items()
        )
        for batch in batched(puts):
            self._table.transact(_digests(subscription), batch)

    def digests(self, subscription: str) -> dict[Subject, str]:
        """What was last seen of every subject in a subscription."""
        found = (rows.unpack(r.values, _Digest) for r in self._table.query(_digests(subscription)))
        return {row.subject: row.digest for row in found}

    def listed(self) -> list[Subject]:
        """Every subject that was ever seen, in whatever subscription: lami holds a book of each."""
        held: dict[Subject, None] = {}
        for partition in partitions(self._table, _digests("")):
            held |= dict.fromkeys(self.digests(partition.removeprefix(_digests(""))))
        return sorted(held)

    # --- lami itself ---

    def put_notes(self, what: str, subscriptions: Iterable[str], at: datetime) -> None:
        """Remember when something was last done for subscriptions: `baseline`, `reconcile`."""
        values = {"at": at.astimezone(UTC).isoformat()}
        for batch in batched(Put(f"{what}.{one}", values) for one in subscriptions):
            self._table.transact("lami", batch)

    def put_policy(self, text: str) -> None:
        """Keep the text of a policy file that is good."""
        self._table.transact("lami", [Put(_POLICY, rows.pack(text))])

    def policy(self) -> str | None:
        """The text of the last good policy file; None where there never was one."""
        row = self._table.get("lami", _POLICY)
        return rows.unpack(row.values, str) if row else None

    def notes(self, what: str) -> dict[str, datetime]:
        """When something was last done, by subscription; those for which it never was are left out."""
        found = self._table.query("lami", f"{what}.", f"{what}.~")
        return {
            row.key.removeprefix(f"{what}."): datetime.fromisoformat(str(row.values["at"])) for row in found
        }


def days(since: datetime, until: datetime) -> Iterator[date]:
    """The days (UTC) that a span of time touches, newest first."""
    day = until.astimezone(UTC).date()
    while day >= since.astimezone(UTC).date():
        yield day
        day -= timedelta(days=1)


def place(entries: Sequence[Entry]) -> tuple[str, str]:
    """Where the copies of a commit's entries stand: their partition, and what their keys begin with.

    Whoever has the entries can tell: of causes that differ it is the first one's that counts.
    """
    at, cause = entries[0].at, entries[0].cause.id
    day = f"day|{at.astimezone(UTC):%Y-%m-%d}|{digest(cause, length=1)}"
    return day, f"{_countdown(at)}|{entries[-1].id}"


def mark_of(copy: Row) -> str:
    """The mark of the subject that a copy is of, by its key; empty where the key is none of a copy."""
    words = copy.key.partition("|")[2].split("-")
    return words[1] if len(words) == 3 else ""


def _digests(subscription: str) -> str:
    return f"digest|{subscription}"


def _countdown(time: datetime) -> str:
    """What keys begin with, so that what is newer comes first: milliseconds until the year 5138."""
    return f"{_LAST_MS - max(0, int(time.timestamp() * 1000)):014d}"


def _moment(row: Row) -> str:
    return row.key.partition("|")[0]


def _assignment(id: ResourceId) -> tuple[str, str]:
    """The partition of an assignment's rows, and what their keys begin with."""
    key = digest(id.key)
    return f"assignment|{key[0]}", key


def _findings(id: str) -> str:
    return f"findings|{digest(id, length=1)}"

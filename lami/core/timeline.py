"""The timeline: entries that are only ever added, chained by hash within their subject, and questions to it.

An entry's hash covers all of its content and the hash before it, so that an entry changed, removed or
slipped in afterwards breaks the chain from there on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from msgspec.json import Encoder
from msgspec.structs import replace

from lami.core.ids import guid
from lami.core.model import Entry, EntryKind, Subject

AHEAD = timedelta(minutes=1)
"""How far past its own clock who asks for the newest should ask: another worker's may be a little ahead."""
USUAL_SPAN = timedelta(days=7)
"""How far back a question goes where nobody says from when."""
GENESIS = ""
"""What the first entry of a subject names as the hash before it."""
_SHORT = re.compile(r"[0-9a-f]{8}")
"""What titles have of a GUID."""
_canonical = Encoder(order="sorted").encode


def stamp(time: datetime) -> str:
    """A time as RFC 3339 in UTC, to the microsecond where it has any: `2026-11-24T08:00:00Z`."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def entry_id(subject: Subject, number: int) -> str:
    """The id of a subject's `number`th entry (from 1): the same however often it is written."""
    return f"e-{subject.mark}-{number:06d}"


def hashed(entry: Entry, previous: str) -> Entry:
    """The entry linked behind `previous`.

    What is hashed is the entry as JSON in UTF-8, as the store has it but for the order of members: they are
    sorted by name, at every depth. There is no space between them, and `hash` is the empty string. The form
    never changes: it stands behind every hash ever written.
    """
    linked = replace(entry, previous_hash=previous, hash="")
    return replace(linked, hash=hashlib.sha256(_canonical(linked)).hexdigest())


def broken(entries: Sequence[Entry], head: str, count: int) -> str:
    """Why the chain of a subject's entries (oldest first) does not hold; empty where it does.

    `head` and `count` are what the book's head says of its newest entry and of their number.
    """
    previous = GENESIS
    for entry in entries:
        if entry.previous_hash != previous:
            return f"{entry.id} does not follow the entry before it"
        if hashed(entry, previous).hash != entry.hash:
            return f"{entry.id} was changed after it was written"
        previous = entry.hash
    if len(entries) != count:
        return f"{count} entries were written and {len(entries)} are there"
    if previous != head:
        return "the newest entry is not the one that the book names"
    return ""


def scope_asked(text: str) -> str:
    """The scope to ask for, as it was given; raises ValueError where no entry could be about it."""
    if text and not text.startswith("/"):
        raise ValueError("is the id of a scope, which begins with /: /subscriptions/ID/resourceGroups/NAME")
    return text


def principal_asked(text: str) -> str:
    """The principal to ask for, as it was given; raises ValueError where no entry could be about it."""
    whole = guid(text) == text.lower()
    if text and not whole and not _SHORT.fullmatch(text.lower()):
        raise ValueError(
            "is a principal's object id, a GUID, or the first 8 digits of it that titles have;"
            " `lami baseline show -o json` has the ids by name"
        )
    return text


class Query(Struct, frozen=True):
    """A question to the timeline. Empty means any.

    Text is compared without regard to case, or to a slash at the end: an id is copied with it or without.
    `since` is included, `until` is not. `scope` matches entries about that scope or below it.
    `principal` may be the first eight digits of an id: it matches every principal whose id begins so.
    """

    since: datetime
    until: datetime
    resource: str = ""
    principal: str = ""
    actor: str = ""
    scope: str = ""
    kind: EntryKind | None = None
    limit: int = 100

    def wants(self, entry: Entry) -> bool:
        """Whether an entry answers the question."""
        return (
            self.since <= entry.at < self.until
            and self.kind in (None, entry.kind)
            and self._resource(entry)
            and self._principal(entry)
            and self._actor(entry)
            and self._scope(entry)
        )

    def _resource(self, entry: Entry) -> bool:
        wanted = self.resource.lower().rstrip("/")
        return not self.resource or wanted in (entry.subject.id.lower(), entry.subject.name.lower())

    def _principal(self, entry: Entry) -> bool:
        if not self.principal:
            return True
        wanted = self.principal.lower()
        named = {entry.subject.id.lower()}
        for values in (entry.before, entry.after):
            named |= {values.get("principalId", "").lower(), values.get("previousPrincipalId", "").lower()}
        if _SHORT.fullmatch(wanted):
            return any(one.startswith(f"{wanted}-") for one in named)
        return wanted in named

    def _actor(self, entry: Entry) -> bool:
        actor, wanted = entry.cause.actor, self.actor.lower()
        return not wanted or wanted in (actor.id.lower(), actor.name.lower())

    def _scope(self, entry: Entry) -> bool:
        wanted = self.scope.lower().rstrip("/")
        scopes = [values["scope"].lower() for values in (entry.before, entry.after) if values.get("scope")]
        return not self.scope or any(s == wanted or s.startswith(wanted + "/") for s in scopes)

"""Remember role definitions for an hour, so that looking at a role assignment is one read.

A role that is widened meanwhile raises an event of its own, which is answered with a `fresh` look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock

from msgspec import Struct

from lami.core.ids import ResourceId, guid
from lami.core.model import Look, Present, RoleDefinition, Unknown

KEEP = 3600.0
"""Seconds that a role definition is believed."""
KEEP_FAILURE = 60.0
"""Seconds until what could not be read is tried again."""

DEFINITIONS = "providers/Microsoft.Authorization/roleDefinitions"


class _Held(Struct, frozen=True):
    role: RoleDefinition
    read_at: float
    until: float


class RoleCache:
    """Role definitions by GUID, filled by one listing a subscription, then one by one. Thread-safe.

    `read_all` lists a subscription's role definitions; `read_one` looks at one; `clock` gives seconds that
    never go back.
    """

    def __init__(
        self,
        read_all: Callable[[str], Iterable[RoleDefinition | Unknown]],
        read_one: Callable[[ResourceId], Look[RoleDefinition]],
        clock: Callable[[], float],
    ) -> None:
        self._read_all = read_all
        self._read_one = read_one
        self._clock = clock
        self._lock = Lock()
        self._held: dict[str, _Held] = {}
        self._listed_until: dict[str, float] = {}
        self._listing: dict[str, Lock] = {}

    def get(self, definition: ResourceId, subscription: str) -> RoleDefinition:
        """The role of that definition id, as seen from the subscription (empty outside any).

        Never fails: of a role that can't be read, `permissions` is None and the name empty. One that was
        read once stays believed while it can't be read again: a failed read is no change.
        """
        role = guid(definition.text)
        held = self._find(role)
        if held is None and subscription:
            self._list(subscription)
            held = self._find(role)
        if held is not None:
            return held
        # Asked for in the subscription, where lami has its permissions; an id may name the tenant instead.
        at = ResourceId(f"/subscriptions/{subscription}/{DEFINITIONS}/{role}") if subscription else definition
        started = self._clock()
        look = self._read_one(at)
        if isinstance(look, Present):
            return self._keep(look.state, started, KEEP)
        with self._lock:
            expired = self._held.get(role)
        if expired is not None and isinstance(look, Unknown):
            return self._keep(expired.role, started, KEEP_FAILURE)
        return self._keep(RoleDefinition(role, "", None), started, KEEP_FAILURE)

    def fresh(self, definition: ResourceId) -> Look[RoleDefinition]:
        """Look past the cache, and let it hold what was seen."""
        with self._lock:
            self._held.pop(guid(definition.text), None)
        started = self._clock()
        look = self._read_one(definition)
        if isinstance(look, Present):
            self._keep(look.state, started, KEEP)
        return look

    def _find(self, role: str) -> RoleDefinition | None:
        with self._lock:
            held = self._held.get(role)
        return held.role if held is not None and self._clock() < held.until else None

    def _list(self, subscription: str) -> None:
        """Fill the cache with a subscription's roles, unless that was done or tried a moment ago."""
        with self._lock:
            listing = self._listing.setdefault(subscription, Lock())
        with listing:  # others who need this subscription's roles wait for the one listing
            started = self._clock()
            if started < self._listed_until.get(subscription, started):
                return
            failed = False
            for role in self._read_all(subscription):
                if isinstance(role, Unknown):
                    failed = True
                else:
                    self._keep(role, started, KEEP)
            self._listed_until[subscription] = started + (KEEP_FAILURE if failed else KEEP)

    def _keep(self, role: RoleDefinition, read_at: float, seconds: float) -> RoleDefinition:
        """Hold what was read, unless something was read later: a listing takes its time."""
        with self._lock:
            held = self._held.get(role.id)
            if held is None or held.read_at <= read_at:
                self._held[role.id] = held = _Held(role, read_at, read_at + seconds)
        return held.role

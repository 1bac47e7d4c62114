"""Whose an event is: the books that a change belongs to, and what is done where nobody knows of any."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from lami.core.belief import SKEW
from lami.core.draft import MARGIN
from lami.core.ids import guid
from lami.core.model import Cause, Change, Present, Subject, Unknown
from lami.core.stimuli import Again, Told
from lami.handling import Handled, Tools, handle, unread
from lami.pace import window_end
from lami.store.due import Due, DueList

HOLDER_TYPES = frozenset(
    {
        "microsoft.logic/workflows",
        "microsoft.web/sites",
        "microsoft.web/sites/slots",
        "microsoft.managedidentity/userassignedidentities",
    }
)
ASSIGNMENT = "microsoft.authorization/roleassignments"
_DEFINITION = "microsoft.authorization/roledefinitions"
_CREDENTIAL = "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials"
_GROUP_DELETED = "microsoft.resources/subscriptions/resourcegroups/delete"


class NotNow(Struct, frozen=True):
    """A change that no book was handed: it waits in `due`, or it concerns none; and why."""

    outcome: Literal["ignored", "deferred"]
    reason: str


class Router:
    """Hands changes to the books they belong to."""

    def __init__(self, tools: Tools, due: DueList) -> None:
        self._tools = tools
        self._due = due

    def route(self, change: Change) -> list[Handled] | NotNow:
        """Find whose event it is and handle it there. The list is never empty."""
        kind = change.resource.type
        if kind == ASSIGNMENT:
            return self._assignment(change)
        if kind in HOLDER_TYPES:
            return [handle(self._tools, Subject("holder", change.resource.text), Told(change))]
        if kind == _CREDENTIAL:
            return [handle(self._tools, Subject("holder", change.resource.parent.text), Told(change))]
        if kind == _DEFINITION and guid(change.resource.name):
            return [handle(self._tools, Subject("role", guid(change.resource.name)), Told(change))]
        if change.operation == _GROUP_DELETED:
            # What was in the group is not told one by one (see docs/assumptions.md): look at all of it.
            now = self._tools.clock()
            # An event's time may be a little ahead of lami's clock; further ahead it is wrong, or forged.
            at = min(max(now, change.time), now + SKEW) + MARGIN
            self._due.add([Due(at, "reconcile", change.cause, resource=change.subscription)])
            return NotNow("deferred", "the subscription will be reconciled")
        return NotNow("ignored", f"lami does not watch {kind or 'this kind of resource'}")

    def gather(self, change: Change, at: datetime | None = None) -> NotNow:
        """Put a change aside, to be answered by a sweep of its subscription: at the end of this window."""
        self._put_aside(change, at or window_end(self._tools.clock()))
        return NotNow("deferred", "more changes than ARM lets lami read one by one; a sweep answers them all")

    def unknown(self, change: Change) -> NotNow:
        """What becomes of a change of an assignment that is not there and that nobody was seen to hold.

        Before it is given up the index is asked once more, after the look: another worker may have learnt
        whose it is since it was first asked, and of a replica that still showed it.
        """
        if not self._patient(change):
            self._put_aside(change, self._once_patient())
        elif self._tools.index.principals_of(change.resource):
            self._put_aside(change, self._tools.clock() + MARGIN)
        else:
            return NotNow("ignored", "the assignment is gone, and lami never saw whose it was")
        return NotNow("deferred", "Azure does not show the assignment; lami looks again")

    def settle_shared(self, change: Change, handled: Sequence[Handled]) -> None:
        """Where several principals were handled, owe each another look at the assignment.

        What one was told of went to those known by then, so that a lagging replica may have shown to another
        what is gone.
        """
        if len(handled) > 1:
            self._look_later(change.cause, [one.loaded.book.subject for one in handled], change.resource.text)

    def look_again(self, item: Due, first: Handled) -> list[Handled]:
        """Look again for whoever else a re-checked assignment turns out to belong to by now.

        Each of them is owed another look, as in `settle_shared`.
        """
        handled = {first.loaded.book.subject: first}
        left = [first]
        while left:
            others = [Subject("principal", principal) for principal in left.pop().strangers]
            if others:
                self._look_later(item.cause, others, item.resource)
            for other in others:
                if other not in handled:
                    # Named after the item and whom it led to: the item's own id is its first subject's.
                    again = Again(f"{item.id}/{other.key}", item.cause)
                    handled[other] = handle(self._tools, other, again, item.resource)
                    left.append(handled[other])
        return list(handled.values())

    def _assignment(self, change: Change) -> list[Handled] | NotNow:
        """Route to every principal that the assignment's name was seen to belong to."""
        principals = self._tools.index.principals_of(change.resource)
        if not principals:
            found = self._whose(change)
            if isinstance(found, NotNow):
                return found
            principals = (found,)
        handled = handle_for(self._tools, principals, change)
        self.settle_shared(change, handled)
        return handled

    def _whose(self, change: Change) -> str | NotNow:
        """Learn whose an assignment is that was never seen, and index it before the look that counts."""
        look = self._tools.arm.assignment(change.resource)
        for pause in self._tools.pauses:
            if isinstance(look, Present | Unknown) or self._patient(change):
                break
            self._tools.sleep(pause)
            look = self._tools.arm.assignment(change.resource)
        if isinstance(look, Unknown):
            raise unread(look)
        if isinstance(look, Present):
            self._tools.index.add_principal(change.resource, look.state.principal)
            return look.state.principal
        return self.unknown(change)

    def _put_aside(self, change: Change, at: datetime) -> None:
        self._due.add([Due(at, "route", change.cause, resource=change.resource.text, change=change)])

    def _look_later(self, cause: Cause, principals: Sequence[Subject], assignment: str) -> None:
        at = self._once_patient()
        self._due.add([Due(at, "doubt", cause, principal, assignment) for principal in principals])

    def _once_patient(self) -> datetime:
        return self._tools.clock() + self._tools.rules.patience + MARGIN

    def _patient(self, change: Change) -> bool:
        return self._tools.clock() - change.time >= self._tools.rules.patience


def handle_for(tools: Tools, principals: tuple[str, ...], change: Change) -> list[Handled]:
    """Handle a change of an assignment for these principals, and for others that looks show it belongs to."""
    handled: dict[str, Handled] = {}
    while left := [principal for principal in principals if principal not in handled]:
        for principal in left:
            done = handle(tools, Subject("principal", principal), Told(change))
            handled[principal] = done
            principals = (*principals, *(s for s in done.strangers if s not in principals))
    return list(handled.values())

"""`lami check`: read what a holder needs from the store and what is there from Azure, and write nothing."""

from __future__ import annotations

from lami.arm.protocol import Arm, NotAHolder
from lami.core import check
from lami.core.check import Need
from lami.core.ids import ResourceId
from lami.core.messages import holder_subject
from lami.core.model import Absent, HolderState, IdentityHolder, Look, Present
from lami.core.policy import Policy
from lami.store.books import Books


class Checker:
    """Looks at a holder, at the identities it attaches, and at what their principals are granted."""

    def __init__(self, books: Books, arm: Arm, watched: frozenset[str], policy: Policy) -> None:
        self._books = books
        self._arm = arm
        self._watched = watched
        self._policy = policy

    def check(self, id: ResourceId) -> tuple[Need, ...]:
        """What the holder needs, then what the identities it attaches need, as it all stands now.

        One read of Azure a holder, and one for each principal in each subscription where access is expected.
        """
        look = self._look(id)
        lines = self._needs(id, look)
        if isinstance(look, Present):
            for each in look.state.attached:
                # An identity elsewhere has no book: what is expected of it is expected of the app.
                if each.principal and each.identity.subscription in self._watched:
                    lines += self._needs(each.identity, self._look(each.identity))
        return lines

    def _look(self, id: ResourceId) -> Look[IdentityHolder]:
        seen = self._arm.holder(id)
        return Absent() if isinstance(seen, NotAHolder) else seen

    def _needs(self, id: ResourceId, look: Look[IdentityHolder]) -> tuple[Need, ...]:
        state = self._books.load(holder_subject(id)).book.state
        if not isinstance(state, HolderState):
            raise TypeError(f"{id} has no holder's book")
        asked = check.givers(look.state, self._watched) if isinstance(look, Present) else ()
        replies = {
            (principal, subscription): self._arm.assignments_of(principal, (subscription,))
            for principal in asked
            for subscription in check.where(state, self._watched)
        }
        return check.needs(id, state, look, replies, self._watched, self._policy)

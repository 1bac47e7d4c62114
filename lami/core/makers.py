"""Who makes role assignments, in figures: what a person needs to put a creator on the automation list.

Read from what books hold: the grants present, and those that are gone. What kind a creator is, is known only
where it holds role assignments of its own: Azure says it there as `principalType`. Otherwise it is not known.
Names and claims of events say nothing: an attacker can choose them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from lami.core.automation import NEVER_MUTED
from lami.core.ids import guid
from lami.core.model import Book, Grant, PrincipalState

MANY = 10
"""So many grants, to at least `SEVERAL` principals, make a creator worth a look."""
SEVERAL = 3
"""So many grants that went again do so too, and that many principals count as several."""


class Maker(Struct, frozen=True):
    """A creator of role assignments, by its object id.

    `kind` is what Azure calls it (`ServicePrincipal`), empty where that is not known. `present` and `gone`
    count grants; `granting` are those of them that can grant access. Times are of the first and the newest.
    """

    id: str
    kind: str
    present: int
    gone: int
    granting: int
    principals: int
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    since: datetime
    latest: datetime

    @property
    def passing(self) -> bool:
        """Whether most of what it grants goes again, as activations do."""
        return self.gone >= SEVERAL and self.gone > self.present


def propose(books: Iterable[Book], listed: Iterable[str] = ()) -> list[Maker]:
    """The creators that look like automation by what they do, those who made most first.

    Not proposed: those `listed` already, people, and the identities of logic apps: who may change such an app
    could make grants in its name, and nobody would hear of them.
    """
    grants: dict[str, list[tuple[str, Grant]]] = {}
    kinds: dict[str, str] = {}
    apps: set[str] = set()
    for book in books:
        state = book.state
        if not isinstance(state, PrincipalState):
            continue
        kinds[book.subject.key] = state.type
        if any(carrier.kind == "logicApp" or carrier.apps for carrier in state.carriers.values()):
            apps.add(book.subject.key)
        for grant in state.grants.values():
            grants.setdefault(grant.created_by.lower(), []).append((book.subject.key, grant))
    passed_over = {
        *(id.lower() for id in listed),
        *apps,
        *(id for id, kind in kinds.items() if _person(kind)),
    }
    found = [
        _maker(id, kinds.get(id, ""), made)
        for id, made in grants.items()
        if id and guid(id) == id and id not in passed_over
    ]
    chosen = [one for one in found if _ordinary(one)]
    return sorted(chosen, key=lambda one: (-one.present - one.gone, one.id))


def _person(kind: str) -> bool:
    return kind.lower() == "user"


def _ordinary(maker: Maker) -> bool:
    many = maker.present + maker.gone >= MANY and maker.principals >= SEVERAL
    return many or maker.gone >= SEVERAL


def _maker(id: str, kind: str, made: list[tuple[str, Grant]]) -> Maker:
    grants = [grant for _, grant in made]
    times = [grant.created or grant.newest for grant in grants]
    return Maker(
        id=id,
        kind=kind,
        present=sum(grant.present for grant in grants),
        gone=sum(not grant.present for grant in grants),
        granting=sum(NEVER_MUTED in grant.powers for grant in grants),
        principals=len({principal for principal, _ in made}),
        roles=tuple(sorted({grant.role_name or grant.access.role for grant in grants})),
        scopes=tuple(sorted({grant.access.scope.text for grant in grants})),
        since=min(times),
        latest=max(times),
    )

"""What the rules on workflow definitions have in common: one finding an app, listing the places."""

from __future__ import annotations

from collections.abc import Callable

from lami.core import naming, posture
from lami.core.ids import digest
from lami.core.model import Book, Found, HolderState, Part
from lami.core.policy import Policy

LISTED = 12
"""How many places a finding's notes list."""


def find(
    book: Book,
    policy: Policy,
    rule: str,
    title: Callable[[str, tuple[Part, ...]], str],
    mend: Callable[[HolderState, tuple[Part, ...]], tuple[str, ...]],
    attack: tuple[str, ...] = (),
    commands: Callable[[Book, HolderState, tuple[Part, ...]], tuple[str, ...]] = lambda *_: (),
) -> tuple[Found, ...]:
    """The finding of a rule, where an app has places that nobody accepted.

    `title` is given the app's name, `mend` says in sentences what to do, `commands` are those that do it.
    """
    state = book.state
    if not isinstance(state, HolderState):
        return ()
    parts = posture.objected(state, rule)
    held = state.posture
    if not parts or held.since is None or held.cause is None:
        return ()
    since, cause = held.since, held.cause
    if rule == posture.DANGLING_IDENTITY and state.churn_cause is not None and state.churned_at is not None:
        # The definition refers to what the app may have had until its identities changed.
        since, cause = max((since, cause), (state.churned_at, state.churn_cause), key=lambda one: one[0])
    subject = naming.subject_of(book)
    places = tuple(sorted(map(posture.place, parts)))
    detail = {"principalId": state.observed.system, "scope": subject.id}
    more = (f"and {len(parts) - LISTED} more",) if len(parts) > LISTED else ()
    return (
        Found(
            rule=rule,
            key="definition",
            severity=policy.severity(rule),
            subject=subject,
            title=title(subject.name, parts),
            detail={name: value for name, value in detail.items() if value},
            cause=cause,
            since=since,
            telling=digest(*places, length=16),
            thread=digest(book.subject.key, length=16),
            places=places,
            standing=held.stood.issuperset(places),
            notes=(
                *map(posture.words, parts[:LISTED]),
                *more,
                *mend(state, parts),
                *((held.shown.oddity,) if held.shown is not None and held.shown.oddity else ()),
            ),
            attack=attack,
            remediation=commands(book, state, parts),
        ),
    )


def where(parts: tuple[Part, ...]) -> str:
    """The one place, or how many there are: `action Get_claims`, `3 places`."""
    return parts[0].where if len(parts) == 1 else f"{len(parts)} places"

"""condition-weakened: the condition of an assignment that is expected was removed or weakened in place.

A condition (ABAC) is often all that keeps a wide role narrow, and changing one is a write of the assignment
like any other. Whatever is no known narrowing (`lami.core.conditions`) is said. Of such an assignment
`broad-grant` is silent: one change, one finding, as grave as the reach that is no longer surely held back.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from lami.core import conditions, naming, remedy, terms
from lami.core.model import Access, Book, Found, Grant, PrincipalState, Severity, SubjectKind
from lami.core.policy import Policy, worst
from lami.detectors import grants

RULE = "condition-weakened"
MOST_SHOWN = 2_000
"""How many characters of a condition a finding shows."""


class ConditionWeakened(Struct, frozen=True):
    """Objects to each assignment whose condition may allow more than the baseline expects."""

    rule: str = RULE
    judges: SubjectKind = "principal"

    def detect(self, book: Book, policy: Policy) -> Iterator[Found]:
        """One finding an assignment, as long as the weaker condition stands."""
        state = book.state
        if not isinstance(state, PrincipalState):
            return
        if policy.watch_principals == "holders" and not state.carriers:
            return
        for key, grant in sorted(state.grants.items()):
            was = terms.weakened(state.terms, grant)
            if was is not None:
                yield _found(book, state, key, grant, was, policy)


def _found(book: Book, state: PrincipalState, key: str, grant: Grant, was: Access, policy: Policy) -> Found:
    subject = naming.subject_of(book)
    before, after = was.condition, grant.access.condition
    change = conditions.compare(before, after)
    severity, why = _severity(grant, policy)
    detail = {
        **grants.detail(book, state, grant),
        "change": change,
        "conditionBefore": _shown(before),
        **({"conditionAfter": _shown(after)} if after else {}),
    }
    what = f"{naming.role(grant.role_name, grant.access)} at {grant.access.scope.short}"
    return Found(
        rule=RULE,
        key=grants.identity(key, grant),
        severity=severity,
        subject=subject,
        title=f"the condition of {what} was {_VERBS.get(change, change)} {subject.name}'s grant",
        detail=detail,
        cause=grant.cause,
        since=grant.since,
        telling=f"{severity}|{grant.access.key}",
        thread=grants.thread(book, state),
        holds=grant.access.key,
        notes=(
            f"Condition before: {_shown(before)}",
            *((f"Condition now: {_shown(after)}",) if after else ()),
            *(("Neither is known to allow less than the other.",) if change == "changed" else ()),
            *(f"The condition {when} does not parse: it {why}." for when, why in _unread(before, after)),
            *((f"Without its condition the role {why}.",) if why else ()),
        ),
        attack=("T1098.003",),
        remediation=(remedy.restore_condition(book.subject.key, state.type, grant.id.text, was),),
    )


_VERBS = {"removed": "removed from", "widened": "widened in", "changed": "changed in"}


def _unread(before: str, after: str) -> Iterator[tuple[str, str]]:
    for when, condition in (("before", before), ("now", after)):
        if why := conditions.unread(condition):
            yield when, why


def _severity(grant: Grant, policy: Policy) -> tuple[Severity, str]:
    """How grave it is, as if the condition held back nothing; and what of the role makes it so grave."""
    severity = policy.severity(RULE)
    reach = policy.reach(grant.unconditional or grant.powers, grant.access.scope)
    if reach is None:
        return severity, ""
    return worst(severity, reach[0]), policy.why(reach[1], grant.access.scope)


def _shown(condition: str) -> str:
    return condition if len(condition) <= MOST_SHOWN else f"{condition[:MOST_SHOWN]}…"

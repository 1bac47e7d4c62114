"""role-widened: a custom role allows more than its baseline, and everyone who holds it just gained that.

A write of a role definition widens every assignment of it, and no assignment tells of it. What it allows is
compared exactly (`lami.core.definitions`), not only by class. Where the role may be assigned is no reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from lami.core import conditions, definitions, digests, naming, remedy, roles
from lami.core.ids import digest
from lami.core.model import Access, Book, Found, Held, RoleState, Severity, SubjectKind
from lami.core.policy import Policy, worst

RULE = "role-widened"
MOST_SHOWN = 20
"""How many patterns, and how many of those who hold the role, a finding names."""


class RoleWidened(Struct, frozen=True):
    """Objects to a custom role that somebody holds and that allows what its baseline did not."""

    rule: str = RULE
    judges: SubjectKind = "role"

    def detect(self, book: Book, policy: Policy) -> Iterator[Found]:
        """At most one finding a role, as long as it allows more."""
        state = book.state
        if not isinstance(state, RoleState) or not state.custom or state.change_cause is None:
            return
        was, now, since = state.expected, state.observed, state.changed_at
        held = _held(state, policy)
        if was is None or now is None or since is None or not held:
            return
        gained = definitions.gained(was, now)
        if not gained:
            return
        severity, why = _severity(state, held, policy)
        (_, widest) = held[0]
        who = [f"{holder.name} at {access.scope.short}" for holder, access in held]
        principals = {id for id, one in state.held.items() if one.accesses}
        yield Found(
            rule=RULE,
            key=digests.role_line(was),
            severity=severity,
            subject=naming.subject_of(book),
            title=f"custom role {state.name} can now {_first(gained)}: held by {_others(who)}",
            detail={
                **({"principalId": next(iter(principals))} if len(principals) == 1 else {}),
                "roleName": state.name,
                "roleDefinitionId": book.subject.key,
                "scope": widest.scope.text,
                "gained": _listed(gained),
                "holder": _listed(who),
            },
            cause=state.change_cause,
            since=since,
            telling=f"{severity}|{digests.role_line(now)}",
            thread=digest("role", book.subject.key, length=16),
            notes=(
                *((f"Whoever holds it {why}.",) if why else ()),
                *(f"Take out again: {pattern}" for pattern in gained[:MOST_SHOWN]),
                *(f"Held by {one}" for one in who[:MOST_SHOWN]),
            ),
            attack=("T1098.003",),
            remediation=(remedy.show_role(book.subject.key),),
        )


def _held(state: RoleState, policy: Policy) -> list[tuple[Held, Access]]:
    """Who holds it where, the widest scope first."""
    watched = [
        (held, access) for held, access in state.accesses if policy.watch_principals == "all" or held.carried
    ]
    return sorted(watched, key=lambda one: (one[1].scope.level, one[0].name, one[1].scope.key))


def _severity(state: RoleState, held: Sequence[tuple[Held, Access]], policy: Policy) -> tuple[Severity, str]:
    """The rule's, or that of the classes gained where it is held, if higher; and what is so grave of it."""
    had = roles.powers(state.expected or ())
    gained = tuple(power for power in roles.powers(state.observed or ()) if power not in had)
    severity, why = policy.severity(RULE), ""
    for _, access in held:
        narrow = conditions.narrows(access.condition)
        powers = tuple(power for power in gained if not (narrow and power == "grants-access"))
        reach = policy.reach(powers, access.scope)
        if reach is not None and (not why or worst(severity, reach[0]) != severity):
            severity, why = worst(severity, reach[0]), policy.why(reach[1], access.scope)
    return severity, why


def _first(gained: Sequence[str]) -> str:
    return gained[0] + (f" (+{len(gained) - 1} more)" if len(gained) > 1 else "")


def _others(who: Sequence[str]) -> str:
    if len(who) == 1:
        return who[0]
    return f"{who[0]} and {naming.counted(len(who) - 1, 'other')}"


def _listed(items: Sequence[str]) -> str:
    more = f", and {len(items) - MOST_SHOWN} more" if len(items) > MOST_SHOWN else ""
    return ", ".join(items[:MOST_SHOWN]) + more

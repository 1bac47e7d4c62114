"""A subscription listed to its end, of which only what a comparison needs is kept: a line of text a grant.

Lines are read one by one and let go of, so what a listing weighs does not grow with what Azure says of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from lami.arm.protocol import Arm
from lami.core import definitions, digests
from lami.core.messages import holder_subject
from lami.core.model import IdentityHolder, RoleAssignment, RoleDefinition, Subject, Unknown

Grants = Mapping[Subject, frozenset[str]]
"""What principals hold, each grant as its `digests.line`."""


class Listing(Struct, frozen=True):
    """One subscription as listed in full: its holders' digests, what principals hold in it and above it.

    What custom roles allow that somebody holds stands with what is above: a role belongs to no subscription.
    """

    holders: Mapping[Subject, str]
    here: Grants
    above: Grants

    @property
    def digests(self) -> dict[Subject, str]:
        """The digest of each subject in this subscription."""
        return {**self.holders, **digests_of(self.here)}

    def __len__(self) -> int:
        """How many subjects there are in the subscription."""
        return len(self.holders) + len(self.here)


def list_subscription(
    arm: Arm, subscription: str, each: Callable[[RoleAssignment], None] = lambda one: None
) -> Listing | Unknown:
    """List a subscription; `each` is shown every role assignment. Unknown where any of it cannot be read."""
    holders: dict[Subject, str] = {}
    for holder in arm.holders_in(subscription):
        if isinstance(holder, Unknown):
            return holder
        holders[holder_subject(holder.id)] = of_holder(holder)
    here: dict[str, set[str]] = {}
    above: dict[str, set[str]] = {}
    roles = _Roles()
    for one in arm.assignments_in(subscription):
        if isinstance(one, Unknown):
            return one
        each(one)
        held = here if one.access.scope.subscription else above
        held.setdefault(one.principal, set()).add(line_of(one))
        roles.add(one.role)
    return Listing(holders, _frozen(here), {**_frozen(above), **roles.lines})


def list_above(arm: Arm, subscription: str) -> Grants | Unknown:
    """List only what stands above a subscription. Unknown where it cannot be read."""
    above: dict[str, set[str]] = {}
    roles = _Roles()
    for one in arm.assignments_in(subscription):
        if isinstance(one, Unknown):
            return one
        if not one.access.scope.subscription:
            above.setdefault(one.principal, set()).add(line_of(one))
        roles.add(one.role)
    return {**_frozen(above), **roles.lines}


class _Roles:
    """The custom roles that role assignments give: the definitions come with them, from the cache."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self.lines: dict[Subject, frozenset[str]] = {}

    def add(self, role: RoleDefinition) -> None:
        """Take up a role, unless it is built in or cannot be read."""
        if not role.custom or role.id in self._seen:
            return
        self._seen.add(role.id)
        allowed = definitions.canonical(role.permissions)
        if allowed is not None:
            self.lines[Subject("role", role.id)] = frozenset({digests.role_line(allowed)})


def unlike(known: Mapping[Subject, str], listed: Mapping[Subject, str]) -> list[Subject]:
    """The subjects that are listed otherwise than known, and those known that are not listed."""
    differing = [subject for subject, what in listed.items() if known.get(subject) != what]
    gone = [s for s, what in known.items() if s not in listed and what != digests.NOTHING]
    return [*differing, *gone]


def digests_of(grants: Mapping[Subject, frozenset[str] | set[str]]) -> dict[Subject, str]:
    """The digest of what each principal holds."""
    return {subject: digests.of_lines(lines) for subject, lines in grants.items()}


def of_holder(holder: IdentityHolder) -> str:
    """The digest of a holder as listed."""
    return digests.of_holder(holder.system, holder.attached, holder.created, holder.definition)


def line_of(one: RoleAssignment) -> str:
    """The line of a role assignment as listed."""
    return digests.line(one.id, one.access, one.created)


def _frozen(held: Mapping[str, set[str]]) -> Grants:
    return {Subject("principal", id): frozenset(lines) for id, lines in held.items()}

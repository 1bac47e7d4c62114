"""A subscription listed to its end, of which only what a comparison needs is kept: a line of text a grant.

Lines are read one by one and let go of, so what a listing weighs does not grow with what Azure says of each.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from lami.arm.protocol import Arm
from lami.core import definitions, digests
from lami.core.ids import is_standard
from lami.core.messages import holder_subject
from lami.core.model import IdentityHolder, RoleAssignment, RoleDefinition, Subject, Unknown

log = logging.getLogger(__name__)

MOST_UNREAD = 20
"""How many Standard logic apps of a subscription may fail to show workflows before no other is asked."""

Grants = Mapping[Subject, frozenset[str]]
"""What principals hold, each grant as its `digests.line`."""


class Listing(Struct, frozen=True):
    """One subscription as listed in full: its holders' digests, what principals hold in it and above it.

    What custom roles allow that somebody holds stands with what is above: a role belongs to no subscription.
    `standard` are the Standard logic apps, of which a listing shows no definitions.
    """

    holders: Mapping[Subject, str]
    here: Grants
    above: Grants
    standard: Mapping[Subject, IdentityHolder] = field(default_factory=dict)

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
    standard: dict[Subject, IdentityHolder] = {}
    for holder in arm.holders_in(subscription):
        if isinstance(holder, Unknown):
            return holder
        subject = holder_subject(holder.id)
        holders[subject] = of_holder(holder)
        if is_standard(holder.id):
            standard[subject] = holder
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
    return Listing(holders, _frozen(here), {**_frozen(above), **roles.lines}, standard)


def defined(
    arm: Arm, apps: Iterable[IdentityHolder], each: Callable[[IdentityHolder], None]
) -> Iterator[IdentityHolder]:
    """Standard logic apps as listed, with what their workflows show; `each` is called before each is read.

    One whose workflows cannot be read comes as it was listed: nothing is concluded of its definitions. So do
    all that are left once Azure asks to be left alone for a while, or many could not be read: one that hangs
    is waited for some seconds, and a run must end within the time that a function call has.
    """
    unread: list[Unknown] = []
    for app in apps:
        each(app)
        if len(unread) >= MOST_UNREAD or any(one.retry_after for one in unread):
            yield app
            continue
        shown = arm.workflows_of(app.id)
        if isinstance(shown, Unknown):
            unread.append(shown)
            yield app
        else:
            yield replace(app, definition=shown)
    if unread:
        first = unread[0].reason
        rest = ", nor those of any after them" if len(unread) >= MOST_UNREAD else ""
        log.warning("the workflows of %d Standard logic apps were not read%s: %s", len(unread), rest, first)


def with_definitions(
    arm: Arm, listing: Listing, each: Callable[[IdentityHolder], None] = lambda one: None
) -> Listing:
    """A listing that shows the definitions of Standard logic apps, too, as far as they can be read."""
    found = {holder_subject(app.id): of_holder(app) for app in defined(arm, listing.standard.values(), each)}
    return replace(listing, holders={**listing.holders, **found}, standard={})


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
    differing = [subject for subject, what in listed.items() if not digests.agrees(known.get(subject), what)]
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

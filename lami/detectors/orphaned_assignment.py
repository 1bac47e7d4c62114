"""orphaned-assignment: a role assignment of a principal that every holder it had has shed.

Azure keeps role assignments when the identity goes. Whether a principal is orphaned is known from who
carried it, never from `principalType`, which is frozen when the assignment is made.
Source: Microsoft's managed-identity best practices.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from lami.core import naming, remedy
from lami.core.ids import digest
from lami.core.model import SEVERITIES, Book, Found, Grant, PrincipalState, Severity
from lami.core.policy import Policy
from lami.core.timeline import stamp

RULE = "orphaned-assignment"


class OrphanedAssignment(Struct, frozen=True):
    """Objects to each present grant of a principal that nobody carries any longer."""

    rule: str = RULE

    def detect(self, book: Book, policy: Policy) -> Iterator[Found]:
        """One finding an assignment, open once the principal has been shed for the policy's grace."""
        state = book.state
        if not isinstance(state, PrincipalState) or not state.shed:
            return
        last = max(state.carriers.values(), key=lambda carrier: (carrier.since, carrier.holder.key))
        subject = naming.subject_of(book)
        for key, grant in sorted(state.grants.items()):
            if not grant.present or grant.tolerated:
                continue
            yield Found(
                rule=self.rule,
                key=f"{key}|{stamp(grant.created) if grant.created else ''}",
                severity=_severity(grant, policy),
                telling=_severity(grant, policy),
                subject=subject,
                title=(
                    f"{naming.access(grant.role_name, grant.access)} is left behind: "
                    f"{subject.name} no longer has the identity {naming.short(book.subject.key)}"
                ),
                detail={
                    "principalId": book.subject.key,
                    "assignmentId": grant.id.text,
                    "roleName": grant.role_name,
                    "roleDefinitionId": grant.access.role,
                    "scope": grant.access.scope.text,
                    "holder": naming.listed(naming.carrier_names(state)),
                },
                cause=last.cause,
                since=last.since,
                thread=digest(sorted(state.carriers)[0], length=16),
                attack=("T1078.004",),
                remediation=(remedy.delete_assignment(grant.id.text),),
            )


def _severity(grant: Grant, policy: Policy) -> Severity:
    floor = policy.severity(RULE)
    reach = policy.reach(grant.powers, grant.access.scope)
    return floor if reach is None else min(floor, reach[0], key=SEVERITIES.index)

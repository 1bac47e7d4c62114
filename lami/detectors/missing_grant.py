"""missing-grant: access that an identity holder is expected to have, and its present identity does not.

Revoked, or not yet given to a successor: either way the workflow will be refused with 403.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from lami.core import naming, remedy
from lami.core.ids import digest
from lami.core.model import Book, Found, HolderState, SubjectKind
from lami.core.policy import Policy


class MissingGrant(Struct, frozen=True):
    """Objects to each expected access that none of a holder's present principals is granted."""

    rule: str = "missing-grant"
    judges: SubjectKind = "holder"

    def detect(self, book: Book, policy: Policy) -> Iterator[Found]:
        """One finding an access, open once it has been missing for the policy's grace."""
        state = book.state
        if not isinstance(state, HolderState):
            return
        missing = [(key, term) for key, term in state.terms.items() if term.missing_since is not None]
        if not missing:
            return
        subject = naming.subject_of(book)
        heir = state.observed.system or next(
            # Of those attached, only one whose access is this holder's to expect.
            (a.principal for a in state.observed.attached if a.principal in state.granted),
            "",
        )
        for key, term in sorted(missing):
            if term.missing_since is None or term.missing_cause is None:
                continue
            detail = {
                "principalId": heir,
                "roleName": term.role_name,
                "roleDefinitionId": term.access.role,
                "scope": term.access.scope.text,
            }
            if term.access.condition:
                detail["condition"] = term.access.condition
            if state.baseline.system and state.baseline.system != heir:
                detail["previousPrincipalId"] = state.baseline.system
            what = naming.access(term.role_name, term.access)
            yield Found(
                rule=self.rule,
                key=f"{key}|{term.count}|{heir}",
                severity=policy.severity(self.rule),
                subject=subject,
                title=f"{subject.name} lacks {what}: expected, not granted",
                detail=detail,
                cause=term.missing_cause,
                since=term.missing_since,
                thread=digest(book.subject.key, length=16),
                notes=("The workflow will be refused (403) where it uses this access.", *_failed(state)),
                remediation=(remedy.create_assignment(heir, term.access),),
            )


def _failed(state: HolderState) -> tuple[str, ...]:
    """What of the damage shows already. Where nobody could count, nothing is said."""
    runs = state.failed_runs
    if runs is None:
        return ()
    have = "run of it has" if runs.count == 1 and not runs.more else "runs of it have"
    count = f"at least {runs.count}" if runs.more else str(runs.count or "no")
    return (f"Since {_minute(runs.since)}, {count} {have} failed (counted at {_minute(runs.until)}).",)


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"

"""broad-grant: a grant that the baseline does not expect, and that reaches far.

Broad is by what the role can do at that scope (`[broad]` of the policy), not by its name. What automation on
the policy's list makes is passed over, but for what grants access.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from lami.core import automation, conditions, naming, remedy, terms
from lami.core.model import Book, Found, Grant, PrincipalState, Severity, SubjectKind
from lami.core.policy import Automation, Policy
from lami.detectors import grants

RULE = "broad-grant"


class BroadGrant(Struct, frozen=True):
    """Objects to each present grant that is not expected and reaches as far as the policy names."""

    rule: str = RULE
    judges: SubjectKind = "principal"

    def detect(self, book: Book, policy: Policy) -> Iterator[Found]:
        """One finding an assignment."""
        state = book.state
        if not isinstance(state, PrincipalState):
            return
        if policy.watch_principals == "holders" and not state.carriers:
            return
        for key, grant in sorted(state.grants.items()):
            if not grant.present or terms.allow(state.terms, grant.access):
                continue
            if terms.weakened(state.terms, grant) is not None:
                continue  # `condition-weakened` speaks of it, as gravely.
            judged = None if automation.muted(grant, policy) else _judge(grant, state, policy)
            if judged is None:
                continue
            severity, why = judged
            yield _found(book, state, key, grant, severity, why, automation.maker(grant, policy))


def _judge(grant: Grant, state: PrincipalState, policy: Policy) -> tuple[Severity, str] | None:
    reach = policy.reach(grant.powers, grant.access.scope)
    if reach is not None:
        severity, power = reach
        return severity, policy.why(power, grant.access.scope)
    if policy.new_grants == "alert" and state.carriers:
        return "low", f"a new grant to a logic app's identity, at {grant.access.scope.short}"
    return None


def _found(
    book: Book,
    state: PrincipalState,
    key: str,
    grant: Grant,
    severity: Severity,
    why: str,
    made_by: Automation | None,
) -> Found:
    subject = naming.subject_of(book)
    unread = (
        ()
        if grant.readable
        else ("The role could not be read; judged by Microsoft's list of privileged roles.",)
    )
    return Found(
        rule=RULE,
        key=f"{grants.identity(key, grant)}|{grant.access.key}",
        severity=severity,
        subject=subject,
        title=f"{subject.name} was granted {naming.role(grant.role_name, grant.access)}: {why}",
        detail={
            **grants.detail(book, state, grant),
            **({"automation": made_by.name} if made_by else {}),
        },
        cause=grant.cause,
        since=grant.since,
        telling=severity,
        thread=grants.thread(book, state),
        holds=grant.access.key,
        notes=(
            *unread,
            *((_made_by(made_by),) if made_by else ()),
            *_under(grant.access.condition),
        ),
        attack=("T1098.003",),
        remediation=(remedy.delete_assignment(grant.id.text),),
    )


def _under(condition: str) -> Iterator[str]:
    if condition:
        yield f"Only under the condition: {condition}"
    if reason := conditions.unread(condition):
        yield f"lami cannot read that condition (it {reason}), and counts it as restricting nothing."


def _made_by(automation: Automation) -> str:
    why = "its grants are told" if automation.grants == "alert" else "what grants access is told all the same"
    return f"Made by {automation.name}, which is on the automation list; {why}."

"""Grants that automation made: how they are named, which of them alert nobody, which the baseline leaves out.

Automation is recognised by an assignment's `createdBy`, which Azure writes, on the policy's list of object
ids; never by a name or a claim, which an attacker can choose.
# Assumption: `createdBy` is the object id of whoever made the assignment: for a PIM activation that of the
# service principal MS-PIM, for AKS and Azure Policy that of their own identities.
"""

from __future__ import annotations

from lami.core import conditions
from lami.core.model import Grant
from lami.core.policy import Automation, Policy

NEVER_MUTED = "grants-access"
"""The class of what is told whoever made it: it is how an attacker stays."""


def maker(grant: Grant, policy: Policy) -> Automation | None:
    """The automation that made a grant, where the policy lists it."""
    return policy.automation.get(grant.created_by.lower())


def muted(grant: Grant, policy: Policy) -> bool:
    """Whether a grant alerts nobody because of who made it.

    A condition that seems to narrow what the holder may grant is not relied on here: lami evaluates none, and
    whoever makes the assignment writes it.
    """
    made_by = maker(grant, policy)
    if made_by is None or made_by.grants == "alert":
        return False
    return NEVER_MUTED not in grant.powers and not conditions.narrows(grant.access.condition)


def temporary(grant: Grant, policy: Policy) -> bool:
    """Whether a grant ends by itself, so that it would be missed if it were expected."""
    made_by = maker(grant, policy)
    return made_by is not None and made_by.grants == "temporary"


def passing(grant: Grant, policy: Policy) -> bool:
    """Whether a grant does not become expected by itself, although nobody objects to it.

    What is temporary doesn't. Nor does what is broad: the list let it pass, and no person did, so it is told
    where its creator leaves the list. Taking the baseline takes the broad in, as it takes in all that stands.
    """
    if temporary(grant, policy):
        return True
    return muted(grant, policy) and policy.reach(grant.powers, grant.access.scope) is not None


def said(grant: Grant, policy: Policy) -> str:
    """Who made a grant, as a sentence goes on with it; empty where no automation did."""
    made_by = maker(grant, policy)
    return f", made by {made_by.name} (on the automation list)" if made_by else ""

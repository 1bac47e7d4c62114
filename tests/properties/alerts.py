"""Strategies for alerts in which everything that somebody else may choose is hostile."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st
from msgspec.structs import replace

from lami.channels.channel import Alert
from lami.core.model import SEVERITIES, Actor, Cause, Finding, FindingSubject
from lami.core.policy import RULES
from tests.properties.texts import hostile

LINK = "https://lami.contoso.example/"
DETAILS = (
    "change",
    "holder",
    "holderId",
    "principalId",
    "previousPrincipalId",
    "roleName",
    "roleDefinitionId",
    "scope",
    "assignmentId",
    "grantedBy",
)
times = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
actors = st.builds(
    Actor, st.sampled_from(["user", "application", "lami", "unknown"]), hostile, hostile, hostile
)
causes = st.builds(Cause, hostile, hostile, times, hostile, actors)
subjects = st.builds(
    FindingSubject,
    st.sampled_from(["logicApp", "userAssignedIdentity", "principal", "role", "lami"]),
    st.one_of(hostile, hostile.map("/".__add__)),
    hostile,
    hostile,
)
findings = st.builds(
    Finding,
    id=st.one_of(hostile, st.text("0123456789abcdef", min_size=16, max_size=16).map("f-".__add__)),
    rule=st.sampled_from(RULES),
    severity=st.sampled_from(SEVERITIES),
    status=st.just("open"),
    subject=subjects,
    title=hostile,
    detail=st.dictionaries(st.one_of(st.sampled_from(DETAILS), hostile), hostile, max_size=12),
    cause=causes,
    opened_at=times,
    telling=hostile,
    thread=hostile,
    revision=st.integers(0, 2**31 - 1),
    notes=st.lists(
        st.one_of(hostile, st.builds("{}: {}".format, st.sampled_from(["Stranded", "Missing"]), hostile)),
        max_size=12,
    ).map(tuple),
    attack=st.sampled_from([(), ("T1098",), ("T1098", "T1098.003")]),
    remediation=st.lists(
        st.one_of(
            hostile, st.builds(str.__mul__, st.sampled_from(["x", "漢", '"\\']), st.integers(1, 900))
        ).map("az ".__add__),
        max_size=8,
    ).map(tuple),
)


def _alert(id: str, thread: str, told: list[Finding], times_over: int, link: str, stories: int) -> Alert:
    """An alert of these findings, over and over: each time under another id, with commands of its own."""
    many = [
        replace(one, id=f"{one.id}{n}", remediation=tuple(f"{line} {n}" for line in one.remediation))
        for n in range(times_over)
        for one in told
    ]
    many.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Alert(id, thread, tuple(many), link, stories)


alerts = st.builds(
    _alert,
    hostile,
    hostile,
    st.lists(findings, min_size=1, max_size=3),
    st.one_of(st.just(1), st.integers(1, 200)),
    st.sampled_from(["", LINK]),
    st.sampled_from([1, 1, 1, 2, 1_000]),
)
"""From one finding to some hundreds, some of them digests. The link comes from lami's settings."""

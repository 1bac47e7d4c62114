"""identity-churn: how identities changed, and what that strands and lacks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pytest
from msgspec.structs import replace

from lami.core import remedy
from lami.core.churn import classify
from lami.core.findings import finding_id, settle
from lami.core.ids import ResourceId
from lami.core.model import (
    Acceptance,
    Arrived,
    Attached,
    Carried,
    Found,
    Granted,
    HolderState,
    IdentityNews,
    RoleAssignment,
    Severity,
    Term,
    User,
)
from lami.detectors.identity_churn import IdentityChurn
from tests.core.builders import (
    CONTRIBUTOR,
    NOW,
    OWNER,
    P1,
    P2,
    P3,
    SUB,
    at,
    cause,
    identity,
    line_of,
    make_access,
    make_assignment,
    make_holder,
    make_principal,
    policy,
    site,
    workflow,
)

A, B, C = identity("id-a"), identity("id-b"), identity("id-c")
PRINCIPALS = {A: "a" * 8, B: "b" * 8, C: "c" * 8}
BORN, LATER = at(-1000), at(-10)


def carries(system: str = "", *attached: ResourceId) -> Carried:
    """The identities of a holder."""
    return Carried(system, tuple(Attached(one, PRINCIPALS[one]) for one in attached))


def churned(
    was: Carried,
    now: Carried,
    present: bool = True,
    born: datetime | None = None,
    created: datetime | None = None,
    deleted_since: bool = False,
) -> HolderState:
    """A holder whose baseline was one thing and who is seen to be another."""
    return HolderState(
        known=True,
        present=present,
        baseline=was,
        observed=now,
        born=born,
        created=created,
        deleted_since=deleted_since,
        churned_at=NOW,
        churn_cause=cause(),
    )


def only(state: HolderState, id: ResourceId | None = None) -> Found:
    """The one churn of a holder."""
    (found,) = IdentityChurn().detect(make_holder(state, id), policy())
    return found


def quiet(state: HolderState) -> bool:
    """Whether nothing is found of a holder."""
    return not list(IdentityChurn().detect(make_holder(state), policy()))


CHANGES = [
    # system only
    pytest.param(carries(P1), carries(P2), "reissued", id="system off and on"),
    pytest.param(carries(P1), carries(), "removed", id="system off"),
    pytest.param(carries(), carries(P1), "added", id="system on"),
    # user-assigned only
    pytest.param(carries("", A), carries("", B), "replaced", id="one for another"),
    pytest.param(carries("", A), carries(), "detached", id="the only one off"),
    pytest.param(carries("", A, B), carries("", A), "detached", id="one of two off"),
    pytest.param(carries(), carries("", A), "added", id="the first on"),
    pytest.param(carries("", A), carries("", A, B), "added", id="a further one"),
    pytest.param(carries("", A, B), carries("", A, C), "replaced", id="one of two for another"),
    # between kinds
    pytest.param(carries(P1), carries("", A), "replaced", id="system for user-assigned"),
    pytest.param(carries("", A), carries(P1), "replaced", id="user-assigned for system"),
    # Standard: system and several user-assigned
    pytest.param(carries(P1, A), carries("", A), "removed", id="system off, user-assigned kept"),
    pytest.param(carries(P1, A), carries(P1), "detached", id="user-assigned off, system kept"),
    pytest.param(carries(P1, A), carries(P1, A, B), "added", id="a further one beside system"),
    pytest.param(carries(P1, A), carries(P1, B), "replaced", id="one for another beside system"),
    pytest.param(carries(P1, A), carries(P2, A), "reissued", id="system new, user-assigned kept"),
    pytest.param(carries(P1, A, B), carries(P2, A), "reissued", id="system new and one off"),
    pytest.param(carries(P1, A), carries("", B), "replaced", id="everything for another"),
    pytest.param(carries(P1, A, B), carries(), "removed", id="everything off"),
    pytest.param(carries("", A), carries(P1, A), "added", id="system on beside user-assigned"),
    # nothing
    pytest.param(carries(P1), carries(P1), "", id="system kept"),
    pytest.param(carries(P1, A, B), carries(P1, B, A), "", id="another order"),
    pytest.param(carries(), carries(), "", id="no identity at all"),
]


@pytest.mark.parametrize(("was", "now", "change"), CHANGES)
@pytest.mark.parametrize("times", [(None, None), (BORN, BORN)], ids=["timeless", "same resource"])
def test_each_change_of_the_contract(
    was: Carried, now: Carried, change: str, times: tuple[datetime | None, datetime | None]
) -> None:
    """The same resource with other identities; nothing is found where they did not change."""
    state = churned(was, now, born=times[0], created=times[1])
    assert classify(state) == change
    assert quiet(state) is not bool(change)


@pytest.mark.parametrize(
    ("state", "change"),
    [
        (churned(carries(P1), carries(P2), born=BORN, created=LATER), "recreated"),
        (churned(carries(P1), carries(P2), deleted_since=True), "recreated"),
        (churned(carries(P1, A), carries(P2, B), born=BORN, created=LATER), "recreated"),
        (churned(carries(P1), carries(P1), born=BORN, created=LATER), ""),
        (churned(carries(P1), carries(), present=False, deleted_since=True), "removed"),
        (churned(carries("", A), carries(), present=False, deleted_since=True), "removed"),
        (churned(carries(P1), carries("", A), deleted_since=True), "replaced"),
        (replace(churned(carries(P1), carries(P2)), kind="userAssignedIdentity"), "recreated"),
        (replace(churned(carries(P1), carries(), False), kind="userAssignedIdentity"), "removed"),
    ],
)
def test_a_new_resource_under_the_old_name(state: HolderState, change: str) -> None:
    """Known by its time of creation, or by a delete where the type tells no such time."""
    assert classify(state) == change


def test_a_late_delete_does_not_make_a_new_resource_of_the_same() -> None:
    """Where both times of creation are known and equal, it is the resource it was."""
    state = churned(carries(P1), carries(P2), born=BORN, created=BORN, deleted_since=True)
    assert classify(state) == "reissued"


def test_a_redeploy_in_place_is_nothing() -> None:
    """The resource was written and even made again, and its identities are those expected."""
    assert quiet(churned(carries(P1, A), carries(P1, A), born=BORN, created=LATER))


def test_a_holder_without_a_baseline_has_no_churn() -> None:
    """One that was never seen, and one just seen for the first time."""
    assert quiet(replace(churned(carries(), carries(P1)), known=False))
    assert quiet(HolderState(known=True, present=True, baseline=carries(P1), observed=carries(P1)))


def test_a_principal_has_no_churn() -> None:
    """Only holders have identities."""
    assert not list(IdentityChurn().detect(make_principal(), policy()))


def test_a_slot_is_named_with_its_app() -> None:
    """`app/slot`, with the short ids of both principals."""
    found = only(churned(carries(P1), carries(P2)), site("orders", "staging"))
    assert found.title == "orders/staging was given a new system identity: aaaaaaaa became bbbbbbbb"


@pytest.mark.parametrize(
    ("was", "now", "detail"),
    [
        (carries(P1), carries(P2), {"principalId": P2, "previousPrincipalId": P1}),
        (carries(P1), carries(), {"previousPrincipalId": P1}),
        (carries(), carries(P1), {"principalId": P1}),
        (
            carries("", A),
            carries("", B),
            {"principalId": PRINCIPALS[B], "previousPrincipalId": PRINCIPALS[A]},
        ),
        (carries(P1), carries("", A), {"principalId": PRINCIPALS[A], "previousPrincipalId": P1}),
        (carries("", A), carries(P1), {"principalId": P1, "previousPrincipalId": PRINCIPALS[A]}),
        (carries(P1, A), carries(P1), {"previousPrincipalId": PRINCIPALS[A]}),
        (carries(P1), carries(P1, A), {"principalId": PRINCIPALS[A]}),
        (
            carries(P1, A),
            carries(P1, B),
            {"principalId": PRINCIPALS[B], "previousPrincipalId": PRINCIPALS[A]},
        ),
    ],
)
def test_the_detail_names_who_came_and_who_went(
    was: Carried, now: Carried, detail: Mapping[str, str]
) -> None:
    """A system identity that stayed is neither."""
    found = only(churned(was, now))
    assert {name: value for name, value in found.detail.items() if name != "change"} == detail


@pytest.mark.parametrize(("was", "now", "change"), [case for case in CHANGES if case.values[2]])
def test_how_grave_it_is(was: Carried, now: Carried, change: str) -> None:
    """An identity added strands nothing; every other change is as the policy says."""
    severity: Severity = "low" if change == "added" else "high"
    assert only(churned(was, now)).severity == severity


@pytest.mark.parametrize(("was", "now", "change"), [case for case in CHANGES if case.values[2]])
def test_a_title_has_no_whole_id(was: Carried, now: Carried, change: str) -> None:
    """Short names only, and no loose end where nothing is to be named."""
    title = only(churned(was, now)).title
    assert title.startswith("claims-intake ")
    assert P1 not in title
    assert title == title.strip()
    assert change


def test_the_key_is_the_baselines_and_the_telling_the_present_ones() -> None:
    """P1 to P2 to P3 is one drift that is told again; accepted in between it would be another."""
    two, three = churned(carries(P1), carries(P2)), churned(carries(P1), carries(P3))
    assert only(two).key == only(three).key
    assert only(two).telling != only(three).telling
    assert only(churned(carries(P2), carries(P3))).key != only(two).key
    assert only(churned(carries(P1, A), carries(P2, A))).key != only(two).key


# --- what it strands and lacks ---------------------------------------------------------------------


def said(*lines: RoleAssignment, version: int = 1) -> Granted:
    """What a principal last said it is granted."""
    return Granted(version, tuple(map(line_of, lines)))


READS = Term(make_access(), "Reader")
OLD, NEW = make_assignment("old", P1), make_assignment("new", P2)


def redeployed(**principals: Granted) -> HolderState:
    """P1 became P2, one access is expected; `old` and `new` are what the two last said."""
    return replace(
        churned(carries(P1), carries(P2)),
        terms={READS.access.key: READS},
        granted={{"old": P1, "new": P2}[name]: granted for name, granted in principals.items()},
    )


def test_what_is_stranded_and_what_is_missing() -> None:
    """Both are counted in the title, named in the notes, and mended by the commands."""
    found = only(redeployed(old=said(OLD), new=said()))
    assert found.title == (
        "claims-intake was given a new system identity: aaaaaaaa became bbbbbbbb; "
        "1 role assignment stranded; 1 missing"
    )
    assert found.notes == (
        "Stranded: Reader at resource group rg-claims",
        "Missing: Reader at resource group rg-claims",
    )
    create, delete = found.remediation
    assert "create" in create
    assert P2 in create
    assert "delete" in delete
    assert OLD.id.text in delete


def test_nothing_is_missing_that_the_successor_has_or_that_is_not_known() -> None:
    """Its own assignment of the same access is enough; and an unheard principal lacks nothing."""
    assert only(redeployed(old=said(), new=said(NEW))).notes == ()
    assert only(redeployed(old=said(), new=Granted(0))).notes == ()
    assert only(redeployed(old=said())).notes == ()


def test_what_was_withdrawn_is_not_missing() -> None:
    """Only what is expected now."""
    state = redeployed(old=said(), new=said())
    assert only(replace(state, terms={READS.access.key: replace(READS, count=2)})).notes == ()


def test_a_deleted_app_strands_and_lacks_nothing() -> None:
    """Nobody is there to be refused."""
    state = replace(redeployed(old=said(OLD)), observed=carries(), present=False)
    assert only(state).notes == ("Stranded: Reader at resource group rg-claims",)


def swapped(*heard: ResourceId) -> HolderState:
    """One attached identity for another; A was granted something, and `heard` have said what they are."""
    news = {A: IdentityNews(1, PRINCIPALS[A], said(OLD).grants), B: IdentityNews(1, PRINCIPALS[B])}
    return replace(
        churned(carries("", A), carries("", B)),
        identities={one.key: news[one] for one in heard},
    )


def test_a_swapped_identity_lacks_what_the_old_one_had() -> None:
    """Said once the new one has been heard, and not before; whom else it serves is given it too."""
    found = only(swapped(A, B))
    assert found.notes == (
        "Missing: Reader at resource group rg-claims",
        "Whoever else uses the identity id-b is given what is granted to it.",
    )
    *back, otherwise, create = found.remediation
    assert [line.split()[4:6] for line in back] == [
        ["remove", "--subscription"],
        ["assign", "--subscription"],
    ]
    assert otherwise == remedy.OTHERWISE
    assert create.startswith(f"az role assignment create --assignee-object-id {PRINCIPALS[B]} ")
    assert only(swapped(A)).notes == ()


OURS = workflow()
AT = f"--subscription {OURS.subscription} --resource-group rg-claims --name claims-intake"
STANDARD = AT.replace("claims-intake", "claims-standard")


@pytest.mark.parametrize(
    ("app", "was", "now", "back"),
    [
        (
            OURS,
            carries(P1),
            carries("", B),
            [
                f"az logic workflow identity remove {AT} --user-assigned {B}",
                f"az logic workflow identity assign {AT} --system-assigned",
            ],
        ),
        (
            OURS,
            carries("", A),
            carries(P2),
            [
                f"az logic workflow identity remove {AT} --system-assigned",
                f"az logic workflow identity assign {AT} --user-assigned {A}",
            ],
        ),
        (
            OURS,
            carries("", A),
            carries("", B),
            [
                f"az logic workflow identity remove {AT} --user-assigned {B}",
                f"az logic workflow identity assign {AT} --user-assigned {A}",
            ],
        ),
        (
            site(),
            carries(P1, A),
            carries("", A, B, C),
            [
                f"az logicapp identity remove {STANDARD} --user-assigned {B}",
                f"az logicapp identity remove {STANDARD} --user-assigned {C}",
                f"az logicapp identity assign {STANDARD} --system-assigned",
            ],
        ),
    ],
)
def test_what_came_instead_is_taken_off_before_anything_is_granted(
    app: ResourceId, was: Carried, now: Carried, back: list[str]
) -> None:
    """An identity that somebody put in the other's place is given nothing. What came goes before the other
    comes back: a Consumption app has one identity."""
    found = only(churned(was, now), app)
    assert found.detail["change"] == "replaced"
    assert list(found.remediation) == back


def test_moving_to_the_identity_that_came_is_the_other_choice() -> None:
    """Behind what gives the old one back, under words that say so: what it lacks, and what is stranded."""
    state = replace(
        redeployed(old=said(OLD)),
        observed=carries("", B),
        identities={B.key: IdentityNews(1, PRINCIPALS[B])},
    )
    remove, assign, otherwise, create, delete = only(state).remediation
    assert " identity remove " in remove
    assert " identity assign " in assign
    assert otherwise.startswith("# Or, ")
    assert f"--assignee-object-id {PRINCIPALS[B]} " in create
    assert OLD.id.text in delete
    reissued = replace(state, observed=carries(P2), granted={P1: said(OLD), P2: said()})
    assert [line.split()[3] for line in only(reissued).remediation] == ["create", "delete"]


def shared(state: HolderState, *users: str) -> HolderState:
    """A user-assigned identity that these apps use."""
    used = {workflow(name).key: User(workflow(name), 1, True) for name in users}
    left = User(workflow("gone"), 2, False)
    return replace(state, kind="userAssignedIdentity", users={**used, left.app.key: left})


def test_an_identity_made_anew_names_the_apps_that_use_it() -> None:
    """Who is affected by a shared identity's churn, and how the new one comes to them."""
    state = replace(shared(churned(carries(P1), carries(P2)), "w"), oddity="something strange")
    found = only(state, identity("id-shared"))
    assert found.title == ("id-shared was recreated under its name: its principal aaaaaaaa became bbbbbbbb")
    assert found.notes == (
        "Used by: w",
        "The apps that use it refer to the old identity until the new one is attached to them.",
        "something strange",
    )
    assert found.subject.kind == "userAssignedIdentity"
    (attach,) = found.remediation
    assert attach.startswith("az logic workflow identity assign ")
    assert attach.endswith(f"--name w --user-assigned {identity('id-shared').text}")


@pytest.mark.parametrize(
    ("users", "said"),
    [
        ((), "id-claims was deleted: its principal aaaaaaaa is gone"),
        (("w",), "id-claims was deleted while w uses it: its principal aaaaaaaa is gone"),
        (("v", "w"), "id-claims was deleted while v, w use it: its principal aaaaaaaa is gone"),
        (
            ("a", "b", "c", "d", "e"),
            "id-claims was deleted while a, b, c and 2 more use it: its principal aaaaaaaa is gone",
        ),
    ],
)
def test_an_identity_deleted_while_apps_carry_it(users: tuple[str, ...], said: str) -> None:
    """They will fail to get a token: the finding names them."""
    state = shared(churned(carries(P1), carries(), present=False, deleted_since=True), *users)
    found = only(state, identity())
    assert found.title == said
    assert found.detail["change"] == "removed"
    assert found.remediation == ()


SAID = [
    (carries(P1), carries("", A), True, "uses the identity id-a instead of its system identity aaaaaaaa"),
    (carries("", A), carries("", B), True, "uses the identity id-b instead of the identity id-a"),
    (carries("", A), carries(P1), True, "uses a system identity aaaaaaaa instead of the identity id-a"),
    (
        carries("", A, C),
        carries("", B, C),
        True,
        "uses the identity id-b instead of the identity id-a",
    ),
    (carries(), carries(P1), True, "was given a system identity aaaaaaaa"),
    (carries(P1), carries(P1, A, B), True, "was given the identity id-a and the identity id-b"),
    (carries("", A, B), carries("", A), True, "no longer uses the identity id-b"),
    (carries(P1), carries(), True, "no longer has its system identity aaaaaaaa"),
    (carries(P1), carries(), False, "was deleted, and its managed identity aaaaaaaa with it"),
    (carries("", A), carries(), False, "was deleted: it no longer uses the identity id-a"),
]


@pytest.mark.parametrize(("was", "now", "present", "said"), SAID)
def test_each_change_is_said_by_the_names_of_the_identities(
    was: Carried, now: Carried, present: bool, said: str
) -> None:
    """Which identity came and which went; one that stayed is not spoken of."""
    found = only(churned(was, now, present=present, deleted_since=not present))
    assert found.title == f"claims-intake {said}"


@pytest.mark.parametrize(
    ("app", "was", "now", "commands"),
    [
        (
            workflow(),
            carries(P1),
            carries(),
            ["az logic workflow identity assign {at} --name claims-intake --system-assigned"],
        ),
        (
            workflow(),
            carries("", A),
            carries(),
            [f"az logic workflow identity assign {{at}} --name claims-intake --user-assigned {A}"],
        ),
        (
            site(),
            carries(P1, A, B),
            carries("", B),
            [
                "az logicapp identity assign {at} --name claims-standard --system-assigned",
                f"az logicapp identity assign {{at}} --name claims-standard --user-assigned {A}",
            ],
        ),
        (
            site("orders", "staging"),
            carries(P1),
            carries(),
            ["az functionapp identity assign {at} --name orders --slot staging --identities '[system]'"],
        ),
    ],
)
def test_an_identity_that_went_can_be_given_back(
    app: ResourceId, was: Carried, now: Carried, commands: list[str]
) -> None:
    """By the CLI's command for the kind of app, one for each identity that was lost."""
    at = f"--subscription {app.subscription} --resource-group rg-claims"
    found = only(churned(was, now), app)
    assert list(found.remediation) == [command.format(at=at) for command in commands]


@pytest.mark.parametrize(("times", "advised"), [(2, False), (3, True), (6, True)])
def test_from_the_second_recreation_on_another_kind_of_identity_is_advised(times: int, advised: bool) -> None:
    """One that survives redeploys, with the commands that make and attach it."""
    state = replace(churned(carries(P1), carries(P2), deleted_since=True), systems=times)
    found = only(state)
    assert any("survives redeploys" in note for note in found.notes) is advised
    made = [line for line in found.remediation if line.startswith("az identity create ")]
    bound = [line for line in found.remediation if "--user-assigned" in line]
    assert (len(made), len(bound)) == ((1, 1) if advised else (0, 0))
    if advised:
        assert made[0].endswith("--resource-group rg-claims --name id-claims-intake")
        assert found.remediation[-2:] == (made[0], bound[0])


def test_a_user_assigned_identity_is_not_advised_to_be_one() -> None:
    """However often it is made anew; nor is an app whose identity was switched off and on."""
    state = replace(shared(churned(carries(P1), carries(P2)), "w"), systems=4)
    assert not any("survives" in note for note in only(state, identity()).notes)
    reissued = replace(churned(carries(P1), carries(P2), born=BORN, created=BORN), systems=4)
    assert not any("survives" in note for note in only(reissued).notes)


# --- what an identity brings -----------------------------------------------------------------------

WIDE = ResourceId(f"/subscriptions/{SUB}")
OWNS = make_assignment("owns", PRINCIPALS[B], OWNER, WIDE)
OWNS_GROUP = make_assignment("owns-group", PRINCIPALS[B], OWNER)
WRITES = make_assignment("writes", PRINCIPALS[B], CONTRIBUTOR, WIDE)
READS_GROUP = make_assignment("reads", PRINCIPALS[B])


def brought(*held: RoleAssignment, was: Carried | None = None, now: Carried | None = None) -> HolderState:
    """An app that uses B besides A, which was granted this as B has said."""
    news = {B.key: IdentityNews(1, PRINCIPALS[B], said(*held).grants)}
    return replace(churned(was or carries("", A), now or carries("", A, B)), identities=news)


@pytest.mark.parametrize(
    ("held", "severity"),
    [
        ([], "low"),
        ([READS_GROUP], "low"),
        ([OWNS_GROUP], "high"),
        ([WRITES], "high"),
        ([READS_GROUP, WRITES, OWNS, OWNS_GROUP], "critical"),
    ],
)
def test_an_identity_added_is_as_grave_as_what_it_holds(
    held: list[RoleAssignment], severity: Severity
) -> None:
    """By the gravest of its grants; low without any that reaches far, and while nothing is heard."""
    assert only(brought(*held)).severity == severity
    assert only(replace(brought(*held), identities={})).severity == "low"
    unheard = {B.key: IdentityNews(1, PRINCIPALS[B], said(*held).grants, heard=False)}
    assert only(replace(brought(*held), identities=unheard)).severity == "low"


def test_what_it_brings_is_said_and_can_be_taken_off() -> None:
    """In the title, in a note that says what follows, and with the command that takes it off the app."""
    found = only(brought(OWNS))
    why = f"can grant anyone access, at {WIDE.short}"
    assert found.title == f"claims-intake was given the identity id-b; id-b {why}"
    whoever = "Whoever can change claims-intake acts as the identity id-b"
    assert found.notes == (f"{whoever}, which {why} (Owner at {WIDE.short})",)
    (command,) = found.remediation
    assert command.startswith("az logic workflow identity remove ")
    assert command.endswith(f"--user-assigned {B}")
    assert only(brought(READS_GROUP)).remediation == ()


def test_any_change_that_brings_an_identity_counts() -> None:
    """Also one for another, where it is graver than the change by itself; it is taken off first."""
    instead = brought(OWNS, now=carries("", B))
    assert (classify(instead), only(instead).severity) == ("replaced", "critical")
    assert "identity remove" in only(instead).remediation[0]
    assert only(brought(READS_GROUP, now=carries("", B))).severity == "high"
    besides = brought(OWNS, was=carries(P1), now=carries(P2, B))
    assert (classify(besides), only(besides).severity) == ("reissued", "critical")


def test_what_an_app_had_already_brings_nothing() -> None:
    """Neither the identities of the baseline, nor one that is gone."""
    assert only(brought(OWNS, was=carries("", B), now=carries("", A, B))).severity == "low"
    assert quiet(brought(OWNS, was=carries("", B), now=carries("", B)))
    assert "id-b can" not in only(brought(OWNS, was=carries("", A, B), now=carries("", A))).title


@pytest.mark.parametrize(
    ("made", "severity"), [(at(-1), "critical"), (None, "critical"), (NOW, "low"), (at(1), "low")]
)
def test_what_is_granted_later_is_not_brought(made: datetime | None, severity: Severity) -> None:
    """That is a broad grant, and told as one; of what Azure tells no time nobody knows that it was later."""
    grant = make_assignment("owns", PRINCIPALS[B], OWNER, WIDE, created=made)
    assert only(brought(grant)).severity == severity


def test_an_identity_of_another_estate_is_judged_by_what_its_principal_says() -> None:
    """It has no book: the app carries its principal itself."""
    state = replace(brought(), identities={}, granted={PRINCIPALS[B]: said(OWNS)})
    assert only(state).severity == "critical"
    unheard = replace(state, granted={PRINCIPALS[B]: Granted(0)})
    assert only(unheard).severity == "low"


def test_of_several_identities_each_is_named_and_the_gravest_is_in_the_title() -> None:
    """Two are added at once."""
    state = brought(WRITES, was=carries(), now=carries("", A, B))
    own = make_assignment("owns-too", PRINCIPALS[A], OWNER, WIDE)
    news = {**state.identities, A.key: IdentityNews(1, PRINCIPALS[A], said(own).grants)}
    found = only(replace(state, identities=news))
    assert found.severity == "critical"
    assert "; id-a can grant anyone access" in found.title
    assert [note.split(",")[0].rpartition(" ")[2] for note in found.notes] == ["id-a", "id-b"]


def test_graver_is_told_again_and_less_grave_is_not() -> None:
    """What is heard a moment later raises it; what is taken away lowers it, and alerts nobody."""
    heard = [brought(), brought(WRITES), brought(WRITES, OWNS), brought(WRITES), brought(), brought(OWNS)]
    book = make_holder()
    alerts, severities, ids = [], [], set()
    for number, state in enumerate(heard):
        book = replace(book, state=state)
        founds = IdentityChurn().detect(book, policy())
        settled = settle(book, founds, {}, policy(), number + 1, at(number))
        book = replace(book, findings=settled.findings)
        (finding,) = settled.findings.values()
        alerts.append(len(settled.told))
        severities.append(finding.severity)
        ids.add(finding.id)
    assert severities == ["low", "high", "critical", "high", "low", "critical"]
    assert alerts == [1, 1, 1, 0, 0, 1]
    assert len(ids) == 1


def test_an_acceptance_of_less_does_not_hide_what_is_graver() -> None:
    """It was of what was told by then."""
    book = make_holder(brought())
    founds = list(IdentityChurn().detect(book, policy()))
    id = finding_id(book.subject, founds[0])
    acceptance = Acceptance("Dana", "planned", NOW, at(3600))
    settled = settle(book, founds, {id: acceptance}, policy(), 1, NOW)
    assert settled.findings[id].status == "accepted"
    graver = replace(book, state=brought(OWNS), findings=settled.findings)
    after = settle(graver, IdentityChurn().detect(graver, policy()), {}, policy(), 2, at(1))
    assert [one.id for one in after.told] == [id]


# --- what an app came with -------------------------------------------------------------------------


def born_with(*held: RoleAssignment, at_first: Carried | None = None) -> HolderState:
    """An app that came, after the baseline, with A and B, which was granted this as B has said."""
    came = at_first or carries("", A, B)
    keys = frozenset(one.identity.key for one in came.attached)
    return replace(brought(*held, was=came, now=came), arrived=Arrived(keys, NOW, cause("arrived")))


def test_an_app_that_comes_with_far_reach_is_said() -> None:
    """Whoever makes an app acts as its identities: with the reach, and the command that takes it off."""
    found = only(born_with(OWNS, READS_GROUP))
    why = f"can grant anyone access, at {WIDE.short}"
    assert found.title == f"claims-intake was created with the identity id-b, which {why}"
    assert (found.severity, found.detail) == ("critical", {"change": "added", "principalId": PRINCIPALS[B]})
    assert found.cause.id == "arrived"
    (note,) = found.notes
    assert note.startswith("Whoever can change claims-intake acts as the identity id-b, which ")
    (command,) = found.remediation
    assert command.endswith(f"--user-assigned {B}")


def test_an_app_that_comes_with_little_is_nothing() -> None:
    """Apps come every day. Nor is what the identity is granted later, which is a broad grant."""
    assert quiet(born_with())
    assert quiet(born_with(READS_GROUP))
    later = make_assignment("owns", PRINCIPALS[B], OWNER, WIDE, created=at(1))
    assert quiet(born_with(later))


def test_what_is_taken_off_or_gone_is_over() -> None:
    """It stands as long as the identity is the app's and reaches that far."""
    gone = replace(born_with(OWNS, at_first=carries("", B)), observed=carries(), present=False)
    assert only(gone).detail["change"] == "removed"
    off = born_with(OWNS)
    left = replace(off, observed=carries("", A), baseline=carries("", A))
    assert quiet(left)


def test_what_it_came_with_is_told_apart_from_what_changed() -> None:
    """Two findings with keys of their own, each by itself."""
    state = replace(born_with(OWNS), baseline=carries(P1, A, B), observed=carries(P2, A, B))
    found = list(IdentityChurn().detect(make_holder(state), policy()))
    assert [one.detail["change"] for one in found] == ["reissued", "added"]
    assert len({one.key for one in found}) == 2


def test_one_more_that_reaches_far_is_told_again_and_one_less_is_not() -> None:
    """Taking one of two off an app is no news, and the finding stands of the other."""
    own = make_assignment("writes-too", PRINCIPALS[A], CONTRIBUTOR, WIDE)
    one = born_with(WRITES)
    both = replace(
        one, identities={**one.identities, A.key: IdentityNews(1, PRINCIPALS[A], said(own).grants)}
    )
    left = replace(both, observed=carries("", B), baseline=carries("", B))
    book, alerts = make_holder(), []
    for number, state in enumerate((one, both, left)):
        book = replace(book, state=state)
        settled = settle(book, IdentityChurn().detect(book, policy()), {}, policy(), number + 1, at(number))
        book = replace(book, findings=settled.findings)
        alerts.append(len(settled.told))
        assert len(settled.findings) == 1
    assert alerts == [1, 1, 0]

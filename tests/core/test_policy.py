"""What matters: the packaged policy, what may be laid over it, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lami.core.ids import ResourceId
from lami.core.model import SEVERITIES, Cause, FindingSubject, Found, Severity
from lami.core.policy import CHANNELS, EXACT, RULES, Automation, Policy, duration, parse, worst
from lami.core.roles import POWERS
from lami.errors import BadSettings

PACKAGED = files("lami").joinpath("policy.toml").read_text(encoding="utf-8")
SUB = "/subscriptions/11111111-1111-1111-1111-111111111111"
PRINCIPAL = "AAAAAAAA-0000-0000-0000-000000000000"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EXCEPTION = f"""
[[exception]]
rule = "broad-grant"
principal = "{PRINCIPAL}"
scope = "{SUB}/"
role = "Contributor"
reason = "deploys"
owner = "platform"
until = 2027-01-31
"""
DETAIL = {
    "principalId": PRINCIPAL.lower(),
    "scope": SUB.upper(),
    "roleName": "contributor",
    "roleDefinitionId": f"{SUB}/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}",
}


def laid(text: str = "") -> Policy:
    """A policy file laid over the packaged one."""
    return parse(text, PACKAGED)


def test_the_packaged_policy() -> None:
    """The packaged file is right as it stands, and is what an empty file means."""
    policy = laid()
    assert policy == parse(PACKAGED, PACKAGED)
    assert (policy.watch_principals, policy.new_grants, policy.owner_tag) == ("all", "record", "owner")
    assert policy.grace == {
        rule: timedelta(minutes=5) for rule in ("orphaned-assignment", "missing-grant", "ungranted-identity")
    }
    assert policy.exceptions == ()
    assert policy.routes == {}


def test_the_packaged_policy_shows_every_key() -> None:
    """Every class stands in the packaged file, every table's key is at least named in a comment."""
    assert laid().broad.keys() == set(POWERS)
    tables = ("[routes]", "[[exception]]", "[[automation]]")
    for key in ("principals", "new-grants", "owner-tag", "until", *tables, "created-by", *CHANNELS):
        assert key in PACKAGED
    assert set(RULES) - {"broad-grant"} <= laid().severities.keys()


@pytest.mark.parametrize(
    ("powers", "scope", "expected"),
    [
        (("grants-access", "writes-all", "reads"), SUB, ("critical", "grants-access")),
        (("grants-access", "writes-all"), "/", ("critical", "grants-access")),
        (("writes-all",), "/providers/Microsoft.Management/managementGroups/mg", ("high", "writes-all")),
        (("grants-access", "writes-all"), f"{SUB}/resourceGroups/rg", ("high", "grants-access")),
        (("takes-identity", "writes-all"), f"{SUB}/resourceGroups/rg", ("medium", "writes-all")),
        (("writes-provider",), f"{SUB}/resourceGroups/rg", None),
        (("grants-access",), f"{SUB}/resourceGroups/rg/providers/A.B/c/d", ("medium", "grants-access")),
        (("writes-all",), f"{SUB}/resourceGroups/rg/providers/A.B/c/d", None),
        (("reads",), "/", None),
        (("no-such-power",), "/", None),
        ((), "/", None),
    ],
)
def test_reach(powers: tuple[str, ...], scope: str, expected: object) -> None:
    """The gravest line of class by scope counts; a scope without a line is no finding."""
    assert laid().reach(powers, ResourceId(scope)) == expected


def test_a_line_is_replaced_whole() -> None:
    """A class's line of one's own replaces the packaged one, so that a scope can be left out."""
    policy = laid('[broad]\ngrants-access = { subscription = "low" }\nwrites-all = {}')
    group = ResourceId(f"{SUB}/resourceGroups/rg")
    assert policy.reach(("grants-access",), ResourceId(SUB)) == ("low", "grants-access")
    assert policy.reach(("grants-access", "writes-all"), group) is None
    assert policy.reach(("takes-identity",), group) == ("medium", "takes-identity")


def test_why_is_said_in_words() -> None:
    """The reason names what the role can do and where, by a short name."""
    group = ResourceId(f"{SUB}/resourceGroups/rg-orders")
    assert laid().why("grants-access", group) == "can grant anyone access, at resource group rg-orders"
    assert len({laid().why(power, group) for power in POWERS}) == len(POWERS)


def test_a_key_left_out_keeps_the_packaged_value() -> None:
    """Files are laid over each other table by table."""
    policy = laid(
        '[watch]\nprincipals = "holders"\n[grace]\nmissing-grant = "0s"\n[severity]\nmissing-grant = "info"'
    )
    assert (policy.watch_principals, policy.owner_tag) == ("holders", "owner")
    assert policy.grace == {
        "orphaned-assignment": timedelta(minutes=5),
        "missing-grant": timedelta(),
        "ungranted-identity": timedelta(minutes=5),
    }
    assert (policy.severity("missing-grant"), policy.severity("identity-churn")) == ("info", "high")
    assert policy.severity("a rule without a line") == "medium"


def about(rule: str, detail: Mapping[str, str] = DETAIL, subject: str = PRINCIPAL.lower()) -> Found:
    """What a detector found."""
    who = FindingSubject("principal", subject, "claims-intake")
    cause = Cause("event-1", "test", NOW)
    return Found(rule, "k", "high", who, "title", detail, cause, NOW)


def covered(policy: Policy, found: Found, now: datetime = NOW) -> bool:
    """Whether some exception covers what was found."""
    return bool(policy.covering(found, now))


def test_an_exception_is_bound_to_all_it_names() -> None:
    """Whatever an exception names must agree, without case; a later, different problem isn't hidden."""
    policy = laid(EXCEPTION)
    (exception,) = policy.exceptions
    assert (exception.reason, exception.owner) == ("deploys", "platform")
    assert policy.covering(about("broad-grant"), NOW) == (exception,)
    assert not covered(policy, about("orphaned-assignment"))
    for key, other in (
        ("principalId", "b"),
        ("scope", f"{SUB}/resourceGroups/rg"),
        ("roleName", "Owner"),
        ("scope", ""),
        ("principalId", ""),
    ):
        assert not covered(policy, about("broad-grant", {**DETAIL, key: other, "roleDefinitionId": ""}))
    assert not covered(policy, about("broad-grant", {}))


def test_an_exceptions_role_may_be_a_name_or_an_id() -> None:
    """A role is named as a person or as Azure names it."""
    for role in (CONTRIBUTOR, f"/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR.upper()}"):
        policy = laid(EXCEPTION.replace('"Contributor"', f'"{role}"'))
        assert covered(policy, about("broad-grant", {**DETAIL, "roleName": "renamed"}))


def test_an_exception_of_an_assignment_is_of_no_other() -> None:
    """The same access, granted once more, is another finding."""
    one = f"{SUB}/providers/Microsoft.Authorization/roleAssignments/a1"
    policy = laid(EXCEPTION + f'assignment = "{one}"\n')
    assert covered(policy, about("broad-grant", {**DETAIL, "assignmentId": one.upper()}))
    assert not covered(policy, about("broad-grant", {**DETAIL, "assignmentId": one[:-1] + "2"}))
    assert not covered(policy, about("broad-grant"))


APP = f"{SUB}/resourceGroups/rg/providers/Microsoft.Logic/workflows/claims-intake"
CHURN = f"""
[[exception]]
rule = "identity-churn"
subject = "{APP}"
what = "recreated"
reason = "it is deployed anew each night"
owner = "platform"
until = 2027-01-31
"""


def test_an_exception_of_a_churn_is_of_an_app_and_a_change() -> None:
    """Whoever comes next, unless it names the new principal too."""
    recreated = {"change": "recreated", "previousPrincipalId": PRINCIPAL, "principalId": CONTRIBUTOR}
    policy = laid(CHURN)
    assert covered(policy, about("identity-churn", recreated, APP.upper()))
    assert not covered(policy, about("identity-churn", {**recreated, "change": "removed"}, APP))
    assert not covered(policy, about("identity-churn", recreated, f"{APP}-2"))
    named = laid(CHURN + f'principal = "{CONTRIBUTOR}"\n')
    assert covered(named, about("identity-churn", recreated, APP))
    assert not covered(named, about("identity-churn", {**recreated, "principalId": PRINCIPAL}, APP))
    gone = {"change": "recreated", "previousPrincipalId": CONTRIBUTOR}
    assert covered(named, about("identity-churn", gone, APP))


def test_an_exception_of_a_gap_is_of_its_kind() -> None:
    """And of a subscription, where it names one."""
    text = (
        '[[exception]]\nrule = "lami-gap"\nwhat = "events"\nreason = "r"\nowner = "o"\nuntil = 2027-01-31\n'
    )
    gap = {"gap": "events", "scope": SUB}
    assert covered(laid(text), about("lami-gap", gap))
    assert covered(laid(text + f'scope = "{SUB}"'), about("lami-gap", gap))
    assert not covered(laid(text + 'scope = "/subscriptions/s2"'), about("lami-gap", gap))
    assert not covered(laid(text), about("lami-gap", {**gap, "gap": "unreadable"}))


def test_an_exception_ends() -> None:
    """A date is good to the end of its day in UTC, a time to the instant; an end that is past is no fault."""
    found, day = about("broad-grant"), laid(EXCEPTION)
    assert covered(day, found, datetime(2027, 1, 31, 23, 59, tzinfo=UTC))
    assert not covered(day, found, datetime(2027, 2, 1, tzinfo=UTC))
    time = laid(EXCEPTION.replace("2027-01-31", "2027-01-31T10:00:00+02:00"))
    assert covered(time, found, datetime(2027, 1, 31, 7, 59, tzinfo=UTC))
    assert not covered(time, found, datetime(2027, 1, 31, 8, tzinfo=UTC))
    assert covered(laid(EXCEPTION.replace("2027-01-31", "9999-12-31")), found)
    assert not covered(laid(EXCEPTION.replace("2027-01-31", "1999-12-31")), found)


@pytest.mark.parametrize("rule", RULES)
def test_what_makes_an_exception_exact_must_be_named(rule: str) -> None:
    """Left out, it matches what nobody meant; only `all = true` says that it is meant."""
    rest = f'[[exception]]\nrule = "{rule}"\nreason = "r"\nowner = "o"\nuntil = 2027-01-31\n'
    values = dict.fromkeys(EXACT[rule], "x") | {"principal": PRINCIPAL, "scope": SUB}
    with pytest.raises(BadSettings, match=r"\[\[exception\]\] 1: names no .* all = true"):
        laid(rest)
    assert covered(laid(rest + "all = true"), about(rule, {}))
    for left_out in EXACT[rule]:
        lines = [f'{key} = "{values[key]}"' for key in EXACT[rule] if key != left_out]
        with pytest.raises(BadSettings, match=f"names no {left_out}, and would hide"):
            laid(rest + "\n".join(lines))
    assert laid(rest + "\n".join(f'{key} = "{values[key]}"' for key in EXACT[rule])).exceptions


def test_what_a_rule_does_not_have_and_wildcards_are_refused() -> None:
    """A binding that never agrees would be taken for one that does."""
    with pytest.raises(BadSettings, match=r"1 subject: broad-grant has none \(it has: principal, scope"):
        laid(EXCEPTION + f'subject = "{APP}"')
    for key, pattern in (("scope", "/subscriptions/*"), ("role", "Key Vault *"), ("role", "?")):
        line = next(line for line in EXCEPTION.splitlines() if line.startswith(key))
        with pytest.raises(BadSettings, match=f"1 {key}: wildcards are not supported"):
            laid(EXCEPTION.replace(line, f'{key} = "{pattern}"'))


def test_two_files_that_say_the_same_are_one_version() -> None:
    """Comments, order and what is packaged anyway do not matter; anything else does."""
    assert laid().version == laid(f"# nothing\n{PACKAGED}").version
    one = laid('[grace]\nmissing-grant = "1s"\norphaned-assignment = "2s"')
    assert one.version == laid('[grace]\norphaned-assignment = "2s"\nmissing-grant = "1s"').version
    texts = ("", EXCEPTION, CHURN, '[watch]\nprincipals = "holders"', "[broad]\nreads-secrets = {}")
    assert len({laid(text).version for text in (*texts, "[routes]\nlow = []")}) == len(texts) + 1


def test_automation_is_listed_by_object_id() -> None:
    """A creator is looked up by its object id in any casing; what its grants become is `record` by itself."""
    policy = laid(
        f'[[automation]]\nname = " PIM "\nreason = "ends"\ngrants = "temporary"\n'
        f'created-by = ["{PRINCIPAL}", "{CONTRIBUTOR}"]\n'
        f'[[automation]]\nname = "AKS"\nreason = "r"\ncreated-by = ["{SUB.split("/")[-1]}"]'
    )
    pim, aks = Automation("PIM", "ends", "temporary"), Automation("AKS", "r", "record")
    assert policy.automation == {PRINCIPAL.lower(): pim, CONTRIBUTOR: pim, SUB.split("/")[-1]: aks}
    assert laid().automation == {}


AUTOMATION = f"""
[[automation]]
created-by = "{PRINCIPAL}"
name = 1
grants = "mute"
color = "red"

[[automation]]
name = "a"
reason = "r"
created-by = []

[[automation]]
name = "b"
reason = " "
created-by = ["MS-PIM", "/x/{PRINCIPAL}", 7, "", "{PRINCIPAL}", "{PRINCIPAL.lower()}"]

[[automation]]
name = "c"
reason = "r"
created-by = ["{PRINCIPAL}", "{CONTRIBUTOR}"]
"""


def test_every_fault_of_the_automation_list_is_named() -> None:
    """Names, empty lists, unknown keys and an id that stands twice are named by table and key."""
    with pytest.raises(BadSettings) as error:
        laid(AUTOMATION)
    assert str(error.value).removeprefix("the policy is wrong: ").split("; ") == [
        "[[automation]] 1 color: unknown (known: created-by, name, reason, grants)",
        "[[automation]] 1 reason: is missing",
        "[[automation]] 1 name: is no text, or empty",
        "[[automation]] 1 grants: 'mute' is none of record, temporary, alert",
        "[[automation]] 1 created-by: is no list of object ids, or an empty one",
        "[[automation]] 2 created-by: is no list of object ids, or an empty one",
        "[[automation]] 3 reason: is no text, or empty",
        "[[automation]] 3 created-by: 'MS-PIM' is no GUID: write the creator's object id",
        f"[[automation]] 3 created-by: '/x/{PRINCIPAL}' is no GUID: write the creator's object id",
        "[[automation]] 3 created-by: 7 is no GUID: write the creator's object id",
        "[[automation]] 3 created-by: '' is no GUID: write the creator's object id",
        f"[[automation]] 3 created-by: {PRINCIPAL.lower()} stands in [[automation]] 3 already",
        f"[[automation]] 4 created-by: {PRINCIPAL.lower()} stands in [[automation]] 3 already",
    ]
    for wrong in ("automation = 1", "automation = [1]", "[automation]\nname = 1"):
        with pytest.raises(BadSettings, match="automation"):
            laid(wrong)


def test_routes() -> None:
    """By rule, else by severity, else to all; only to what is configured, and in its order."""
    configured = ("teams", "email")
    assert laid().channels("broad-grant", "low", configured) == configured
    policy = laid('[routes]\ncritical = ["email", "sentinel"]\nmissing-grant = ["teams"]\nlow = []')
    assert policy.channels("broad-grant", "critical", configured) == ("email",)
    assert policy.channels("missing-grant", "critical", configured) == ("teams",)
    assert policy.channels("broad-grant", "low", configured) == ()
    assert policy.channels("broad-grant", "high", configured) == configured


WRONG = """
color = 1
watch = { principals = "some", owner-tag = "", holders = true }

[grace]
missing-grant = "5 min"
orphaned-assignment = 300
no-such-rule = "5m"

[broad]
grants-access = { subscription = "grave", tenant = "high" }
writes-all = "high"
owns = {}

[severity]
missing-grant = "urgent"
broad-grant = "high"

[routes]
critical = "teams"
high = ["temas", 1]

[[exception]]
rule = "no-such-rule"
principal = "me"
scope = "rg"
until = 2027-01-31T00:00:00
color = "red"

[[exception]]
rule = "broad-grant"
reason = ""
owner = "o"
until = "2027"
all = 1
"""


def test_every_fault_is_named() -> None:
    """One message names each fault by its table and key, and none twice."""
    with pytest.raises(BadSettings) as error:
        laid(WRONG)
    message = str(error.value)
    for fault in (
        "table color: unknown",
        "[watch] holders: unknown",
        "[watch] principals: 'some' is none of all, holders",
        "[watch] owner-tag: is no text",
        '[grace] missing-grant: "5 min" is no duration',
        '[grace] orphaned-assignment: "300" is no duration',
        "[grace] no-such-rule: unknown",
        "[broad] grants-access subscription: 'grave' is none of critical",
        "[broad] grants-access tenant: unknown",
        "[broad] writes-all: is no table",
        "[broad] owns: unknown",
        "[severity] missing-grant: 'urgent'",
        "[severity] broad-grant: its severities stand in [broad]",
        "[routes] critical: is no list",
        "[routes] high: 'temas' is none of",
        "[routes] high: 1 is none of",
        "[[exception]] 1 color: unknown",
        "[[exception]] 1 reason: is missing",
        "[[exception]] 1 owner: is missing",
        "[[exception]] 1 rule: 'no-such-rule'",
        "[[exception]] 1 principal: is no GUID",
        "[[exception]] 1 scope: is no resource id",
        "[[exception]] 1 until: is no date",
        "[[exception]] 2 reason: is no text",
        "[[exception]] 2 until: is no date",
        "[[exception]] 2 all: is neither",
    ):
        assert message.count(fault) == 1, fault
    assert "[[exception]] 2: names no principal" not in message  # `all` is wrong; what it meant is not known
    assert message.count("; ") == 25


@pytest.mark.parametrize(
    "text",
    [
        "watch",
        "a = [",
        "x = " + "[" * 5000,
        "watch = 1",
        "exception = 1",
        "exception = [1]",
        "[exception]",
        "broad = []",
    ],
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    """Broken TOML and tables of the wrong kind are refused like any other fault."""
    with pytest.raises(BadSettings, match="policy"):
        laid(text)


@given(st.integers(0, 99_999), st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]))
def test_durations(count: int, unit: tuple[str, int]) -> None:
    """A number and a unit make a time span."""
    assert duration(f"{count}{unit[0]}") == timedelta(seconds=count * unit[1])


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "5M", "1.5h", "1h30m", "٥m", "5m\n", "999999d"])
def test_what_is_no_duration(text: str) -> None:
    """Anything else is a ValueError that quotes it."""
    with pytest.raises(ValueError, match="is no duration"):
        duration(text)


@given(st.lists(st.sampled_from(SEVERITIES), min_size=1))
def test_worst(severities: list[Severity]) -> None:
    """The worst of some severities is the one that stands first in the order."""
    assert worst(*severities) == next(severity for severity in SEVERITIES if severity in severities)


def test_every_rule_of_the_contract_is_known() -> None:
    """A policy may speak of every rule, whether or not it detects something yet."""
    assert set(RULES) <= set(RULES)
    assert EXACT.keys() == set(RULES)
    for rule in RULES:
        assert laid(f'[routes]\n{rule} = ["teams"]\n[grace]\n{rule} = "1s"').grace[rule] == timedelta(
            seconds=1
        )

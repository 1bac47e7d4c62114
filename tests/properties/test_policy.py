"""Policies: what is right is read just as it says; what is wrong is refused whole, each fault by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, TypedDict

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from lami.core.ids import ResourceId, guid
from lami.core.model import SEVERITIES, Cause, FindingSubject, Found, Severity
from lami.core.policy import CHANNELS, EXACT, NARROWER, RULES, Policy, PolicyException, duration, parse
from lami.core.roles import POWERS
from lami.errors import BadSettings
from lami.settings import packaged_policy
from tests.properties import toml
from tests.properties.profiles import cases
from tests.properties.texts import PIECES

PACKAGED = packaged_policy()
WHO, SOMEBODY = "aaaaaaaa-0000-0000-0000-000000000000", "bbbbbbbb-0000-0000-0000-000000000000"
ROLE = "b24988ac-6180-42a0-ab88-20f7382dd24c"
GROUP = "/subscriptions/s1/resourceGroups/rg"
RUNGS = ("subscription", "resource-group", "resource")
GRADED = tuple(rule for rule in RULES if rule != "broad-grant")

# --- right ones ------------------------------------------------------------------------------------

words = toml.texts.filter(lambda text: bool(text.strip()))
durations = st.builds("{}{}".format, st.integers(0, 99_999), st.sampled_from("smhd"))
severities = st.sampled_from(SEVERITIES)
principals = st.uuids().map(str).flatmap(lambda one: st.sampled_from([one, one.upper()]))
scopes = st.sampled_from(
    ["/", "/subscriptions/s1", "/Subscriptions/S1/", "/subscriptions/s1/resourceGroups/rg"]
)
roles = st.one_of(
    st.sampled_from(["Contributor", "owner"]),
    st.uuids().map("/providers/Microsoft.Authorization/roleDefinitions/{}".format),
)
# A time so near the first or last there is has none in UTC, and is refused.
ends = st.one_of(
    st.dates(),
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.sampled_from(toml.OFFSETS)),
)


VALUES: Mapping[str, st.SearchStrategy[str]] = {
    "subject": scopes,
    "principal": principals,
    "scope": scopes,
    "role": roles,
    "assignment": scopes,
    "what": st.sampled_from(["recreated", "Events"]),
}


@st.composite
def exceptions_of(draw: st.DrawFn) -> dict[str, object]:
    """An exception that is exact, or says that it is not meant to be."""
    rule = draw(st.sampled_from(RULES))
    given = {"rule": rule, "reason": draw(words), "owner": draw(words), "until": draw(ends)}
    exact, narrower = EXACT[rule], NARROWER.get(rule, ())
    named = draw(st.sets(st.sampled_from((*exact, *narrower))))
    everything = draw(st.booleans())
    if not everything:
        named |= set(exact)
    bound = {key: draw(VALUES[key]) for key in sorted(named)}
    return {**given, **bound, **({"all": True} if everything else {})}


exceptions = exceptions_of()
policies = st.fixed_dictionaries(
    {},
    optional={
        "watch": st.fixed_dictionaries(
            {},
            optional={
                "principals": st.sampled_from(["all", "holders"]),
                "new-grants": st.sampled_from(["record", "alert"]),
                "owner-tag": words,
            },
        ),
        "grace": st.dictionaries(st.sampled_from(RULES), durations, max_size=4),
        "broad": st.dictionaries(
            st.sampled_from(POWERS), st.dictionaries(st.sampled_from(RUNGS), severities), max_size=4
        ),
        "severity": st.dictionaries(st.sampled_from(GRADED), severities, max_size=4),
        "exception": st.lists(exceptions, max_size=3),
        "routes": st.dictionaries(
            st.sampled_from((*SEVERITIES, *RULES)),
            st.lists(st.sampled_from(CHANNELS), max_size=3),
            max_size=4,
        ),
    },
)
"""The tables of policies that are right."""


Watch = TypedDict(
    "Watch",
    {"principals": Literal["all", "holders"], "new-grants": Literal["record", "alert"], "owner-tag": str},
    total=False,
)


class Right(TypedDict, total=False):
    """The tables of a policy that is right."""

    watch: Watch
    grace: dict[str, str]
    broad: dict[str, dict[str, Severity]]
    severity: dict[str, Severity]
    exception: list[dict[str, object]]
    routes: dict[str, list[str]]


def read_by_hand(own: Right, base: Policy) -> Policy:
    """What a policy's tables say over a base, by the documentation and no other way."""
    watch = own.get("watch", {})
    return Policy(
        watch_principals=watch.get("principals", base.watch_principals),
        new_grants=watch.get("new-grants", base.new_grants),
        owner_tag=watch.get("owner-tag", base.owner_tag).strip(),
        grace={**base.grace, **{rule: duration(text) for rule, text in own.get("grace", {}).items()}},
        broad={**base.broad, **own.get("broad", {})},
        severities={**base.severities, **own.get("severity", {})},
        exceptions=tuple(map(_by_hand, own["exception"])) if "exception" in own else base.exceptions,
        routes={**base.routes, **{key: tuple(names) for key, names in own.get("routes", {}).items()}},
    )


def _by_hand(one: Mapping[str, object]) -> PolicyException:
    until = one["until"]
    if isinstance(until, datetime):
        end = until.astimezone(UTC)
    else:
        assert isinstance(until, date)
        end = datetime.combine(until, time.max, UTC)
    texts = {key: str(text).strip() for key, text in one.items() if key not in ("until", "all")}
    return PolicyException(until=end, all="all" in one, **texts)


@cases("policy")
@given(policies, policies)
def test_a_policy_says_what_its_tables_say(own: Right, base: Right) -> None:
    """A key left out keeps the value of the file below it, table by table, and reading twice is the same."""
    text, below = toml.document(own), toml.document(base)
    lower = read_by_hand(base, Policy())
    policy = parse(text, below)
    assert policy == read_by_hand(own, lower) == parse(text, below)
    assert parse("", below) == parse(below, below) == lower
    assert parse(text, PACKAGED) == read_by_hand(own, parse("", PACKAGED))


# --- wrong ones ------------------------------------------------------------------------------------

Tables = dict[str, object]
Spoil = Callable[[Tables], str]
"""Makes one fault in the tables, and answers the place by which it must be named."""


def _put(table: str, key: str, wrong: object) -> Spoil:
    def spoil(tables: Tables) -> str:
        held = tables.setdefault(table, {})
        assert isinstance(held, dict)
        held[key] = wrong
        return f"[{table}] {key}: "

    return spoil


def _in_broad(power: str, rung: str, wrong: object) -> Spoil:
    def spoil(tables: Tables) -> str:
        held = tables.setdefault("broad", {})
        assert isinstance(held, dict)
        held[power] = {rung: wrong}
        return f"[broad] {power} {rung}: "

    return spoil


def _in_exception(key: str, wrong: object) -> Spoil:
    def spoil(tables: Tables) -> str:
        listed = tables.setdefault("exception", [])
        assert isinstance(listed, list)
        good = {
            "rule": "broad-grant",
            "reason": "r",
            "owner": "o",
            "until": date(2027, 1, 31),
            "principal": WHO,
            "scope": GROUP,
            "role": "Owner",
        }
        listed.append({**good, key: wrong})
        return f"[[exception]] {len(listed)} {key}: "

    return spoil


def _leave_out(tables: Tables, key: str) -> None:
    """Of the last exception."""
    listed = tables["exception"]
    assert isinstance(listed, list)
    del listed[-1][key]


def _missing(key: str) -> Spoil:
    def spoil(tables: Tables) -> str:
        place = _in_exception(key, "")(tables)
        _leave_out(tables, key)
        return place

    return spoil


def _unbound(tables: Tables) -> str:
    place = _in_exception("role", "")(tables)
    _leave_out(tables, "role")
    return place.replace(" role", "")


def _strange(tables: Tables) -> str:
    tables["colour"] = 1
    return "table colour: "


def _wrong(right: Callable[[object], bool]) -> st.SearchStrategy[object]:
    return toml.values.filter(lambda value: not right(value))


def _is_duration(value: object) -> bool:
    try:
        duration(str(value) if isinstance(value, str) else "")
    except ValueError:
        return False
    return True


def _is_until(value: object) -> bool:
    if isinstance(value, datetime):
        return value.tzinfo is not None
    return isinstance(value, date)


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_text_in(*options: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and value.strip() in options


unknown = st.sampled_from(["colour", "Principals", "broad grant", ""])
spoils = st.one_of(
    st.just(_strange),
    st.just(_unbound),
    st.builds(_put, st.sampled_from(["watch", "grace", "severity", "routes", "broad"]), unknown, toml.values),
    st.builds(_put, st.just("watch"), st.just("principals"), _wrong(_is_text_in("all", "holders"))),
    st.builds(_put, st.just("watch"), st.just("new-grants"), _wrong(_is_text_in("record", "alert"))),
    st.builds(_put, st.just("watch"), st.just("owner-tag"), _wrong(_is_word)),
    st.builds(_put, st.just("grace"), st.sampled_from(RULES), _wrong(_is_duration)),
    st.builds(_put, st.just("severity"), st.sampled_from(GRADED), _wrong(_is_text_in(*SEVERITIES))),
    st.builds(_put, st.just("severity"), st.just("broad-grant"), severities),
    st.builds(_put, st.just("routes"), st.sampled_from(RULES), _wrong(lambda v: isinstance(v, list))),
    st.builds(
        _put,
        st.just("routes"),
        st.sampled_from(SEVERITIES),
        st.lists(_wrong(_is_text_in(*CHANNELS)), min_size=1, max_size=2),
    ),
    st.builds(_put, st.just("broad"), st.sampled_from(POWERS), _wrong(lambda v: isinstance(v, dict))),
    st.builds(_in_broad, st.sampled_from(POWERS), st.sampled_from(RUNGS), _wrong(_is_text_in(*SEVERITIES))),
    st.builds(_in_broad, st.sampled_from(POWERS), unknown, severities),
    st.sampled_from(["rule", "reason", "owner", "until"]).map(_missing),
    st.builds(_in_exception, st.just("until"), _wrong(_is_until)),
    st.builds(_in_exception, st.just("rule"), _wrong(_is_text_in(*RULES))),
    st.builds(_in_exception, st.sampled_from(["reason", "owner"]), _wrong(_is_word)),
    st.builds(_in_exception, st.just("all"), _wrong(lambda v: isinstance(v, bool))),
    st.builds(_in_exception, st.just("principal"), st.sampled_from(["robin", "0" * 36, 7, ""])),
    st.builds(_in_exception, st.just("scope"), st.sampled_from(["subscriptions/s", "rg", 7, ""])),
    st.builds(_in_exception, st.sampled_from(["subject", "what"]), st.sampled_from(["/x", 7, ""])),
    st.builds(_in_exception, st.sampled_from(["scope", "role"]), st.sampled_from(["*", "/s/*", "?"])),
    st.builds(_in_exception, unknown, toml.values),
)


@cases("policy faults")
@given(policies, st.lists(spoils, min_size=1, max_size=5))
def test_every_fault_is_named_at_once(tables: Tables, spoiled: list[Spoil]) -> None:
    """Whatever is wrong, and however much of it, one error names each by its table and key."""
    places = {spoil(tables) for spoil in spoiled}
    # Where two faults were put into one place, the later hides the earlier.
    broad = tables.get("broad", {})
    assert isinstance(broad, dict)
    assume(len([place for place in places if place.startswith("[broad]")]) <= len(broad))
    places -= {place for place in places if _hidden(place, broad)}
    with pytest.raises(BadSettings) as caught:
        parse(toml.document(tables), PACKAGED)
    missed = [place for place in places if place not in str(caught.value)]
    assert not missed, str(caught.value)


def _hidden(place: str, broad: Mapping[str, object]) -> bool:
    """Whether a fault of a power's line was overwritten by another one of that line."""
    words = place.removesuffix(": ").split(" ", 2)
    if words[0] != "[broad]" or words[1] not in broad:
        return False
    line = broad[words[1]]
    inner = words[2] if len(words) > 2 else None
    return (inner not in line) if isinstance(line, dict) else inner is not None


def _mutated(text: str, cuts: list[tuple[int, int, str]]) -> str:
    for at, length, piece in cuts:
        start = at % (len(text) + 1)
        text = text[:start] + piece + text[start + length :]
    return text


TIGHT = (
    '"',
    "'",
    '"""',
    "[",
    "]",
    "[[",
    "{",
    "}",
    "=",
    ".",
    ",",
    "#",
    "\n",
    "\\",
    "0x",
    "-",
    "_",
    "until = ",
    "inf",
)
mutations = st.builds(
    _mutated,
    st.one_of(policies.map(toml.document), st.just(PACKAGED)),
    st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(0, 40), st.sampled_from((*TIGHT, *PIECES))),
        min_size=1,
        max_size=4,
    ),
)


@cases("policy text")
@example("watch = { principals = 0x" + "f" * 5_000 + " }")
@example("[[exception]]\nuntil = 0001-01-01T00:00:00+14:00")
@example("[[exception]]\nuntil = 9999-12-31T23:59:59-12:00")
@example("a = " + "[" * 400 + "]" * 400)
@example("watch = " + "{a=" * 200 + "1" + "}" * 200)
@given(st.one_of(mutations, toml.texts, st.dictionaries(toml.texts, toml.values).map(toml.document)))
def test_any_text_is_a_policy_or_refused(text: str) -> None:
    """Whatever the file holds, it is a policy or one error of one kind."""
    try:
        policy = parse(text, PACKAGED)
    except BadSettings:
        return
    assert parse(text, PACKAGED) == policy


# --- exceptions ------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
details = st.fixed_dictionaries(
    {},
    optional={
        "principalId": st.sampled_from([WHO, SOMEBODY, ""]),
        "previousPrincipalId": st.sampled_from([WHO, SOMEBODY]),
        "scope": st.sampled_from([GROUP, GROUP.upper(), "/", "/subscriptions/s1"]),
        "roleName": st.sampled_from(["Contributor", "Owner", ""]),
        "roleDefinitionId": st.sampled_from([ROLE, f"/subscriptions/s1/x/roleDefinitions/{ROLE}", ""]),
        "assignmentId": st.sampled_from([GROUP, GROUP.upper(), "/x"]),
        "change": st.sampled_from(["recreated", "removed"]),
        "gap": st.sampled_from(["events"]),
    },
)
CHOICES: Mapping[str, st.SearchStrategy[str]] = {
    "subject": st.sampled_from(["", WHO, GROUP.upper()]),
    "principal": st.sampled_from(["", WHO, WHO.upper()]),
    "scope": st.sampled_from(["", GROUP, GROUP.lower() + "/", "/"]),
    "role": st.sampled_from(["", "contributor", "Contributor", ROLE, ROLE.upper()]),
    "assignment": st.sampled_from(["", GROUP]),
    "what": st.sampled_from(["", "recreated", "Events"]),
}
excepts = st.builds(
    PolicyException,
    st.sampled_from(["broad-grant", "orphaned-assignment"]),
    st.just("reason"),
    st.just("owner"),
    st.sampled_from([NOW - timedelta(days=1), NOW, NOW + timedelta(microseconds=1), NOW + timedelta(days=9)]),
    **CHOICES,
)
subjects = st.sampled_from([WHO, SOMEBODY, GROUP])


def covers_by_hand(one: PolicyException, about: Found) -> bool:
    """Whether an exception covers a finding now, by the documentation and no other way."""
    detail = about.detail
    who = detail.get("principalId") or detail.get("previousPrincipalId", "")
    names = {detail.get("roleName", "").lower(), guid(detail.get("roleDefinitionId", ""))} - {""}
    what = detail.get("change", detail.get("gap", ""))
    return (
        one.rule == about.rule
        and one.until > NOW
        and one.subject.lower() in ("", about.subject.id.lower())
        and one.principal.lower() in ("", who.lower())
        and (not one.scope or ("scope" in detail and ResourceId(one.scope) == ResourceId(detail["scope"])))
        and (not one.role or one.role.lower() in names)
        and one.assignment.lower() in ("", detail.get("assignmentId", "").lower())
        and one.what.lower() in ("", what)
    )


@cases("exceptions")
@given(st.lists(excepts, max_size=4), st.sampled_from(["broad-grant", "missing-grant"]), details, subjects)
def test_an_exception_covers_what_it_names(
    given_exceptions: list[PolicyException], rule: str, detail: dict[str, str], subject: str
) -> None:
    """Those that agree in all they name cover, in any casing; one that names less covers no less."""
    policy = Policy(exceptions=tuple(given_exceptions))
    who = FindingSubject("principal", subject, "")
    about = Found(rule, "k", "high", who, "", detail, Cause("c", "o", NOW), NOW)
    expected = tuple(one for one in given_exceptions if covers_by_hand(one, about))
    assert policy.covering(about, NOW) == expected
    for one in expected:
        for name in CHOICES:
            assert replace(one, **{name: ""}).covers(about, NOW)
        assert not one.covers(about, one.until)
        assert one.binds(about)


@cases("exceptions")
@given(policies, policies)
def test_a_version_is_of_what_a_policy_says(own: dict[str, object], other: dict[str, object]) -> None:
    """Two policies have one version where they say the same, whatever the order of their files."""
    one, two = parse(toml.document(own), PACKAGED), parse(toml.document(other), PACKAGED)
    assert (one.version == two.version) == (one == two)
    turned = {key: _turned(value) for key, value in reversed(list(own.items()))}
    assert parse(toml.document(turned), PACKAGED).version == one.version


def _turned(value: object) -> object:
    return dict(reversed(list(value.items()))) if isinstance(value, dict) else value

"""Conditions of role assignments: what is read, what narrows, and what became of one."""

from __future__ import annotations

from time import process_time

import pytest

from lami.core.conditions import MOST_CHARACTERS, MOST_DEEP, compare, narrows, unread, weakens
from tests.corpus import corpus_list

READ = "ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'}"
NAME = "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name]"
CLAIMS = f"(({'!('}{READ})) OR ({NAME} StringEquals 'claims'))"
ROLE = "@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId]"
WRITE = "ActionMatches{'Microsoft.Authorization/roleAssignments/write'}"
ONE, TWO = "5e467623-bb1f-42f4-a55d-6e525e11384b", "a795c7a0-d4a2-40c1-ae25-d81f01202912"


def grants(*roles: str) -> str:
    """A condition under which only these roles may be assigned."""
    return f"((!({WRITE})) OR ({ROLE} ForAnyOfAnyValues:GuidEquals {{{', '.join(roles)}}}))"


@pytest.mark.parametrize(
    "condition",
    [
        CLAIMS,
        f"{NAME} StringEquals 'a' AND ({NAME} StringLike 'b*' OR NOT Exists {NAME})",
        f"{NAME} StringEquals 'a' && ({NAME} StringLike 'b\\*' || !(Exists {NAME}))",
        f"!({READ} AND NOT SubOperationMatches{{'Blob.List'}})",
        "@Principal[Microsoft.Directory/CustomSecurityAttributes/Id:Engineering_Project] StringEquals "
        "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs/tags:P<$key_case_sensitive$>]",
        "@Environment[UtcNow] DateTimeGreaterThan '2026-05-01T13:00:00.000Z'",
        "@Environment[isPrivateLink] BoolEquals true",
        "{10, 20} ForAnyOfAllValues:NumericLessThan {-15, 18}",
        grants(ONE, TWO),
    ],
)
def test_what_is_written_as_documented_parses(condition: str) -> None:
    """All that the documentation has as a condition is read."""
    assert unread(condition) == ""


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("(((", "ends too soon"),
        (f"{CLAIMS})", "goes on"),
        (f"{NAME} Resembles 'a'", "no operator"),
        (f"{NAME} StringEquals", "ends too soon"),
        (f"{NAME} StringEquals 'a' AND {NAME} StringLike 'b' OR {NAME} StringLike 'c'", "mixes AND and OR"),
        (f"{NAME} StringEquals 'it\\'s'", "at character"),
        (f"{NAME} StringEquals OR", "a value should stand"),
        ("Exists 'a'", "no attribute"),
        ("ActionMatches{unquoted}", "a value should stand"),
        ("ActionMatches{}", "a value should stand"),
        ("\0", "at character 1"),
        ("(" * (MOST_DEEP + 2) + READ + ")" * (MOST_DEEP + 2), "nested"),
        ("!" * 10_000 + READ, "nested"),
        (READ + " " * MOST_CHARACTERS, "longer"),
    ],
)
def test_what_does_not_parse_says_why(condition: str, why: str) -> None:
    """What is no condition is named so, narrows nothing, and is never an exception."""
    assert why in unread(condition)
    assert not narrows(condition)
    assert compare(condition, CLAIMS) == "changed"


@pytest.mark.corpus
def test_every_condition_of_a_built_in_role_parses() -> None:
    """The conditions that Microsoft's own roles bear are read, all of them."""
    rows = corpus_list("roles/built-in-roles-raw.json")
    conditions = {b["condition"] for row in rows for b in row["permissions"] if b["condition"]}
    assert len(conditions) > 20
    assert {unread(condition) for condition in conditions} == {""}


@pytest.mark.parametrize(
    ("condition", "narrow"),
    [
        (grants(ONE), True),
        ("!(ActionMatches{'Microsoft.Authorization/*/Write'})", True),
        (f"{ROLE} ForAnyOfAllValues:GuidNotEquals {{{ONE}}}", True),
        (f"{grants(ONE)} OR {NAME} StringEquals 'a'", False),
        (f"!({WRITE}) OR {WRITE}", False),
        (f"{grants(ONE)} AND {CLAIMS}", True),
        (CLAIMS, False),
        (f"{grants(ONE)} OR", False),
        ("SubOperationMatches{'Microsoft.Authorization/roleAssignments/write'}", False),
    ],
)
def test_what_narrows_who_may_be_granted_what(condition: str, narrow: bool) -> None:
    """A condition narrows where what is asked of the request to make a role assignment may fail."""
    assert narrows(condition) is narrow


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (CLAIMS, CLAIMS, "same"),
        ("", "", "same"),
        (CLAIMS, f"  (\n{CLAIMS.replace('OR', 'or')})  ", "same"),
        (f"NOT ({READ} AND Exists {NAME})", f"!Exists {NAME} || !({READ})", "same"),
        (f"{READ} AND (Exists {NAME} AND {CLAIMS})", f"({CLAIMS} AND {READ}) AND Exists {NAME}", "same"),
        (CLAIMS, "", "removed"),
        ("", CLAIMS, "narrowed"),
        ("", "not a condition", "same"),
        ("not a condition", "", "removed"),
        (CLAIMS, f"{CLAIMS} AND Exists {NAME}", "narrowed"),
        (f"{CLAIMS} AND Exists {NAME}", CLAIMS, "widened"),
        (CLAIMS, f"{CLAIMS} OR Exists {NAME}", "widened"),
        (grants(ONE, TWO), grants(TWO), "narrowed"),
        (grants(ONE), grants(ONE, TWO), "widened"),
        (grants(ONE), grants(TWO), "changed"),
        (f"NOT {grants(ONE)}", f"NOT {grants(ONE, TWO)}", "narrowed"),
        (f"{grants(ONE)} AND {CLAIMS}", f"{CLAIMS} AND {grants(ONE, TWO)}", "widened"),
        (CLAIMS, CLAIMS.replace("claims", "claim*"), "changed"),
        (CLAIMS, CLAIMS.replace("StringEquals", "StringLike"), "changed"),
        (f"{NAME} StringEquals {{'a', 'b'}}", f"{NAME} StringEquals {{'a'}}", "changed"),
    ],
)
def test_what_became_of_a_condition(before: str, after: str, change: str) -> None:
    """A change is a known narrowing, a known widening, or changed; never called narrower by mistake."""
    assert compare(before, after) == change


def test_only_a_known_narrowing_does_not_weaken() -> None:
    """What is not known to be narrower may let more through; where there was no condition, nothing can."""
    assert weakens(CLAIMS, "")
    assert weakens(CLAIMS, "not a condition")
    assert not weakens("", "not a condition")
    assert not weakens(CLAIMS, f"{CLAIMS} AND {READ}")


def test_hostile_conditions_take_linear_time() -> None:
    """Texts built to blow up a parser or the comparison are answered at once, the longest too."""
    many = " AND ".join(f"{{{n}}}GuidEquals{{1}}" for n in range(900))
    hard = " AND ".join(f"({{{n}}}GuidEquals{{1}} OR {{{n}}}GuidEquals{{2}})" for n in range(350))
    hostile = ["(" * 9_999, "!(" * 9_999, "'" * 19_999, "@A[" * 6_000, "{" * 19_999, many, hard]
    started = process_time()
    for one in hostile:
        unread(one)
        compare(one, many)
        compare(hard, one)
    assert process_time() - started < 20  # A quadratic parser takes minutes; no wall-clock is judged.

"""What lami says of each built-in role is what was agreed on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lami.core.conditions import unread
from lami.core.model import Permission
from lami.core.operations import READS_SECRETS, TAKES_IDENTITY, tells_secret
from lami.core.patterns import matches
from tests.reach.page import PAGE, page
from tests.reach.roles import GOLDEN, built_in, differences, golden, judged, written

WRITE = "Microsoft.Authorization/roleAssignments/write"


def test_every_role_is_classed_as_agreed() -> None:
    """Each of the 928, or the failure names those that are not, and what to do."""
    found = differences(golden(), map(judged, built_in()))
    assert not found, "\n".join(
        [
            *found,
            "If lami is right: `make golden reach`, and read the diff. If golden.tsv is right: mend lami.",
        ]
    )


def test_a_difference_names_the_role_and_both_sides() -> None:
    """A changed, a missing and a new line are told with what each side says."""
    lines = golden()
    owner = next(line for line in lines if line.name == "Owner")
    changed = replace(owner, classes=("reads",), conditional=True)
    assert differences([owner], [changed]) == [
        f"Owner ({owner.id}): golden.tsv says grants-access writes-all takes-identity reads-secrets "
        "writes-provider reads, lami says reads conditional"
    ]
    assert differences([changed], []) == [
        f"Owner ({owner.id}): golden.tsv says reads conditional, lami says nothing"
    ]
    assert differences([], [owner])[0].startswith(f"Owner ({owner.id}): golden.tsv says nothing, lami says g")
    assert differences(lines, lines) == []


def test_the_golden_file_is_whole_and_in_order() -> None:
    """928 roles, each once, under its classes."""
    lines = golden()
    assert len({line.id for line in lines}) == len(lines) == 928
    assert GOLDEN.read_text("utf-8") == written(lines)


def test_conditional_grantors_are_told_from_the_others() -> None:
    """Three grant anyone access, a condition restricts 25, and nobody else may assign roles."""
    lines = {line.id: line for line in golden()}
    assert {line.name for line in lines.values() if "grants-access" in line.classes} == {
        "Owner",
        "User Access Administrator",
        "Role Based Access Control Administrator",
    }
    assert sum(line.conditional for line in lines.values()) == 25
    assert not any(line.conditional and "grants-access" in line.classes for line in lines.values())
    for role in built_in():
        assigns = any(_allows(block, WRITE) for block in role.permissions or ())
        assert assigns == ("grants-access" in lines[role.id].classes or lines[role.id].conditional), role.name


def test_only_owner_and_contributor_write_everything() -> None:
    """The class of the widest roles holds no other."""
    assert {line.name for line in golden() if "writes-all" in line.classes} == {"Owner", "Contributor"}


def test_every_condition_of_a_built_in_role_parses() -> None:
    """None of Microsoft's own conditions counts as restricting nothing because lami can't read it."""
    conditions = [block.condition for block in blocks() if block.condition]
    assert len(conditions) > 25
    assert [condition for condition in conditions if unread(condition)] == []


def test_what_one_role_names_is_found_under_anothers_wildcard() -> None:
    """An operation that answers with a secret counts however it is given: by its name or by a wildcard."""
    named = {
        action.lower()
        for block in blocks()
        for action in block.actions
        if "*" not in action and tells_secret(action.lower()) and "regenerate" not in action.lower()
    }
    assert len(named) > 40
    assert named <= set(READS_SECRETS)


def test_the_lists_of_operations_are_as_patterns_are_compared() -> None:
    """In lower case, each once."""
    for operations in (READS_SECRETS, TAKES_IDENTITY):
        assert [each for each in operations if each != each.lower()] == []
        assert len(set(operations)) == len(operations)


def test_the_page_is_made_of_the_golden_file() -> None:
    """docs/reach.md says what the golden file and the packaged policy say: `make reach` makes it anew."""
    assert PAGE.read_text("utf-8") == page(golden())


def blocks() -> Iterator[Permission]:
    """The permissions of all built-in roles."""
    return (block for role in built_in() for block in role.permissions or ())


def _allows(block: Permission, operation: str) -> bool:
    return any(matches(each, operation) for each in block.actions) and not any(
        matches(each, operation) for each in block.not_actions
    )

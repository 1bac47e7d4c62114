"""What an alert says of a finding, each fact once."""

from __future__ import annotations

from msgspec.structs import replace

from lami.channels.wording import Fact, commands, facts
from lami.core.remedy import OTHERWISE
from tests.channels import samples

FINDING = samples.redeploy().findings[0]


def labels(**changes: object) -> list[str]:
    """The labels of the facts of a finding with other members."""
    return [fact.label for fact in facts(replace(FINDING, **changes))]


def test_a_scope_that_is_the_resource_is_said_once() -> None:
    """A finding on an app as such is at the app; what lies elsewhere is said."""
    id = FINDING.subject.id
    assert "Scope" not in labels(detail={"scope": id.upper()})
    assert "Resource" in labels(detail={"scope": id})
    assert "Scope" in labels(detail={"scope": f"{id}/child"})


def test_conditions_stand_in_the_notes_only() -> None:
    """They may be long, and a fact is a line."""
    found = labels(detail={"conditionBefore": "x", "conditionAfter": "y", "change": "changed"})
    assert not any("ondition" in label for label in found)
    assert "Change" in found


def test_another_choice_stands_behind_everything_else() -> None:
    """Of several findings: nothing that mends another seems to belong to it, and it is introduced once."""
    one = replace(FINDING, remediation=("az a", OTHERWISE, "az grant 1", "az delete"))
    other = replace(FINDING, remediation=("az b", OTHERWISE, "az grant 2", "az a"))
    plain = replace(FINDING, remediation=("az delete",))
    mend = commands(replace(samples.redeploy(), findings=(one, other, plain)))
    assert mend.lines == ("az a", "az b", "az delete", OTHERWISE, "az grant 1", "az grant 2")
    assert mend.count == len(mend.lines)
    assert commands(replace(samples.redeploy(), findings=(plain,))).lines == ("az delete",)


def test_who_carries_a_principal_is_told_by_resource_id() -> None:
    """The name alone may be another app's, too; each of several has its line."""
    found = [one for one in facts(samples.BROAD) if one.label == "Resource"]
    assert found == [Fact("Resource", samples.APP, exact=True)]
    several = {**samples.BROAD.detail, "holder": "a and b", "holderId": f"{samples.APP}, {samples.VAULT}"}
    told = facts(replace(samples.BROAD, detail=several))
    assert [one.value for one in told if one.label == "Resource"] == [samples.APP, samples.VAULT]
    assert "Holder id" not in {one.label for one in told}

"""Kinds of churn through a real server and the real SDK: what each says, and what missing access has done."""

from __future__ import annotations

from pathlib import Path

from lami.core.model import ITSELF, Finding
from lami.queries import FindingQuery
from lami.sandbox import IDENTITY, SITE, SLOT, resource_id
from tests.world import GROUP, World, eventually, world


def open_findings(own: World, rule: str) -> dict[str, Finding]:
    """The open findings of a rule, by the name of their subject."""
    found = own.lami.queries.findings(FindingQuery(rules=(rule,), statuses=("open",)))
    return {finding.subject.name: finding for finding in found}


def test_missing_access_says_how_many_runs_have_failed(tmp_path: Path) -> None:
    """Those that began since it went missing, as counted by the re-check that opened the finding."""
    policy = tmp_path / "grace.toml"
    policy.write_text('[grace]\nmissing-grant = "1s"\n', "utf-8")
    with world(tmp_path, {"LAMI_POLICY": str(policy)}) as own:
        own.subscribe()
        own.azure.estate.run(own.app(), "Failed")
        (kept,) = [one for one in own.azure.estate.assignments.all() if one.scope.endswith("kv-claims")]
        own.azure.estate.unassign(kept.id)
        own.settled()
        for status in ("Failed", "Succeeded", "Failed"):
            own.azure.estate.run(own.app(), status)
        eventually(lambda: open_findings(own, "missing-grant"), "missing-grant")
        found = open_findings(own, "missing-grant")["claims-intake"]
        assert ", 2 runs of it have failed (counted at " in found.notes[1]


def test_an_identity_deleted_while_an_app_carries_it_and_made_anew(tmp_path: Path) -> None:
    """One finding on the identity, that names the app; made anew it is the same finding, told again."""
    with world(tmp_path) as own:
        sub = own.azure.subscription
        identity = resource_id(sub, GROUP, IDENTITY, "id-claims")
        site = resource_id(sub, GROUP, SITE, "claims-standard")
        slot = resource_id(sub, GROUP, SLOT, "claims-standard", "staging")
        own.azure.estate.put(identity)
        own.azure.estate.put(site, identity="both", user_assigned=[identity])
        own.azure.estate.put(slot)
        own.lami.taker.take((sub,), "again", ITSELF)
        own.subscribe()
        own.azure.estate.delete(identity)
        own.settled()
        churned = open_findings(own, "identity-churn")
        assert set(churned) == {"id-claims"}
        assert churned["id-claims"].title.startswith("id-claims was deleted while claims-standard uses it")
        own.azure.estate.put(identity)
        own.settled()
        again = open_findings(own, "identity-churn")["id-claims"]
        assert again.id == churned["id-claims"].id
        assert again.title.startswith("id-claims was recreated under its name")
        assert again.remediation[0].startswith("az logicapp identity assign ")
        # The slot is a carrier of its own: that it is recreated says nothing of the app.
        own.azure.estate.recreate(slot)
        own.settled()
        assert set(open_findings(own, "identity-churn")) == {"id-claims", "claims-standard/staging"}


def test_an_identity_that_stands_in_the_place_of_another_is_taken_off(tmp_path: Path) -> None:
    """It is granted nothing by the first commands; given back, the app's own is what has to be granted."""
    with world(tmp_path) as own:
        sub = own.azure.subscription
        shared = resource_id(sub, GROUP, IDENTITY, "id-shared")
        own.azure.estate.put(shared)
        own.azure.estate.assign("User Access Administrator", f"/subscriptions/{sub}", of=shared)
        own.lami.taker.take((sub,), "again", ITSELF)
        own.subscribe()
        own.azure.estate.put(own.app(), identity="user", user_assigned=[shared])
        own.settled()
        found = open_findings(own, "identity-churn")["claims-intake"]
        assert (found.detail["change"], found.severity) == ("replaced", "critical")
        back, otherwise = found.remediation[:2], found.remediation[2:]
        assert [" ".join(line.split()[3:5]) for line in back] == ["identity remove", "identity assign"]
        assert otherwise[0].startswith("# Or, ")
        assert [line.split()[3] for line in otherwise[1:]] == ["create"] * 2 + ["delete"] * 2
        own.azure.estate.put(own.app(), identity="system")
        own.settled()
        again = open_findings(own, "identity-churn")["claims-intake"]
        assert (again.id, again.detail["change"]) == (found.id, "reissued")
        assert [line.split()[3] for line in again.remediation] == ["create"] * 2 + ["delete"] * 2
        assert all(again.detail["principalId"] in line for line in again.remediation[:2])
        eventually(lambda: open_findings(own, "missing-grant"), "missing-grant")


def test_a_second_redeploy_advises_an_identity_that_survives(tmp_path: Path) -> None:
    """The first says what is stranded and missing; the second also how to be spared the third."""
    with world(tmp_path) as own:
        own.subscribe()
        for survives in (False, True):
            own.azure.estate.recreate(own.app())
            own.settled()
            found = open_findings(own, "identity-churn")["claims-intake"]
            assert any("survives redeploys" in note for note in found.notes) is survives
        assert found.remediation[-2].startswith("az identity create ")

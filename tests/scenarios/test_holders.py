"""Every kind of identity holder, through the real SDK clients and a real server: recreated, and said so."""

from __future__ import annotations

from pathlib import Path

import pytest

from lami.core.model import ITSELF, Finding
from lami.queries import FindingQuery
from lami.sandbox import IDENTITY, SITE, SLOT, resource_id
from tests.world import GROUP, World, world


@pytest.mark.parametrize("schema", ["eventgrid", "cloudevents"])
def test_each_kind_of_holder_that_is_recreated_is_one_churn(tmp_path: Path, schema: str) -> None:
    """A Consumption app, a Standard app, its slot and a user-assigned identity; a plain site is none."""
    with world(tmp_path) as own:
        azure, sub = own.azure, own.azure.subscription
        site = resource_id(sub, GROUP, SITE, "claims-standard")
        slot = resource_id(sub, GROUP, SLOT, "claims-standard", "staging")
        identity = resource_id(sub, GROUP, IDENTITY, "id-claims")
        shop = resource_id(sub, GROUP, SITE, "shop")
        azure.estate.put(site, kind="functionapp,workflowapp")
        azure.estate.put(slot, kind="functionapp,workflowapp")
        azure.estate.put(identity)
        azure.estate.put(shop, kind="app")
        own.lami.taker.take((sub,), "again", ITSELF)
        own.subscribe(schema)
        for id in (own.app(), slot, identity, shop):
            azure.estate.recreate(id)
            own.settled()
        churned = {finding.subject.name: finding for finding in _churn(own)}
        assert set(churned) == {"claims-intake", "claims-standard/staging", "id-claims"}
        azure.estate.recreate(site)
        own.settled()
        assert "claims-standard" in {finding.subject.name for finding in _churn(own)}
        assert {finding.detail["change"] for finding in _churn(own)} == {"recreated"}


def _churn(own: World) -> list[Finding]:
    return own.lami.queries.findings(FindingQuery(rules=("identity-churn",), statuses=("open",)))

"""infra/: what it asks Azure for, as far as that shows without Azure.

There is no Bicep compiler to be had from PyPI or npm; pycep reads the syntax, and these tests hold what the
files promise: that lami reads and never writes, is told what it needs to hear, and keeps no keys.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pycep import BicepParser

from lami.core.decode import OPERATIONS

INFRA = Path(__file__).parents[1] / "infra"
FILES = sorted(INFRA.glob("*.bicep"))


def resources(name: str) -> dict[str, Any]:
    """The resources of one file, by symbol, as pycep reads them."""
    found: dict[str, Any] = BicepParser().parse(file_path=INFRA / name)["resources"]
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_file_is_sound_bicep(file: Path) -> None:
    """Each file parses, and each file that it names exists."""
    assert BicepParser().parse(file_path=file)
    named = re.findall(r"(?:module \w+|loadJsonContent\()\s*'([^']+)'", file.read_text())
    assert [name for name in named if not (INFRA / name).is_file()] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_module_gets_the_parameters_it_asks_for(file: Path) -> None:
    """A module call passes each parameter that has no default, and none that the module doesn't have."""
    for module in BicepParser().parse(file_path=file).get("modules", {}).values():
        config = module["config"].get("config", module["config"])
        asked = BicepParser().parse(file_path=INFRA / module["detail"]["full"])["parameters"]
        passed = set(config["params"])
        assert {name for name, about in asked.items() if about["default"] is None} <= passed <= set(asked)


def test_custom_role_reads_and_nothing_else() -> None:
    """Of control-plane actions the role has named reads only, and of data-plane actions none."""
    (permissions,) = resources("reader.bicep")["role"]["config"]["properties"]["permissions"]
    assert permissions["actions"]
    assert all(re.fullmatch(r"Microsoft(\.\w+)(/\w+)+/read", action) for action in permissions["actions"])
    assert permissions["dataActions"] == []


def test_event_filter_is_the_list_the_code_decodes() -> None:
    """Event Grid sends exactly the operations that lami knows, within its limit of 25 values."""
    listed = json.loads((INFRA / "operations.json").read_text())
    assert len(listed) == len(set(listed)) <= 25
    assert {operation.lower() for operation in listed} == {operation.lower() for operation in OPERATIONS}


def test_events_are_retried_for_a_day_and_then_kept() -> None:
    """Delivery uses all that Event Grid offers: 30 attempts in 24 hours, then the dead-letter container."""
    told = resources("events.bicep")["toFunction"]["config"]["properties"]
    assert told["retryPolicy"] == {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440}
    assert told["deadLetterDestination"]["endpointType"] == "StorageBlob"
    (operations,) = told["filter"]["advancedFilters"]
    assert (operations["operatorType"], operations["key"]) == ("StringIn", "data.operationName")
    assert set(told["filter"]["includedEventTypes"]) == {
        f"Microsoft.Resources.Resource{outcome}Success" for outcome in ("Write", "Delete", "Action")
    }


def test_only_the_dead_letters_can_be_opened_with_a_key() -> None:
    """Every other storage account refuses shared keys."""
    open_to_keys = {
        symbol: resource["config"]["properties"]["allowSharedKeyAccess"]
        for symbol, resource in resources("storage.bicep").items()
        if resource["type"] == "Microsoft.Storage/storageAccounts"
    }
    assert open_to_keys == {"account": False, "deadLetters": True}
    everything = "".join(file.read_text() for file in FILES)
    assert "listKeys" not in everything
    assert "AccountKey" not in everything


def test_graph_is_asked_only_where_that_is_wanted() -> None:
    """The endpoint is a parameter that is empty by itself, and nothing here grants a permission of Graph."""
    taken = BicepParser().parse(file_path=INFRA / "main.bicep")["parameters"]["graphEndpoint"]
    assert taken["default"] in ("", "''")
    everything = "".join(file.read_text() for file in FILES)
    assert "LAMI_GRAPH_ENDPOINT" in everything
    assert "appRoleAssignedTo" not in everything


def test_azure_runs_the_python_that_the_lock_is_for() -> None:
    """The Functions runtime is Python 3.13, with the app's own identity for its storage."""
    site = resources("app.bicep")["site"]["config"]
    assert site["properties"]["functionAppConfig"]["runtime"] == {"name": "python", "version": "3.13"}
    assert site["identity"] == {"type": "SystemAssigned"}


def test_parameters_file_names_parameters_of_the_template() -> None:
    """azd passes nothing that main.bicep doesn't take, and all it demands but what azd generates itself."""
    given = set(json.loads((INFRA / "main.parameters.json").read_text())["parameters"])
    taken = BicepParser().parse(file_path=INFRA / "main.bicep")["parameters"]
    demanded = {name for name, about in taken.items() if about["default"] is None}
    assert given <= set(taken)
    assert demanded - given == {"apiKey"}

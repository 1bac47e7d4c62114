"""`lami check`: what a pipeline is told before it enables a trigger."""

from __future__ import annotations

import sqlite3
from threading import Timer

import pytest

from lami.errors import Permanent
from lami.sandbox import IDENTITY, SITE, SLOT, WORKFLOW, Sandbox, resource_id
from lami.sandbox.faults import Fault
from lami.store.read_only import ReadOnlyTable
from lami.store.sqlite import SqliteTable
from lami.store.table import Put
from tests.cli.conftest import HERE, THERE, Cli, app

BOTH = f"{HERE},{THERE}"
GROUP = f"/subscriptions/{HERE}/resourceGroups/rg-claims"
VAULT = resource_id(HERE, "rg-claims", "Microsoft.KeyVault/vaults", "kv-claims")
OURS = resource_id(HERE, "rg-claims", SITE, "claims-intake")
UAMI = resource_id(HERE, "rg-claims", IDENTITY, "id-claims")
HOSTILE = "mail\x1b[2J\u202etxt.exe"
CONDITION = "@Resource[Microsoft.Storage/storageAccounts:name] StringEquals 'it''s'"


@pytest.fixture
def claims(cli: Cli, azure: Sandbox) -> Cli:
    """A Standard app that may read its group and a vault's secrets, and has an identity that may read too."""
    azure.estate.put(UAMI)
    azure.estate.put(OURS, identity="both", user_assigned=[UAMI])
    azure.estate.assign("Reader", GROUP, of=OURS)
    azure.estate.assign("Key Vault Secrets User", VAULT, of=OURS, condition=CONDITION)
    azure.estate.assign("Reader", GROUP, of=UAMI)
    assert cli("baseline", "take").exit_code == 0
    return cli


def principal(azure: Sandbox, id: str) -> str:
    """The principal of a resource, as it is now."""
    found = azure.estate.resources.get(id)
    assert found is not None
    assert found.system is not None
    return found.system.principal_id


def standing(cli: Cli, *arguments: str, **settings: str) -> list[tuple[object, object, object]]:
    """What was checked of whom, and how it stands."""
    lines = cli.value("check", *arguments, **settings)
    return [(one["check"], one["holder"]["name"], one["status"]) for one in lines]


def grant_again(azure: Sandbox) -> None:
    """What the deployment does for a new identity."""
    azure.estate.assign("Reader", GROUP, of=OURS)
    azure.estate.assign("Key Vault Secrets User", VAULT, of=OURS, condition=CONDITION)


def test_all_in_place(claims: Cli, azure: Sandbox) -> None:
    """Each identity bound, each access expected of them, by name or by id in any casing; exit 0."""
    for holder in ("claims-intake", "Claims-Intake", OURS, OURS.upper()):
        assert claims("check", holder).exit_code == 0
    assert standing(claims, "claims-intake") == [
        ("identity", "claims-intake", "ok"),
        ("identity", "claims-intake", "ok"),
        ("access", "claims-intake", "ok"),
        ("access", "claims-intake", "ok"),
        ("identity", "id-claims", "ok"),
        ("access", "id-claims", "ok"),
    ]
    one = claims.value("check", "claims-intake")[3]
    assert one == {
        "check": "access",
        "status": "ok",
        "holder": {"id": OURS, "name": "claims-intake"},
        "what": "claims-intake has Key Vault Secrets User at kv-claims (vaults) under a condition",
        "severity": None,
        "principalId": principal(azure, OURS),
        "roleName": "Key Vault Secrets User",
        "roleDefinitionId": "4633458b-17de-408a-b874-0445c86b69e6",
        "scope": VAULT,
        "condition": CONDITION,
        "remedy": [],
    }


def test_recreated_and_not_granted_yet(claims: Cli, azure: Sandbox) -> None:
    """The new identity is bound and lacks what the old one had: exit 1, with the commands for the new one."""
    old = principal(azure, OURS)
    azure.estate.recreate(OURS)
    result = claims("check", "claims-intake")
    assert result.exit_code == 1
    assert f"it was {old[:8]} in the baseline" in result.stdout
    assert "Of 6, 2 are missing and 0 are not known." in result.stderr
    lines = [one for one in claims.value("check", "claims-intake") if one["status"] == "missing"]
    assert [(one["check"], one["severity"], one["scope"]) for one in lines] == [
        ("access", "high", GROUP),
        ("access", "high", VAULT),
    ]
    for one in lines:
        (command,) = one["remedy"]
        assert f"create --assignee-object-id {principal(azure, OURS)} " in command
        assert f"  {command}\n" in result.stderr


def test_recreated_and_granted(claims: Cli, azure: Sandbox) -> None:
    """A new identity that holds what is expected is in place, whatever its assignments are called."""
    azure.estate.recreate(OURS)
    grant_again(azure)
    result = claims("check", "claims-intake")
    assert (result.exit_code, result.stderr) == (0, "All is in place.\n")
    assert "in the baseline" in result.stdout


def test_another_condition_is_not_what_is_expected(claims: Cli, azure: Sandbox) -> None:
    """Under a narrower one than expected it is missing; without one it is not, since nothing is refused."""
    azure.estate.recreate(OURS)
    narrower = "Exists @Resource[Microsoft.KeyVault/vaults/secrets:name]"
    azure.estate.assign("Reader", GROUP, of=OURS, condition=narrower)
    azure.estate.assign("Key Vault Secrets User", VAULT, of=OURS)
    (line,) = [one for one in claims.value("check", "claims-intake") if one["status"] == "missing"]
    assert line["roleName"] == "Reader"
    assert "--condition" not in str(line["remedy"])


def test_no_identity_is_bound(claims: Cli, azure: Sandbox) -> None:
    """Switched off: the identity is missing, and so is all that it had."""
    azure.estate.put(OURS, identity="none")
    lines = claims.value("check", "claims-intake")
    assert {one["status"] for one in lines} == {"missing"}
    assert "az logicapp identity assign" in str(lines[0]["remedy"])
    assert UAMI.lower() in str(lines[1]["remedy"]).lower()
    assert lines[2]["remedy"] == []
    assert claims("check", "claims-intake").exit_code == 1


def test_another_identity_in_its_place_is_granted_nothing(cli: Cli, azure: Sandbox) -> None:
    """The commands fit together: what came goes, what was expected comes back, and that is granted then."""
    azure.estate.put(UAMI)
    azure.estate.put(app(HERE))
    azure.estate.assign("Reader", GROUP, of=app(HERE))
    cli("baseline", "take")
    azure.estate.put(app(HERE), identity="user", user_assigned=[UAMI])
    identity, attached, access = cli.value("check", app(HERE))[:3]
    assert [one["status"] for one in (identity, attached, access)] == ["missing", "ok", "missing"]
    assert [command.split()[4] for command in identity["remedy"]] == ["remove", "assign"]
    assert UAMI.lower() in identity["remedy"][0].lower()
    assert "--system-assigned" in identity["remedy"][1]
    assert (access["principalId"], access["remedy"]) == (None, [])
    assert "its system-assigned identity is needed first" in access["what"]
    azure.estate.put(app(HERE), identity="system")
    (access,) = [one for one in cli.value("check", app(HERE)) if one["status"] == "missing"]
    (command,) = access["remedy"]
    assert f"--assignee-object-id {principal(azure, app(HERE))} " in command


def test_an_own_identity_in_the_place_of_an_attached_one(cli: Cli, azure: Sandbox) -> None:
    """The other way: the app's own goes, and the attached one, which has its access still, comes back."""
    azure.estate.put(UAMI)
    azure.estate.put(app(HERE), identity="user", user_assigned=[UAMI])
    azure.estate.assign("Reader", GROUP, of=UAMI)
    cli("baseline", "take")
    azure.estate.put(app(HERE), identity="system")
    (missing,) = [one for one in cli.value("check", app(HERE)) if one["status"] == "missing"]
    assert [command.split()[4] for command in missing["remedy"]] == ["remove", "assign"]
    assert "--system-assigned" in missing["remedy"][0]


def test_an_identity_elsewhere_is_needed_before_its_access(cli: Cli, azure: Sandbox) -> None:
    """Of one in a subscription that is not watched the app expects the access: nobody else is granted it."""
    far = resource_id(THERE, "rg-claims", IDENTITY, "id-far")
    azure.estate.put(far)
    azure.estate.put(app(HERE), identity="user", user_assigned=[far])
    azure.estate.assign("Reader", GROUP, of=far)
    cli("baseline", "take")
    azure.estate.put(app(HERE), identity="system")
    (access,) = [one for one in cli.value("check", app(HERE)) if one["check"] == "access"]
    assert (access["status"], access["remedy"]) == ("missing", [])
    assert "id-far is needed first" in access["what"]


def test_the_app_is_not_there(claims: Cli, azure: Sandbox) -> None:
    """Deleted and not deployed again yet: missing, and not unknown."""
    azure.estate.delete(OURS)
    assert {status for _, _, status in standing(claims, "claims-intake")} == {"missing"}
    assert claims("check", OURS).exit_code == 1


def test_an_attached_identity_lost_its_access(claims: Cli, azure: Sandbox) -> None:
    """What the attached identity should have is asked too, of its principal as it is now."""
    azure.estate.recreate(UAMI)
    azure.estate.put(OURS, identity="both", user_assigned=[UAMI])
    assert standing(claims, "claims-intake")[-2:] == [
        ("identity", "id-claims", "ok"),
        ("access", "id-claims", "missing"),
    ]
    (line,) = [one for one in claims.value("check", "id-claims") if one["status"] == "missing"]
    assert principal(azure, UAMI) in str(line["remedy"])


def test_an_attached_identity_was_deleted(claims: Cli, azure: Sandbox) -> None:
    """The app may go on naming it; lami looks at the identity itself."""
    azure.estate.delete(UAMI)
    assert ("identity", "id-claims", "missing") in [
        *standing(claims, "claims-intake"),
        *standing(claims, "id-claims"),
    ]
    assert claims("check", "claims-intake").exit_code == 1


def test_without_an_identity_and_none_expected(cli: Cli, azure: Sandbox) -> None:
    """That is in place as well."""
    azure.estate.put(app(HERE), identity="none")
    cli("baseline", "take")
    assert standing(cli, "claims-intake") == [("identity", "claims-intake", "ok")]


def test_a_consumption_app_is_mended_by_its_own_command(cli: Cli, azure: Sandbox) -> None:
    """Each kind of app has a command of its own."""
    azure.estate.put(app(HERE))
    cli("baseline", "take")
    azure.estate.put(app(HERE), identity="none")
    (line,) = cli.value("check", "claims-intake")
    assert "az logic workflow identity assign" in str(line["remedy"])


def test_a_slot_is_named_with_its_app(cli: Cli, azure: Sandbox) -> None:
    """A slot carries identities of its own."""
    azure.estate.put(resource_id(HERE, "rg-claims", SITE, "std"))
    azure.estate.put(resource_id(HERE, "rg-claims", SLOT, "std", "staging"))
    cli("baseline", "take")
    azure.estate.put(resource_id(HERE, "rg-claims", SLOT, "std", "staging"), identity="none")
    assert standing(cli, "std/staging") == [("identity", "std/staging", "missing")]
    (line,) = cli.value("check", "std/staging")
    assert "--slot staging" in str(line["remedy"])
    assert standing(cli, "std") == [("identity", "std", "ok")]


# --- what is not known -----------------------------------------------------------------------------


@pytest.fixture
def spread(cli: Cli, azure: Sandbox) -> Cli:
    """An app that may read its group here, and another there, where lami is refused."""
    azure.estate.put(app(HERE))
    azure.estate.assign("Reader", GROUP, of=app(HERE))
    azure.estate.assign("Reader", f"/subscriptions/{THERE}/resourceGroups/rg", of=app(HERE))
    both = Cli({**cli.environment, "LAMI_SUBSCRIPTIONS": BOTH}, cli.folder)
    assert both("baseline", "take").exit_code == 0
    azure.faults.add(Fault(path=f"/subscriptions/{THERE}*", status=403))
    return both


def test_what_cannot_be_read_is_unknown(spread: Cli) -> None:
    """Exit 4, and the reason names the permission; a refusal is never a missing grant."""
    result = spread("check", "claims-intake")
    assert result.exit_code == 4
    assert [status for _, _, status in standing(spread, "claims-intake")] == ["ok", "ok", "unknown"]
    assert "roleAssignments/read" in result.stdout


def test_what_is_missing_goes_before_what_is_unknown(spread: Cli, azure: Sandbox) -> None:
    """Exit 1 where both are: what is not known does not mend what is missing."""
    azure.estate.recreate(app(HERE))
    assert [status for _, _, status in standing(spread, "claims-intake")] == ["ok", "missing", "unknown"]
    assert spread("check", "claims-intake").exit_code == 1
    assert spread("check", "claims-intake", "--fail-on", "critical").exit_code == 4


def test_nothing_could_be_read(claims: Cli, azure: Sandbox) -> None:
    """With all of Azure refused or down nothing is known: exit 3."""
    azure.faults.add(Fault(path="/subscriptions/*", status=403))
    assert {status for _, _, status in standing(claims, "claims-intake")} == {"unknown"}
    assert claims("check", "claims-intake").exit_code == 3


def test_no_store(claims: Cli) -> None:
    """A store that is not there, or is none, fails; and none is made."""
    missing = claims.folder / "other.db"
    assert claims("check", "claims-intake", LAMI_STORE=f"sqlite:///{missing}").exit_code == 3
    assert not missing.exists()
    broken = claims.folder / "broken.db"
    broken.write_text("no database" * 1000)
    assert claims("check", "claims-intake", LAMI_STORE=f"sqlite:///{broken}").exit_code == 3


def test_an_app_that_lami_does_not_hold_yet(claims: Cli, azure: Sandbox) -> None:
    """Its identity is seen; what it should have is not known: exit 4, not a green light."""
    new = app(HERE, "brand-new")
    azure.estate.put(new)
    assert standing(claims, new) == [("baseline", "brand-new", "unknown"), ("identity", "brand-new", "ok")]
    assert claims("check", new).exit_code == 4


# --- who is meant ----------------------------------------------------------------------------------


def test_a_name_that_several_have(claims: Cli, azure: Sandbox) -> None:
    """Exit 2, and the candidates by their ids."""
    twin = resource_id(HERE, "rg-other", WORKFLOW, "claims-intake")
    azure.estate.put(twin)
    claims("baseline", "take")
    result = claims("check", "claims-intake")
    assert (result.exit_code, result.stdout) == (2, "")
    assert OURS in result.stderr
    assert twin in result.stderr


@pytest.mark.parametrize(
    "holder",
    [
        "nobody",
        f"/subscriptions/{HERE}",
        VAULT,
        app(THERE),
        f"/subscriptions/{HERE}/providers/{WORKFLOW}/claims-intake",
        f"{app(HERE)}{'x' * 2048}",
        "",
    ],
)
def test_who_is_no_holder(claims: Cli, holder: str) -> None:
    """A name lami doesn't hold, no holder's id, one that is not watched: wrong usage."""
    result = claims("check", holder)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr


def test_a_wait_that_is_none(claims: Cli) -> None:
    """Wrong usage."""
    assert claims("check", "claims-intake", "--wait", "soon").exit_code == 2


# --- thresholds and waiting ------------------------------------------------------------------------


@pytest.mark.parametrize(("least", "code"), [("critical", 0), ("high", 1), ("info", 1), ("never", 0)])
def test_fail_on(claims: Cli, azure: Sandbox, least: str, code: int) -> None:
    """What is missing is as grave as the policy calls it."""
    azure.estate.recreate(OURS)
    assert claims("check", "claims-intake", "--fail-on", least).exit_code == code


def test_it_waits_until_all_is_in_place(claims: Cli, azure: Sandbox) -> None:
    """A grant that shows a little later is waited for, with a line on standard error each time."""
    azure.estate.recreate(OURS)
    late = Timer(1.5, grant_again, (azure,))
    late.start()
    result = claims("check", "claims-intake", "--wait", "60s", "-o", "tsv")
    late.join()
    assert result.exit_code == 0
    assert "4 of 6 in place; looking again in 1 s" in result.stderr
    assert "missing" not in result.stdout


def test_it_waits_no_longer_than_it_is_told(claims: Cli, azure: Sandbox) -> None:
    """The last look counts; what failed meanwhile and goes on failing is said as ever."""
    azure.estate.recreate(OURS)
    assert claims("check", "claims-intake", "--wait", "1s", "-q").exit_code == 1
    azure.faults.add(Fault(path="/subscriptions/*", status=403))
    assert claims("check", "claims-intake", "--wait", "1s").exit_code == 3


# --- what it leaves behind, and what it shows ------------------------------------------------------


def test_it_writes_nothing(claims: Cli, azure: Sandbox) -> None:
    """Neither store nor timeline nor channel know of it, also where much is amiss."""
    azure.estate.recreate(OURS)

    def dump() -> list[str]:
        with sqlite3.connect(claims.folder / "lami.db") as connection:
            return list(connection.iterdump())

    before = dump()
    assert claims("check", "claims-intake").exit_code == 1
    assert dump() == before
    assert list(azure.teams.cards) == []
    assert sorted(path.name for path in claims.folder.iterdir() if "lami.db" not in path.name) == [
        "policy.toml"
    ]


def test_the_table_it_reads_refuses_writes() -> None:
    """A fault in lami cannot change the store from here; reading goes through."""
    inner = SqliteTable(":memory:")
    inner.transact("p", [Put("k", {"a": 1})])
    table = ReadOnlyTable(inner)
    with pytest.raises(Permanent, match="opened to be read"):
        table.transact("p", [Put("k", {"a": 2})])
    found = table.get("p", "k")
    assert found is not None
    assert (found.values, [row.key for row in table.query("p")]) == ({"a": 1}, ["k"])
    table.flush()
    table.close()


@pytest.mark.parametrize("format", ["table", "tsv", "json"])
def test_hostile_names_do_nothing(cli: Cli, azure: Sandbox, format: str) -> None:
    """Neither a terminal nor a shell acts on what a role is called or a condition says."""
    azure.estate.put(app(HERE))
    role = azure.estate.put_role(HOSTILE, [{"actions": ["*/read"]}])
    azure.estate.assign(role.name, GROUP, of=app(HERE), condition="@x'\n$(reboot)\u202e;")
    cli("baseline", "take")
    azure.estate.recreate(app(HERE))
    result = cli("check", "claims-intake", "-o", format)
    assert result.exit_code == 1
    assert not set(result.output) & {"\x1b", "\u202e"}
    (line,) = [one for one in cli.value("check", "claims-intake") if one["status"] == "missing"]
    (command,) = line["remedy"]
    assert command.isprintable()
    assert """ --condition ' @x'"'"' $(reboot) ;' """ in command
    assert f"  {command}\n" in result.stderr


def test_a_command_too_long_to_show_is_never_cut(cli: Cli, azure: Sandbox) -> None:
    """Half a command must not be pasted: the JSON has it whole."""
    azure.estate.put(app(HERE))
    azure.estate.assign("Reader", GROUP, of=app(HERE), condition="@x" * 2000)
    cli("baseline", "take")
    azure.estate.recreate(app(HERE))
    result = cli("check", "claims-intake")
    assert "az role" not in result.stderr
    assert "`-o json` has it whole" in result.stderr

"""Documents say what the code does, both ways: nothing is left out, and nothing is said that is not so."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import pytest
from werkzeug.routing import Rule

from lami import settings
from lami.blindspots import BLIND_SPOTS
from lami.cli import exits
from lami.cli.root import lami as root
from lami.core.model import Acceptance, Actor, Cause, Entry
from lami.core.policy import CHANNELS, RULES, parse
from lami.core.shapes import entry_json, finding_json
from lami.detectors import DETECTORS
from lami.errors import BadSettings
from lami.web.app import make_server_app
from lami.wiring import Lami
from tests.channels.samples import redeploy
from tests.web.support import answers_options

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("docs/**/*.svg"))
    if path.is_file()
)
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
COMMON = ("-o", "--output", "--query", "-q", "--quiet", "-v", "--verbose")


def section(name: str, document: str = "docs/reference.md") -> str:
    """What stands under a heading, up to the next one of its level or a higher one."""
    text = (ROOT / document).read_text("utf-8")
    found = re.search(rf"^(#+) {re.escape(name)}\n", text, re.MULTILINE)
    assert found, f"{document} has no section {name}"
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> list[list[str]]:
    """The cells of all tables in a text, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    heads = {number - 1 for number, line in enumerate(lines) if set(line) <= set("|-")}
    return [row for number, row in enumerate(cells) if number not in heads and number - 1 not in heads]


def coded(cell: str) -> list[str]:
    """What stands in backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def own(name: str) -> str:
    """A section of the reference without the sections in it."""
    return re.split(r"^#", section(name), maxsplit=1, flags=re.MULTILINE)[0]


# --- settings --------------------------------------------------------------------------------------


def test_settings_are_documented() -> None:
    """The table has exactly the settings that are read."""
    assert [coded(row[0])[0] for row in rows(own("Settings"))] == list(settings.NAMES)


def test_settings_that_are_not_built_are_documented() -> None:
    """The table of what is not built has exactly the settings that are refused for it."""
    refused = rows(section("Settings").split("### Not yet")[1])
    assert [coded(row[0])[0] for row in refused] == list(settings.NOT_YET)


def test_documented_defaults_are_the_defaults() -> None:
    """A setting that is set to its documented default changes nothing."""
    plain = {"LAMI_SUBSCRIPTIONS": SUBSCRIPTION}
    for name, _, default in rows(own("Settings")):
        if coded(default):
            given = {**plain, coded(name)[0]: coded(default)[0]}
            assert settings.read(given) == settings.read(plain), name
        else:
            assert default in ("unset", "required", "the packaged one"), name


# --- policy ----------------------------------------------------------------------------------------


def known(place: str, toml: str) -> list[str]:
    """The keys that a table of the policy may have, as the fault about an unknown one names them."""
    with pytest.raises(BadSettings) as fault:
        parse(toml, settings.packaged_policy())
    found = re.search(re.escape(place) + r" nonsense: unknown \(known: ([^)]+)\)", str(fault.value))
    assert found, str(fault.value)
    return found[1].split(", ")


def test_policy_keys_are_documented() -> None:
    """The table has exactly the keys that a policy file may have."""
    keys = [
        *(f"[watch] {key}" for key in known("[watch]", "[watch]\nnonsense = 1")),
        "[grace] RULE",
        *(f"[broad] {key}" for key in known("[broad]", "[broad]\nnonsense = 1")),
        "[severity] RULE",
        *(f"[[exception]] {key}" for key in known("[[exception]] 1", "[[exception]]\nnonsense = 1")),
        *(f"[[automation]] {key}" for key in known("[[automation]] 1", "[[automation]]\nnonsense = 1")),
        "[routes] RULE",
        "[routes] SEVERITY",
    ]
    assert sorted(coded(row[0])[0] for row in rows(own("Policy"))) == sorted(keys)
    tables = {key.split("]")[0].strip("[") for key in keys}
    assert tables == set(known("table", "nonsense = 1"))


def test_packaged_values_are_documented() -> None:
    """What the table says is packaged is what the packaged file says."""
    packaged = tomllib.loads(settings.packaged_policy())
    for key, _, value in rows(own("Policy")):
        table, name = coded(key)[0].strip("[").split("] ")
        if table == "watch":
            assert packaged[table][name] == coded(value)[0]
        elif table == "broad":
            assert ", ".join(packaged[table][name].values()) == value.replace("none", "")


def test_rules_and_channels_are_documented() -> None:
    """The policy's section names every rule, those that detect something first, and every channel."""
    named = coded(own("Policy").partition("`RULE` is one of")[2])
    assert named == list(RULES)
    assert set(CHANNELS) <= set(coded(own("Policy").partition("Channels are")[2]))


# --- commands --------------------------------------------------------------------------------------


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command below a group, by its whole name."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from commands(found, f"{path} {name}")


def all_commands() -> dict[str, click.Command]:
    """Every command of the command line."""
    return dict(commands(root, "lami"))


def test_commands_are_documented() -> None:
    """The reference has a section for each command, with its arguments, and for no other."""
    headings = re.findall(r"^### `(lami [^`]+)`$", section("Commands"), re.MULTILINE)
    arguments = {
        path: [
            p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)
        ]
        for path, command in all_commands().items()
    }
    named = [" ".join([path, *(shorter(path, each) for each in arguments[path])]) for path in all_commands()]
    assert sorted(headings) == sorted(named)


def shorter(path: str, metavar: str) -> str:
    """A choice is documented by its name."""
    return "CHANNEL" if metavar.startswith("{") and path == "lami notify test" else metavar


def test_options_are_documented() -> None:
    """A command's section has exactly its options; those of all that print data have their own table."""
    headings = re.findall(r"^### (`lami .+)$", section("Commands"), re.MULTILINE)
    for path, command in all_commands().items():
        options = [p for p in command.params if isinstance(p, click.Option)]
        names = {name for option in options for name in (*option.opts, *option.secondary_opts)}
        heading = next(heading for heading in headings if _is(heading, path))
        table = rows(section(heading))
        said = {name for row in table for name in coded(row[0])}
        assert said == names - (set(COMMON) if "--query" in names else set()), path


def test_option_defaults_are_documented() -> None:
    """A default that the help text shows is the one that the reference names."""
    headings = re.findall(r"^### (`lami .+)$", section("Commands"), re.MULTILINE)
    for path, command in all_commands().items():
        table = rows(section(next(heading for heading in headings if _is(heading, path))))
        meanings = {name: row[1] for row in table for name in coded(row[0])}
        for option in command.params:
            if isinstance(option, click.Option) and option.show_default and option.opts[0] in meanings:
                default = option.default[0] if isinstance(option.default, tuple) else option.default
                named = re.search(r"Default `?([\w.-]+?)`?[.:]?( |$)", meanings[option.opts[0]])
                told = "As for `lami reconcile`" in meanings[option.opts[0]]
                assert told or (named and named[1] == str(default)), f"{path} {option.opts[0]}"


def _is(heading: str, path: str) -> bool:
    words = heading.strip("`").split()
    return [word for word in words if not word.isupper() and word != "FILE..."] == path.split()


def test_common_options_are_documented() -> None:
    """The table of common options has exactly those that every command which prints data has."""
    said = [name for row in rows(own("Commands")) for name in coded(row[0])]
    assert said == list(COMMON)
    printing = [c for c in all_commands().values() if any("--query" in p.opts for p in c.params)]
    for command in printing:
        assert set(COMMON) <= {name for p in command.params for name in p.opts}


def test_exit_codes_are_documented() -> None:
    """The table has 0 and every code that the command line exits with."""
    codes = {exits.DRIFT, exits.WRONG, exits.FAILED, exits.PARTIAL, exits.INTERRUPTED}
    assert {int(row[0]) for row in rows(section("Exit codes"))} == {0, *codes}


# --- routes and shapes -----------------------------------------------------------------------------


def test_routes_are_documented() -> None:
    """The table has exactly the routes of the app that `lami serve` runs."""
    app = make_server_app(_no_lami)
    routes = {f"{method} {_braced(rule)}" for rule in app.url_map.iter_rules() for method in _methods(rule)}
    assert {coded(row[0])[0] for row in rows(section("HTTP"))} == routes


def _no_lami() -> Lami:
    raise AssertionError("no lami is needed to list routes")


def _braced(rule: Rule) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)


def _methods(rule: Rule) -> set[str]:
    # Flask adds HEAD, and OPTIONS where the route itself has none.
    ours = {"HEAD", "OPTIONS"} if answers_options(rule) else {"HEAD"}
    return (rule.methods or set()) - ours


def test_shapes_are_documented() -> None:
    """The tables of a finding and of an entry have exactly the members that are shown."""
    finding = redeploy().findings[0]
    assert [coded(row[0])[0] for row in rows(section("A finding"))] == list(finding_json(finding))
    documented = {coded(row[0])[0]: coded(row[1]) for row in rows(section("A finding"))}
    for member, kind in (("actor", Actor), ("cause", Cause), ("accepted", Acceptance)):
        shown = {_camel(name) for name in kind.__struct_fields__} - {"actor"}
        assert shown <= set(documented[member]), member
    entry = Entry("e-1", finding.opened_at, "note", finding.subject, "", {}, {}, finding.cause)
    assert [coded(row[0])[0] for row in rows(section("A timeline entry"))] == list(entry_json(entry))


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)


# --- runbooks and README ---------------------------------------------------------------------------


def test_every_detector_has_a_runbook() -> None:
    """There is a runbook for each detector, named after its rule, and for nothing else."""
    rules = [detector.rule for detector in DETECTORS]
    assert sorted(rules) == sorted(RULES)
    assert sorted(path.stem for path in ROOT.glob("docs/runbooks/*.md")) == sorted(rules)


def test_every_kind_of_gap_is_in_the_reference() -> None:
    """The reference names those that the runbook explains."""
    text = (ROOT / "docs/runbooks/lami-gap.md").read_text("utf-8")
    explained = {coded(row[0])[0] for row in rows(text.partition("\n## ")[0])}
    (named,) = re.findall(r"`gap` its kind: ([^;]+);", section("A finding"))
    assert set(coded(named)) == explained


def test_runbooks_name_their_technique() -> None:
    """A runbook names the ATT&CK technique that its detector attaches to a finding."""
    for detector in DETECTORS:
        text = (ROOT / f"docs/runbooks/{detector.rule}.md").read_text("utf-8")
        code = (ROOT / f"lami/detectors/{detector.rule.replace('-', '_')}.py").read_text("utf-8")
        attached = re.findall(r'"(T\d{4}[0-9.]*)"', code)
        assert text.startswith(f"# {detector.rule}\n")
        assert all(f"[{technique} " in text.partition("## ATT&CK")[2] for technique in attached)


def test_what_updates_a_role_is_one_role() -> None:
    """`az role definition list` shows a list, which `update` refuses: a runbook that says both takes `[0]`.

    Source: Azure CLI, command module role, `_create_update_role_definition`.
    """
    saving = [text for text in _runbooks() if "az role definition update" in text]
    assert saving
    for text in saving:
        listed = re.findall(r"az role definition list[^\n]*>", text)
        assert listed
        assert all('--query "[0]"' in line for line in listed)


def test_runbooks_ask_a_service_principal_for_what_it_has() -> None:
    """What Microsoft Graph gives by a path of its own (`memberOf`) is null in what `az ad sp show` shows."""
    for text in _runbooks():
        for asked in re.findall(r"az ad sp show[^\n]*--query \"\{(.+?)\}\"", text):
            shown = {part.partition(":")[2] for part in asked.split(", ")}
            assert shown <= {"displayName", "servicePrincipalType", "alternativeNames", "appId", "id"}


def _runbooks() -> list[str]:
    return [path.read_text("utf-8") for path in ROOT.glob("docs/runbooks/*.md")]


def test_readme_names_every_detector() -> None:
    """README's table has exactly the rules that detect something."""
    table = rows(section("What it detects", "README.md"))
    assert sorted(coded(row[0])[0] for row in table) == sorted(RULES)


def test_readme_has_the_blind_spots() -> None:
    """README's list of blind spots is the one that `lami doctor` prints."""
    listed = re.findall(r"^- \*\*(.+?)\*\*: (.+)\.$", section("Blind spots", "README.md"), re.MULTILINE)
    assert listed == [(spot.name, spot.why) for spot in BLIND_SPOTS]


def test_commands_of_make_are_there() -> None:
    """Every `make` target that a document names is in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        named = re.findall(r"(?:^    |`)make ([a-z-]+)", document.read_text("utf-8"), re.MULTILINE)
        assert set(named) <= targets, document.name


def test_commands_of_lami_are_there() -> None:
    """Every `lami` command that a document shows is one of the command line, but for those said to come."""
    planned = set(coded(section("Commands").partition("### Not yet")[2]))
    tops = {" ".join(path.split()[:2]) for path in all_commands()}
    for document in DOCUMENTS:
        text = document.read_text("utf-8")
        shown = re.findall(r"(?:^    +(?:\.venv/bin/)?|`(?:\.venv/bin/)?)(lami [a-z]+)\b", text, re.MULTILINE)
        assert set(shown) <= tops | planned, document.name


def test_tests_that_readme_names_are_there() -> None:
    """What README says holds a promise exists."""
    for name in re.findall(r"`(tests/[\w/.]+)`", (ROOT / "README.md").read_text("utf-8")):
        assert (ROOT / name).exists(), name


# --- all documents ---------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_links_resolve(document: Path) -> None:
    """A link within the project leads to a file that is there, and to a heading in it."""
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        found = (document.parent / path).resolve() if path else document
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text("utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings], target


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_no_machine_is_named(document: Path) -> None:
    """No document has a path of the machine that it was written on, or of what lay beside the project."""
    found = re.search(
        r"(?<![\w.])/(work|home|root|tmp|Users)/|\.\./shared|\bFACTS\b|\bINTERFACE\.md|\bDESIGN\.md",
        document.read_text("utf-8"),
    )
    assert found is None, found


def test_files_that_documents_name_are_there() -> None:
    """A file of the project that a document names in backticks exists."""
    for document in DOCUMENTS:
        for name in re.findall(r"`((?:lami|docs|infra|tests)/[\w/.-]+)`", document.read_text("utf-8")):
            assert (ROOT / name).exists(), f"{document.name}: {name}"


def test_assumptions_are_listed() -> None:
    """Every file with a marked assumption is named in docs/assumptions.md, and each file named there is."""
    listed = set(
        re.findall(r"`([\w/]+\.(?:py|bicep|yaml))`", (ROOT / "docs/assumptions.md").read_text("utf-8"))
    )
    sources = [
        *ROOT.glob("lami/**/*.py"),
        *ROOT.glob("infra/*.bicep"),
        ROOT / "azure.yaml",
        ROOT / "function_app.py",
    ]
    marked = {str(path.relative_to(ROOT)) for path in sources if _marks(path)}
    assert marked <= listed, marked - listed
    assert all((ROOT / name).exists() for name in listed)


def _marks(path: Path) -> bool:
    return re.search(r"(#|//) Assumption(:|$)", path.read_text("utf-8"), re.MULTILINE) is not None

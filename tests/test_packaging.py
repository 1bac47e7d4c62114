"""The package as its users get it: ranges, lock, version, and what goes to Azure."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lami
from tests.functions.worker import python313

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = {
    canonicalize_name(name): version
    for name, version in re.findall(
        r"^([\w.-]+)==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE
    )
}
# Asks the interpreter of the lock what each installed package needs, and how it would answer markers.
DESCRIBE = """
import importlib.metadata, json, platform, sys
print(json.dumps({
    "marker": {
        "python_version": "%d.%d" % sys.version_info[:2],
        "python_full_version": platform.python_version(),
    },
    "needs": {found.name: found.requires or [] for found in importlib.metadata.distributions()},
}))
"""


def ranges() -> list[Requirement]:
    """The dependencies as pyproject.toml has them."""
    return [Requirement(text) for text in PROJECT["dependencies"]]


@pytest.mark.parametrize("dependency", ranges(), ids=lambda dependency: dependency.name)
def test_lock_pins_each_dependency_inside_its_range(dependency: Requirement) -> None:
    """What Azure installs is a version that pyproject.toml allows."""
    assert dependency.specifier.contains(LOCK[canonicalize_name(dependency.name)])


def test_lock_holds_nothing_but_exact_pins() -> None:
    """Each line of requirements.txt is a comment or `name==version`: no host, no range, no option."""
    lines = [
        line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")
    ]
    assert len(lines) == len(LOCK) > 0


@pytest.mark.runtime
def test_lock_holds_all_that_is_needed_and_nothing_else() -> None:
    """On Python 3.13 the lock is pyproject.toml's dependencies with all that these need, and no more."""
    said = subprocess.run([python313(), "-c", DESCRIBE], check=True, capture_output=True, text=True).stdout
    described = json.loads(said)
    needs = {canonicalize_name(name): needed for name, needed in described["needs"].items()}
    needed: set[str] = set()
    left = [canonicalize_name(dependency.name) for dependency in ranges()]
    while left:
        name = left.pop()
        if name in needed:
            continue
        needed.add(name)
        for requirement in map(Requirement, needs[name]):
            if requirement.marker is None or requirement.marker.evaluate(described["marker"] | {"extra": ""}):
                left.append(canonicalize_name(requirement.name))
    assert set(LOCK) == needed


@pytest.mark.runtime
def test_function_app_imports_from_the_lock_alone() -> None:
    """With nothing but requirements.txt installed the app imports, so Azure finds functions in it."""
    done = subprocess.run(
        [python313(), "-c", "import function_app"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_versions_agree() -> None:
    """pyproject.toml, the package and the newest entry of the changelog name one version."""
    newest = re.search(r"^## \[?([0-9][^\]\s]*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert PROJECT["version"] == lami.__version__ == newest.group(1)


def test_azure_is_sent_the_app_and_not_the_workshop() -> None:
    """Tests, documents and environments stay behind; the app and what it imports go."""
    kept_back = set((ROOT / ".funcignore").read_text().split())
    assert kept_back.isdisjoint({"function_app.py", "host.json", "requirements.txt", "lami"})
    # Core Tools reads each line as a name, not as a pattern (azure-functions-core-tools#2701).
    assert not [name for name in kept_back if "*" in name]
    assert {"tests", "docs", ".venv", ".venv313", ".git", "local.settings.json", "lami.db"} <= kept_back


def test_web_app_answers_at_the_root() -> None:
    """Without an empty route prefix the Functions host would serve the page at /api only."""
    assert json.loads((ROOT / "host.json").read_text())["extensions"]["http"]["routePrefix"] == ""

"""A policy file that is wrong: the last good one is in force, and everybody is told."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from urllib.request import urlopen

import pytest

from lami.sandbox import Sandbox
from tests.cli.conftest import HERE, Cli, app
from tests.cli.test_serve import _ended, _running

GOOD = '[grace]\nmissing-grant = "0s"\n[severity]\nlami-gap = "low"\n'
WRONG = '[grace]\nmissing-grant = "soon"\n[watch]\ncolour = 1\n'


@pytest.fixture
def policy(cli: Cli) -> Path:
    """The policy file; by a good one the baseline was taken."""
    file = Path(cli.environment["LAMI_POLICY"])
    file.write_text(GOOD)
    assert cli("baseline", "take").exit_code == 0
    return file


def test_without_a_last_good_one_it_is_an_error(cli: Cli) -> None:
    """At the first start nothing is started, and every fault is named."""
    Path(cli.environment["LAMI_POLICY"]).write_text(WRONG)
    for command in (("findings", "list"), ("baseline", "take"), ("doctor",), ("serve", "--port", "0")):
        result = cli(*command)
        assert result.exit_code == 2
        assert "[grace] missing-grant" in result.stderr
        assert "[watch] colour" in result.stderr


def test_commands_go_by_the_last_good_one(cli: Cli, policy: Path) -> None:
    """Also where the file is gone; each says so on standard error, and `doctor` names the faults."""
    for text in (WRONG, None):
        policy.unlink()
        if text is not None:
            policy.write_text(text)
        with cli.start("findings", "list", "-q") as process:
            _, said = process.communicate(timeout=60)
        assert process.returncode == 0
        assert said.startswith("error: the last good policy is in force. LAMI_POLICY: the policy is wrong: ")
        (check,) = [one for one in cli.value("doctor") if one["check"] == "policy"]
        assert check["state"] == "warning"
        assert ("[watch] colour" if text else "cannot be read") in str(check["detail"])
        policy.write_text(GOOD)
    (check,) = [one for one in cli.value("doctor") if one["check"] == "policy"]
    assert check["state"] == "ok"


def test_a_run_opens_the_gap_and_a_good_file_closes_it(cli: Cli, policy: Path, azure: Sandbox) -> None:
    """Judged by the last good policy itself: it says how grave a gap is."""
    azure.estate.put(app(HERE))
    policy.write_text(WRONG)
    assert cli("reconcile", "--fail-on", "medium").exit_code == 0
    (gap,) = cli.value("findings", "list", "--rule", "lami-gap")
    assert (gap["severity"], gap["detail"]) == ("low", {"gap": "policy"})
    assert len(gap["notes"]) == 2
    policy.write_text(GOOD)
    assert cli("reconcile").exit_code == 0
    assert cli.value("findings", "list", "--rule", "lami-gap") == []
    assert cli("verify").exit_code == 0


def test_serve_starts_with_the_last_good_one_and_says_so(cli: Cli, policy: Path) -> None:
    """On standard error, in health and as a finding."""
    policy.write_text(WRONG)
    with _running(cli, "serve", "--port", "0") as (process, _, said):
        said.until("the last good policy is in force")
        url = said.until("page ").split()[-1]
        with urlopen(f"{url}api/v1/health", timeout=30) as answer:
            health = json.load(answer)
        assert any("[watch] colour" in concern for concern in health["concerns"])
        assert health["open"]["low"] == 1
        assert _ended(process, signal.SIGTERM) == 0

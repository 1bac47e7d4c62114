"""`lami demo`: the whole job, as a newcomer sees it, and as a check of itself."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lami.cli.demo_play import perform
from lami.sandbox.stories import REDEPLOY, Take

COMMAND = (sys.executable, "-m", "lami.cli", "demo", "--fast")
RULES = ("identity-churn", "broad-grant", "orphaned-assignment", "missing-grant")
_LATENCY = re.compile(r"within \d+\.\d\d s")
_ID = re.compile(r"f-[0-9a-f]{16}")


def played(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The demo, run as a person runs it, in a terminal of 80 columns without settings of lami's."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=_environment(folder),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=90,
        check=False,
    )


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAMI_")}
    return kept | {"COLUMNS": "80", "PYTHONIOENCODING": "utf-8", "TMPDIR": str(folder)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    return played(folder=folder)


def findings(output: str) -> list[str]:
    """The lines of the table of findings that bear an id."""
    return [line for line in output.partition("What lami found")[2].splitlines() if _ID.search(line)]


def test_it_succeeds_without_noise(demo: subprocess.CompletedProcess[str]) -> None:
    """The demo exits 0, and neither a traceback nor anybody's log is on standard error."""
    assert (demo.returncode, demo.stderr) == (0, "")
    assert "Traceback" not in demo.stdout


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_told_to_both_sinks(demo: subprocess.CompletedProcess[str], rule: str) -> None:
    """Every finding of each of the four rules stands in the table as told to Teams and by mail."""
    lines = [line for line in findings(demo.stdout) if f" {rule} " in line]
    assert lines
    assert all("teams, email" in line for line in lines)


def test_it_says_what_it_is_and_what_it_came_to(demo: subprocess.CompletedProcess[str]) -> None:
    """It begins by saying that it is a simulation, and ends with what was counted in the sinks."""
    beginning, ending = demo.stdout[:400], demo.stdout[-400:]
    assert "a simulation of Azure on this machine" in beginning
    assert "told to both sinks" in " ".join(ending.split())
    assert "3 cards and 3 mails" in ending


def test_nobody_is_alerted_of_what_changes_no_identity(demo: subprocess.CompletedProcess[str]) -> None:
    """The redeploy in place is told and looked at, and its silence is shown."""
    scene = demo.stdout.partition("redeploys claims-intake in place")[2].partition("\n 3 ")[0]
    assert "workflows/write  claims-intake" in scene
    assert re.search(r"alerted +nobody", scene)


def test_it_fits_a_terminal_and_a_pipe(demo: subprocess.CompletedProcess[str]) -> None:
    """In a pipe no line is wider than COLUMNS says, and there are no escape codes."""
    assert max(len(line) for line in demo.stdout.splitlines()) <= 80
    assert "\x1b" not in demo.stdout


def test_the_same_seed_gives_the_same_story(demo: subprocess.CompletedProcess[str], folder: Path) -> None:
    """A second run says word for word the same, but for how long the alerts took; another seed does not."""
    again, other = played(folder=folder), played("--seed", "8", folder=folder)
    assert _LATENCY.sub("", again.stdout) == _LATENCY.sub("", demo.stdout)
    assert other.returncode == 0
    assert not set(_ID.findall(other.stdout)) & set(_ID.findall(demo.stdout))


def test_it_does_without_unicode(folder: Path) -> None:
    """A terminal that has only ASCII gets the whole story."""
    environment = _environment(folder) | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(COMMAND, env=environment, capture_output=True, timeout=90, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_nothing_is_left_behind(demo: subprocess.CompletedProcess[str], folder: Path) -> None:
    """The store is gone when the demo is over."""
    assert demo.returncode == 0
    assert list(folder.iterdir()) == []


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*COMMAND, "--serve"],
        env=_environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_serve_keeps_the_pages_up_until_interrupted(serving: subprocess.Popen[str], tmp_path: Path) -> None:
    """With --serve lami's page shows the findings and the sandbox's its sinks; Ctrl-C ends both, cleanly."""
    assert serving.stdout is not None
    urls: list[str] = []
    for line in serving.stdout:
        urls += re.findall(r"http://127\.0\.0\.1:\d+/", line)
        if "Ctrl-C" in line:
            break
    pages = []
    for url in urls:
        with urllib.request.urlopen(url, timeout=10) as answer:
            pages.append(answer.read().decode())
    assert len(pages) == 2
    assert all("claims-intake was granted Contributor" in page for page in pages)
    serving.send_signal(signal.SIGINT)
    _, noise = serving.communicate(timeout=30)
    assert (serving.returncode, noise) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_a_finding_that_does_not_come_is_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    """A story that brings none of the findings it must bring names each, and is not told as a success."""
    beginning = tuple(scene for scene in REDEPLOY.scenes if isinstance(scene.action, Take))
    problems = perform(replace(REDEPLOY, scenes=beginning), 7, 0, serve=False, pace=0.0)
    assert problems == [f"{rule} was not found" for rule in RULES]
    assert "both sinks" not in capsys.readouterr().out


def test_an_alert_that_must_not_come_is_a_problem() -> None:
    """An alert in a scene that should be quiet is named with its scene."""
    noisy = tuple(replace(scene, quiet=True) for scene in REDEPLOY.scenes[:4])
    problems = perform(replace(REDEPLOY, scenes=noisy, rules=()), 7, 0, serve=False, pace=0.0)
    assert problems == ["scene 4: there was an alert, and nothing to alert of"]

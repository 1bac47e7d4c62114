"""Orphans that no holder ever carried: what a run of reconcile says once Microsoft Graph is asked.

The real client over HTTP, against the sandbox's Graph; only time is moved by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from lami.arm.azure import AzureArm
from lami.core.model import Finding
from lami.core.timeline import Query
from lami.queries import FindingQuery
from lami.runs import Report
from lami.sandbox import WORKFLOW, Sandbox, resource_id
from lami.sandbox.faults import Fault
from lami.schedule import reconcile_now, take_baseline_if_none
from lami.settings import read
from lami.wiring import Lami, Watch, assemble, make_channels, make_directory, make_table
from tests.sandbox.support import Clock, principal_of

PIPELINE = "0c4f2b6e-0d8e-4c43-8ccd-1f2f3a4b5c6d"
"""A service principal that no logic app ever carried."""
DANA = "7a1d5a3c-5a0e-4b39-8b1b-3f6d2c9e8a11"
GROUP_OF_DANA = "9b2e6b4d-6b1f-4c4a-9c2c-4a7e3dafab22"
GRAPH = "/v1.0/*"
HOUR = timedelta(hours=1)


@dataclass
class Estate:
    """The sandbox, a lami that may ask its Graph, and the clock of both."""

    azure: Sandbox
    lami: Lami
    clock: Clock
    app: str

    def assign(self, principal: str, role: str = "Reader", type: str = "ServicePrincipal") -> str:
        """Grant a role on the group to somebody."""
        made = self.azure.estate.assign(role, self.group, principal_id=principal, principal_type=type)
        return made.id

    @property
    def group(self) -> str:
        """The resource group of everything."""
        return f"/subscriptions/{self.azure.subscription}/resourceGroups/rg-claims"

    def reconcile(self) -> Report:
        """One run, a second after whatever was before."""
        self.clock.move(1)
        return reconcile_now(self.lami)

    def wait(self, time: timedelta) -> int:
        """Time passes, and the walker does what is due: asks the directory, then looks at what that says."""
        self.clock.move(time.total_seconds())
        done = self.lami.service.walk()
        self.clock.move(2)
        return done + self.lami.service.walk()

    def open(self) -> list[Finding]:
        """The findings that are open."""
        return self.lami.queries.findings(FindingQuery(statuses=("open",)))

    def orphans(self) -> list[str]:
        """The titles of open orphans."""
        return sorted(one.title for one in self.open() if one.rule == "orphaned-assignment")

    def gap(self) -> str:
        """Why the directory is not seen, where that is a finding; empty where it is none."""
        return "".join(note for one in self.open() if one.rule == "lami-gap" for note in one.notes)

    def texts(self) -> str:
        """The timeline of today."""
        start, end = self.clock() - timedelta(days=2), self.clock() + timedelta(minutes=1)
        return "\n".join(entry.text for entry in self.lami.queries.timeline(Query(since=start, until=end)))

    def asked(self) -> list[str]:
        """What Graph was asked since the last time this was called: by method and last part of the path."""
        asked = [
            f"{r.method} {r.path.split('/')[3]}" for r in self.azure.reads if r.path.startswith("/v1.0/")
        ]
        self.azure.reads.clear()
        return asked


@contextmanager
def estate(folder: Path, more: Mapping[str, str] | None = None) -> Iterator[Estate]:
    """An app with an identity that may read, and a pipeline and Dana who may, too; the baseline is taken."""
    clock = Clock()
    with Sandbox(seed=7, now=clock) as azure:
        app = resource_id(azure.subscription, "rg-claims", WORKFLOW, "claims-intake")
        azure.estate.put(app)
        settings = read(
            {
                "LAMI_STORE": f"sqlite:///{folder / 'lami.db'}",
                "LAMI_SUBSCRIPTIONS": azure.subscription,
                "LAMI_ARM_ENDPOINT": azure.url,
                "LAMI_GRAPH_ENDPOINT": azure.url,
                "LAMI_CREDENTIAL": "none",
                "LAMI_LOOPBACK": "1",
                "LAMI_TEAMS_WEBHOOK_URL": azure.teams_url,
                **(more or {}),
            }
        )
        lami = assemble(
            settings,
            make_table(settings, None),
            AzureArm(settings.arm_endpoint, None),
            make_channels(settings, None),
            Watch(),
            clock,
            clock.move,
            directory=make_directory(settings, None),
        )
        made = Estate(azure, lami, clock, app)
        azure.estate.assign("Reader", made.group, of=app)
        made.assign(PIPELINE)
        made.assign(DANA, type="User")
        take_baseline_if_none(lami)
        clock.move(7 * 3600)
        try:
            yield made
        finally:
            lami.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Estate]:
    """The estate with the packaged policy."""
    with estate(tmp_path) as made:
        yield made


LEFT = "Reader at resource group rg-claims is left behind: "


def test_nobody_is_missed_while_all_are_there(world: Estate) -> None:
    """One question for everybody, and no finding, no line, no book."""
    assert not world.reconcile().partial
    assert world.asked() == ["POST getByIds"]
    assert world.open() == []
    assert world.lami.queries.health([world.azure.subscription]).directory_at == world.clock()


def test_a_principal_that_is_gone_leaves_orphans(world: Estate) -> None:
    """Denied once is a line; denied again an hour later, without a further run, an orphan that is told."""
    world.azure.directory.mark(PIPELINE, "purged")
    world.reconcile()
    assert world.asked() == ["POST getByIds", "GET deletedItems"]
    assert world.orphans() == []
    assert "ServicePrincipal 0c4f2b6e is not in Entra ID, nor among what was deleted" in world.texts()
    world.wait(HOUR - timedelta(minutes=1))
    assert world.orphans() == []
    world.wait(timedelta(minutes=2))
    assert world.orphans() == [f"{LEFT}ServicePrincipal 0c4f2b6e no longer exists in Entra ID"]
    (finding,) = world.open()
    assert finding.detail["principalId"] == PIPELINE
    assert finding.remediation[0].startswith("az role assignment delete --ids /subscriptions/")
    assert any(
        "no longer exists in Entra ID" in text for card in world.azure.teams.cards for text in card.texts
    )
    world.asked()
    world.wait(timedelta(hours=6))
    world.reconcile()
    assert world.asked() == ["POST getByIds"]
    assert len(world.orphans()) == 1


def test_users_and_groups_count_too(world: Estate) -> None:
    """A user who left, and a group that was deleted; others of their kind are there."""
    other_group = "11111111-2222-4333-8444-555555555555"
    world.assign(GROUP_OF_DANA, type="Group")
    world.assign(other_group, type="Group")
    world.reconcile()
    world.azure.directory.mark(DANA, "purged")
    world.azure.directory.mark(GROUP_OF_DANA, "purged")
    world.wait(timedelta(hours=6))
    world.reconcile()
    world.wait(HOUR + timedelta(seconds=2))
    assert world.orphans() == [
        f"{LEFT}Group 9b2e6b4d no longer exists in Entra ID",
        f"{LEFT}User 7a1d5a3c no longer exists in Entra ID",
    ]
    assert world.gap() == ""


def test_soft_deleted_is_no_orphan(world: Estate) -> None:
    """It stands on the timeline; restored it does, too; only what is purged is an orphan."""
    world.azure.directory.mark(PIPELINE, "deleted")
    for _ in range(3):
        world.reconcile()
        world.wait(2 * HOUR)
    assert world.orphans() == []
    assert "was deleted in Entra ID, and can be restored there for 30 days" in world.texts()
    world.azure.directory.mark(PIPELINE, "alive")
    world.reconcile()
    assert "is in Entra ID after all" in world.texts()
    world.azure.directory.mark(PIPELINE, "purged")
    world.reconcile()
    world.wait(HOUR + timedelta(seconds=2))
    assert len(world.orphans()) == 1


def test_restored_resolves(world: Estate) -> None:
    """Alive again, the next run says so and the finding is resolved."""
    world.azure.directory.mark(PIPELINE, "purged")
    world.reconcile()
    world.wait(HOUR + timedelta(seconds=2))
    assert len(world.orphans()) == 1
    world.azure.directory.mark(PIPELINE, "alive")
    report = world.reconcile()
    assert len(report.findings) == 1
    assert world.orphans() == []
    assert [one.rule for one in world.lami.queries.findings(FindingQuery(statuses=("resolved",)))] == [
        "orphaned-assignment"
    ]


@pytest.mark.parametrize(
    "fault", [{"status": 403}, {"status": 401}, {"status": 429, "retry_after": 30}, {"status": 500}]
)
@pytest.mark.parametrize("path", [GRAPH, "/v1.0/directory/deletedItems/*"])
def test_a_failing_graph_is_a_gap_and_no_orphan(
    world: Estate, fault: Mapping[str, int], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it fails, and whichever question; answered again, the gap is closed, the rest follows."""
    monkeypatch.setattr("azure.core.pipeline.transport.RequestsTransport.sleep", lambda self, seconds: None)
    world.azure.directory.mark(PIPELINE, "purged")
    world.azure.faults.add(Fault(path=path, **fault))
    for _ in range(3):
        report = world.reconcile()
        assert report.partial
        assert "Microsoft Graph answered" in report.directory
        world.wait(2 * HOUR)
    assert world.orphans() == []
    assert "Microsoft Graph answered" in world.gap()
    world.azure.faults.clear()
    world.reconcile()
    assert world.open() == []
    world.wait(HOUR + timedelta(seconds=2))
    assert len(world.orphans()) == 1


def test_a_graph_that_is_down_is_asked_again_before_the_next_run(
    world: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A moment's failure is no finding, ten minutes' are; the walker asks until it answers."""
    monkeypatch.setattr("azure.core.pipeline.transport.RequestsTransport.sleep", lambda self, seconds: None)
    world.azure.faults.add(Fault(path=GRAPH, status=503))
    world.reconcile()
    assert world.gap() == ""
    world.wait(timedelta(minutes=10, seconds=2))
    assert "Microsoft Graph answered 503" in world.gap()
    world.azure.faults.clear()
    world.wait(timedelta(minutes=1))
    assert world.open() == []
    assert world.lami.queries.health([world.azure.subscription]).due == 0


def test_a_failure_at_the_second_question_waits(world: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The walker puts it off, as Graph said, and asks again by itself."""
    monkeypatch.setattr("azure.core.pipeline.transport.RequestsTransport.sleep", lambda self, seconds: None)
    world.azure.directory.mark(PIPELINE, "purged")
    world.reconcile()
    world.azure.faults.add(Fault(path=GRAPH, status=429, retry_after=300))
    world.wait(HOUR + timedelta(seconds=2))
    world.azure.faults.clear()
    world.asked()
    world.wait(timedelta(seconds=290))
    assert world.asked() == []
    world.wait(timedelta(seconds=20))
    assert [one.rule for one in world.open()] == ["orphaned-assignment"]


def test_where_the_witness_is_missing_nobody_is_gone(world: Estate) -> None:
    """A directory that shows nobody that must be there may be another tenant's: nothing is concluded."""
    app = world.azure.estate.resources.get(world.app)
    assert app is not None
    carried = principal_of(app)
    for somebody in (carried, PIPELINE):
        world.azure.directory.mark(somebody, "purged")
    for _ in range(3):
        assert "without showing that lami may see" in world.reconcile().directory
        world.wait(2 * HOUR)
    assert "not in Entra ID" not in world.texts()
    assert [one.rule for one in world.open()] == ["lami-gap"]


def test_where_no_other_user_shows_none_is_gone(world: Estate) -> None:
    """Whoever may read service principals need not be able to read users: a gap, and no orphan."""
    world.azure.directory.mark(DANA, "purged")
    robin = next(id for id, name in world.azure.estate.directory.items() if name == "Robin Operator")
    world.azure.directory.mark(robin, "purged")
    for _ in range(2):
        assert "left out 2 principals" in world.reconcile().directory
        world.wait(2 * HOUR)
    assert world.orphans() == []
    assert "left out 2 principals" in world.gap()


def test_an_identity_that_dies_under_its_app_is_said(world: Estate) -> None:
    """No event tells of it: the app still names an identity that can sign in nowhere."""
    other = resource_id(world.azure.subscription, "rg-claims", WORKFLOW, "claims-export")
    dead = principal_of(world.azure.estate.put(other))
    world.azure.estate.assign("Reader", world.group, of=other)
    world.reconcile()
    world.azure.directory.mark(dead, "purged")
    world.wait(timedelta(hours=6))
    world.reconcile()
    world.wait(HOUR + timedelta(seconds=2))
    (title,) = world.orphans()
    assert (
        title == f"{LEFT}claims-export still has the identity {dead[:8]}, which no longer exists in Entra ID"
    )


def test_what_was_shed_is_an_orphan_whatever_graph_says(world: Estate) -> None:
    """Azure Resource Manager's word on who carries it stands, though the principal can still be restored."""
    world.azure.estate.recreate(world.app)
    world.reconcile()
    world.wait(timedelta(minutes=6))
    (title,) = world.orphans()
    assert "claims-intake no longer has the identity" in title
    assert "was deleted in Entra ID" in world.texts()
    world.wait(timedelta(hours=6))
    world.reconcile()
    assert world.orphans() == [title]


def test_what_is_gone_and_taken_away_is_over(world: Estate) -> None:
    """The remediation's command deletes the assignment, and the finding is resolved."""
    id = world.assign(PIPELINE, "Contributor")
    world.reconcile()
    world.azure.directory.mark(PIPELINE, "purged")
    world.reconcile()
    world.wait(HOUR + timedelta(seconds=2))
    assert len(world.orphans()) == 2
    world.azure.estate.unassign(id)
    world.reconcile()
    assert len(world.orphans()) == 1


def test_a_run_that_dies_while_asking_is_done_again(world: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row on the due list has the walker ask; nothing is doubled."""

    class Killed(BaseException):
        """The process died here."""

    def die(*args: object) -> None:
        raise Killed

    world.azure.directory.mark(PIPELINE, "purged")
    with monkeypatch.context() as patched:
        patched.setattr("lami.store.books.Books.commit", die)
        with pytest.raises(Killed):
            world.reconcile()
    assert "not in Entra ID" not in world.texts()
    world.wait(timedelta(minutes=16))
    assert world.texts().count("is not in Entra ID, nor among") == 1
    world.wait(HOUR + timedelta(seconds=2))
    assert len(world.orphans()) == 1
    world.wait(timedelta(hours=3))
    assert world.lami.queries.health([world.azure.subscription]).due == 0


def test_unsetting_the_endpoint_ends_its_gap(tmp_path: Path) -> None:
    """What nobody asks nobody fails to answer."""
    with estate(tmp_path) as world:
        world.azure.faults.add(Fault(path=GRAPH, status=403))
        world.reconcile()
        assert "Directory.Read.All" in world.gap()
        settings = replace(world.lami.settings, graph_endpoint="")
        again = assemble(settings, world.lami.table, world.lami.arm, (), Watch(), world.clock)
        reconcile_now(again)
        assert world.open() == []


def test_without_the_setting_nobody_is_asked(tmp_path: Path) -> None:
    """Unset is no finding and no gap; orphans are those that logic apps shed."""
    with estate(tmp_path, {"LAMI_GRAPH_ENDPOINT": ""}) as world:
        world.azure.directory.mark(PIPELINE, "purged")
        assert not world.reconcile().partial
        world.wait(2 * HOUR)
        assert world.asked() == []
        assert world.open() == []
        assert world.gap() == ""

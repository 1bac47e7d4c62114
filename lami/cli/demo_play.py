"""Playing a story: a small Azure and a lami in one process, joined by HTTP and SMTP on loopback."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from lami.arm.azure import AzureArm
from lami.cli.demo_record import SINKS, Recorder, StoryClock
from lami.cli.demo_view import View, stage
from lami.core.model import Actor
from lami.queries import FindingQuery
from lami.sandbox import Sandbox
from lami.sandbox.model import ROBIN
from lami.sandbox.stories import START, Accept, Play, Scene, Story, Take, Wait
from lami.schedule import take_baseline
from lami.settings import Settings, read
from lami.store.due import DueList
from lami.web.server import Server
from lami.wiring import Lami, Watch, assemble, make_channels, make_table

HOST = "127.0.0.1"
PATIENCE = 15.0
"""Seconds within which everything that a scene sets off must be done."""
_TO_READ = 0.9
_TO_LOOK = 0.5
_OPERATOR = Actor("user", ROBIN.object_id, ROBIN.name)


def perform(story: Story, seed: int, port: int, *, serve: bool, pace: float) -> list[str]:
    """Play a story; answer what did not go as it must. `pace` stretches the pauses for reading."""
    view = View(stage())
    view.opening(seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lami-demo-")))
        clock = StoryClock(START)
        sandbox = stack.enter_context(Sandbox(seed=seed, now=clock.azure))
        lami = stack.enter_context(closing(_lami(_settings(sandbox, folder, port), clock)))
        server = Server(lami, HOST, port)
        stack.callback(server.close)
        recorder = Recorder(sandbox, lami.queries, START)
        problems = _Player(story, sandbox, lami, server, clock, view, recorder, pace).play()
        if not serve:
            view.ending("To look around in lami's page, the cards and the mails:  lami demo --serve")
            return problems
        view.ending(
            f"lami's page         {server.url}/",
            f"the cards and mails {sandbox.url}/",
            "Ctrl-C ends both and removes everything.",
        )
        server.serve_forever()
    return problems


def _settings(sandbox: Sandbox, folder: Path, port: int) -> Settings:
    """lami's settings as an operator would give them; the policy is the packaged one."""
    return read(
        {
            "LAMI_STORE": f"sqlite:///{folder / 'lami.db'}",
            "LAMI_SUBSCRIPTIONS": sandbox.subscription,
            "LAMI_ARM_ENDPOINT": sandbox.url,
            "LAMI_CREDENTIAL": "none",
            "LAMI_LOOPBACK": "1",
            "LAMI_TEAMS_WEBHOOK_URL": sandbox.teams_url,
            "LAMI_SMTP_URL": sandbox.mail_url,
            "LAMI_EMAIL_FROM": "lami@contoso.example",
            "LAMI_EMAIL_TO": "claims-team@contoso.example",
            "LAMI_PUBLIC_URL": f"http://{HOST}:{port}" if port else "",
        }
    )


def _lami(settings: Settings, clock: StoryClock) -> Lami:
    return assemble(
        settings,
        make_table(settings, None),
        AzureArm(settings.arm_endpoint, None),
        make_channels(settings, None),
        Watch(),
        clock.lami,
    )


@dataclass(slots=True)
class _Player:
    """Plays one story, shows it, and finds what is not as it must be."""

    story: Story
    sandbox: Sandbox
    lami: Lami
    server: Server
    clock: StoryClock
    view: View
    recorder: Recorder
    pace: float

    def play(self) -> list[str]:
        """Play all scenes, then show the timeline and the findings; answer the problems."""
        self.story.prepare(self.sandbox.estate)
        problems: list[str] = []
        for number, scene in enumerate(self.story.scenes, start=1):
            problems += self._play(number, scene)
        findings = self.recorder.findings()
        self.view.timeline(self.recorder.timeline())
        self._pause(_TO_READ)
        self.view.findings(findings, self.recorder.reached)
        problems += self._missing()
        if not problems:
            self.view.verdict(self.story.rules, {sink: self.recorder.count(sink) for sink in SINKS})
        return problems

    def _play(self, number: int, scene: Scene) -> Iterator[str]:
        at = START + timedelta(minutes=scene.minute)
        self.view.scene(number, at, scene)
        self._pause(_TO_READ)
        self.clock.turn(at)
        if not isinstance(scene.action, Wait):
            yield from self._catch_up(number)
        began = time.monotonic()
        yield from self._act(scene)
        if not self.sandbox.settled(PATIENCE):
            yield f"scene {number}: not every event was delivered within {PATIENCE:g} s"
        took = time.monotonic() - began
        happened = self.recorder.happened()
        self.view.happened(scene, happened, took)
        if scene.quiet and any(happened.arrived.values()):
            yield f"scene {number}: there was an alert, and nothing to alert of"
        self._pause(_TO_LOOK)

    def _act(self, scene: Scene) -> Iterator[str]:
        match scene.action:
            case Take():
                if take_baseline(self.lami, _OPERATOR).partial:
                    yield "the baseline could not be taken whole"
                self.server.start()
                self.sandbox.subscribe(f"{self.server.url}/api/events")
            case Play(change):
                change(self.sandbox.estate)
            case Wait():
                yield from self._wait()
            case Accept(rule, reason):
                for finding in self.lami.queries.findings(FindingQuery(statuses=("open",), rules=(rule,))):
                    self.lami.service.accept(finding.id, _OPERATOR, reason)

    def _catch_up(self, number: int) -> Iterator[str]:
        """Let lami look again at what fell due since the last scene; that must not change anything."""
        yield from self._wait()
        if self.recorder.happened().changed:
            yield f"scene {number}: a finding changed before anything was done"

    def _wait(self) -> Iterator[str]:
        """Until nothing is due any longer; lami walks its list by itself, every second."""
        due, end = DueList(self.lami.table), time.monotonic() + PATIENCE
        while due.by(self.lami.clock()):
            if time.monotonic() > end:
                yield f"lami did not look again within {PATIENCE:g} s"
                return
            time.sleep(0.05)

    def _missing(self) -> Iterator[str]:
        """What the story must have brought and did not."""
        findings = self.recorder.findings()
        for rule in self.story.rules:
            if not any(finding.rule == rule for finding in findings):
                yield f"{rule} was not found"
        for finding in findings:
            for sink in SINKS:
                if sink not in self.recorder.reached[finding.id]:
                    yield f"{finding.rule} {finding.id} did not arrive in the {SINKS[sink]} sink"

    def _pause(self, seconds: float) -> None:
        time.sleep(seconds * self.pace)

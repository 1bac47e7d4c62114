"""`lami doctor`: try everything that lami depends on, and say what it sees and what it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal

import click

from lami.blindspots import BLIND_SPOTS, WITHOUT_GRAPH
from lami.cli.exits import FAILED, PARTIAL, leave
from lami.cli.opening import opened, store_in_words
from lami.cli.output import Columns, Output, output_options
from lami.cli.propose import COLUMNS, item, toml
from lami.cli.voice import Listener
from lami.core.ids import is_standard
from lami.core.makers import propose
from lami.core.model import Book, IdentityHolder, Unknown
from lami.core.shapes import time_json
from lami.errors import LamiError
from lami.runs import Progress
from lami.settings import Settings
from lami.wiring import Lami

_APPS = 3
"""Of how many Standard logic apps of a subscription the workflows are tried."""
_NOBODY = "00000000-0000-4000-8000-000000000000"
_COLUMNS: Columns = {"CHECK": "check", "STATE": "state", "DETAIL": "detail", "WHAT TO DO": "whatToDo"}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: how it stands, and what to do about it where something is to be done."""

    name: str
    state: Literal["ok", "warning", "failed", "blind"]
    detail: str
    what_to_do: str = ""


@click.command()
@click.option(
    "--automation",
    is_flag=True,
    help="Instead, propose [[automation]] tables of the policy from what lami holds. Reads every book.",
)
@output_options
def doctor(out: Output, automation: bool) -> None:
    """Try the store and Azure, and say what lami sees and what it does not.

    Exits 3 where the store or all of Azure cannot be reached, 4 where a part of Azure cannot be read.

    With --automation it tries nothing, and looks in its books for creators of role assignments that behave
    like automation (PIM, AKS, policy, deployment): many grants to several principals, or grants that went
    again. What it prints is for a person to judge: as long as name and reason are empty, it is refused.

    \b
    Example: only what needs doing
      lami doctor --query "value[?state=='failed' || state=='warning'].[check, detail, whatToDo]" -o tsv
    Example: a first draft of the automation list
      lami doctor --automation
    """
    if automation:
        _propose(out)
    else:
        _check(out)


def _propose(out: Output) -> None:
    with opened() as lami, out.voice.progress() as listen:
        makers = propose(_principals(lami, listen), lami.settings.policy.automation)
    if makers:
        out.tell_all([item(one) for one in makers], COLUMNS, "\n\n".join(map(toml, makers)))
    else:
        out.show([], COLUMNS)
        out.voice.say("No creator of role assignments looks like automation, beside those listed.")
    unknown = sum(not one.kind for one in makers)
    if unknown:
        out.voice.say(f"What kind {unknown} of {len(makers)} are is not known: a person may be among them.")


def _principals(lami: Lami, listen: Listener) -> Iterator[Book]:
    held = lami.queries.subjects(sorted(lami.settings.subscriptions))
    subjects = [subject for subject in held if subject.kind == "principal"]
    for number, subject in enumerate(subjects, 1):
        yield lami.queries.book(subject)
        listen(Progress(number, len(subjects), subject.id))


def _check(out: Output) -> None:
    with opened() as lami:
        store = _store(lami)
        azure = {one: _subscription(lami, one) for one in sorted(lami.settings.subscriptions)}
        graph = _graph(lami)
        checks = [_settings(lami.settings), _policy(lami.settings), store, *azure.values(), graph]
        checks += [*_channels(lami), _automation(lami.settings)]
        if store.state == "ok":
            checks += _held(lami)
        spots = [one for one in BLIND_SPOTS if one is not WITHOUT_GRAPH or lami.directory is None]
        checks += [Check(spot.name, "blind", spot.why, spot.what_to_do) for spot in spots]
    out.show([_item(check) for check in checks], _COLUMNS)
    leave(_code(store, list(azure.values()), graph))


def _code(store: Check, azure: Sequence[Check], graph: Check) -> int:
    failed = sum(check.state == "failed" for check in azure)
    if store.state == "failed" or failed == len(azure):
        return FAILED
    return PARTIAL if failed or graph.state == "failed" else 0


def _settings(settings: Settings) -> Check:
    said = (
        f"{len(settings.subscriptions)} watched",
        f"Azure at {settings.arm_endpoint}",
        f"Microsoft Graph at {settings.graph_endpoint}" if settings.graph_endpoint else "",
        f"credential {settings.credential}",
        f"reconcile every {settings.reconcile}",
        f"API and page: {settings.auth}",
        "loopback allowed" if settings.loopback else "",
    )
    return Check("settings", "ok", ", ".join(filter(None, said)))


def _policy(settings: Settings) -> Check:
    if settings.policy_faults:
        detail = f"the file is wrong, and the last good one in force: {'; '.join(settings.policy_faults)}"
        return Check("policy", "warning", detail, "mend the file that LAMI_POLICY names; start lami again")
    return Check("policy", "ok", f"version {settings.policy.version}")


def _store(lami: Lami) -> Check:
    """Write a row and read it: both permissions are needed."""
    name, now = store_in_words(lami.settings), lami.clock()
    try:
        lami.index.put_notes("doctor", ["doctor"], now)
        found = lami.index.notes("doctor").get("doctor")
    except LamiError as failure:
        return Check("store", "failed", str(failure), "see LAMI_STORE in docs/reference.md")
    if found != now:
        return Check("store", "failed", f"{name} does not give back what was written", "use another store")
    return Check("store", "ok", name)


def _subscription(lami: Lami, subscription: str) -> Check:
    """List all identity holders, and the first role assignment: enough to know that each kind can be read."""
    name = f"subscription {subscription}"
    holders = 0
    standard: list[IdentityHolder] = []
    for seen in chain(lami.arm.holders_in(subscription), islice(lami.arm.assignments_in(subscription), 1)):
        if isinstance(seen, Unknown):
            allow = "give lami's identity the custom role in infra/, or Reader"
            return Check(name, "failed", seen.reason, allow if seen.denied else "try again later")
        if isinstance(seen, IdentityHolder):
            holders += 1
            standard += [seen] if is_standard(seen.id) else []
    readable = f"readable; logic apps, slots and identities: {holders}"
    unread = _unread_workflows(lami, standard)
    if unread is None:
        return Check(name, "ok", readable)
    allow = "add sites/workflows/read and sites/slots/workflows/read to its role, as in infra/reader.bicep"
    start = "start the app: what its workflows show is not judged as long as it does not answer"
    return Check(name, "warning", f"{readable}; {unread.reason}", allow if unread.denied else start)


def _unread_workflows(lami: Lami, apps: Sequence[IdentityHolder]) -> Unknown | None:
    """Why no workflows can be read, of the first few Standard apps and slots; None where those of any can."""
    answers = [lami.arm.workflows_of(app.id) for app in apps[:_APPS]]
    unread = [one for one in answers if isinstance(one, Unknown)]
    return unread[0] if unread and len(unread) == len(answers) else None


def _graph(lami: Lami) -> Check:
    """Ask about a principal that cannot be there: that it is answered shows that it may be asked."""
    name = "Microsoft Graph"
    if lami.directory is None:
        return Check(name, "ok", "not configured: lami does not ask it")
    seen = lami.directory.shown([_NOBODY])
    kept = lami.directory.deleted(_NOBODY) if not isinstance(seen, Unknown) else seen
    if isinstance(kept, Unknown):
        allow = "grant lami's identity Directory.Read.All; see docs/reference.md"
        return Check(name, "failed", kept.reason, allow if kept.denied else "try again later")
    return Check(name, "ok", f"answers at {lami.settings.graph_endpoint}")


def _channels(lami: Lami) -> Iterator[Check]:
    for channel in lami.channels:
        yield Check(
            f"channel {channel.name}", "ok", "configured; not tried", f"lami notify test {channel.name}"
        )
    if not lami.channels:
        yield Check(
            "channels", "warning", "none is configured: alerts reach nobody", "set LAMI_TEAMS_WEBHOOK_URL"
        )


def _automation(settings: Settings) -> Check:
    listed = settings.policy.automation
    names = sorted({one.name for one in listed.values()})
    said = f"{', '.join(names)}: {len(listed)} object ids" if listed else "none is listed in the policy"
    return Check("automation", "ok", said, "`lami doctor --automation` proposes what else looks like it")


def _held(lami: Lami) -> Iterator[Check]:
    health = lami.queries.health(lami.settings.subscriptions)
    if health.baseline_at is None:
        yield Check("baseline", "warning", "none was taken in full", "lami baseline take")
    else:
        yield Check("baseline", "ok", f"taken {time_json(health.baseline_at)}")
    if health.reconciled_at is None:
        yield Check("reconcile", "warning", "never ran in full", "lami reconcile")
    else:
        yield Check("reconcile", "ok", f"last complete {time_json(health.reconciled_at)}")
    if health.overdue:
        detail = f"{health.overdue} of {health.due} items failed and wait to be tried again"
        yield Check("due", "warning", detail, "run `lami serve -v` and read why")
    else:
        yield Check("due", "ok", f"{health.due} items wait for their time")


def _item(check: Check) -> Mapping[str, object]:
    return {
        "check": check.name,
        "state": check.state,
        "detail": check.detail,
        "whatToDo": check.what_to_do,
    }

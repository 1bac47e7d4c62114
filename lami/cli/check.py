"""`lami check`: whether a logic app has its identity and its access now, before a pipeline enables it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import timedelta

import click

from lami.arm.azure import HOLDERS
from lami.channels.text import copyable
from lami.cli.exits import DRIFT, FAILED, PARTIAL, FailOn, fail_on, leave
from lami.cli.opening import opened_to_read
from lami.cli.output import Columns, Item, Output, output_options
from lami.cli.voice import Voice
from lami.core.check import Need
from lami.core.ids import MAX_LENGTH, ResourceId
from lami.core.model import SEVERITIES, Subject
from lami.core.naming import holder_name
from lami.core.policy import duration
from lami.errors import Permanent, Temporary
from lami.wiring import Lami

_COLUMNS: Columns = {
    "CHECK": "check",
    "STATUS": "status",
    "HOLDER": "holder.name",
    "WHAT": "what",
}
_FIRST, _LONGEST = 1.0, 15.0
"""Seconds between two looks: doubled from the first to the longest."""
_COMMAND = 2_000


def _duration(ctx: click.Context, param: click.Parameter, text: str) -> timedelta:
    try:
        return duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("holder")
@click.option(
    "--wait",
    metavar="DURATION",
    default="0s",
    show_default=True,
    callback=_duration,
    help="Look again until all is in place, for at most so long: 90s, 5m. A new grant takes minutes to show.",
)
@fail_on
@output_options
def check(out: Output, holder: str, wait: timedelta, fail_on: FailOn) -> None:
    """Check that HOLDER has its identity and the access expected of it, now.

    For a pipeline, between the deployment and the step that enables the trigger. HOLDER is the resource id of
    a logic app, slot or user-assigned identity, or its name (app/slot for a slot) where lami holds only one
    of that name. lami looks at Azure, compares with its baseline, and writes nothing: reading rights on the
    subscriptions and on the store will do (Reader, and Storage Table Data Reader).

    Checked are the identities that the baseline expects, and each expected access, by role, scope and
    condition; of the user-assigned identities attached too. An identity that was recreated is no fault: its
    access is. An exception or acceptance does not count here: the workflow would be refused all the same.

    \b
    Exits 0 where all is in place, 1 where something is missing, whatever else is not known;
    4 where something could not be read and nothing is known to be missing, 3 where nothing could be read.

    \b
    Example: give Azure five minutes, then enable
      lami check claims-intake --wait 5m && az logic workflow update --state Enabled ...
    """
    with opened_to_read() as lami:
        id = _resolved(lami, holder)
        needs = _waited(lami, id, wait, fail_on, out.voice)
    out.show([_item(need) for need in needs], _COLUMNS)
    _summary(needs, out.voice)
    leave(_code(needs, fail_on))


def _resolved(lami: Lami, holder: str) -> ResourceId:
    """The holder that an id or a name means; raises Permanent where that is none, or not only one."""
    watched = sorted(lami.settings.subscriptions)
    if holder.startswith("/"):
        id = ResourceId(holder)
        if len(holder) > MAX_LENGTH or id.type not in HOLDERS or not id.resource_group:
            raise Permanent(f"{holder} is no id of a logic app, slot or user-assigned identity")
        if id.subscription not in watched:
            raise Permanent(f"{holder} is in no subscription that lami watches: see LAMI_SUBSCRIPTIONS")
        return id
    found = [one for one in lami.queries.subjects(watched) if _is_called(one, holder)]
    if not found:
        raise Permanent(
            f"lami holds no logic app or identity called {holder}; `lami baseline show` names all, and a "
            "resource id is checked also where lami does not hold it yet"
        )
    if len(found) > 1:
        candidates = "\n".join(f"  {one.id}" for one in found)
        raise Permanent(f"lami holds {len(found)} called {holder}; name one by its id:\n{candidates}")
    return ResourceId(found[0].id)


def _is_called(subject: Subject, name: str) -> bool:
    return subject.kind == "holder" and holder_name(ResourceId(subject.id)).lower() == name.lower()


def _waited(lami: Lami, id: ResourceId, wait: timedelta, least: FailOn, voice: Voice) -> Sequence[Need]:
    """Look until all is in place or the time is up; the last look counts."""
    deadline = time.monotonic() + wait.total_seconds()
    pause = _FIRST
    while True:
        try:
            needs = lami.checker.check(id)
            said = f"{sum(need.status == 'ok' for need in needs)} of {len(needs)} in place"
        except Temporary as error:
            if time.monotonic() >= deadline:
                raise
            needs, said = (), str(error)
        left = deadline - time.monotonic()
        if (needs and not _code(needs, least)) or left <= 0:
            return needs
        pause = min(pause, left)
        voice.say(f"{said}; looking again in {pause:.0f} s, for {left:.0f} s at most.")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST)


def _code(needs: Sequence[Need], least: FailOn) -> int:
    """What is known to be missing goes first: that something else is not known does not mend it."""
    if any(need.status == "missing" and _counts(need, least) for need in needs):
        return DRIFT
    unknown = sum(need.status == "unknown" for need in needs)
    if unknown == len(needs):
        return FAILED
    return PARTIAL if unknown else 0


def _counts(need: Need, least: FailOn) -> bool:
    return least != "never" and SEVERITIES.index(need.severity) <= SEVERITIES.index(least)


def _summary(needs: Sequence[Need], voice: Voice) -> None:
    missing = sum(need.status == "missing" for need in needs)
    unknown = sum(need.status == "unknown" for need in needs)
    if not missing and not unknown:
        voice.say("All is in place.")
        return
    voice.say(f"Of {len(needs)}, {missing} are missing and {unknown} are not known.")
    commands = list(dict.fromkeys(_commands(needs)))
    if commands:
        voice.say("\n".join(("To put them in place:", *commands)))


def _commands(needs: Iterable[Need]) -> Iterable[str]:
    for command in (command for need in needs for command in need.remedy):
        whole = copyable(command, _COMMAND)
        yield f"  {command}" if whole else "  (too long to show: `-o json` has it whole)"


def _item(need: Need) -> Item:
    access = need.access
    return {
        "check": need.check,
        "status": need.status,
        "holder": {"id": need.holder.text, "name": holder_name(need.holder)},
        "what": need.what,
        "severity": need.severity if need.status == "missing" else None,
        "principalId": need.principal or None,
        "roleName": need.role_name or None,
        "roleDefinitionId": access.role if access else None,
        "scope": access.scope.text if access else None,
        "condition": (access.condition or None) if access else None,
        "remedy": list(need.remedy),
    }

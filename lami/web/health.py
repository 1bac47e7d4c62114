"""What lami can and cannot see, as the health route and the page's head show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from lami import __version__
from lami.core.shapes import time_json
from lami.queries import Health
from lami.wiring import Lami

OUTCOMES = ("recorded", "duplicate", "ignored", "deferred", "rejected")
"""What may become of an event (`lami.service.Outcome`)."""


@dataclass(frozen=True, slots=True)
class Checkup:
    """Health with what it means: each of `concerns` is a sentence on something that lami may not see."""

    health: Health
    concerns: tuple[str, ...]


def check_up(lami: Lami) -> Checkup:
    """Ask the store how lami is."""
    now = lami.clock()
    health = lami.queries.health(lami.settings.subscriptions)
    return Checkup(health, tuple(_concerns(lami, health, now)))


def health_json(lami: Lami) -> dict[str, object]:
    """The health document; `events` counts what arrived since this process started."""
    checkup = check_up(lami)
    health = checkup.health
    return {
        "version": __version__,
        "time": time_json(lami.clock()),
        "watches": {"subscriptions": sorted(lami.settings.subscriptions)},
        "channels": [channel.name for channel in lami.channels],
        "baselineAt": _time(health.baseline_at),
        "reconciledAt": _time(health.reconciled_at),
        "open": dict(health.open),
        "due": {"waiting": health.due, "overdue": health.overdue},
        "events": {outcome: lami.service.counts[outcome] for outcome in OUTCOMES},
        "graph": "asked" if lami.settings.graph_endpoint else "not configured",
        "graphAnsweredAt": _time(health.directory_at),
        "concerns": list(checkup.concerns),
    }


def _concerns(lami: Lami, health: Health, now: datetime) -> Iterator[str]:
    if lami.settings.policy_faults:
        faults = "; ".join(lami.settings.policy_faults)
        yield f"The policy file is wrong, and the last good policy in force: {faults}."
    if health.baseline_at is None:
        yield "No baseline is complete yet: lami does not know everything that is expected."
    elif _stale(health.reconciled_at, lami, now):
        yield "No reconcile was complete for twice its interval: changes that no event told are not seen."
    if lami.settings.graph_endpoint and _stale(health.directory_at, lami, now):
        yield "Microsoft Graph has given no full answer lately: who is gone from Entra ID is not known."
    if health.overdue:
        several = health.overdue != 1
        yield (
            f"{health.overdue} {'debts are' if several else 'debt is'} overdue: a channel, Azure or the store"
            " could not be reached and is tried again."
        )
    if not lami.channels:
        yield "No channel is configured: findings stand here and nobody is told."


def _stale(done: datetime | None, lami: Lami, now: datetime) -> bool:
    return done is None or now - done > 2 * lami.settings.reconcile


def _time(time: datetime | None) -> str | None:
    return None if time is None else time_json(time)

"""What has to happen by itself: the baseline where none was taken, and reconcile every so often."""

from __future__ import annotations

import logging

from lami.core.model import ITSELF, Actor
from lami.runs import Listener, Report
from lami.wiring import Lami

log = logging.getLogger(__name__)


def begin(lami: Lami) -> None:
    """What every start has to do first: put the policy in force, also over what is open already."""
    lami.enactor.enact(lami.settings.policy_text, lami.settings.policy_faults)
    lami.table.flush()


def take_baseline_if_none(lami: Lami, progress: Listener = lambda progress: None) -> Report | None:
    """Take the baseline of each watched subscription that has none: what stands there is expected.

    None where all have one. A subscription that could not be read has none yet, and is tried again by the
    next call; the others are not touched by that, so that nothing that came since slips into a baseline.
    """
    taken = lami.index.notes("baseline")
    left = tuple(sorted(one for one in lami.settings.subscriptions if one not in taken))
    if not left:
        return None
    log.info("taking the baseline of %s: what stands there is expected", ", ".join(left))
    return _take(lami, left, ITSELF, "", progress)


def take_baseline(
    lami: Lami,
    by: Actor,
    reason: str = "",
    progress: Listener = lambda progress: None,
) -> Report:
    """Take the baseline of all watched subscriptions; with a reason, also of what lami holds already."""
    return _take(lami, tuple(sorted(lami.settings.subscriptions)), by, reason, progress)


def reconcile_now(lami: Lami, progress: Listener = lambda progress: None) -> Report:
    """Compare every subscription with what was last seen of it."""
    return _reconcile(lami, tuple(sorted(lami.settings.subscriptions)), progress)


def reconcile_if_due(lami: Lami) -> Report | None:
    """Reconcile the subscriptions whose last whole run is `LAMI_RECONCILE` ago; None where there is none.

    Those whose time is half over go with them. Else one that failed once would be on a time of its own for
    ever, and what is granted above all subscriptions is only compared where all are listed in one run.
    """
    now, done, every = lami.clock(), lami.index.notes("reconcile"), lami.settings.reconcile
    ages = {one: now - done[one] if one in done else every for one in lami.settings.subscriptions}
    if not any(age >= every for age in ages.values()):
        return None
    due = sorted(one for one, age in ages.items() if age >= every / 2)
    return _reconcile(lami, tuple(due), lambda progress: None)


def _take(
    lami: Lami,
    subscriptions: tuple[str, ...],
    by: Actor,
    reason: str,
    progress: Listener,
) -> Report:
    now = lami.clock()
    report = lami.taker.take(subscriptions, now.isoformat(), by, reason, progress)
    if not report.failed:
        # Where a subject could not be handled the take is done again: those that were are held by then.
        for what in ("baseline", "reconcile"):
            lami.index.put_notes(what, [one for one in subscriptions if one not in report.unread], now)
    lami.table.flush()
    return report


def _reconcile(lami: Lami, subscriptions: tuple[str, ...], progress: Listener) -> Report:
    report = lami.service.reconciler.run(subscriptions, lami.clock().isoformat(), progress)
    lami.table.flush()
    return report

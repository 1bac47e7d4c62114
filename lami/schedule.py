"""What has to happen by itself: the baseline where none was taken, and reconcile every so often."""

from __future__ import annotations

import logging
from collections.abc import Callable

from lami.core.model import Actor
from lami.reconcile import Progress, Report
from lami.wiring import Lami

log = logging.getLogger(__name__)

ITSELF = Actor("lami", "lami", "lami")


def take_baseline_if_none(
    lami: Lami, progress: Callable[[Progress], None] = lambda progress: None
) -> Report | None:
    """Take the baseline where none was ever taken: what stands is expected. None where there is one.

    Where a subscription could not be read it is not noted as taken, so that the next call goes on.
    """
    if lami.index.note("baseline") is not None:
        return None
    log.info("no baseline was taken yet: what stands now is taken to be expected")
    return take_baseline(lami, ITSELF, progress=progress)


def take_baseline(
    lami: Lami,
    by: Actor,
    reason: str = "",
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Report:
    """Take the baseline; with a reason, also of what lami holds already."""
    now = lami.clock()
    report = lami.service.reconciler.take(now.isoformat(), by, reason, progress)
    if not report.partial:
        lami.index.put_note("baseline", now)
        lami.index.put_note("reconcile", now)
    return report


def reconcile_now(lami: Lami, progress: Callable[[Progress], None] = lambda progress: None) -> Report:
    """Compare every subscription with what was last seen of it."""
    now = lami.clock()
    subscriptions = tuple(sorted(lami.settings.subscriptions))
    report = lami.service.reconciler.run(subscriptions, now.isoformat(), progress)
    if not report.partial:
        lami.index.put_note("reconcile", now)
    return report


def reconcile_if_due(lami: Lami) -> Report | None:
    """Reconcile where `LAMI_RECONCILE` has passed since the last whole run; None where it has not."""
    last = lami.index.note("reconcile")
    if last is not None and lami.clock() - last < lami.settings.reconcile:
        return None
    return reconcile_now(lami)

"""Where a principal's grants are listed."""

from __future__ import annotations

from lami.core.model import PrincipalState
from lami.core.stimuli import Again
from lami.handling import MOST_LISTED, subscriptions_of
from tests.core.builders import SUB, cause, make_carrier, rules

AGAIN = Again("due-1", cause())


def _watched(many: int) -> list[str]:
    return [SUB, *(f"{number:08d}-0000-4000-8000-000000000000" for number in range(1, many))]


def test_what_seems_to_hold_nothing_is_looked_for_everywhere() -> None:
    """Its only grant may be in another subscription, and told late: that it has none must be so."""
    carrier = make_carrier()
    bare = PrincipalState(carriers={carrier.holder.key: carrier})
    few = rules(watched=_watched(MOST_LISTED))
    assert len(subscriptions_of(bare, AGAIN, few, ())) == MOST_LISTED


def test_where_everywhere_is_too_much_only_its_own_places_are_listed() -> None:
    """A thousand reads for one principal would keep others waiting; reconcile tells what is elsewhere."""
    carrier = make_carrier()
    bare = PrincipalState(carriers={carrier.holder.key: carrier})
    many = rules(watched=_watched(MOST_LISTED + 1))
    assert subscriptions_of(bare, AGAIN, many, ()) == (SUB,)

"""What is believed of a look: every rule, with its boundary on both sides."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lami.core.belief import BELIEVE, BELIEVE_FOR_NOW, DOUBT, SKEW, Memory, Told, Verdict, absent, present
from tests.core.builders import NOW, PATIENCE, at

NOTHING = Memory()
HELD = Memory(newest=at(-100), seen=at(-100), exists=True)
"""Seen 100 s ago, and told of nothing newer."""
AHEAD = Memory(newest=at(-10), seen=at(-100), exists=True)
"""Told of a write 10 s ago that was not seen."""
GONE = Memory(newest=at(-50), seen=at(-100), gone_at=at(-50))
TIMELESS = Memory(newest=at(-50), exists=True)
TIMELESS_GONE = Memory(newest=at(-50), gone_at=at(-50))
SKEWED = SKEW.total_seconds()


def wrote(seconds: float) -> Told:
    """A write that was told."""
    return Told(at(seconds), deletes=False)


def deleted(seconds: float) -> Told:
    """A delete that was told."""
    return Told(at(seconds), deletes=True)


@pytest.mark.parametrize(
    ("memory", "told", "verdict"),
    [
        pytest.param(NOTHING, None, BELIEVE, id="never heard of, and not there: no news"),
        pytest.param(GONE, None, BELIEVE, id="known to be gone: no news"),
        pytest.param(GONE, deleted(-60), BELIEVE, id="gone, and an older delete is told: no news"),
        pytest.param(HELD, None, DOUBT, id="held, and nothing told of its end"),
        pytest.param(HELD, deleted(-100.001), DOUBT, id="a delete older than what was seen"),
        pytest.param(HELD, deleted(-100 + SKEWED), BELIEVE, id="a delete newer than what was seen, by SKEW"),
        pytest.param(HELD, deleted(-101 + SKEWED), BELIEVE_FOR_NOW, id="a delete newer by less than SKEW"),
        pytest.param(HELD, deleted(-100), BELIEVE_FOR_NOW, id="a delete as new as what was seen"),
        pytest.param(AHEAD, deleted(-11), DOUBT, id="a delete older than a write that was told"),
        pytest.param(AHEAD, deleted(-10), BELIEVE, id="a delete as new as a write that was told"),
        pytest.param(NOTHING, deleted(-1), BELIEVE, id="a delete of what was never seen"),
        pytest.param(TIMELESS, deleted(-1), BELIEVE_FOR_NOW, id="a delete of what tells no times"),
        pytest.param(NOTHING, wrote(-1), DOUBT, id="404 after a write"),
        pytest.param(HELD, wrote(-1), DOUBT, id="404 after a write of what is held"),
        pytest.param(GONE, wrote(-50 - SKEWED), BELIEVE, id="gone, and an older write is told late: no news"),
        pytest.param(
            GONE, wrote(-49 - SKEWED), BELIEVE_FOR_NOW, id="older by less than SKEW: perhaps after it"
        ),
        pytest.param(GONE, wrote(-50), BELIEVE_FOR_NOW, id="a write as new as the absence"),
        pytest.param(GONE, wrote(-49), DOUBT, id="404 after a newer write of what is gone"),
    ],
)
def test_an_absence(memory: Memory, told: Told | None, verdict: Verdict) -> None:
    """A 404 is believed as rule 2 says."""
    assert absent(memory, told, NOW, PATIENCE) == verdict


@pytest.mark.parametrize(
    ("memory", "told", "shown", "news", "verdict"),
    [
        # 3: after a believed absence
        pytest.param(GONE, None, -50, True, DOUBT, id="not newer than the absence: the dead one"),
        pytest.param(GONE, wrote(-5), -50, True, DOUBT, id="the dead one, after a write was told"),
        pytest.param(GONE, None, -49.999, True, BELIEVE, id="newer than the absence"),
        pytest.param(GONE, deleted(-5), -49, True, BELIEVE, id="newer than the absence, a later delete told"),
        # 4: after a delete
        pytest.param(HELD, deleted(-10), -10, True, DOUBT, id="not newer than the delete"),
        pytest.param(HELD, deleted(-10), -100, False, DOUBT, id="still as it was, after a delete"),
        pytest.param(HELD, deleted(-10), -9, True, BELIEVE, id="made again since the delete"),
        pytest.param(AHEAD, deleted(-20), -15, True, BELIEVE, id="a delete older than what was told: a hint"),
        # 5: news
        pytest.param(NOTHING, None, -1000, True, BELIEVE, id="first sight"),
        pytest.param(NOTHING, wrote(0), -SKEWED, True, BELIEVE, id="first sight, as late as SKEW allows"),
        pytest.param(NOTHING, wrote(0), -SKEWED - 1, True, BELIEVE_FOR_NOW, id="first sight, behind"),
        pytest.param(HELD, wrote(-1), -2, True, BELIEVE, id="the write that was told"),
        pytest.param(HELD, None, -100, True, BELIEVE, id="another state of the same time"),
        pytest.param(HELD, None, -100.001, True, DOUBT, id="older than what was seen"),
        pytest.param(HELD, wrote(0), -90, True, BELIEVE_FOR_NOW, id="a write, but not yet the one told"),
        # 6: no news
        pytest.param(HELD, None, -100, False, BELIEVE, id="as it was, and nothing told"),
        pytest.param(HELD, wrote(-100 + SKEWED), -100, False, BELIEVE_FOR_NOW, id="the write, or not"),
        pytest.param(HELD, wrote(-99 + SKEWED), -100, False, DOUBT, id="the write is not visible yet"),
        pytest.param(AHEAD, None, -100, False, DOUBT, id="a write told before is not visible yet"),
        pytest.param(HELD, wrote(-1), -2, False, BELIEVE, id="a write that changed nothing, seen"),
        # no times
        pytest.param(NOTHING, None, None, True, BELIEVE, id="timeless: first sight"),
        pytest.param(NOTHING, wrote(-1), None, True, BELIEVE_FOR_NOW, id="timeless: first sight, told"),
        pytest.param(TIMELESS, None, None, False, BELIEVE, id="timeless: as it was"),
        pytest.param(TIMELESS, None, None, True, BELIEVE_FOR_NOW, id="timeless: another state"),
        pytest.param(TIMELESS, wrote(-1), None, True, BELIEVE_FOR_NOW, id="timeless: another state, told"),
        pytest.param(TIMELESS, wrote(-1), None, False, BELIEVE_FOR_NOW, id="timeless: as it was, told"),
        pytest.param(TIMELESS, deleted(-1), None, False, DOUBT, id="timeless: as it was, after a delete"),
        pytest.param(TIMELESS, deleted(-1), None, True, BELIEVE_FOR_NOW, id="timeless: another, after one"),
        pytest.param(TIMELESS_GONE, wrote(-1), None, True, BELIEVE_FOR_NOW, id="timeless: there again, told"),
        pytest.param(TIMELESS_GONE, wrote(-1), None, False, DOUBT, id="timeless: gone, and no news"),
    ],
)
def test_a_presence(
    memory: Memory, told: Told | None, shown: float | None, news: bool, verdict: Verdict
) -> None:
    """A state that ARM shows is believed as rules 3 to 6 say; times are in seconds from now."""
    time = None if shown is None else at(shown)
    assert present(memory, told, time, news, NOW, PATIENCE) == verdict


@pytest.mark.parametrize("shown", [at(-1), None])
def test_a_principal_that_was_shed_is_the_past(shown: datetime | None) -> None:
    """What shows a principal shed before is doubted, whatever its time, until patience has passed."""
    assert present(HELD, wrote(-2), shown, True, NOW, PATIENCE, returns=True) == DOUBT
    assert present(HELD, wrote(-2), shown, True, at(-2) + PATIENCE, PATIENCE, returns=True) == BELIEVE


@pytest.mark.parametrize("newest", [HELD, AHEAD, GONE, TIMELESS, TIMELESS_GONE])
@pytest.mark.parametrize("told", [None, wrote(-90), deleted(-90)])
def test_patience_ends_all_doubt(newest: Memory, told: Told | None) -> None:
    """From the moment patience has passed since the newest told or seen, ARM is believed."""
    last = max(t for t in (newest.newest, told and told.at) if t)
    end = last + PATIENCE
    assert absent(newest, told, end, PATIENCE) == BELIEVE
    assert present(newest, told, at(-1000), True, end, PATIENCE) == BELIEVE
    assert present(newest, told, at(-1000), False, end, PATIENCE, returns=True) == BELIEVE


def test_patience_is_not_over_a_moment_earlier() -> None:
    """Just before that a contradiction is still doubted."""
    end = at(-100) + PATIENCE - timedelta(microseconds=1)
    assert absent(HELD, None, end, PATIENCE) == DOUBT
    assert present(GONE, None, at(-50), True, at(-50) + PATIENCE - SKEW, PATIENCE) == DOUBT


TIMES = st.integers(-200, 0).map(at)
MEMORIES = st.builds(
    Memory, st.none() | TIMES, st.none() | TIMES, st.none() | TIMES, exists=st.booleans()
).filter(lambda memory: memory.newest is not None or memory == Memory(exists=memory.exists))
TOLD = st.none() | st.builds(Told, TIMES, st.booleans())


@given(MEMORIES, TOLD, st.none() | TIMES, st.booleans(), st.booleans())
def test_what_is_doubted_is_looked_at_again(
    memory: Memory, told: Told | None, shown: datetime | None, news: bool, returns: bool
) -> None:
    """No verdict refuses a look without owing a later one: else the truth would never be learnt."""
    for verdict in (
        absent(memory, told, NOW, PATIENCE),
        present(memory, told, shown, news, NOW, PATIENCE, returns),
    ):
        assert verdict.believe or verdict.later

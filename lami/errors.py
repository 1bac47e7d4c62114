"""The two kinds of failure: `Temporary` (try again) and `Permanent` (don't).

Every error that lami raises on purpose is one of them, so that a caller need only ask one question:
is it worth trying again? A `Temporary` error while an event is handled means that the event is not
acknowledged and Event Grid delivers it again.
"""


class LamiError(Exception):
    """The base of every error lami raises on purpose; `str()` of it is fit for a person."""


LONGEST_WAIT = 3600.0
"""Seconds that lami leaves anybody alone for, whatever an answer asks: one header must not make it silent."""


class Temporary(LamiError):
    """Trying the same thing again later may go through. `retry_after` is in seconds, where known.

    It is `LONGEST_WAIT` at most.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = None if retry_after is None else min(retry_after, LONGEST_WAIT)


class Permanent(LamiError):
    """Trying the same thing again will fail again: somebody has to change something first."""


EITHER = (Temporary, Permanent)
"""Both kinds: what one of many may fail with, and hold up no other."""


class BadEvent(Permanent):
    """What arrived is no Event Grid event that lami can read; the message says why."""


class BadSettings(Permanent):
    """The environment or the policy file is wrong; the message names every fault.

    `faults` has them one by one, where it is the policy that is wrong.
    """

    def __init__(self, message: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults

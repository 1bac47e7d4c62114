"""The door to lami's own book: what lami cannot see is said here, and that it sees again.

Saying the same twice changes nothing, and costs a read. What is said is committed as any stimulus is, told
to the channels, and paid by the walker where the process dies in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from lami.core import naming
from lami.core.decide_lami import decide_lami
from lami.core.model import LAMI, Cause, Unknown
from lami.core.stimuli import Blinded, Noted, Sighted
from lami.drain import Drain
from lami.handling import Handled, Tools

LASTING = timedelta(minutes=10)
"""How long Azure must have failed to answer before it is a gap: a 429 or 500 is gone within minutes mostly,
and an alert that mends itself teaches to ignore alerts. What is denied stays so: that is a gap at once."""


class Gaps:
    """What lami is blind to."""

    def __init__(self, tools: Tools, drain: Drain) -> None:
        self._tools = tools
        self._drain = drain

    def open(
        self,
        key: str,
        what: str,
        cause: Cause,
        notes: tuple[str, ...] = (),
        lasting: timedelta = timedelta(),
    ) -> Sequence[Handled]:
        """Say that lami does not see something.

        `key` names the gap: its kind, and after a slash the subscription where it is of one. `what` is the
        finding's title: what is not seen and what to do next; other words are told again. `notes` say why,
        and may change untold. With `lasting` it becomes a finding when it is said again that much later.
        """
        return self._say(Blinded(key, what, cause, notes, lasting))

    def close(self, key: str, cause: Cause) -> Sequence[Handled]:
        """Say that lami sees again what a gap's key names; nothing where there is no such gap."""
        return self._say(Sighted(key, cause))

    def unreadable(self, subscription: str, why: Unknown, cause: Cause) -> Sequence[Handled]:
        """Say that a subscription, or a part of it, could not be listed."""
        what = (
            f"lami cannot read all of subscription {naming.short(subscription)} and is blind to what changes"
            " there; give its identity the custom role in infra/, or Reader"
        )
        lasting = timedelta() if why.denied else LASTING
        return self.open(f"unreadable/{subscription}", what, cause, (why.reason,), lasting)

    def readable(self, subscription: str, cause: Cause) -> Sequence[Handled]:
        """Say that a subscription was listed whole."""
        return self.close(f"unreadable/{subscription}", cause)

    def note(self, key: str, version: str, lines: tuple[str, ...], cause: Cause) -> Sequence[Handled]:
        """Put lines on lami's own timeline, once a version of what the key names."""
        return self._say(Noted(key, version, lines, cause))

    def _say(self, stimulus: Blinded | Sighted | Noted) -> Sequence[Handled]:
        book = self._tools.books.load(LAMI).book
        if not book.owed and decide_lami(book, stimulus, self._tools.rules, self._tools.clock()) is None:
            return ()
        return self._drain.carry_out(LAMI, stimulus)

"""The policy in force: kept in the table, applied to what is open, and what becomes of its exceptions.

A file that is wrong does not stop lami, nor does it make it guess: it goes by the last good policy, whose
text is kept, and `lami-gap` says so until a good file is read.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from lami.core import naming
from lami.core.model import ITSELF, LAMI, Cause, Finding, LamiState, Subject
from lami.core.policy import PolicyException
from lami.gaps import Gaps
from lami.handling import Tools
from lami.store.due import Due, DueList

log = logging.getLogger(__name__)

_POLICY, _EXCEPTIONS, _ENDED = "policy", "exceptions", "ended"


class Enactor:
    """Puts the policy in force, and says of its exceptions what nobody would notice."""

    def __init__(self, tools: Tools, due: DueList, gaps: Gaps) -> None:
        self._tools = tools
        self._due = due
        self._gaps = gaps

    def enact(self, text: str, faults: Sequence[str]) -> None:
        """Begin to go by the policy: at every start.

        `text` is that of the policy in force, `faults` are those of a file that is not. Where it is another
        policy than before, every subject with a finding is put on the `due` list before that is noted: a
        process that dies in between begins again.
        """
        version, now = self._tools.rules.policy.version, self._tools.clock()
        cause = Cause(f"policy-{version}-{now.isoformat()}", "lami/policy", now, actor=ITSELF)
        before = self._noted().get(_POLICY)
        if before != version:
            self._tools.index.put_policy(text)
            self._due.add(Due(now, "until", cause, subject) for subject in self._judged())
            lines = ("another policy is in force; what is open is judged by it",) if before else ()
            self._gaps.note(_POLICY, version, lines, cause)
        self._ended(cause)
        if not faults:
            self._gaps.close(_POLICY, cause)
            return
        what = (
            f"lami goes by its last good policy: the policy file has {naming.counted(len(faults), 'fault')};"
            " mend it and start lami again"
        )
        self._gaps.open(_POLICY, what, cause, tuple(faults))

    def review(self, cause: Cause) -> None:
        """Say which exceptions have ended, and once a policy which match nothing: after a whole reconcile."""
        self._ended(cause)
        policy, now = self._tools.rules.policy, self._tools.clock()
        if not policy.exceptions or self._noted().get(_EXCEPTIONS) == policy.version:
            return
        standing = self._standing()
        unused = [
            f"an exception matches nothing: {one.words}"
            for one in policy.exceptions
            if now < one.until and not any(one.binds(finding) for finding in standing)
        ]
        self._gaps.note(_EXCEPTIONS, policy.version, tuple(unused), cause)

    def _ended(self, cause: Cause) -> None:
        now = self._tools.clock()
        ended = [one for one in self._tools.rules.policy.exceptions if one.until <= now]
        noted = self._noted() if ended else {}
        for one in ended:
            if f"{_ENDED} {one.key}" not in noted:
                self._gaps.note(f"{_ENDED} {one.key}", _ENDED, (_over(one),), cause)

    def _noted(self) -> dict[str, str]:
        state = self._tools.books.load(LAMI).book.state
        return dict(state.noted) if isinstance(state, LamiState) else {}

    def _standing(self) -> list[Finding]:
        return [one.finding for one in self._tools.index.standing()]

    def _judged(self) -> list[Subject]:
        """Every subject that has a finding which stands: open, suppressed or accepted for a while."""
        found = (one.subject for one in self._tools.index.standing())
        return list(dict.fromkeys(found))


def _over(one: PolicyException) -> str:
    return f"an exception ended {one.until:%Y-%m-%d %H:%M} UTC and counts no longer: {one.words}"

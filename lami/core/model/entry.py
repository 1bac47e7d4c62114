"""A line of the timeline."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct

from lami.core.model.finding import FindingSubject
from lami.core.model.who import Cause

EntryKind = Literal[
    "observed", "opened", "resolved", "accepted", "suppressed", "told", "reconciled", "gap", "note"
]


class Entry(Struct, frozen=True):
    """One line of the timeline; only ever added; hash-chained within its subject (`lami.core.timeline`)."""

    id: str
    at: datetime
    kind: EntryKind
    subject: FindingSubject
    text: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    cause: Cause
    finding: str = ""
    hash: str = ""
    previous_hash: str = ""

"""dangling-identity: a workflow definition refers to a managed identity that the app does not have.

What refers to it fails when it runs; and whoever may attach an identity of that name decides what it is.
"""

from __future__ import annotations

from functools import partial

from msgspec import Struct

from lami.core import naming, posture, remedy
from lami.core.ids import ResourceId, is_standard
from lami.core.model import Book, Found, HolderState, Part, SubjectKind
from lami.core.policy import Policy
from lami.detectors.posture import LISTED, find


class DanglingIdentity(Struct, frozen=True):
    """Objects to each identity that a definition names and the app has not attached, or has switched off."""

    rule: str = posture.DANGLING_IDENTITY
    judges: SubjectKind = "holder"

    def detect(self, book: Book, policy: Policy) -> tuple[Found, ...]:
        """At most one finding an app."""
        return find(book, policy, self.rule, _title, partial(_mend, book), commands=_commands)


def _title(name: str, parts: tuple[Part, ...]) -> str:
    named = naming.listed(sorted(map(_name, parts))[:3])
    more = f" and {len(parts) - 3} more" if len(parts) > 3 else ""
    return f"{name} refers to an identity it does not have: {named}{more}"


def _name(part: Part) -> str:
    return "its system identity" if part.what == posture.SYSTEM else ResourceId(part.what).name


def _mend(book: Book, state: HolderState, parts: tuple[Part, ...]) -> tuple[str, ...]:
    if _may_be_given(book, state, parts):
        return ()
    return ("A Consumption app has one identity at a time: let the definition refer to that one.",)


def _commands(book: Book, state: HolderState, parts: tuple[Part, ...]) -> tuple[str, ...]:
    if not _may_be_given(book, state, parts):
        return ()
    app = ResourceId(book.subject.id)
    return tuple(
        remedy.assign_system_identity(app)
        if part.what == posture.SYSTEM
        else remedy.attach_identity(app, ResourceId(part.what))
        for part in parts[:LISTED]
    )


def _may_be_given(book: Book, state: HolderState, parts: tuple[Part, ...]) -> bool:
    """Whether the app can have what its definition refers to, beside what it has.

    A Standard app takes any number of identities; in a Consumption app the new one would replace the other.
    """
    bare = not state.observed.system and not state.observed.attached
    return is_standard(ResourceId(book.subject.id)) or (bare and len(parts) == 1)

"""dangling-identity: a workflow definition refers to a managed identity that the app does not have.

What refers to it fails when it runs; and whoever may attach an identity of that name decides what it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from lami.core import naming, posture, remedy
from lami.core.ids import ResourceId
from lami.core.model import Book, Found, HolderState, Part
from lami.core.policy import Policy
from lami.detectors.posture import find


class DanglingIdentity(Struct, frozen=True):
    """Objects to each identity that a definition names and the app has not attached, or has switched off."""

    rule: str = posture.DANGLING_IDENTITY

    def detect(self, book: Book, policy: Policy) -> Iterator[Found]:
        """At most one finding an app."""
        return find(book, policy, self.rule, _title, _mend, commands=_commands)


def _title(name: str, parts: tuple[Part, ...]) -> str:
    named = naming.listed(sorted(map(_name, parts))[:3])
    more = f" and {len(parts) - 3} more" if len(parts) > 3 else ""
    return f"{name} refers to an identity it does not have: {named}{more}"


def _name(part: Part) -> str:
    return "its system identity" if part.what == posture.SYSTEM else ResourceId(part.what).name


def _mend(state: HolderState, parts: tuple[Part, ...]) -> tuple[str, ...]:
    if _bare(state) and len(parts) == 1:
        return ()
    return ("A Consumption app has one identity at a time: let the definition refer to that one.",)


def _commands(book: Book, state: HolderState, parts: tuple[Part, ...]) -> tuple[str, ...]:
    # Where the app has an identity already, assigning another would put it in the other's place.
    if not _bare(state) or len(parts) != 1:
        return ()
    app, wanted = ResourceId(book.subject.id), parts[0].what
    if wanted == posture.SYSTEM:
        return (remedy.assign_system_identity(app),)
    return (remedy.attach_identity(app, ResourceId(wanted)),)


def _bare(state: HolderState) -> bool:
    return not state.observed.system and not state.observed.attached

"""How far a role goes: from the permissions of a role definition to the classes of what it can do.

A role allows an operation when, in one of its blocks, an action matches and no notAction does; blocks add
up. `*` stands for any run of characters, slashes included, anywhere in a pattern, and case means nothing.
Source: Microsoft Learn, "Understand Azure role definitions".

Whether a role reaches a class is asked with concrete operations: those that Azure is known to have
(`GRANTS` and so on), and for the classes that no list can exhaust the *witnesses* of the role's own
patterns, in which `ANYTHING` stands for whatever a `*` stands for. No pattern names `ANYTHING`, so an
operation that holds it is matched by wildcards only: `microsoft.x/ANYTHING/write` is allowed to exactly
those roles that may write every type of Microsoft.X. So notActions can take classes away, never add one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Literal, get_args

from msgspec import Struct

from lami.core.conditions import narrows
from lami.core.ids import guid
from lami.core.model import Permission, RoleDefinition
from lami.core.operations import GRANTS, READS_SECRET_DATA, READS_SECRETS, TAKES_IDENTITY, tells_secret
from lami.core.pattern_sets import Patterns
from lami.core.patterns import ANYTHING, covers

Power = Literal[
    "grants-access",
    "writes-all",
    "takes-identity",
    "reads-secrets",
    "writes-provider",
    "data-all",
    "reads",
]
POWERS: tuple[Power, ...] = get_args(Power)
"""The classes of what a role can do, from the gravest to the lightest. A role has as many as it reaches."""

_CONTRIBUTOR: tuple[Power, ...] = (
    "writes-all",
    "takes-identity",
    "reads-secrets",
    "writes-provider",
    "reads",
)
PRIVILEGED: Mapping[str, tuple[Power, ...]] = {
    # Owner, Contributor, User Access Administrator, Role Based Access Control Administrator,
    # Reservations Administrator
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": ("grants-access", *_CONTRIBUTOR),
    "b24988ac-6180-42a0-ab88-20f7382dd24c": _CONTRIBUTOR,
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": ("grants-access", "writes-provider", "reads"),
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": ("grants-access", "reads"),
    "a8889054-8d42-49c9-bc1c-52486c10e7cd": ("grants-access", "writes-provider", "reads"),
}
"""The roles of Microsoft's *privileged* category, by GUID: what is known of them without asking.

Source: Microsoft Learn, "Azure built-in roles for Privileged"; the powers are those of their definitions.
"""

_HARMLESS_PROVIDERS = frozenset({"microsoft.support"})
"""Opening support tickets comes with some 140 narrow built-in roles and makes none of them broad."""


@lru_cache(maxsize=1024)
def powers(permissions: tuple[Permission, ...]) -> tuple[Power, ...]:
    """The classes that these permissions reach, gravest first; none for a role that allows nothing.

    A block whose condition restricts role assignments doesn't count as granting access: Microsoft's
    conditional grantors may assign only a few roles. A block beside it without a condition does.
    """
    held = {power for block in permissions for power in _of_block(block)}
    return tuple(power for power in POWERS if power in held)


def judge(role: RoleDefinition, condition: str) -> tuple[tuple[Power, ...], bool]:
    """What an assignment of `role` under `condition` can do, and whether the definition could be read.

    Where it could not, Microsoft's privileged list judges: a role on it has the powers that it is known
    for, any other is given none. `condition` is the assignment's own, empty where there is none.
    """
    readable = role.permissions is not None
    held = PRIVILEGED.get(guid(role.id), ()) if role.permissions is None else powers(role.permissions)
    if narrows(condition):
        held = tuple(power for power in held if power != "grants-access")
    return held, readable


class _Side(Struct, frozen=True):
    """One side of a block, management or data: what it gives and what it takes back."""

    given: Patterns
    taken: Patterns

    def allows_any(self, operations: Iterable[str]) -> bool:
        """Whether any of these operations is given and not taken back."""
        return self.leaves_any(operation for operation in operations if self.given.cover(operation))

    def leaves_any(self, operations: Iterable[str]) -> bool:
        """Whether any of these, known to be given, is not taken back."""
        return not all(self.taken.cover(operation) for operation in operations)


def _of_block(block: Permission) -> Iterator[Power]:
    control = _Side(Patterns.of(block.actions), Patterns.of(block.not_actions))
    data = _Side(Patterns.of(block.data_actions), Patterns.of(block.not_data_actions))
    if control.allows_any(GRANTS) and not narrows(block.condition):
        yield "grants-access"
    if control.allows_any((f"microsoft.{ANYTHING}/{ANYTHING}/write",)):
        yield "writes-all"
    if control.allows_any(TAKES_IDENTITY):
        yield "takes-identity"
    if _reads_secrets(control, data):
        yield "reads-secrets"
    if control.leaves_any(_wide(control, "write")):
        yield "writes-provider"
    if any(_leaves_some(data, operation) for operation in _wide(data, ANYTHING)):
        yield "data-all"
    if _reads(control) or _reads(data):
        yield "reads"


def _reads_secrets(control: _Side, data: _Side) -> bool:
    if control.allows_any(READS_SECRETS) or data.allows_any(READS_SECRET_DATA):
        return True
    # `listKeys/*` covers `listKeys/action`.
    named = (
        f"{operation.removesuffix(ANYTHING)}action" if operation.endswith(f"/{ANYTHING}") else operation
        for operation in control.given.witnesses()
    )
    return control.leaves_any(operation for operation in named if tells_secret(operation))


def _wide(side: _Side, ending: str) -> Iterator[str]:
    """`provider/<any type>/ending`, for each pattern that covers it: those over a whole provider."""
    for pieces in side.given.wild:
        provider = ANYTHING.join(pieces).partition("/")[0]
        operation = f"{provider}/{ANYTHING}/{ending}"
        if provider not in _HARMLESS_PROVIDERS and covers(pieces, operation):
            yield operation


def _leaves_some(data: _Side, whole: str) -> bool:
    """Whether anything at all is left of the data of a provider."""
    everything = whole.removesuffix(ANYTHING)
    return data.leaves_any(everything + verb for verb in ("read", "write", "delete", "action"))


def _reads(side: _Side) -> bool:
    plain = (operation for operation in side.given.witnesses() if operation.endswith("/read"))
    open_ended = (f"{ANYTHING.join(pieces)}/read" for pieces in side.given.wild if not pieces[-1])
    return side.leaves_any(plain) or side.leaves_any(open_ended)

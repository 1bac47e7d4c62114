"""How far a role goes: from the permissions of a role definition to the classes of what it can do.

A role allows an operation when, in one of its blocks, an action matches and no notAction does; blocks add
up. `*` stands for any run of characters, slashes included, anywhere in a pattern, and case means nothing.
Source: Microsoft Learn, "Understand Azure role definitions".

Whether a role reaches a class is asked with concrete operations: those that Azure is known to have
(`_GRANTS` and so on), and for the classes that no list can exhaust the *witnesses* of the role's own
patterns, in which `_UNNAMED` stands for whatever a `*` stands for. No pattern names `_UNNAMED`, so an
operation that holds it is matched by wildcards only: `microsoft.x/_UNNAMED/write` is allowed to exactly
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
from lami.core.patterns import ANYTHING as _UNNAMED
from lami.core.patterns import covers as _covers

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

_GRANTS = (
    "microsoft.authorization/roleassignments/write",
    "microsoft.authorization/roledefinitions/write",
    "microsoft.authorization/elevateaccess/action",
    # A privileged-identity request that assigns at once is a grant as well.
    "microsoft.authorization/roleassignmentschedulerequests/write",
    "microsoft.authorization/roleeligibilityschedulerequests/write",
)
_SITES = ("microsoft.web/sites", "microsoft.web/sites/slots")
_TAKES_IDENTITY = (
    "microsoft.logic/workflows/write",
    # Whoever changes an app's code, its settings or its publishing credentials runs code as its identity.
    *(
        f"{site}/{operation}"
        for site in _SITES
        for operation in (
            "write",
            "publish/action",
            "publishxml/action",
            "config/write",
            "config/list/action",
            "deployworkflowartifacts/action",
            "extensions/write",
        )
    ),
    "microsoft.managedidentity/userassignedidentities/assign/action",
    f"microsoft.managedidentity/userassignedidentities/{_UNNAMED}/assign/action",
    "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials/write",
)
_READS_SECRETS = (
    # What a wildcard over these providers reaches; plain patterns are known by their last words instead.
    *(f"{site}/config/list/action" for site in _SITES),
    *(f"{site}/functions/listsecrets/action" for site in _SITES),
    *(f"{site}/host/listkeys/action" for site in _SITES),
    "microsoft.web/sites/hostruntime/webhooks/api/workflows/triggers/listcallbackurl/action",
    "microsoft.web/connections/listconnectionkeys/action",
    "microsoft.logic/workflows/listcallbackurl/action",
    "microsoft.logic/workflows/triggers/listcallbackurl/action",
    "microsoft.logic/integrationaccounts/listcallbackurl/action",
    "microsoft.storage/storageaccounts/listkeys/action",
    "microsoft.storage/storageaccounts/listaccountsas/action",
    "microsoft.documentdb/databaseaccounts/listkeys/action",
    "microsoft.servicebus/namespaces/authorizationrules/listkeys/action",
    "microsoft.eventhub/namespaces/authorizationrules/listkeys/action",
    "microsoft.relay/namespaces/authorizationrules/listkeys/action",
    "microsoft.eventgrid/topics/listkeys/action",
    "microsoft.cognitiveservices/accounts/listkeys/action",
    "microsoft.search/searchservices/listadminkeys/action",
    "microsoft.appconfiguration/configurationstores/listkeys/action",
    "microsoft.containerregistry/registries/listcredentials/action",
    "microsoft.containerservice/managedclusters/listclusteradmincredential/action",
    "microsoft.app/containerapps/listsecrets/action",
    "microsoft.apimanagement/service/subscriptions/listsecrets/action",
    "microsoft.machinelearningservices/workspaces/listkeys/action",
    "microsoft.operationalinsights/workspaces/listkeys/action",
    "microsoft.signalrservice/signalr/listkeys/action",
    "microsoft.cache/redis/listkeys/action",
    "microsoft.batch/batchaccounts/listkeys/action",
    "microsoft.devices/iothubs/listkeys/action",
    "microsoft.maps/accounts/listkeys/action",
    "microsoft.communication/communicationservices/listkeys/action",
    "microsoft.notificationhubs/namespaces/authorizationrules/listkeys/action",
)
_READS_SECRET_DATA = (
    # `keys/read` shows public keys only, and wrapping is what every encrypted disk needs: neither counts.
    "microsoft.keyvault/vaults/secrets/getsecret/action",
    "microsoft.keyvault/vaults/secrets/backup/action",
    "microsoft.keyvault/vaults/keys/backup/action",
    "microsoft.keyvault/vaults/keys/decrypt/action",
    "microsoft.keyvault/vaults/keys/release/action",
    "microsoft.containerservice/managedclusters/secrets/read",
    "microsoft.containerservice/fleets/secrets/read",
    "microsoft.kubernetes/connectedclusters/secrets/read",
)
_SECRET_WORDS = ("key", "secret", "credential", "callbackurl", "connectionstring", "token", "password")
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


class _Patterns(Struct, frozen=True):
    """A list of patterns, made ready for matching: plain ones in a set, the others in pieces."""

    plain: frozenset[str]
    wild: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, patterns: Iterable[str]) -> _Patterns:
        texts = {pattern.strip().lower() for pattern in patterns}
        wild = tuple(tuple(text.split("*")) for text in sorted(texts) if "*" in text)
        return cls(frozenset(text for text in texts if "*" not in text), wild)

    def cover(self, operation: str) -> bool:
        return operation in self.plain or any(_covers(pieces, operation) for pieces in self.wild)

    def witnesses(self) -> Iterator[str]:
        """Each pattern as an operation that it covers and, where it has a wildcard, nobody names."""
        yield from self.plain
        yield from (_UNNAMED.join(pieces) for pieces in self.wild)

    def wide(self, ending: str) -> Iterator[str]:
        """`provider/<any type>/ending`, for each pattern that covers it: those over a whole provider."""
        for pieces in self.wild:
            provider = _UNNAMED.join(pieces).partition("/")[0]
            operation = f"{provider}/{_UNNAMED}/{ending}"
            if provider not in _HARMLESS_PROVIDERS and _covers(pieces, operation):
                yield operation


class _Side(Struct, frozen=True):
    """One side of a block, management or data: what it gives and what it takes back."""

    given: _Patterns
    taken: _Patterns

    def allows_any(self, operations: Iterable[str]) -> bool:
        """Whether any of these operations is given and not taken back."""
        return self.leaves_any(operation for operation in operations if self.given.cover(operation))

    def leaves_any(self, operations: Iterable[str]) -> bool:
        """Whether any of these, known to be given, is not taken back."""
        return not all(self.taken.cover(operation) for operation in operations)


def _of_block(block: Permission) -> Iterator[Power]:
    control = _Side(_Patterns.of(block.actions), _Patterns.of(block.not_actions))
    data = _Side(_Patterns.of(block.data_actions), _Patterns.of(block.not_data_actions))
    if control.allows_any(_GRANTS) and not narrows(block.condition):
        yield "grants-access"
    if control.allows_any((f"microsoft.{_UNNAMED}/{_UNNAMED}/write",)):
        yield "writes-all"
    if control.allows_any(_TAKES_IDENTITY):
        yield "takes-identity"
    if _reads_secrets(control, data):
        yield "reads-secrets"
    if control.leaves_any(control.given.wide("write")):
        yield "writes-provider"
    if any(_leaves_some(data, operation) for operation in data.given.wide(_UNNAMED)):
        yield "data-all"
    if _reads(control) or _reads(data):
        yield "reads"


def _reads_secrets(control: _Side, data: _Side) -> bool:
    if control.allows_any(_READS_SECRETS) or data.allows_any(_READS_SECRET_DATA):
        return True
    return control.leaves_any(
        operation for operation in control.given.witnesses() if _tells_secret(operation)
    )


def _tells_secret(operation: str) -> bool:
    """Whether an operation answers with a secret, by the words Azure names such operations with.

    What generates a key is none: a user delegation key, say, gives no more than its maker has.
    """
    *_, name, verb = ("", "", *operation.split("/"))
    if verb != "action" or not name.startswith(("list", "regenerate")):
        return False
    return name.endswith("sas") or any(word in name for word in _SECRET_WORDS)


def _leaves_some(data: _Side, whole: str) -> bool:
    """Whether anything at all is left of the data of a provider."""
    everything = whole.removesuffix(_UNNAMED)
    return data.leaves_any(everything + verb for verb in ("read", "write", "delete", "action"))


def _reads(side: _Side) -> bool:
    plain = (operation for operation in side.given.witnesses() if operation.endswith("/read"))
    open_ended = (f"{_UNNAMED.join(pieces)}/read" for pieces in side.given.wild if not pieces[-1])
    return side.leaves_any(plain) or side.leaves_any(open_ended)

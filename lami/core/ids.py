"""Azure resource ids: compared without regard to case, and placed on the ladder of scopes.

Azure writes one id in several casings (`resourcegroups`, `resourceGroups`), even within one event, so
ids are equal when they differ in case only. Source: Azure Resource Manager, "Resource ID"; the casings
were seen in Microsoft's own recordings.
"""

from __future__ import annotations

import hashlib
import re
from enum import IntEnum

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PROVIDERS = re.compile("/providers/", re.IGNORECASE | re.ASCII)
_MANAGEMENT_GROUP = "/providers/microsoft.management/managementgroups/"
MAX_LENGTH = 2048
"""Longer than any id that Azure Resource Manager makes; what is longer is refused."""


class Level(IntEnum):
    """A rung of the scope ladder; a lower number is a wider scope."""

    TENANT = 0
    MANAGEMENT_GROUP = 1
    SUBSCRIPTION = 2
    RESOURCE_GROUP = 3
    RESOURCE = 4

    @property
    def words(self) -> str:
        """The rung as a person says it: `resource group`."""
        return self.name.lower().replace("_", " ")


class ResourceId:
    """An id or a scope, as Azure wrote it (`text`) and as it is compared (`key`, in lower case).

    The tenant root is `/`. `called` is the display name of a subscription, where one was read: only how it
    is called, and no part of what it is. Never changed once made.
    """

    __slots__ = ("called", "key", "text")

    text: str
    key: str
    called: str

    def __init__(self, text: str, called: str = "") -> None:
        self.text = "/" + text.strip("/")
        self.key = self.text.lower()
        self.called = called

    def __eq__(self, other: object) -> bool:
        """Equal in any casing, and whatever it is called."""
        return isinstance(other, ResourceId) and other.key == self.key

    def __hash__(self) -> int:
        """By key, as equality is."""
        return hash(self.key)

    def __repr__(self) -> str:
        """For a developer's eyes."""
        return f"ResourceId({self.text!r})"

    def __str__(self) -> str:
        """The id as Azure wrote it."""
        return self.text

    @property
    def parts(self) -> tuple[str, ...]:
        """The segments between the slashes, in Azure's casing."""
        return tuple(filter(None, self.text.split("/")))

    @property
    def name(self) -> str:
        """The last segment; `/` for the tenant root."""
        return self.text.rpartition("/")[2] or "/"

    @property
    def subscription(self) -> str:
        """The subscription's id in lower case, or the empty string outside any subscription."""
        return self._after("/subscriptions/")

    @property
    def resource_group(self) -> str:
        """The resource group's name in lower case, or the empty string."""
        segments = self.key.split("/")
        return segments[4] if len(segments) > 4 and segments[3] == "resourcegroups" else ""

    @property
    def type(self) -> str:
        """The resource type in lower case, as `microsoft.web/sites/slots`; empty for what is no resource."""
        return type_of(self.key)

    @property
    def scope(self) -> ResourceId:
        """What an extension resource (a role assignment, say) is attached to: all before its provider."""
        # Sought in the text itself: a letter may be longer in lower case.
        *_, end = (0, *(found.start() for found in _PROVIDERS.finditer(self.text)))
        return ResourceId(self.text[:end])

    @property
    def parent(self) -> ResourceId:
        """The resource this one is a child of: two segments up."""
        return ResourceId("/".join(self.parts[:-2]))

    @property
    def level(self) -> Level:
        """The rung of the scope ladder that this scope stands on."""
        if self.key == "/":
            return Level.TENANT
        if self.key.startswith(_MANAGEMENT_GROUP) and "/" not in self.key[len(_MANAGEMENT_GROUP) :]:
            return Level.MANAGEMENT_GROUP
        segments = self.key.strip("/").split("/")
        if segments[0] == "subscriptions" and len(segments) == 2:
            return Level.SUBSCRIPTION
        if segments[0] == "subscriptions" and len(segments) == 4 and segments[2] == "resourcegroups":
            return Level.RESOURCE_GROUP
        return Level.RESOURCE

    @property
    def short(self) -> str:
        """The scope as a title says it: `subscription contoso-prod`, `resource group rg`, `kv (vaults)`.

        A subscription whose name is not known goes by the start of its id: `subscription 1b2c3d4e`.
        """
        level = self.level
        if level is Level.TENANT:
            return "the tenant root"
        if level is Level.RESOURCE:
            parts = self.parts
            kind = parts[-2] if len(parts) > 1 else "resource"
            return f"{self.name} ({kind})"
        if level is Level.SUBSCRIPTION:
            return f"subscription {self.called or self.name[:8]}"
        return f"{level.words} {self.name}"

    def reaches(self, other: ResourceId) -> bool:
        """Whether a grant at this scope is in force at `other` too, within one subscription.

        Which management group a subscription is under is not in its id: those and the root reach all.
        """
        if self.level <= Level.MANAGEMENT_GROUP:
            return True
        return other.key == self.key or other.key.startswith(self.key + "/")

    def _after(self, prefix: str) -> str:
        return self.key[len(prefix) :].split("/", 1)[0] if self.key.startswith(prefix) else ""


def type_of(key: str) -> str:
    """The resource type of an id that is in lower case; empty for what is no resource."""
    _, found, tail = key.rpartition("/providers/")
    if not found:
        return ""
    namespace, *pairs = tail.split("/")
    return "/".join([namespace, *pairs[0::2]])


def guid(text: str) -> str:
    """The last GUID in `text`, in lower case; the empty string where there is none.

    Role definitions are named by ids that come with and without a subscription in front.
    """
    found = _GUID.findall(text.lower())
    return found[-1] if found else ""


def digest(*parts: str, length: int = 32) -> str:
    """A short name for long or hostile text: hexadecimal SHA-256 over the parts, cut to `length`."""
    joined = "\x1f".join(parts)
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def is_standard(app: ResourceId) -> bool:
    """Whether an id is a Standard logic app's, or a slot's of one, if it is a logic app's at all."""
    return app.type in ("microsoft.web/sites", "microsoft.web/sites/slots")

"""Which token audiences a kind of target takes: a small table of Azure's own services, by ends of hosts.

What is not in the table is not judged. Audiences are compared by their host's name: scheme and a slash at
the end make no difference here (some services insist on either; that is theirs to say).
Source: Microsoft, "Azure services that support Microsoft Entra authentication", and each service's own page.
"""

from __future__ import annotations

from msgspec import Struct

ANY = "*"
"""Persisting in a host's name for a part that an expression makes when the workflow runs."""


class Target(Struct, frozen=True):
    """A kind of target: `hosts` are ends of names (a whole name, or what follows a dot), `audiences` hosts.

    `own`: it takes its own address as an audience too.
    """

    name: str
    hosts: tuple[str, ...]
    audiences: tuple[str, ...]
    own: bool = False


_STORAGE = tuple(
    f"{service}.core.{cloud}"
    for cloud in ("windows.net", "usgovcloudapi.net", "chinacloudapi.cn")
    for service in ("blob", "queue", "table", "file", "dfs")
)

TARGETS: tuple[Target, ...] = (
    Target(
        "Azure Resource Manager",
        ("management.azure.com",),
        ("management.azure.com", "management.core.windows.net"),
    ),
    Target(
        "Azure Resource Manager (US Government)",
        ("management.usgovcloudapi.net",),
        ("management.usgovcloudapi.net", "management.core.usgovcloudapi.net"),
    ),
    Target(
        "Azure Resource Manager (China)",
        ("management.chinacloudapi.cn",),
        ("management.chinacloudapi.cn", "management.core.chinacloudapi.cn"),
    ),
    Target("Azure Key Vault", ("vault.azure.net",), ("vault.azure.net",)),
    Target("Azure Key Vault (US Government)", ("vault.usgovcloudapi.net",), ("vault.usgovcloudapi.net",)),
    Target("Azure Key Vault (China)", ("vault.azure.cn",), ("vault.azure.cn",)),
    Target("Azure Storage", _STORAGE, ("storage.azure.com",), own=True),
    Target("Azure SQL", ("database.windows.net",), ("database.windows.net",)),
    Target("Azure SQL (US Government)", ("database.usgovcloudapi.net",), ("database.usgovcloudapi.net",)),
    Target("Azure SQL (China)", ("database.chinacloudapi.cn",), ("database.chinacloudapi.cn",)),
    Target(
        "Azure Service Bus or Event Hubs",
        ("servicebus.windows.net", "servicebus.usgovcloudapi.net", "servicebus.chinacloudapi.cn"),
        ("servicebus.azure.net", "eventhubs.azure.net"),
        own=True,
    ),
    Target("Azure Event Grid", ("eventgrid.azure.net",), ("eventgrid.azure.net",), own=True),
    Target("Microsoft Graph", ("graph.microsoft.com",), ("graph.microsoft.com",)),
    Target("Microsoft Graph (US Government)", ("graph.microsoft.us",), ("graph.microsoft.us",)),
    Target(
        "Microsoft Graph (China)", ("microsoftgraph.chinacloudapi.cn",), ("microsoftgraph.chinacloudapi.cn",)
    ),
    Target("Azure Cosmos DB", ("documents.azure.com",), ("cosmos.azure.com",), own=True),
    Target("Azure Cosmos DB (US Government)", ("documents.azure.us",), ("cosmos.azure.us",), own=True),
    Target("Azure Cosmos DB (China)", ("documents.azure.cn",), ("cosmos.azure.cn",), own=True),
    Target(
        "Azure AI services",
        ("cognitiveservices.azure.com", "openai.azure.com"),
        ("cognitiveservices.azure.com", "ai.azure.com"),
        own=True,
    ),
)


def target(host: str) -> Target | None:
    """The kind of a target by its host's name in lower case; None where it is not in the table."""
    return next((one for one in TARGETS if any(_ends(host, end) for end in one.hosts)), None)


def mismatch(host: str, audience: str) -> str:
    """In words, how a token's audience does not fit where it is sent; empty where it does, or nobody knows.

    Both are hosts' names in lower case. The words are of this table only, never of what was given.
    """
    sent = target(host)
    if sent is None or audience in sent.audiences or (sent.own and _own(host, audience)):
        return ""
    for other in TARGETS:
        if audience in other.audiences:
            return f"a token for {other.name}, sent to {sent.name}"
    return f"a token for something else, sent to {sent.name}"


def _own(host: str, audience: str) -> bool:
    """Whether an audience is the target's own address, or that of the same account in another service."""
    mine, other = target(host), target(audience)
    account = host.partition(".")[0]
    return mine is not None and mine == other and (ANY in account or audience.partition(".")[0] == account)


def _ends(host: str, end: str) -> bool:
    return host == end or host.endswith("." + end)

"""Where webhooks may go: settings ask before anything starts, and the sender asks again of each address.

A webhook's URL is a setting, and a setting can be wrong or planted: without these rules it would make lami
post to a metadata endpoint or to whatever listens inside the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Protocol
from urllib.parse import urlsplit

from msgspec import Struct

Address = IPv4Address | IPv6Address

TEAMS_HOSTS = ("*.logic.azure.com", "*.api.powerplatform.com")
"""Where Workflows webhooks live. Source: Microsoft, "Create incoming webhooks with Workflows"."""
TOPIC_HOSTS = ("*.eventgrid.azure.net", "*.eventgrid.azure.us", "*.eventgrid.azure.cn")
"""Where Event Grid custom topics live, in the three clouds."""

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


class Target(Struct, frozen=True):
    """A URL taken apart once, so that what was checked is what is used. `path` has the query with it."""

    scheme: str
    host: str
    port: int
    path: str


class Targets(Protocol):
    """A rule of where webhooks may go."""

    def check(self, url: str) -> str | None:
        """What is wrong with the URL, in words that do not repeat it (it is a secret), or None."""
        ...

    def admits(self, host: str, address: Address) -> bool:
        """Whether a connection may go to this address, which `host` resolved to."""
        ...


class PublicTargets(Struct, frozen=True):
    """Https to the hosts named, at public addresses only. A host is a name or `*.suffix`."""

    hosts: tuple[str, ...] = TEAMS_HOSTS

    def check(self, url: str) -> str | None:
        """What is wrong with the URL, or None."""
        target = parse(url)
        if isinstance(target, str):
            return target
        if target.scheme != "https":
            return "is not https"
        if not any(_matches(target.host, pattern.lower()) for pattern in self.hosts):
            return f"goes to a host that is not on the list ({', '.join(self.hosts)})"
        return None

    def admits(self, host: str, address: Address) -> bool:
        """Whether the address is a public one."""
        plain = _unmapped(address)
        return plain.is_global and not plain.is_multicast


class LoopbackTargets(Struct, frozen=True):
    """This machine, in plain http if need be, may stand in; everything else as `otherwise` has it."""

    otherwise: PublicTargets = PublicTargets()

    def check(self, url: str) -> str | None:
        """What is wrong with the URL, or None."""
        target = parse(url)
        if isinstance(target, Target) and is_loopback(target.host):
            return None
        return self.otherwise.check(url)

    def admits(self, host: str, address: Address) -> bool:
        """Whether the address is what its host says: loopback for this machine, public for all others."""
        if is_loopback(host):
            return _unmapped(address).is_loopback
        return self.otherwise.admits(host, address)


def parse(url: str) -> Target | str:
    """The URL taken apart, or what is wrong with it."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "has a character that no URL has"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a URL"
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https"):
        return "is neither https nor http"
    if parts.username is not None or parts.password is not None:
        return "has a user name or password in it"
    if not _HOST.fullmatch(host) and not _literal(host):
        return "has no host"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)


def refused(targets: Targets, host: str, addresses: Iterable[str]) -> str | None:
    """The first of the addresses that `targets` does not admit, or None."""
    return next((a for a in addresses if not targets.admits(host, ip_address(a.partition("%")[0]))), None)


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def is_loopback(host: str) -> bool:
    """Whether a host's name or address means this machine and no other."""
    address = _literal(host)
    return host.lower() == "localhost" if address is None else _unmapped(address).is_loopback


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _unmapped(address: Address) -> Address:
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address

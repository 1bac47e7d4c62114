"""Webhooks go where they may and nowhere else."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from lami.channels.targets import TEAMS_HOSTS, LoopbackTargets, PublicTargets

GOOD = (
    "https://prod-07.westeurope.logic.azure.com:443/workflows/ab/triggers/manual/paths/invoke?sig=s3cret",
    "https://default0a.bc.environment.api.powerplatform.com/powerautomate/x?sig=s3cret",
    "https://hooks.contoso.example/x?sig=s3cret",
    "https://PROD-07.LOGIC.AZURE.COM/x",
)
BAD = (
    "http://prod-07.westeurope.logic.azure.com/x?sig=s3cret",
    "https://logic.azure.com.evil.example/?sig=s3cret",
    "https://evillogic.azure.com/?sig=s3cret",
    "https://evil.example/logic.azure.com?sig=s3cret",
    "https://evil.example\\.logic.azure.com/?sig=s3cret",
    "https://evil.example#.logic.azure.com/?sig=s3cret",
    "https://evil.example?.logic.azure.com/?sig=s3cret",
    "https://user:s3cret@prod.logic.azure.com/",
    "https://prod.logic.azure.com:s3cret/",
    "https://127.0.0.1/?sig=s3cret",
    "https://[::1]/?sig=s3cret",
    "https://169.254.169.254/metadata?sig=s3cret",
    "https://localhost/?sig=s3cret",
    "https:///x?sig=s3cret",
    "https://[::1/?sig=s3cret",
    "file:///etc/passwd?sig=s3cret",
    "https://prod.logic.azure.com/\n?sig=s3cret",
    "https://pröd.logic.azure.com/?sig=s3cret",
    "",
)
PUBLIC = PublicTargets((*TEAMS_HOSTS, "hooks.contoso.example"))


@pytest.mark.parametrize("url", GOOD)
def test_listed_hosts_are_taken(url: str) -> None:
    """Https to a listed host is no fault, with or without loopback allowed."""
    assert PUBLIC.check(url) is None
    assert LoopbackTargets(PUBLIC).check(url) is None


@pytest.mark.parametrize("url", BAD)
def test_everything_else_is_refused(url: str) -> None:
    """Another host, another scheme or a trick is a fault, and the fault does not repeat the secret."""
    fault = PUBLIC.check(url)
    assert fault
    assert "s3cret" not in fault


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/x", "http://localhost/x", "https://[::1]:1/x"])
def test_loopback_stands_in_where_allowed(url: str) -> None:
    """Plain http to this machine is taken by the loopback rule only."""
    assert LoopbackTargets(PUBLIC).check(url) is None
    assert PUBLIC.check(url)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/x", "http://evil.example/x", "http://localhost.evil.example/x"]
)
def test_loopback_allows_nothing_else(url: str) -> None:
    """The loopback rule opens this machine and no other."""
    assert LoopbackTargets(PUBLIC).check(url)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
        *("224.0.0.1", "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::"),
    ],
)
def test_a_listed_host_at_a_private_address_is_refused(address: str) -> None:
    """What a listed name resolves to has to be a public address."""
    assert not PUBLIC.admits("prod.logic.azure.com", ip_address(address))
    assert not LoopbackTargets(PUBLIC).admits("prod.logic.azure.com", ip_address(address))


def test_public_addresses_are_admitted_and_loopback_names_only_loopback() -> None:
    """A public address goes with a public name, a loopback address with this machine's."""
    assert PUBLIC.admits("prod.logic.azure.com", ip_address("20.50.1.2"))
    assert LoopbackTargets(PUBLIC).admits("localhost", ip_address("127.0.0.1"))
    assert not LoopbackTargets(PUBLIC).admits("localhost", ip_address("20.50.1.2"))

"""Posting JSON to a webhook whose URL is a secret, to a checked address, once.

urllib3's connections are used without its pool: they verify TLS for the host's name while going to the
very address that was checked (no second look-up for a rebinding name server to answer), read neither
proxies nor `.netrc` from the environment, follow no redirect, retry nothing, and do not write the URL into
the debug log, which the pool does and requests, on top of it, does too.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from socket import SOCK_STREAM, gaierror, getaddrinfo

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from lami.channels.targets import Target, Targets, parse, refused
from lami.errors import Permanent, Temporary

TIMEOUT = 6.0
"""Seconds for each connection tried and for the answer: all of it fits into the 30 s an event may take."""
_ADDRESSES_TRIED = 3


def post_json(url: str, body: bytes, targets: Targets) -> None:
    """Post the body, as JSON; an answer of 2xx is success.

    429, 408, 5xx and a connection that fails raise `Temporary` (with `Retry-After`, in seconds), everything
    else `Permanent`. No message names more of the URL than its host.
    """
    target = parse(url)
    if isinstance(target, str) or (fault := targets.check(url)):
        raise Permanent(f"the webhook URL {target if isinstance(target, str) else fault}")
    status, retry_after = _post(target, _addresses(target, targets), body)
    if 200 <= status < 300:
        return
    said = f"{target.host} answered {status}"
    if status in (408, 429) or status >= 500:
        raise Temporary(said, seconds(retry_after))
    raise Permanent(f"{said}, a redirect, which is not followed" if 300 <= status < 400 else said)


def seconds(retry_after: str | None) -> float | None:
    """The header `Retry-After`, seconds or a date, as seconds from now; None where it says nothing."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _addresses(target: Target, targets: Targets) -> list[str]:
    try:
        found = getaddrinfo(target.host, target.port, type=SOCK_STREAM)
    except gaierror as error:
        raise Temporary(f"{target.host} has no address ({error.strerror})") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if bad := refused(targets, target.host, addresses):
        raise Permanent(f"{target.host} is at {bad}, an address that webhooks may not go to")
    return addresses


def _post(target: Target, addresses: list[str], body: bytes) -> tuple[int, str | None]:
    """The answer's status and `Retry-After`; of its body nothing is read."""
    headers = {"Host": _authority(target), "Content-Type": "application/json", "User-Agent": "lami"}
    connection = _connected(target, addresses)
    try:
        connection.request("POST", target.path, body=body, headers=headers, preload_content=False)
        answer = connection.getresponse()
    except (HTTPError, HTTPException, OSError) as error:
        raise _unanswered(target, error) from None
    finally:
        connection.close()
    return answer.status, answer.headers.get("Retry-After")


def _connected(target: Target, addresses: list[str]) -> HTTPConnection:
    """A connection to the first address that takes one."""
    failure: Exception = OSError("no address")
    for address in addresses[:_ADDRESSES_TRIED]:
        connection = _connection(target, address)
        try:
            connection.connect()
        except (HTTPError, OSError) as error:
            connection.close()
            failure = error
        else:
            return connection
    raise _unanswered(target, failure)


def _unanswered(target: Target, error: Exception) -> Temporary:
    return Temporary(f"no answer from {target.host} ({type(error).__name__})")


def _authority(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if (target.scheme, target.port) in (("https", 443), ("http", 80)) else f"{host}:{target.port}"


def _connection(target: Target, address: str) -> HTTPConnection:
    if target.scheme == "http":
        return HTTPConnection(address, target.port, timeout=TIMEOUT)
    return HTTPSConnection(
        address,
        target.port,
        timeout=TIMEOUT,
        ssl_context=ssl.create_default_context(),
        server_hostname=target.host,
        assert_hostname=target.host,
    )

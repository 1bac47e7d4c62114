"""The pipeline that every client of Azure's has, but for who may pass its door and who signs."""

from __future__ import annotations

from collections.abc import Sequence

from azure.core.pipeline import Pipeline
from azure.core.pipeline.policies import ContentDecodePolicy, RequestIdPolicy, UserAgentPolicy

from lami import __version__
from lami.rest.pipeline import (
    CONNECT,
    READ,
    BriefRetry,
    NoAuthentication,
    ObjectsOnly,
    OneHost,
    Policy,
    Request,
    Response,
)
from lami.rest.transport import make_transport


def assemble(
    endpoint: str, door: Policy, signs: Policy, hooks: Sequence[Policy] = ()
) -> Pipeline[Request, Response]:
    """Make a pipeline to one host. Nothing connects until it is used; no redirect is followed.

    `door` sees each request first, and refuses what is not to be sent; `signs` adds the token. Where nobody
    signs, no proxy of the environment is used either, as a loopback stand-in needs it. `hooks` see every try
    just before it is sent.
    """
    policies: list[Policy] = [
        door,
        OneHost(endpoint),
        RequestIdPolicy(),
        UserAgentPolicy(f"lami/{__version__}"),
        ObjectsOnly(),  # before the decoder, so as to see its result
        ContentDecodePolicy(),
        BriefRetry(),
        signs,
        *hooks,
    ]
    transport = make_transport(endpoint, CONNECT, READ, environment=not isinstance(signs, NoAuthentication))
    # Opened now, since two threads that open it at once would leave one session behind.
    transport.open()
    return Pipeline(transport, policies)

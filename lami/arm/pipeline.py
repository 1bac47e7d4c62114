"""The one way out to Azure Resource Manager: reads only, to one host, within a budget of seconds.

The list of policies is our own. The SDK's default list holds one that registers resource providers with a
POST of its own making, behind every policy a caller can add, and one that follows redirects with the token.
"""

from __future__ import annotations

from collections.abc import Sequence

from azure.core.credentials import TokenCredential
from azure.core.pipeline import Pipeline, PipelineRequest
from azure.core.pipeline.policies import ContentDecodePolicy, RequestIdPolicy, UserAgentPolicy
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

from lami import __version__
from lami.errors import Permanent
from lami.rest.pipeline import (
    CONNECT,
    READ,
    BriefRetry,
    Hook,
    NoAuthentication,
    ObjectsOnly,
    OneHost,
    Policy,
    Request,
    Response,
)
from lami.rest.transport import make_transport


class ReadsOnly(Hook):
    """Refuse every method but GET and HEAD, before a token is fetched or anything is sent."""

    def on_request(self, request: PipelineRequest[Request]) -> None:
        """Raise Permanent for what is no read: it is a fault in lami, and trying again is no cure."""
        if request.http_request.method.upper() not in {"GET", "HEAD"}:
            raise Permanent(f"lami only reads from Azure; {request.http_request.method} was not sent")


def make_pipeline(
    endpoint: str, credential: TokenCredential | None, hooks: Sequence[Policy] = ()
) -> Pipeline[Request, Response]:
    """Make the pipeline that every client shares. Nothing connects until it is used.

    Without a credential nothing is added to requests and no proxy of the environment is used, as a
    loopback stand-in needs it. `hooks` see every try just before it is sent.
    """
    policies: list[Policy] = [
        ReadsOnly(),
        OneHost(endpoint),
        RequestIdPolicy(),
        UserAgentPolicy(f"lami/{__version__}"),
        ObjectsOnly(),  # before the decoder, so as to see its result
        ContentDecodePolicy(),
        BriefRetry(),
        authentication(endpoint, credential),
        *hooks,
    ]
    transport = make_transport(endpoint, CONNECT, READ, environment=credential is not None)
    # Opened now, since two threads that open it at once would leave one session behind.
    transport.open()
    return Pipeline(transport, policies)


def authentication(endpoint: str, credential: TokenCredential | None) -> Policy:
    """The policy that signs requests for the endpoint's own audience, https only; or adds nothing."""
    if credential is None:
        return NoAuthentication()
    return ARMChallengeAuthenticationPolicy(credential, f"{endpoint.rstrip('/')}/.default")

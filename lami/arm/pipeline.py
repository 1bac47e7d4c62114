"""The one way out to Azure Resource Manager: reads only, to one host, within a budget of seconds.

The list of policies is our own. The SDK's default list holds one that registers resource providers with a
POST of its own making, behind every policy a caller can add, and one that follows redirects with the token.
"""

from __future__ import annotations

from collections.abc import Sequence

from azure.core.credentials import TokenCredential
from azure.core.pipeline import Pipeline, PipelineRequest
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

from lami.errors import Permanent
from lami.rest.assembly import assemble
from lami.rest.pipeline import Hook, NoAuthentication, Policy, Request, Response


class ReadsOnly(Hook):
    """Refuse every method but GET and HEAD, before a token is fetched or anything is sent."""

    def on_request(self, request: PipelineRequest[Request]) -> None:
        """Raise Permanent for what is no read: it is a fault in lami, and trying again is no cure."""
        if request.http_request.method.upper() not in {"GET", "HEAD"}:
            raise Permanent(f"lami only reads from Azure; {request.http_request.method} was not sent")


def make_pipeline(
    endpoint: str, credential: TokenCredential | None, hooks: Sequence[Policy] = ()
) -> Pipeline[Request, Response]:
    """The pipeline that every client shares, signed where there is a credential."""
    return assemble(endpoint, ReadsOnly(), authentication(endpoint, credential), hooks)


def authentication(endpoint: str, credential: TokenCredential | None) -> Policy:
    """The policy that signs requests for the endpoint's own audience, https only; or adds nothing."""
    if credential is None:
        return NoAuthentication()
    return ARMChallengeAuthenticationPolicy(credential, f"{endpoint.rstrip('/')}/.default")

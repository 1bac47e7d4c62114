"""The one way out to Microsoft Graph: two questions and no more, to one host, within a budget of seconds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from azure.core.credentials import TokenCredential
from azure.core.pipeline import Pipeline, PipelineRequest
from azure.core.pipeline.policies import BearerTokenCredentialPolicy

from lami.errors import Permanent
from lami.rest.assembly import assemble
from lami.rest.pipeline import Hook, NoAuthentication, Policy, Request, Response

SHOWN = "/v1.0/directoryObjects/getByIds"
DELETED = "/v1.0/directory/deletedItems/"
_GUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_QUESTIONS = (("POST", re.compile(re.escape(SHOWN))), ("GET", re.compile(re.escape(DELETED) + _GUID)))


class QuestionsOnly(Hook):
    """Refuse whatever is none of the two questions, before a token is fetched or anything is sent.

    One of them is a POST, since its list of ids would not fit an address; it changes nothing.
    """

    def on_request(self, request: PipelineRequest[Request]) -> None:
        """Raise Permanent for anything else: it is a fault in lami, and trying again is no cure."""
        method, parts = request.http_request.method.upper(), urlsplit(request.http_request.url)
        asked = any(method == how and where.fullmatch(parts.path) for how, where in _QUESTIONS)
        if not asked or parts.query or parts.fragment:
            raise Permanent(f"lami asks Microsoft Graph two things only; a {method} was not sent")


def make_pipeline(
    endpoint: str, credential: TokenCredential | None, hooks: Sequence[Policy] = ()
) -> Pipeline[Request, Response]:
    """The pipeline to Microsoft Graph, signed where there is a credential."""
    return assemble(endpoint, QuestionsOnly(), authentication(endpoint, credential), hooks)


def authentication(endpoint: str, credential: TokenCredential | None) -> Policy:
    """The policy that signs requests for the endpoint's own audience, https only; or adds nothing."""
    if credential is None:
        return NoAuthentication()
    return BearerTokenCredentialPolicy(credential, f"{endpoint.rstrip('/')}/.default")

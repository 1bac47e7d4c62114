"""Say in words why nothing is known: what a failed read means, whoever was asked."""

from __future__ import annotations

import json
import re

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DeserializationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseTimeoutError,
)
from msgspec import Struct

from lami.core.model import Unknown
from lami.rest.pipeline import retry_after
from lami.rest.unreadable import Unreadable

FAILURES = (AzureError, DeserializationError, Unreadable, RecursionError)
"""All that a read may raise; the last where a reply is nested deeper than Python reads JSON."""


class Ask(Struct, frozen=True):
    """What is being read, as a reason says it, the permission that reading it takes, and who is asked."""

    what: str
    permission: str
    whom: str = "Azure"


def unknown(ask: Ask, error: Exception) -> Unknown:
    """The failure in words, for a person; nothing of it is text that others chose."""
    start = f"lami could not read {ask.what}: "
    match error:
        case HttpResponseError(status_code=(401 | 403) as status):
            need = f"it needs the permission {ask.permission} there"
            return Unknown(f"{start}{_said(ask, status, error)}; {need}", retry_after(error), denied=True)
        case HttpResponseError(status_code=int(status)):
            return Unknown(f"{start}{_said(ask, status, error)}", retry_after(error))
        case ClientAuthenticationError():
            return Unknown(f"{start}it could not sign in to Azure ({type(error).__name__})")
        case ServiceRequestTimeoutError() | ServiceResponseTimeoutError():
            return Unknown(f"{start}{ask.whom} did not answer in time")
        case ServiceRequestError():
            return Unknown(f"{start}{ask.whom} could not be reached")
        case Unreadable():
            return Unknown(f"{start}{error}")
        case AzureError():
            return Unknown(f"{start}the reply broke off or is no JSON ({type(error).__name__})")
        case _:
            return Unknown(f"{start}the reply has an unexpected shape")


def code_of(error: HttpResponseError) -> str:
    """The reply's error code, in either casing it is found in (Microsoft.Web writes `Code`), or nothing."""
    try:
        body = json.loads(error.response.text()) if error.response else None
    except ValueError:
        return ""
    while isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]
    if not isinstance(body, dict):
        return ""
    code = body.get("code") or body.get("Code")
    return re.sub(r"[^\w.-]", "", code)[:80] if isinstance(code, str) else ""


def _said(ask: Ask, status: int, error: HttpResponseError) -> str:
    if status == 200:
        return "the reply is no JSON"
    return f"{ask.whom} answered {status} {code_of(error)}".rstrip()

"""Say what a failed read means: the resource is absent, or nothing is known of it and why."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TypeVar

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

from lami.arm.pipeline import retry_after
from lami.arm.read import Unreadable
from lami.core.model import Absent, Look, Present, Unknown

FAILURES = (AzureError, DeserializationError, Unreadable, RecursionError)
"""All that a read may raise; the last where a reply is nested deeper than Python reads JSON."""

_NOT_THE_RESOURCE = frozenset(
    {
        "subscriptionnotfound",
        "invalidsubscriptionid",
        "missingsubscription",
        "invalidauthenticationtokentenant",
        "noregisteredproviderfound",
        "invalidresourcetype",
        "invalidapiversionparameter",
    }
)
"""Codes of a 404 that speak of how we asked or of what we may see, and not of the resource."""

State = TypeVar("State")


class Ask(Struct, frozen=True):
    """What is being read, as a reason says it, and the permission that reading it takes."""

    what: str
    permission: str


def look(ask: Ask, read: Callable[[], State]) -> Look[State]:
    """Read one resource and say what came of it."""
    try:
        return Present(read())
    except FAILURES as error:
        return Absent() if says_absent(error) else unknown(ask, error)


def says_absent(error: Exception) -> bool:
    """Whether ARM itself said that there is no such resource, or no such resource group.

    A 404 without ARM's JSON, as a wrong endpoint or a proxy gives it, says nothing. Nor does a failed
    sign-in, whose own endpoint may answer 404.
    """
    if not isinstance(error, HttpResponseError) or isinstance(error, ClientAuthenticationError):
        return False
    return error.status_code == 404 and _code(error).lower() not in {"", *_NOT_THE_RESOURCE}


def unknown(ask: Ask, error: Exception) -> Unknown:
    """The failure in words, for a person; nothing of it is text that others chose."""
    start = f"lami could not read {ask.what}: "
    match error:
        case HttpResponseError(status_code=(401 | 403) as status):
            need = f"it needs the permission {ask.permission} there"
            return Unknown(f"{start}{_said(status, error)}; {need}", retry_after(error), denied=True)
        case HttpResponseError(status_code=int(status)):
            return Unknown(f"{start}{_said(status, error)}", retry_after(error))
        case ClientAuthenticationError():
            return Unknown(f"{start}it could not sign in to Azure ({type(error).__name__})")
        case ServiceRequestTimeoutError() | ServiceResponseTimeoutError():
            return Unknown(f"{start}Azure did not answer in time")
        case ServiceRequestError():
            return Unknown(f"{start}Azure could not be reached")
        case Unreadable():
            return Unknown(f"{start}{error}")
        case AzureError():
            return Unknown(f"{start}the reply broke off or is no JSON ({type(error).__name__})")
        case _:
            return Unknown(f"{start}the reply has an unexpected shape")


def _said(status: int, error: HttpResponseError) -> str:
    if status == 200:
        return "the reply is no JSON"
    return f"Azure answered {status} {_code(error)}".rstrip()


def _code(error: HttpResponseError) -> str:
    """ARM's error code, in either casing it is found in (Microsoft.Web writes `Code`), or nothing."""
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

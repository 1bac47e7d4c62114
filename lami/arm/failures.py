"""Say what a failed read means: the resource is absent, or nothing is known of it and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from lami.core.model import Absent, Look, Present
from lami.rest.failures import FAILURES, Ask, code_of, unknown

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
    return error.status_code == 404 and code_of(error).lower() not in {"", *_NOT_THE_RESOURCE}

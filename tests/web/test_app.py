"""The app without a server, as Azure Functions calls it: settings that are wrong, a store that is down."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest

from lami.errors import BadSettings, Temporary
from lami.settings import read
from lami.web.app import make_app
from lami.wiring import Lami, build

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
HERE = {"Host": "localhost"}


def wrong() -> Lami:
    """A lami whose settings are wrong."""
    raise BadSettings("2 settings are wrong:\n  LAMI_STORE: secret detail")


def test_nothing_is_read_before_a_request() -> None:
    """The app is made at import, when there may be no settings at all."""
    asked: list[str] = []

    def get() -> Lami:
        asked.append("lami")
        return wrong()

    app = make_app(get)
    assert not asked
    app.test_client().get("/api/v1/health")
    assert asked


@pytest.mark.parametrize("path", ["/", "/api/v1/health", "/api/openapi.json", "/nowhere"])
def test_wrong_settings_are_a_503_that_tells_no_fault(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """A caller learns that the settings are wrong; which, the log alone says."""
    with caplog.at_level(logging.ERROR):
        response = make_app(wrong).test_client().get(path)
    assert response.status_code == 503
    assert "Retry-After" in response.headers
    assert "settings are wrong" in response.text
    assert "LAMI_STORE" not in response.text
    assert "LAMI_STORE: secret detail" in caplog.text


def test_a_store_that_is_down_is_a_503(tmp_path: Path) -> None:
    """A locked database is tried again later, and is no empty list."""
    path = tmp_path / "lami.db"
    lami = build(read({"LAMI_STORE": f"sqlite:///{path}", "LAMI_SUBSCRIPTIONS": SUBSCRIPTION}))
    client = make_app(lambda: lami).test_client()
    assert client.get("/api/v1/findings", headers=HERE).json == {"value": [], "nextLink": None}
    lami.close()
    path.unlink()
    path.mkdir()
    lami = build(read({"LAMI_STORE": f"sqlite:///{path}", "LAMI_SUBSCRIPTIONS": SUBSCRIPTION}))
    response = make_app(lambda: lami).test_client().get("/api/v1/findings", headers=HERE)
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert response.content_type == "application/problem+json"


def test_what_nobody_foresaw_is_a_500_that_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A fault in lami goes to the log with its trace; the caller gets a problem without it."""

    def broken() -> Lami:
        raise sqlite3.ProgrammingError("internal detail")

    response = make_app(broken).test_client().get("/api/v1/health", headers=HERE)
    assert response.status_code == 500
    assert response.content_type == "application/problem+json"
    assert "internal detail" not in response.text
    assert "internal detail" in caplog.text


def test_a_temporary_fault_says_when_to_try_again() -> None:
    """`Retry-After` is a whole number of seconds, rounded up, and never zero."""

    def down() -> Lami:
        raise Temporary("the store is throttled", retry_after=1.2)

    response = make_app(down).test_client().get("/api/v1/health", headers=HERE)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")


def test_the_webhook_is_not_mounted_under_functions() -> None:
    """There the trigger receives events; nobody posts them."""
    lami = build(read({"LAMI_SUBSCRIPTIONS": SUBSCRIPTION, "LAMI_STORE": "sqlite:///:memory:"}))
    client = make_app(lambda: lami).test_client()
    assert client.post("/api/events", json={}, headers=HERE).status_code == 404
    assert "/api/events" not in client.get("/api/openapi.json", headers=HERE).get_json()["paths"]

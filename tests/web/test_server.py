"""The server behind `lami serve`: baseline, threads, ports, its end, and where it refuses to listen."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from lami.errors import BadSettings, Permanent, Temporary
from lami.runs import Progress
from lami.sandbox.faults import Fault
from lami.web.server import Server, check_exposure
from lami.web.ticking import Ticker
from lami.wiring import Watch, assemble, build
from tests.web.support import get, written
from tests.world import World, eventually, world

# --- start -----------------------------------------------------------------------------------------


def test_the_baseline_is_taken_before_anything_is_answered(fresh: World) -> None:
    """A new store gets its baseline in `start`, with progress; a second start finds it and takes none."""
    store = replace(fresh.lami.settings, store=fresh.lami.settings.store.replace("lami.db", "new.db"))
    seen: list[Progress] = []
    lami = build(store)
    server = Server(lami, port=0)
    report = server.start(seen.append)
    try:
        assert report is not None
        assert not report.partial
        assert report.differing > 0
        assert seen
        assert requests.get(f"{server.url}/api/v1/health", timeout=10).json()["baselineAt"]
    finally:
        server.close()
    again = Server(lami, port=0)
    try:
        assert again.start() is None
    finally:
        again.close()
        lami.close()


def test_a_baseline_that_could_not_be_completed_is_taken_later(tmp_path: Path) -> None:
    """Azure fails at the start: the server runs and says so, and the schedule thread goes on."""
    with world(tmp_path, schedule_every=0.2) as own:
        settings = replace(own.lami.settings, store=f"sqlite:///{tmp_path / 'late.db'}")
        own.azure.faults.add(Fault(status=403))
        lami = build(settings)
        late = Server(lami, port=0, schedule_every=0.2)
        report = late.start()
        try:
            assert report is not None
            assert report.partial
            assert not lami.index.notes("baseline")
            own.azure.faults.clear()
            eventually(lambda: lami.index.notes("baseline"), "the baseline is taken")
        finally:
            late.close()
            lami.close()


def test_a_port_in_use_is_said_and_nothing_runs(fresh: World) -> None:
    """A second server on the same port raises in words and leaves no thread behind."""
    before = threading.active_count()
    with pytest.raises(Permanent, match=rf"cannot listen on 127\.0\.0\.1, port {fresh.server.port}"):
        Server(fresh.lami, port=fresh.server.port).start()
    assert threading.active_count() == before


def test_it_does_not_listen_to_others_unguarded(fresh: World) -> None:
    """Off loopback, a key for the API and one for events are needed; both faults are named at once."""
    settings = fresh.lami.settings
    for host in ("0.0.0.0", "::", "192.0.2.1", "lami.example", ""):
        with pytest.raises(BadSettings) as caught:
            check_exposure(settings, host)
        assert "LAMI_AUTH" in str(caught.value)
        assert "LAMI_EVENT_KEY" in str(caught.value)
    keyed = replace(settings, auth="key", api_key="k")
    with pytest.raises(BadSettings, match="LAMI_EVENT_KEY"):
        check_exposure(keyed, "0.0.0.0")
    check_exposure(replace(keyed, event_key="e"), "0.0.0.0")
    for host in ("127.0.0.1", "127.0.0.2", "localhost", "::1"):
        check_exposure(settings, host)
    with pytest.raises(BadSettings):
        Server(fresh.lami, "0.0.0.0")


# --- what is due -----------------------------------------------------------------------------------


def test_the_walker_looks_again_when_the_grace_has_passed(tmp_path: Path) -> None:
    """What is stranded and missing is no finding at once; a second later it is, with no further event."""
    policy = tmp_path / "slow.toml"
    policy.write_text('[grace]\norphaned-assignment = "1s"\nmissing-grant = "1s"\n', "utf-8")
    with world(tmp_path, {"LAMI_POLICY": str(policy)}) as own:
        own.subscribe()
        own.redeploy()

        def rules() -> set[str]:
            return {one["rule"] for one in get(own, "/api/v1/findings").json()["value"]}

        assert "identity-churn" in rules()
        eventually(lambda: rules() >= {"orphaned-assignment", "missing-grant"}, "they open")


def test_the_schedule_reconciles_when_it_is_time(tmp_path: Path) -> None:
    """A grant that no event told of is found, since `LAMI_RECONCILE` has passed."""
    with world(tmp_path, {"LAMI_RECONCILE": "1s"}, schedule_every=0.3) as own:
        own.azure.estate.assign("Contributor", f"/subscriptions/{own.azure.subscription}", of=own.app())
        eventually(lambda: get(own, "/api/v1/findings?rule=broad-grant").json()["value"], "it is found")
        kinds = {e["kind"] for e in get(own, "/api/v1/timeline").json()["value"]}
        assert "reconciled" in kinds


def test_a_ticker_outlives_what_lami_raises_on_purpose() -> None:
    """Temporary and permanent failures are tried again; more work is done at once."""
    calls: list[str] = []
    died: list[str] = []
    done = threading.Event()

    def work() -> bool:
        calls.append("call")
        if len(calls) == 1:
            raise Temporary("down")
        if len(calls) == 2:
            raise Permanent("refused")
        if len(calls) == 5:
            done.set()
        return len(calls) < 5

    ticker = Ticker("test", work, 0.01, died.append)
    ticker.start()
    assert done.wait(20)
    ticker.stop(5)
    assert not died


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_in_a_thread_ends_the_server_loudly(fresh: World) -> None:
    """A lami whose walker died would seem well: `serve_forever` ends with an error that names it."""
    held, broken = fresh.lami, threading.Event()

    def clock() -> datetime:
        if broken.is_set():
            raise ZeroDivisionError
        return datetime.now(UTC)

    lami = assemble(held.settings, held.table, held.arm, held.channels, Watch(), clock)
    server = Server(lami, port=0)
    server.start()
    broken.set()
    with pytest.raises(Permanent, match="walker died"):
        server.serve_forever()


# --- end -------------------------------------------------------------------------------------------


def test_what_is_being_answered_is_finished_at_the_end(fresh: World) -> None:
    """`close` waits for the request under way; afterwards nobody is let in."""
    fresh.azure.faults.add(Fault(path="*/workflows/*", slow=1.0))
    answers: list[requests.Response] = []
    event = written(fresh.azure, fresh.app())
    url = fresh.events_url
    sender = threading.Thread(target=lambda: answers.append(requests.post(url, json=event, timeout=20)))
    before = len(fresh.azure.reads)
    sender.start()
    time.sleep(0.3)
    fresh.server.close()
    sender.join(20)
    assert answers[0].status_code == 200
    assert answers[0].json()[0]["outcome"] == "recorded"
    assert len(fresh.azure.reads) > before
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=2)
    fresh.server.close()


def test_closing_from_another_thread_ends_serve_forever(fresh: World) -> None:
    """And leaves no thread behind."""
    before = set(threading.enumerate())
    server = Server(fresh.lami, port=0)
    runner = threading.Thread(target=server.serve_forever)
    runner.start()
    eventually(lambda: server.port, "it is started")
    assert requests.get(f"{server.url}/api/v1/health", timeout=10).status_code == 200
    assert len(set(threading.enumerate()) - before) > 16
    server.close()
    runner.join(20)
    eventually(lambda: not set(threading.enumerate()) - before, "its threads have ended")


def test_what_is_stopped_before_it_began_ends_as_soon_as_it_begins() -> None:
    """A server may be closed by another thread while it is starting."""
    worked: list[bool] = []

    def work() -> bool:
        worked.append(True)
        return True

    ticker = Ticker("early", work, 0.01, lambda name: None)
    ticker.stop(1)
    ticker.start()
    ticker.stop(1)
    assert not worked


def test_many_requests_are_answered_at_once(fresh: World) -> None:
    """A slow Azure holds up the events that wait for it, and not the API."""
    events = [written(fresh.azure, fresh.azure.estate.put(fresh.app(f"app-{n}")).id) for n in range(4)]
    fresh.azure.faults.add(Fault(path="*/workflows/*", slow=2.0))
    url = fresh.events_url
    senders = [
        threading.Thread(target=requests.post, args=(url,), kwargs={"json": e, "timeout": 60}) for e in events
    ]
    for sender in senders:
        sender.start()
    time.sleep(0.2)
    assert get(fresh, "/api/v1/health").status_code == 200
    assert any(sender.is_alive() for sender in senders)
    for sender in senders:
        sender.join(60)


def test_it_listens_on_the_loopback_of_ipv6(fresh: World) -> None:
    """`::1` is bound, and the URL has its brackets."""
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with Server(fresh.lami, "::1", 0) as server:
        assert server.url == f"http://[::1]:{server.port}"
        assert requests.get(f"{server.url}/api/v1/health", timeout=10).status_code == 200

"""The timeline: a chain in which tampering shows, and questions to it."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta, timezone
from typing import TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from lami.core.model import Actor, Entry, EntryKind, FindingSubject, Subject
from lami.core.timeline import GENESIS, Query, broken, entry_id, hashed, principal_asked, scope_asked, stamp
from lami.store import rows
from tests.core.builders import HOSTILE, NOW, P1, P2, at, cause, group, workflow


class Question(TypedDict, total=False):
    """What a question may narrow."""

    resource: str
    principal: str
    actor: str
    scope: str
    kind: EntryKind


WHO = FindingSubject("logicApp", workflow().text, "claims-intake")


def line(number: int, text: str = "something") -> Entry:
    """An entry that is not chained yet."""
    return Entry(
        id=entry_id(Subject("holder", workflow().text), number),
        at=at(number),
        kind="observed",
        subject=WHO,
        text=text,
        before={"principalId": P1},
        after={"principalId": P2},
        cause=cause(),
    )


def chain(*lines: Entry) -> list[Entry]:
    """The entries, oldest first, each linked behind the one before it."""
    chained: list[Entry] = []
    for entry in lines:
        chained.append(hashed(entry, chained[-1].hash if chained else GENESIS))
    return chained


CHAIN = chain(*(line(number) for number in range(1, 6)))
HEAD = CHAIN[-1].hash


def test_a_chain_nobody_touched_holds() -> None:
    """The entries as they were written hold, and so does a subject without any."""
    assert broken(CHAIN, HEAD, len(CHAIN)) == ""
    assert broken([], GENESIS, 0) == ""


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize(
    "change",
    [
        {"text": "nothing happened"},
        {"at": at(99)},
        {"kind": "note"},
        {"before": {}},
        {"after": {"principalId": P1}},
        {"subject": replace(WHO, owner="someone else")},
        {"cause": replace(cause(), actor=Actor("user", "eve", "eve"))},
        {"finding": "f-1"},
        {"id": "e-other"},
        {"hash": "0" * 64},
        {"previous_hash": "0" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_entry_shows(number: int, change: dict[str, object]) -> None:
    """Any member of any entry, changed afterwards, breaks the chain at that entry."""
    changed = [*CHAIN]
    changed[number] = replace(changed[number], **change)
    assert broken(changed, HEAD, 5) != ""


def test_an_entry_changed_and_hashed_anew_shows() -> None:
    """Who mends the hash too breaks the link behind it, and at the end the head's."""
    for number in range(5):
        forged = [*CHAIN]
        forged[number] = hashed(replace(forged[number], text="x"), forged[number].previous_hash)
        assert broken(forged, HEAD, 5) != ""


@pytest.mark.parametrize("number", range(5))
def test_a_removed_entry_shows(number: int) -> None:
    """An entry that is gone is missed, also the oldest and the newest."""
    assert broken(CHAIN[:number] + CHAIN[number + 1 :], HEAD, 5) != ""


@pytest.mark.parametrize("number", range(6))
def test_an_inserted_entry_shows(number: int) -> None:
    """An entry slipped in is noticed wherever it stands, even if it is linked well."""
    previous = CHAIN[number - 1].hash if number else GENESIS
    slipped = [*CHAIN[:number], hashed(line(9), previous), *CHAIN[number:]]
    assert broken(slipped, HEAD, 5) != ""
    assert broken(slipped, slipped[-1].hash, 5) != ""


@given(st.permutations(CHAIN))
def test_only_the_written_order_holds(order: list[Entry]) -> None:
    """Any other order breaks the chain."""
    assert (broken(order, HEAD, 5) == "") == (order == CHAIN)


def test_a_tampered_head_shows() -> None:
    """A whole chain written anew does not fit the head, nor a head the chain; nor does a wrong count."""
    forged = chain(*(line(number, "all quiet") for number in range(1, 6)))
    assert broken(forged, HEAD, 5) == "the newest entry is not the one that the book names"
    assert broken(CHAIN, forged[-1].hash, 5) != ""
    assert broken(CHAIN, HEAD, 6) == "6 entries were written and 5 are there"
    assert broken([], HEAD, 5) != ""


@pytest.mark.parametrize("hours", [0, 5, -3])
def test_a_hash_is_the_same_when_a_store_gave_the_entry_back(hours: int) -> None:
    """What is read is what was hashed: times in whichever zone, and members in another order."""
    at_home = timezone(timedelta(hours=hours))
    time = (at(1) + timedelta(microseconds=5)).astimezone(at_home)
    entry = hashed(replace(CHAIN[0], at=time, before={"a": "1", "b": "2"}), GENESIS)
    (read,) = rows.unpack(rows.pack([entry]), list[Entry])
    assert broken([read], entry.hash, 1) == ""
    assert broken([replace(read, before={"b": "2", "a": "1"})], entry.hash, 1) == ""


@pytest.mark.parametrize("text", [*HOSTILE, "\x00", "line\nbreak", ""])
def test_hostile_text_is_hashed(text: str) -> None:
    """Whatever an attacker called a thing, the entry can be hashed."""
    assert broken(chain(line(1, text)), hashed(line(1, text), GENESIS).hash, 1) == ""


def test_half_a_character_is_refused() -> None:
    """A lone surrogate has no UTF-8, so no row could hold the entry either."""
    with pytest.raises(UnicodeEncodeError):
        hashed(line(1, "\ud800"), GENESIS)
    with pytest.raises(UnicodeEncodeError):
        rows.pack(line(1, "\ud800"))


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_what_is_hashed_is_all_of_the_entry_as_sorted_json(text: str, values: dict[str, str]) -> None:
    """The form never changes: hashes written long ago are checked by it, with whatever writes JSON."""
    entry = replace(line(1), text=text, before=values, at=at(1) + timedelta(microseconds=5))
    content = {**asdict(entry), "hash": "", "previous_hash": HEAD}
    plain = json.dumps(
        content,
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
        default=lambda value: stamp(value) if isinstance(value, datetime) else asdict(value),
    )
    assert hashed(entry, HEAD).hash == hashlib.sha256(plain.encode()).hexdigest()


def test_stamps_are_utc_with_microseconds_where_there_are_any() -> None:
    """Times are RFC 3339 with Z."""
    assert stamp(NOW.astimezone(timezone(timedelta(hours=-3)))) == "2026-11-24T08:00:00Z"
    assert stamp(NOW + timedelta(microseconds=5)) == "2026-11-24T08:00:00.000005Z"


def test_entry_ids_are_in_order_and_of_their_subject() -> None:
    """Ids grow with the number and tell subjects apart, in any casing of a resource's id."""
    here, there = Subject("holder", "/a/B"), Subject("principal", "/a/b")
    assert entry_id(here, 2) < entry_id(here, 10)
    assert entry_id(here, 1) == entry_id(Subject("holder", "/A/b"), 1) != entry_id(there, 1)


# --- questions -------------------------------------------------------------------------------------

GRANTED = replace(
    line(1),
    subject=FindingSubject("principal", P1, "claims-intake"),
    before={},
    after={"principalId": P1, "scope": f"{group('rg-a')}"},
)


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        ({}, True),
        ({"kind": "observed"}, True),
        ({"kind": "told"}, False),
        ({"resource": "CLAIMS-intake"}, True),
        ({"resource": P1.upper()}, True),
        ({"resource": "claims"}, False),
        ({"resource": "/"}, False),
        ({"principal": P1.upper()}, True),
        ({"principal": P2}, False),
        ({"actor": "DANA"}, True),
        ({"actor": "eve"}, False),
        ({"scope": f"{group('RG-A')}/"}, True),
        ({"scope": f"{group('rg-a').parent}"}, True),
        ({"scope": f"{group('rg')}"}, False),
        ({"scope": f"{workflow()}"}, False),
        ({"scope": "/"}, True),
        ({"kind": "observed", "actor": "dana", "principal": P2}, False),
    ],
    ids=str,
)
def test_a_question(question: Question, answers: bool) -> None:
    """Each filter is compared without case and whole, scopes by segment, and all must agree."""
    query = Query(at(0), at(100), **question)
    assert query.wants(GRANTED) is answers


def test_a_resource_is_found_by_its_id_with_a_slash_at_the_end() -> None:
    """It is the same resource, however its id was copied."""
    for slashes in ("", "/", "//"):
        assert Query(at(0), at(100), resource=f"{workflow()}{slashes}").wants(line(1))


def test_the_root_is_the_scope_of_whatever_has_one() -> None:
    """All scopes are below the root; an entry that is about none has no place there."""
    assert not Query(at(0), at(100), scope="/").wants(line(1))


def test_a_principal_is_found_before_and_after() -> None:
    """An entry about a change of principals answers for both of them."""
    for principal in (P1, P2):
        assert Query(at(0), at(100), principal=principal).wants(line(1))
    shed = replace(line(1), before={}, after={"previousPrincipalId": P2})
    assert Query(at(0), at(100), principal=P2).wants(shed)


def test_a_principal_is_found_by_the_short_id_that_titles_have() -> None:
    """The first eight digits name whoever has them, and no other beginning does."""
    assert Query(at(0), at(100), principal=P1[:8].upper()).wants(line(1))
    assert not Query(at(0), at(100), principal="0" * 8).wants(line(1))
    assert not Query(at(0), at(100), principal=P1[:7]).wants(line(1))
    assert not Query(at(0), at(100), principal=WHO.id[:8]).wants(line(1))


@pytest.mark.parametrize("text", ["", P1, P1.upper(), P1[:8], P1[:8].upper()])
def test_what_may_be_a_principal_s_id(text: str) -> None:
    """A GUID, or its first eight digits, in any casing; nothing is any."""
    assert principal_asked(text) == text


@pytest.mark.parametrize(
    "text", ["abc", P1[:7], P1[:9], P1[:-1], f"{P1}0", f"{{{P1}}}", "claims-intake", *HOSTILE]
)
def test_what_no_principal_is_called_is_refused(text: str) -> None:
    """It would match nothing, and read as if nothing had happened."""
    with pytest.raises(ValueError, match="GUID"):
        principal_asked(text)


def test_a_scope_begins_with_a_slash() -> None:
    """Anything else would match nothing."""
    for text in ("", "/", f"{group('rg-a')}"):
        assert scope_asked(text) == text
    for text in ("rg-claims", "subscriptions/x", *HOSTILE):
        with pytest.raises(ValueError, match="begins with /"):
            scope_asked(text)


def test_the_span_has_its_start_and_not_its_end() -> None:
    """`since` is included and `until` is not."""
    assert Query(at(1), at(2)).wants(line(1))
    assert not Query(at(0), at(1)).wants(line(1))

"""The layout of rows: whatever a book holds comes back as it was, within Table Storage's limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lami.core.ids import ResourceId
from lami.core.model import (
    Acceptance,
    Access,
    Actor,
    Attached,
    Book,
    Carried,
    Carrier,
    Cause,
    Entry,
    Finding,
    FindingSubject,
    Grant,
    Granted,
    GrantLine,
    Heard,
    Held,
    HolderState,
    IdentityNews,
    Owed,
    OwedAlert,
    OwedIndex,
    OwedLook,
    OwedMessage,
    Permission,
    PrincipalState,
    RoleState,
    Subject,
    Term,
    User,
)
from lami.store import limits, rows
from lami.store.table import Put, Row
from tests.core.builders import HOSTILE, NOW, P1, cause, make_access, make_grant, workflow

# Half characters cannot be stored, and an event that holds one is refused when it is decoded.
TEXT = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@dataclass(frozen=True)
class Samples:
    """Nouns in which every text is this text and every time this time."""

    text: str
    time: datetime

    @property
    def id(self) -> ResourceId:
        """A resource."""
        return ResourceId(f"/x{self.text}y")

    @property
    def cause(self) -> Cause:
        """Who and why."""
        return Cause(
            self.text, self.text, self.time, self.text, Actor("user", self.text, self.text, self.text)
        )

    @property
    def access(self) -> Access:
        """An access under a condition."""
        return Access(self.text, self.id, self.text)

    @property
    def terms(self) -> dict[str, Term]:
        """A term that is missing and one that isn't."""
        return {
            "a": Term(self.access, self.text, 3, self.time, self.cause),
            "b": Term(self.access, self.text),
        }

    @property
    def lines(self) -> tuple[GrantLine, ...]:
        """What a message says is granted."""
        bare = GrantLine(self.text, self.access, self.text)
        return bare, GrantLine(self.text, self.access, self.text, (self.text, "b"), self.time)

    @property
    def finding(self) -> Finding:
        """A finding with everything."""
        return Finding(
            id=self.text,
            rule=self.text,
            severity="high",
            status="accepted",
            subject=FindingSubject("logicApp", self.text, self.text, self.text),
            title=self.text,
            detail={self.text: self.text},
            cause=self.cause,
            opened_at=self.time,
            telling=self.text,
            thread=self.text,
            revision=3,
            key=self.text,
            resolved_at=self.time,
            accepted=Acceptance(self.text, self.text, self.time, self.time),
            notes=(self.text, ""),
            attack=(self.text,),
            remediation=(self.text,),
        )

    @property
    def entry(self) -> Entry:
        """An entry with everything."""
        who = FindingSubject("principal", self.text, self.text, self.text)
        values = {self.text: self.text}
        text = self.text
        return Entry(text, self.time, "opened", who, text, values, {}, self.cause, text, text, text)

    @property
    def owed(self) -> Owed:
        """A debt of everything."""
        return Owed(
            id="000000000001",
            cause=self.cause,
            alerts=(
                OwedAlert(self.text, self.text),
                OwedAlert(self.text, "", ()),
                OwedAlert("", "", ("teams",)),
            ),
            messages=(OwedMessage("grants", Subject("holder", self.id.text)),),
            index=OwedIndex(True, (self.text,), ("",)),
            looks=(OwedLook(self.time, "grace", self.text),),
            claimed_until=self.time,
        )

    @property
    def principal(self) -> PrincipalState:
        """What is held of a principal."""
        grant = Grant(
            id=self.id,
            access=self.access,
            role_name=self.text,
            powers=(self.text,),
            readable=False,
            present=True,
            newest=self.time,
            created=None,
            changed=self.time,
            created_by=self.text,
            cause=self.cause,
            tolerated=True,
        )
        carrier = Carrier(self.id, "logicApp", self.text, True, self.time, self.cause, 7, (self.text,))
        return PrincipalState(
            type=self.text,
            grants={self.text: grant, "other": replace(grant, present=False)},
            terms=self.terms,
            carriers={self.text: carrier},
            heard={self.text: Heard(self.time, gone=True)},
        )

    @property
    def holder(self) -> HolderState:
        """What is held of a holder."""
        attached = (Attached(self.id, self.text),)
        return HolderState(
            kind="userAssignedIdentity",
            known=True,
            present=True,
            newest=self.time,
            seen=self.time,
            created=self.time,
            born=self.time,
            gone_at=self.time,
            deleted_since=True,
            owner=self.text,
            oddity=self.text,
            baseline=Carried(self.text, attached),
            observed=Carried("", attached * 2),
            churned_at=self.time,
            churn_cause=self.cause,
            terms=self.terms,
            granted={self.text: Granted(2, self.lines), "b": Granted(0)},
            users={self.text: User(self.id, 3, False)},
            identities={self.text: IdentityNews(4, self.text, self.lines)},
        )


SAMPLES = st.builds(Samples, TEXT, TIMES)


def stored(book: Book) -> dict[str, Row]:
    """The rows of a load of this book, as the limits of Table Storage allow them."""
    found = {rows.HEAD: rows.head(book)}
    for name, part in rows.parts(book).items():
        found |= rows.shards(name, part)
    found |= {rows.owed_key(owed.id): rows.pack(owed) for owed in book.owed}
    limits.check(book.subject.partition, [Put(key, values) for key, values in found.items()])
    return {key: Row(book.subject.partition, key, values) for key, values in found.items()}


@given(SAMPLES)
def test_every_book_comes_back(samples: Samples) -> None:
    """Whatever an attacker called things: all parts of all kinds of books, findings and debts."""
    role = RoleState(
        samples.text,
        (samples.text,),
        False,
        samples.time,
        custom=True,
        at=samples.text,
        changed_at=samples.time,
        change_cause=samples.cause,
        allowed={"expected": (Permission((samples.text,), condition=samples.text),), "observed": ()},
        held={samples.text: Held(samples.text, True, 7, (make_access(),))},
    )
    for subject, state in (
        (Subject("principal", P1), samples.principal),
        (Subject("holder", samples.id.text), samples.holder),
        (Subject("role", P1), role),
    ):
        findings = {samples.text: samples.finding}
        book = Book(subject, state, 2**40, samples.text, 2**33, samples.time, findings, (samples.owed,))
        assert rows.decode(subject, stored(book)) == book


@given(TEXT)
def test_how_a_scope_is_called_comes_back(name: str) -> None:
    """Wherever a book holds an access: in grants, terms and what was said to be granted."""
    access = Access("role", ResourceId(f"/subscriptions/{P1}", name))
    grant = replace(make_grant(), access=access, was=access)
    lines, terms = (GrantLine("id", access, "role"),), {"a": Term(access, "role")}
    principal = PrincipalState(grants={"a": grant}, terms=terms)
    holder = HolderState(
        terms=terms, granted={"p": Granted(1, lines)}, identities={"i": IdentityNews(1, "p", lines)}
    )
    role = RoleState("role", held={"p": Held("p", True, 1, (access,))})
    found: list[Access | None] = []
    for subject, state in (
        (Subject("principal", P1), principal),
        (Subject("holder", workflow().text), holder),
        (Subject("role", P1), role),
    ):
        back = rows.decode(subject, stored(Book(subject, state, version=1))).state
        found += [term.access for term in getattr(back, "terms", {}).values()]
        if isinstance(back, PrincipalState):
            found += [back.grants["a"].access, back.grants["a"].was]
        elif isinstance(back, HolderState):
            found += [line.access for line in (*back.granted["p"].grants, *back.identities["i"].grants)]
        elif isinstance(back, RoleState):
            found += [access for _, access in back.accesses]
    assert [one.scope.called for one in found if one is not None] == [name] * 7


def test_a_row_that_was_written_before_scopes_had_names_still_reads() -> None:
    """There an id is its text; and where no name is known it still is."""
    old = {"d0": '{"a":{"access":{"role":"r","scope":"/subscriptions/S"},"role_name":"Reader"}}'}
    read = rows.unpack(old, dict[str, Term])
    assert read == {"a": Term(Access("r", ResourceId("/subscriptions/S")), "Reader")}
    assert read["a"].access.scope.called == ""
    assert '"scope":"/subscriptions/S"' in str(rows.pack(read)["d0"])


@given(SAMPLES)
def test_entries_and_resolved_findings_come_back(samples: Samples) -> None:
    """In the order in which they were written."""
    for items, kind in (
        ([samples.entry, replace(samples.entry, id="2")], Entry),
        ([samples.finding], Finding),
    ):
        found = [Row("p", key, values) for key, values in rows.stack("k", items).items()]
        assert rows.unstack(found, kind) == items


def test_no_rows_are_a_book_nobody_has_written() -> None:
    """Of each kind, with version 0."""
    for subject, state in (
        (Subject("holder", workflow().text), HolderState()),
        (Subject("principal", P1), PrincipalState()),
        (Subject("role", P1), RoleState()),
    ):
        assert rows.decode(subject, {}) == Book(subject, state)


def test_a_book_keeps_its_id_as_azure_wrote_it_first() -> None:
    """Whoever loads it in another casing finds the same book and the first writing."""
    book = Book(Subject("holder", workflow().text), HolderState(), version=1)
    other = Subject("holder", workflow().text.upper())
    assert other.partition == book.subject.partition
    assert rows.decode(other, stored(book)).subject.id == workflow().text


def test_what_a_load_reads_has_keys_before_what_it_never_reads() -> None:
    """One range query has the state, the open findings and the debts, and no more."""
    book = Book(
        Subject("principal", P1), PrincipalState(grants={"k": make_grant()}), owed=(Owed("1", cause()),)
    )
    assert all(key < rows.STATE_ENDS for key in stored(book))
    behind = (rows.entries_key(1), rows.gate_key("g"), rows.resolved_key(1))
    assert all(key >= rows.STATE_ENDS for key in behind)


def test_entries_stand_newest_first() -> None:
    """Key order is the reverse of versions, so that the newest are read without the older ones."""
    keys = [rows.entries_key(version) for version in (1, 2, 10, 999_999)]
    assert keys == sorted(keys, reverse=True)


# --- sizes -----------------------------------------------------------------------------------------

LENGTHS = [
    *range(rows.DEFLATE_FROM - 3, rows.DEFLATE_FROM + 3),
    *range(rows.PROPERTY - 3, rows.PROPERTY + 3),
    *range(2 * rows.PROPERTY - 3, 2 * rows.PROPERTY + 3),
    5 * rows.PROPERTY,
]


def noise(length: int, alphabet: str) -> str:
    """Text that hardly deflates."""
    return "".join(Random(length).choices(alphabet, k=length))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("alphabet", ["a", "abcdefghijklmnopqrstuvwxyz0123456789+/", "漢字é", "😀👍"])
def test_text_of_any_length_comes_back(length: int, alphabet: str) -> None:
    """Around the lengths at which it is deflated or split, no property is too long and nothing is lost."""
    text = noise(length, alphabet)
    values = rows.pack(text)
    limits.check("p", [Put("k", values)])
    assert rows.unpack(values, str) == text


@pytest.mark.parametrize("times", [1, 2])
def test_text_that_fills_its_properties_exactly_is_read_to_its_end(times: int) -> None:
    """Whole properties without a rest are read, and no further."""
    text = noise(times * rows.PROPERTY - 2, "abcdefgh")
    json = f'"{text}"'
    values = {f"d{n}": json[n * rows.PROPERTY : (n + 1) * rows.PROPERTY] for n in range(times)}
    assert rows.unpack(values, str) == text


def test_many_items_are_as_many_rows_as_they_need() -> None:
    """Each row is within its limit, and the items come back in their order; one item is never split."""
    random = Random(3)
    items = [f"{number} {random.randbytes(1_000).hex()}" for number in range(900)]
    found = rows.stack("entry.1", items)
    assert len(found) > 2
    for key, values in found.items():
        limits.check("p", [Put(key, values)])
    assert rows.unstack([Row("p", key, values) for key, values in found.items()], str) == items


def test_which_row_an_item_is_in_depends_on_its_key_only() -> None:
    """Adding a grant rewrites one row of grants, however many there are."""
    grants: dict[str, object] = {f"k{number}": make_grant(f"a{number}") for number in range(200)}
    before = rows.shards("b.grants", grants)
    after = rows.shards("b.grants", {**grants, "more": make_grant("more")})
    assert len(before) == 16
    assert sum(before.get(key) != values for key, values in after.items()) == 1


def test_a_book_of_4000_grants_fits_one_transaction() -> None:
    """As many as a subscription can have, all of them expected and found at once, with their debts."""
    random = Random(7)
    grants = {}
    terms = {}
    findings = {}
    for number in range(4_000):
        grant = make_grant(f"{random.getrandbits(128):032x}", scope=workflow(f"{random.getrandbits(64):x}"))
        grants[grant.id.key] = grant
        terms[grant.access.key] = Term(grant.access, "Reader")
        findings[f"f-{number}"] = _finding(f"f-{number}", grant)
    owed = Owed(
        "1", cause(), tuple(OwedAlert(id, "") for id in findings), index=OwedIndex(True, tuple(findings))
    )
    state = PrincipalState("User", grants, terms)
    book = Book(Subject("principal", P1), state, 1, "c", 4_000, NOW, dict(sorted(findings.items())), (owed,))
    found = rows.decode(book.subject, stored(book))
    assert found == book


def _finding(id: str, grant: Grant) -> Finding:
    return Finding(
        id=id,
        rule="broad-grant",
        severity="high",
        status="open",
        subject=FindingSubject("principal", P1, "claims-intake"),
        title="claims-intake was granted Reader",
        detail={"principalId": P1, "assignmentId": grant.id.text, "scope": grant.access.scope.text},
        cause=cause(),
        opened_at=NOW,
        telling="",
        thread="t",
        revision=1,
        key=grant.id.key,
        remediation=(f"az role assignment delete --ids {grant.id.text}",),
    )


def test_access_keys_do_not_change_with_the_casing_of_a_scope() -> None:
    """A term and a grant of one access meet however Azure wrote the scope."""
    upper = make_access(scope=ResourceId(make_access().scope.text.upper()))
    assert upper.key == make_access().key

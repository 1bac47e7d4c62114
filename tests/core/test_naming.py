"""How things are named in titles: short, recognisable, never a whole id."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from lami.core import naming
from lami.core.ids import ResourceId
from lami.core.model import Access, Book, FindingSubject, HolderState, PrincipalState, RoleState, Subject
from tests.core.builders import (
    CONTRIBUTOR,
    P1,
    READER,
    group,
    identity,
    make_access,
    make_carrier,
    make_holder,
    make_principal,
    site,
    workflow,
)


def test_a_holder_is_named_by_its_last_segment() -> None:
    """A logic app by its name, with its owner."""
    who = naming.subject_of(make_holder(HolderState(owner="claims-team")))
    assert who == FindingSubject("logicApp", workflow().text, "claims-intake", "claims-team")


def test_a_slot_is_named_with_its_app() -> None:
    """A slot's own name (staging) says too little."""
    assert naming.subject_of(make_holder(id=site("s", "staging"))).name == "s/staging"


def test_a_role_is_named_by_its_name_or_short_id() -> None:
    """A role that could not be read is still told apart."""
    subject = Subject("role", CONTRIBUTOR.id)
    assert naming.subject_of(Book(subject, RoleState("Contributor"))).name == "Contributor"
    assert naming.subject_of(Book(subject, RoleState())).name == "role b24988ac"


def test_a_principal_nobody_carries_is_named_by_type_and_short_id() -> None:
    """A user or group that no logic app carries."""
    book = make_principal()
    assert naming.subject_of(book).name == "ServicePrincipal aaaaaaaa"
    assert naming.principal_name(P1, PrincipalState()) == "principal aaaaaaaa"


def test_a_principal_is_named_by_who_carries_it_now() -> None:
    """Those that have shed it are named only where nobody carries it any longer."""
    carried = make_principal(
        carriers=[make_carrier(workflow("a")), make_carrier(workflow("b"), carries=False)]
    )
    shed = make_principal(carriers=[make_carrier(workflow("b"), carries=False)])
    assert naming.subject_of(carried).name == "a"
    assert naming.subject_of(shed).name == "b"


def test_a_shared_identity_names_the_apps_that_use_it() -> None:
    """A person knows the app rather than the identity."""
    shared = replace(make_carrier(identity("id-shared")), apps=("orders", "returns"))
    assert naming.subject_of(make_principal(carriers=[shared])).name == "id-shared (used by orders, returns)"


def test_many_carriers_are_counted() -> None:
    """A title names three of them."""
    book = make_principal(carriers=[make_carrier(workflow(name)) for name in "edcba"])
    assert naming.subject_of(book).name == "a, b, c and 2 more"


def test_the_carriers_named_have_their_ids_in_the_same_order() -> None:
    """As many as a title names; of two with one name, each once."""
    same = ResourceId(workflow("b").text.replace("rg-claims", "rg-other"))
    ids = [workflow("d"), workflow("c"), same, workflow("b"), workflow("a")]
    book = make_principal(carriers=[*map(make_carrier, ids), make_carrier(workflow("0"), carries=False)])
    assert isinstance(book.state, PrincipalState)
    assert naming.carrier_names(book.state) == ("a", "b", "b", "c", "d")
    assert naming.carrier_ids(book.state) == (workflow("a").text, workflow("b").text, same.text)
    shed = make_principal(carriers=[make_carrier(workflow("0"), carries=False)])
    assert isinstance(shed.state, PrincipalState)
    assert naming.carrier_ids(shed.state) == (workflow("0").text,)
    assert naming.carrier_ids(PrincipalState()) == ()


def test_owners_are_named_once() -> None:
    """The owners of those that carry a principal now, sorted; else of those that did."""
    carriers = [
        replace(make_carrier(workflow(name)), owner=who) for name, who in zip("abc", "yxy", strict=True)
    ]
    gone = replace(make_carrier(workflow("d"), carries=False), owner="z")
    assert naming.subject_of(make_principal(carriers=[*carriers, gone])).owner == "x, y"
    assert naming.subject_of(make_principal(carriers=[gone])).owner == "z"


@pytest.mark.parametrize(
    ("role_name", "access", "words"),
    [
        ("Reader", make_access(scope=group("rg")), "Reader at resource group rg"),
        ("", make_access(scope=group("rg")), "role acdd72a7 at resource group rg"),
        ("Reader", make_access(scope=workflow("w")), "Reader at w (workflows)"),
        ("R", Access(READER.id, group("rg"), "@x"), "R at resource group rg under a condition"),
    ],
)
def test_an_access_in_words(role_name: str, access: Access, words: str) -> None:
    """Role, scope and whether there is a condition."""
    assert naming.access(role_name, access) == words


def test_numbers_and_lists_as_a_sentence_has_them() -> None:
    """One, several, and none."""
    assert [naming.counted(n, "role") for n in (0, 1, 2)] == ["0 roles", "1 role", "2 roles"]
    assert [naming.listed("abc"[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]

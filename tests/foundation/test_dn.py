"""Distinguished names: equal when a person would say so, never when an attribute differs."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.dn import CN, OIDS, DnError, from_pairs, parse, prepare

REAL = "CN=mss.operateur.example,OU=344368557300034,O=OPÉRATEUR,ST=Bouches-du-Rhône (13),C=FR"

SAME = [
    (REAL, "cn=MSS.operateur.EXAMPLE, ou=344368557300034, o=opérateur, st=BOUCHES-DU-RHÔNE (13), c=fr"),
    ("CN=a,O=Deux  mots", "CN=a,O= Deux mots "),
    ("CN=a,O=e\u0301te\u0301", "CN=a,O=\u00e9t\u00e9"),
    ("CN=a,O=\ufb01n", "CN=a,O=fin"),
    ("CN=a,O=D\\27or", "CN=a,O=D'or"),
    ("CN=a,O=Soins\\, aide", 'CN=a,O="Soins, aide"'),
    ("CN=a,O=caf\\C3\\A9", "CN=a,O=CAFÉ"),
    ("CN=a,O=zero\u200bwidth\u00ad", "CN=a,O=zerowidth"),
    ("CN=a,O=un\u00a0deux", "CN=a,O=un deux"),
    ("CN=a+OU=b,C=FR", "OU=b+CN=a,C=FR"),
    ("2.5.4.3=a,OID.2.5.4.6=FR", "CN=a,C=FR"),
    ("CN=a,S=Paris (75),E=x@y.example", "CN=a,ST=Paris (75),EMAILADDRESS=X@Y.example"),
    ("CN=Straße,C=FR", "CN=STRASSE,C=FR"),
]

DIFFERENT = [
    ("CN=a,O=été", "CN=a,O=ete"),
    ("CN=a,OU=b,OU=c", "CN=a,OU=c,OU=b"),
    ("CN=a,C=FR", "C=FR,CN=a"),
    ("CN=a,OU=b", "CN=a+OU=b"),
    ("CN=a,OU=1", "CN=a,O=1"),
    ("CN=a", "CN=a,C=FR"),
    ("CN=ab", "CN=a b"),
    ("CN=a\\,OU=b", "CN=a,OU=b"),
    ("CN=l'air", "CN=l’air"),
]

BROKEN = [
    "", " ", "CN", "CN=a,", ",CN=a", "=a", "CN=a;C=FR", "XX=a", 'CN="a', 'CN="a"b', "CN=a\\", "CN=a\\zz", "CN=#0c0161",
    "CN=\\FF", "CN=a<b", "CN=a\\00b", "CN=" + "a" * 5000, "CN=\ue000", "CN=\ud800", "+", "CN=a+", "CN=a++OU=b",
    "CN=", "CN=\u200b,C=FR",
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_same(one: str, other: str) -> None:
    assert parse(one) == parse(other)
    assert hash(parse(one)) == hash(parse(other))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different(one: str, other: str) -> None:
    assert parse(one) != parse(other)


@pytest.mark.parametrize("text", BROKEN)
def test_broken_text_is_refused(text: str) -> None:
    with pytest.raises(DnError):
        parse(text)


def test_values_and_text() -> None:
    name = parse(REAL)
    assert name.values(CN) == ("mss.operateur.example",)
    assert str(name) == REAL
    assert name.rdns[0] == ((OIDS["C"], "fr"),), "root first"


VALUES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Co", "Cn")), min_size=1, max_size=20).filter(
    lambda text: text.strip(" ") == text and prepare(text) != ""
)
NAMES = st.lists(
    st.lists(st.tuples(st.sampled_from(sorted(set(OIDS.values()))), VALUES), min_size=1, max_size=2),
    min_size=1,
    max_size=6,
)


@given(NAMES)
def test_what_is_written_reads_back_equal(pairs: list[list[tuple[str, str]]]) -> None:
    name = from_pairs(pairs)
    assert parse(name.text) == name


@given(st.text("abcéèÀßﬁ -(9)", min_size=1).filter(lambda text: text.strip() != ""))
def test_case_does_not_count(value: str) -> None:
    assert from_pairs([[(CN, value.upper())]]) == from_pairs([[(CN, value.lower())]]) == from_pairs([[(CN, value)]])


@given(VALUES)
def test_preparation_is_idempotent(value: str) -> None:
    assert prepare(prepare(value)) == prepare(value)


@given(NAMES)
def test_spaces_do_not_count(pairs: list[list[tuple[str, str]]]) -> None:
    spaced = [[(oid, f"  {value.replace(' ', '   ')} ") for oid, value in rdn] for rdn in pairs]
    assert from_pairs(spaced) == from_pairs(pairs)


@given(NAMES, NAMES)
def test_equality_is_equality_of_prepared_attributes(
    one: list[list[tuple[str, str]]], other: list[list[tuple[str, str]]]
) -> None:
    def shape(pairs: list[list[tuple[str, str]]]) -> list[list[tuple[str, str]]]:
        return [sorted((oid, prepare(value)) for oid, value in rdn) for rdn in pairs]

    assert (from_pairs(one) == from_pairs(other)) == (shape(one) == shape(other))


@given(st.text(max_size=60))
def test_any_text_gives_a_name_or_a_clear_error(text: str) -> None:
    with contextlib.suppress(DnError):
        parse(text)

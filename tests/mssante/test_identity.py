"""Identifiers: real-shaped examples, wrong keys, masks; properties of the keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssante import identity
from mssante.identity import Fault, Finess, Identifier, Ins, Invalid, Rpps, Siret


@pytest.mark.parametrize(
    "text",
    [
        "279035121518989",  # the ANS test patient
        "2 79 03 51 215 189 89",
        identity.demo_ins(1).value,
        identity.demo_ins(1, sex=1, place="2A004").value,
        identity.demo_ins(1, sex=1, place="2B033").value.lower(),
    ],
)
def test_right_ins(text: str) -> None:
    number = identity.parse_ins(text)
    assert isinstance(number, Ins)
    assert len(number.value) == 15


def test_corsica_counts_as_19_and_18() -> None:
    assert int(identity.ins_key("179032A004001")) == 97 - 1790319004001 % 97
    assert int(identity.ins_key("179032B004001")) == 97 - 1790318004001 % 97


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("279035121518988", Fault.KEY),
        ("27903512151898", Fault.FORMAT),
        ("2790351215189899", Fault.FORMAT),
        ("979035121518989", Fault.FORMAT),
        ("279032C21518989", Fault.FORMAT),
        ("٢٧٩٠٣٥١٢١٥١٨٩٨٩", Fault.FORMAT),
        ("279035121518989" + " " * 60 + "1", Fault.FORMAT),
        ("reponse.automatique-test", Fault.FORMAT),
        ("", Fault.FORMAT),
    ],
)
def test_wrong_ins(text: str, fault: Fault) -> None:
    refused = identity.parse_ins(text)
    assert isinstance(refused, Invalid)
    assert refused.fault is fault
    assert not text or text not in refused.why


@given(st.integers(1, 999), st.sampled_from([1, 2]), st.integers(1920, 2026), st.integers(1, 12), st.integers(0, 12))
def test_one_wrong_digit_never_passes(serial: int, sex: int, year: int, month: int, position: int) -> None:
    good = identity.demo_ins(serial, sex, year, month).value
    other = str((int(good[position]) + 1) % 9 or 1)
    if other != good[position]:
        assert isinstance(identity.parse_ins(good[:position] + other + good[position + 1 :]), Invalid)


def test_demo_numbers_differ() -> None:
    assert len({identity.demo_ins(serial).value for serial in range(1, 1000)}) == 999
    with pytest.raises(ValueError, match="INS"):
        identity.demo_ins(1000)


@given(st.text("0123456789", min_size=1, max_size=30))
def test_luhn_key_fits_and_one_wrong_digit_does_not(digits: str) -> None:
    number = digits + identity.luhn_key(digits)
    assert identity.luhn(number)
    assert not identity.luhn(number[:-1] + str((int(number[-1]) + 1) % 10))


def test_structures_and_persons() -> None:
    rpps = "1000000000" + identity.luhn_key("1000000000")
    finess = "75000000" + identity.luhn_key("75000000")
    siret = "1111111111111" + identity.luhn_key("1111111111111")
    assert identity.parse_person_id("8" + rpps) == Rpps(rpps)
    assert isinstance(identity.parse_person_id("0752A00001"), Invalid)
    assert identity.parse_person_id("0759900001") == identity.parse_adeli("759900001")
    assert identity.parse_adeli("2A9900001") == identity.Adeli("2A9900001")
    assert identity.parse_structure_id("1" + finess) == Finess(finess)
    assert identity.parse_structure_id("3" + siret) == Siret(siret)
    assert isinstance(identity.parse_structure_id("5" + siret), Invalid)
    assert isinstance(identity.parse_finess(finess[:-1] + str((int(finess[-1]) + 1) % 10)), Invalid)
    assert isinstance(identity.parse_rpps(rpps[:-1]), Invalid)
    assert identity.parse_finess("2A0000014") == Finess("2A0000014")


def test_la_poste_has_its_own_key() -> None:
    assert isinstance(identity.parse_siret("35600000000048"), Siret)  # head office: Luhn
    assert isinstance(identity.parse_siret("35600000049837"), Siret)  # a post office: digits sum to 45
    assert isinstance(identity.parse_siret("35600000049838"), Invalid)


@pytest.mark.parametrize("number", [identity.demo_ins(7), Rpps("10000000001"), Siret("35600000000048")])
def test_numbers_are_masked_everywhere_but_in_value(number: Identifier) -> None:
    for shown in (repr(number), str(number), f"{number}", f"{[number]}"):
        assert number.value not in shown

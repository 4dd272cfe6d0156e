"""The dated tables of the registers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

import pytest

from mssante.kinds import SECTORS_PHARMACY
from mssante.registers.nomenclatures import Concept, professions, sectors, specialities


@pytest.mark.parametrize(
    ("table", "code", "label"),
    [
        (sectors, "SA33", "Pharmacie d'officine"),
        (sectors, "SA05", "Centre de santé"),
        (professions, "10", "Médecin"),
        (professions, "21", "Pharmacien"),
        (specialities, "SM04", "Cardiologie et maladies vasculaires"),
    ],
)
def test_what_a_code_means(table: Callable[[], Mapping[str, Concept]], code: str, label: str) -> None:
    assert table()[code].label == label
    assert table()[code].valid(date(2026, 11, 29))


@pytest.mark.parametrize(
    ("code", "on", "valid"),
    [
        ("SA11", date(2020, 6, 25), True),  # interim agencies: until 26 June 2020
        ("SA11", date(2020, 6, 26), False),
        ("SA63", date(2020, 2, 27), False),  # CPTS: since 28 February 2020
        ("SA63", date(2020, 2, 28), True),
    ],
)
def test_a_code_has_its_days(code: str, on: date, valid: bool) -> None:
    assert sectors()[code].valid(on) is valid


def test_every_row_is_whole_and_pharmacies_are_there() -> None:
    assert sectors().keys() >= SECTORS_PHARMACY
    for table in (sectors(), professions(), specialities()):
        assert all(one.code == code and one.label.strip() == one.label != "" for code, one in table.items())
    assert (len(sectors()), len(specialities())) == (64, 83)

"""Lines of the public extraction file, by a table: what is said, what comes of it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssante.directory import Entry
from mssante.identity import luhn_key
from mssante.kinds import BoxKind
from mssante.registers import extraction, reading
from mssante.registers.extraction import NotAnExtraction, layout, read_line
from mssante.registers.reading import Fault

HEADER = (
    "Type de BAL|Adresse BAL|Identification nationale PP|Identification Structure|Service de rattachement|"
    "Civilité d'exercice|Nom d'exercice|Prénom d'exercice|Libellé Profession|Libellé savoir-faire|"
    "Raison Sociale structure BAL|Enseigne commerciale structure BAL|L6LIGNEACHEMINEMENT structure BAL|"
    "Code postal structure BAL"
)
RPPS = "8" + "1099900001" + luhn_key("1099900001")
FINESS = "99000011" + luhn_key("99000011")


def line(**said: str) -> str:
    names = {
        "kind": "PER", "address": "Camille.Roche@medecins.example", "person": "", "structure": "", "service": "", "title": "",
        "family": "", "given": "", "profession": "", "speciality": "", "organisation": "", "sign": "", "routing": "",
        "postcode": "",
    }  # fmt: skip
    return "|".join((names | said).values())


@pytest.mark.parametrize(
    ("said", "entry"),
    [
        (
            {"title": "DR", "family": "ROCHE", "given": "CAMILLE", "person": RPPS, "profession": "Médecin"},
            Entry(
                "camille.roche@medecins.example", BoxKind.PER, "Dr Camille ROCHE", "Médecin", title="Dr", given_name="Camille",
                family_name="ROCHE", person_id=RPPS,
            ),
        ),
        (
            {"kind": "ORG", "service": "Cardiologie", "organisation": "CHU de Villefleur", "structure": "1" + FINESS},
            Entry(
                "camille.roche@medecins.example", BoxKind.ORG, "Cardiologie, CHU de Villefleur", structure_id=FINESS,
                organisation="CHU de Villefleur", service="Cardiologie",
            ),
        ),
        (
            {"kind": "org", "organisation": "SELARL X", "sign": "Pharmacie du Marché", "routing": "99100 VILLEFLEUR CEDEX"},
            Entry(
                "camille.roche@medecins.example", BoxKind.ORG, "Pharmacie du Marché", town="VILLEFLEUR CEDEX",
                organisation="Pharmacie du Marché",
            ),
        ),
        ({"kind": "APP"}, Entry("camille.roche@medecins.example", BoxKind.APP, "camille.roche")),
        ({"person": RPPS[:-1] + "x"}, Entry("camille.roche@medecins.example", BoxKind.PER, "camille.roche")),
        ({"structure": "1" + "990000110"}, Entry("camille.roche@medecins.example", BoxKind.PER, "camille.roche")),
        ({"address": "no address"}, Fault.ADDRESS),
        ({"address": ""}, Fault.ADDRESS),
        ({"kind": "CIT"}, Fault.KIND),
        ({"kind": ""}, Fault.KIND),
    ],
)  # fmt: skip
def test_what_a_line_says(said: dict[str, str], entry: Entry | Fault) -> None:
    assert read_line(line(**said) + "\r\n", layout(HEADER)) == entry


def test_columns_are_found_by_name_in_any_order_case_and_accents() -> None:
    form = layout("\ufeffDépartement|ADRESSE BAL|Prenom d'exercice|nom D'EXERCICE\n")
    entry = read_line("Ain|a@b.example|Zoé|MARTIN|one field too many", form)
    assert entry == Entry(
        "a@b.example", BoxKind.PER, "Zoé MARTIN", given_name="Zoé", family_name="MARTIN"
    )  # no column of kinds: a person's
    assert form.changed == ("display_name", "family_name", "given_name")
    assert read_line("Ain|a@b.example|Zoé", form) is Fault.SHORT


PUBLISHED = (  # the 31 columns of 2026, whose last ones are also written with « structure BAL » behind
    "Type de BAL|Adresse BAL|Type Identifiant PP|Identifiant PP|Identification nationale PP|Type identifiant structure|"
    "Identification Structure|Service de rattachement|Civilité d'exercice|Nom d'exercice|Prénom d'exercice|"
    "Catégorie profession|Libellé de catégorie profession|Code Profession|Libellé Profession|Code savoir-faire|"
    "Libellé savoir-faire|Dématérialisation|Raison Sociale structure BAL|Enseigne commerciale structure BAL|"
    "L2COMPLEMENTLOCALISATION|L3COMPLEMENTDISTRIBUTION|L4NUMEROVOIE|L4COMPLEMENTNUMEROVOIE|NL4TYPEVOIE|L4LIBELLEVOIE|"
    "L5LIEUDITMENTION|L6LIGNEACHEMINEMENT|Code postal|Département|Pays"
)


def test_the_columns_of_the_published_file() -> None:
    said = {
        "Type de BAL": "PER", "Adresse BAL": "a@b.example", "Identification nationale PP": RPPS,
        "Identification Structure": "1" + FINESS, "Civilité d'exercice": "DR", "Nom d'exercice": "PETIT",
        "Prénom d'exercice": "ANNE", "Libellé Profession": "Médecin", "Code savoir-faire": "SM04",
        "Raison Sociale structure BAL": "Cabinet", "L6LIGNEACHEMINEMENT": "99100 VILLEFLEUR", "Code postal": "99100",
    }  # fmt: skip
    text = "|".join(said.get(name, "") for name in PUBLISHED.split("|"))
    assert read_line(text, layout(PUBLISHED)) == Entry(
        "a@b.example", BoxKind.PER, "Dr Anne PETIT", "Médecin", "VILLEFLEUR", "99100", structure_id=FINESS, title="Dr",
        given_name="Anne", family_name="PETIT", person_id=RPPS, speciality="Cardiologie et maladies vasculaires",
        organisation="Cabinet",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("code", "label", "speciality"),
    [
        ("SM04", "Cardiologie", "Cardiologie"),  # the file's own words
        ("SM04", "", "Cardiologie et maladies vasculaires"),
        ("XX99", "", ""),
        ("", "", ""),
    ],
)
def test_a_speciality_told_by_its_code(code: str, label: str, speciality: str) -> None:
    entry = read_line(f"a@b.example|{code}|{label}", layout("Adresse BAL|Code savoir-faire|Libellé savoir-faire"))
    assert isinstance(entry, Entry)
    assert entry.speciality == speciality


@pytest.mark.parametrize("first", ["", "Nom|Prénom", "<html>", "PK\x03\x04"])
def test_another_file_is_refused(first: str) -> None:
    with pytest.raises(NotAnExtraction):
        layout(first)


@given(st.text())
def test_any_line_is_an_entry_or_a_fault(text: str) -> None:
    assert isinstance(read_line(text, layout(HEADER)), Entry | Fault)


def test_a_line_without_end_is_cut_and_the_next_one_is_whole() -> None:
    file = io.BytesIO(b"a" * 100_000 + b"\nnext\nlast")
    assert [len(one) for one in reading.lines(file)] == [reading.LONGEST_LINE, 5, 4]


def test_a_zip_is_read_through(tmp_path: Path) -> None:
    path = tmp_path / "extraction.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Extraction_Correspondance_MSSante_202611290730.txt", HEADER + "\n")
    with extraction.opened(path) as (file, size):
        assert (file.readline().decode(), size) == (HEADER + "\n", len(HEADER.encode()) + 1)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("another.txt", "")
    with pytest.raises(NotAnExtraction), extraction.opened(path):
        pass

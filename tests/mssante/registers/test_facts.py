"""PS_LibreAcces files: what each line says, dated by the days of the imports, joined to the directory by the person's number."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.clock import DAY
from mssante import directory
from mssante.address import Address
from mssante.directory import Entry
from mssante.directory_search import Search
from mssante.identity import luhn_key
from mssante.kinds import BoxKind
from mssante.registers import facts, importing, joining, reading
from mssante.registers.extraction import NotAnExtraction
from mssante.registers.facts import Dated
from mssante.registers.facts_file import Fact, Kind, layout, read_line
from mssante.registers.reading import Fault
from mssante.registers.runs import Report

RPPS = "81099900001" + luhn_key("1099900001")
OTHER = "81099900002" + luhn_key("1099900002")
FINESS = "99000011" + luhn_key("99000011")
ACTIVITY = (
    "Type d'identifiant PP|Identifiant PP|Identification nationale PP|Nom d'exercice|Code profession|Libellé profession|"
    "Code type savoir-faire|Code savoir-faire|Libellé savoir-faire|Numéro SIRET site|Numéro FINESS site|"
    "Raison sociale site|Libellé commune (coord. structure)|Code secteur d'activité|Libellé secteur d'activité|"
)
SKILL = "Identification nationale PP|Code profession|Code type savoir-faire|Code savoir-faire|Libellé savoir-faire"
DIPLOMA = (
    "Identification nationale PP|Code type diplôme obtenu|Code diplôme obtenu|Libellé diplôme obtenu|"
    "Code type autorisation|Code discipline autorisation|Libellé discipline autorisation"
)


def activity(person: str = RPPS, sector: str = "SA07", finess: str = FINESS) -> str:
    return f"8|{person[1:]}|{person}|ROCHE|10|Médecin|S|SM26|Médecine générale||{finess}|Cabinet|Villefleur|{sector}|Cabinet|"


def write(tmp_path: Path, header: str, *lines: str) -> Path:
    path = tmp_path / "PS_LibreAcces.txt"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def run(space: Any, path: Path, day: int) -> Report:
    return importing.run(space.db, space.keys, path, lambda: day * DAY)


def of(space: Any, person: str = RPPS) -> list[Dated]:
    found: list[Dated] = space.db.read_now(facts.of_person, person)
    return found


@pytest.mark.parametrize(
    ("header", "line", "read"),
    [
        (
            ACTIVITY,
            activity(),
            Fact(RPPS, Kind.ACTIVITY, "10", "", "SM26", "Médecine générale", "SA07", FINESS, "Cabinet", "Villefleur"),
        ),
        (SKILL, f"{RPPS}|10|S|SM04|Cardiologie", Fact(RPPS, Kind.SKILL, "10", "S", "SM04", "Cardiologie")),
        ("\ufeff" + SKILL.upper(), f"{RPPS}|10|S|SM04|X|more", Fact(RPPS, Kind.SKILL, "10", "S", "SM04", "X")),
        (DIPLOMA, f"{RPPS}|DE|DE09|Diplôme d'État|||", Fact(RPPS, Kind.DIPLOMA, "", "DE", "DE09", "Diplôme d'État")),
        (DIPLOMA, f"{RPPS}||||AE|SM04|Cardiologie", Fact(RPPS, Kind.DIPLOMA, "", "AE", "SM04", "Cardiologie")),
        ("|".join(reversed(SKILL.split("|"))), f"Cardiologie|SM04|S|10|{RPPS}",
         Fact(RPPS, Kind.SKILL, "10", "S", "SM04", "Cardiologie")),
        (SKILL, f"{RPPS}|10|S", Fault.SHORT),
        (SKILL, "81099900009|10|S|SM04|Cardiologie", Fault.IDENTIFIER),
        (SKILL, "|10|S|SM04|Cardiologie", Fault.IDENTIFIER),
    ],
)  # fmt: skip
def test_a_line(header: str, line: str, read: Fact | Fault) -> None:
    assert read_line(line, layout(header)) == read


@given(st.text(), st.sampled_from([ACTIVITY, SKILL, DIPLOMA]))
def test_any_line_is_a_fact_or_a_fault(text: str, header: str) -> None:
    assert isinstance(read_line(text, layout(header)), Fact | Fault)


@pytest.mark.parametrize("header", ["", "Identification nationale PP|Nom", "Code type savoir-faire|Nom"])
def test_another_file_is_refused(header: str) -> None:
    with pytest.raises(NotAnExtraction):
        layout(header)


async def test_facts_are_dated_by_the_files_that_say_them(space: Any, tmp_path: Path) -> None:
    others = [f"{OTHER}|10|S|SM{number:02d}|Autre" for number in range(20)]
    assert run(space, write(tmp_path, SKILL, f"{RPPS}|10|S|SM04|Cardiologie", *others), 20_000).lines == 21
    report = run(space, write(tmp_path, SKILL, f"{RPPS}|10|S|SM26|Médecine générale", *others), 20_007)
    assert (report.unchanged, report.gone) == (20, 1)
    said = [(one.fact.code, one.since, one.until) for one in of(space)]
    assert said == [("SM26", date(2024, 10, 11), None), ("SM04", date(2024, 10, 4), date(2024, 10, 11))]
    assert [one.fact.code for one in of(space) if one.valid(date(2024, 10, 10))] == ["SM04"]
    run(
        space,
        write(tmp_path, SKILL, f"{RPPS}|10|S|SM04|Cardiologie", f"{RPPS}|10|S|SM26|Médecine générale", *others),
        20_014,
    )
    assert [one.until for one in of(space)] == [None, None]
    assert len(of(space, OTHER)) == 20


async def test_one_kind_of_file_takes_nothing_from_another(space: Any, tmp_path: Path) -> None:
    run(space, write(tmp_path, SKILL, f"{RPPS}|10|S|SM04|Cardiologie"), 1)
    run(space, write(tmp_path, DIPLOMA, f"{RPPS}|DE|DE09|Diplôme|||"), 2)
    assert run(space, write(tmp_path, ACTIVITY, activity()), 3).gone == 0
    assert [(one.fact.kind, one.until) for one in of(space)] == [
        (Kind.ACTIVITY, None), (Kind.DIPLOMA, None), (Kind.SKILL, None),
    ]  # fmt: skip


async def test_a_file_cut_short_ends_nothing(space: Any, tmp_path: Path) -> None:
    lines = [f"{OTHER}|10|S|SM{number:02d}|Autre" for number in range(20)]
    run(space, write(tmp_path, SKILL, *lines), 1)
    assert run(space, write(tmp_path, SKILL, *lines[:5]), 2).gone is None
    assert [one.until for one in of(space, OTHER)] == [None] * 20


async def test_a_mailbox_has_the_sector_of_what_its_holder_does_there(
    space: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the register's number, and at that place only; whichever file comes first."""
    monkeypatch.setattr(joining, "JOINED", 1)
    extraction = (
        "Type de BAL|Adresse BAL|Identification nationale PP|Identification structure|Nom d'exercice\n"
        f"PER|roche@a.example|{RPPS}|1{FINESS}|ROCHE\nPER|ailleurs@a.example|{RPPS}||ROCHE\n"
        f"PER|autre@a.example|{OTHER}|1{FINESS}|AUTRE\n"
    )
    path = tmp_path / "extraction.txt"
    path.write_text(extraction, encoding="utf-8")
    run(space, path, 1)
    own = Entry("ours@a.example", BoxKind.PER, "Roche", sector="SA01", structure_id=FINESS, person_id=RPPS)
    await space.db.write(directory.add, space.keys, own)

    def sectors() -> dict[str, str | None]:
        names = ("roche", "ailleurs", "autre", "ours")
        found = [space.db.read_now(directory.get, Address(name, "a.example")) for name in names]
        return {entry.address.partition("@")[0]: entry.sector for entry in found}

    def by_sector(code: str) -> list[str]:
        found = space.db.read_now(directory.search, Search(sectors=frozenset({code})))
        return sorted(entry.address.partition("@")[0] for entry in found)

    others = [
        activity(OTHER, "SA05"),
        *(activity(OTHER, "SA05", finess="").replace("SM26", f"S{n}") for n in range(20)),
    ]
    run(space, write(tmp_path, ACTIVITY, activity(), *others), 2)
    assert sectors() == {"roche": "SA07", "ailleurs": None, "autre": "SA05", "ours": "SA01"}
    assert by_sector("SA07") == ["roche"]
    assert run(space, write(tmp_path, ACTIVITY, activity(sector="SA08"), *others), 3).gone == 1
    assert (sectors()["roche"], by_sector("SA08"), by_sector("SA07")) == ("SA08", ["roche"], [])
    path.write_text(extraction + f"PER|neuf@a.example|{RPPS}|1{FINESS}|ROCHE\n", encoding="utf-8")
    run(space, path, 4)
    assert by_sector("SA08") == ["neuf", "roche"]


EXTRACTION = (
    "Type de BAL|Adresse BAL|Identification nationale PP|Identification structure|Nom d'exercice|Libellé savoir-faire|"
    "L6LIGNEACHEMINEMENT structure BAL\n"
)


def extraction(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "extraction.txt"
    path.write_text(EXTRACTION + "\n".join(lines) + "\n", encoding="utf-8")
    return path


async def test_a_mailbox_has_the_skills_of_its_holder(space: Any, tmp_path: Path) -> None:
    """Those of the place first, none twice; those that ended leave, also from the search; a line that changed keeps them."""
    rest = [f"{OTHER}|10|S|X{number:02d}|Autre" for number in range(20)]
    here = f"PER|roche@a.example|{RPPS}|1{FINESS}|ROCHE|Médecine générale|99100 VILLEFLEUR"
    away = f"PER|ailleurs@a.example|{RPPS}||ROCHE||99200 MONTCLAIR"
    run(space, extraction(tmp_path, here, away), 1)
    skills = [f"{RPPS}|10|S|SM26|Médecine Générale", f"{RPPS}|10|S|SM04|", f"{RPPS}|10|CAPA|C18|Gériatrie"]
    run(space, write(tmp_path, SKILL, *skills, *rest), 2)
    run(space, write(tmp_path, ACTIVITY, activity().replace("Médecine générale", "Angiologie")), 3)

    def skilled(name: str = "roche") -> tuple[str, ...]:
        found: Entry = space.db.read_now(directory.get, Address(name, "a.example"))
        return found.specialities

    def found(text: str) -> list[str]:
        return sorted(one.address.partition("@")[0] for one in space.db.read_now(directory.search, Search(text)))

    heart = "Cardiologie et maladies vasculaires"
    assert skilled() == ("Médecine générale", "Angiologie", heart, "Gériatrie")
    assert skilled("ailleurs") == ("Angiologie", heart, "Gériatrie", "Médecine Générale")
    assert (found("cardiologue villefleur"), found("gériatre")) == (["roche"], ["ailleurs", "roche"])
    moved = here.replace("VILLEFLEUR", "MONTCLAIR")
    run(space, extraction(tmp_path, moved, away), 4)
    assert (found("cardiologue montclair"), found("cardiologue villefleur")) == (["ailleurs", "roche"], [])
    assert [one.sector for one in space.db.read_now(directory.search, Search(sectors=frozenset({"SA07"})))] == ["SA07"]
    run(space, write(tmp_path, SKILL, *skills[:1], *rest), 5)
    assert (skilled(), found("cardiologue"), found("angiologie")) == (
        ("Médecine générale", "Angiologie"), [], ["ailleurs", "roche"],
    )  # fmt: skip


async def test_pieces_of_one_line_each(space: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PIECE", 1)
    line = f"{RPPS}|10|S|SM04|Cardiologie"
    assert run(space, write(tmp_path, SKILL, line, line, "nonsense"), 1).faults == {Fault.SHORT: 1}
    assert [one.fact.code for one in of(space)] == ["SM04"]

"""Importing an extraction: what is added, changed, taken away, kept out; and going on where it was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from mssante import directory
from mssante.address import parse_address
from mssante.directory import Entry
from mssante.directory_search import Search
from mssante.kinds import BoxKind, BoxState
from mssante.registers import importing, reading
from mssante.registers.extraction import NotAnExtraction
from mssante.registers.reading import Fault
from mssante.registers.runs import Report
from mssante.tables import directory_entries, directory_imports

HEADER = "Type de BAL|Adresse BAL|Nom d'exercice|Prénom d'exercice|L6LIGNEACHEMINEMENT structure BAL\n"


def people(count: int, town: str = "VILLEFLEUR") -> str:
    return HEADER + "".join(f"PER|p{n}@medecins.example|NOM{n}|ANNE|99100 {town}\n" for n in range(count))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "extraction.txt"
    path.write_text(text, encoding="utf-8")
    return path


def run(space: Any, path: Path, **options: Any) -> Report:
    return importing.run(space.db, space.keys, path, lambda: 1_000, **options)


def found(space: Any, text: str) -> list[str]:
    return sorted(entry.address for entry in space.db.read_now(directory.search, Search(text), 200))


async def test_added_changed_and_taken_away(space: Any, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = write(tmp_path, people(12))
    assert run(space, path, progress=lambda *at: seen.append(at)) == Report(lines=12)
    assert seen == [(path.stat().st_size, path.stat().st_size)]
    assert found(space, "nom3 villefleur") == ["p3@medecins.example"]
    assert run(space, write(tmp_path, people(11, "MONTCLAIR"))).gone == 1
    assert found(space, "nom3 montclair") == ["p3@medecins.example"]
    assert found(space, "villefleur") == []
    assert space.db.read_now(directory.count) == 11


async def test_a_file_cut_short_takes_nothing_away(space: Any, tmp_path: Path) -> None:
    run(space, write(tmp_path, people(20)))
    assert run(space, write(tmp_path, people(10))).gone is None
    assert space.db.read_now(directory.count) == 20


async def test_a_code_that_no_nomenclature_has_stops_no_import(space: Any, tmp_path: Path) -> None:
    """Longer than the database has room for."""
    header = HEADER.strip() + "|Code secteur d'activité|Code postal|Téléphone structure BAL\n"
    long = "9" * 300
    path = write(
        tmp_path, f"{header}ORG|a@b.example|||99100 VILLE|{long}|{long}|{long}\nPER|e@f.example|NOM|ANNE||SA07||\n"
    )
    assert run(space, path) == Report(lines=2)
    assert found(space, "nom") == ["e@f.example"]


async def test_bad_lines_are_told_and_passed_over(space: Any, tmp_path: Path) -> None:
    path = tmp_path / "extraction.txt"
    lines = [
        b"PER|a@b.example|A|B|C",
        b"PER|nonsense|A|B|C",
        b"",
        b"PER|a",
        b"XXX|c@d.example|A|B|C",
        b"PER|\xff@d.example|A|B|C",
        b"PER|g@d.example|A\0|B|C",
    ]
    path.write_bytes(HEADER.encode() + b"\n".join([*lines, b"x" * 20_000, b"PER|e@f.example|A|B|C"]))
    report = run(space, path)
    assert report.lines == 9
    assert report.faults == {Fault.ADDRESS: 1, Fault.SHORT: 1, Fault.KIND: 1, Fault.CODING: 2, Fault.LONG: 1}
    assert report.first_faults == (
        (3, Fault.ADDRESS), (5, Fault.SHORT), (6, Fault.KIND), (7, Fault.CODING), (8, Fault.CODING),
        (9, Fault.LONG),
    )  # fmt: skip
    assert space.db.read_now(directory.count) == 2
    assert importing.looked_over(path) == report


async def test_red_list_and_closed_mailboxes_stay_out(space: Any, tmp_path: Path) -> None:
    await space.box("p1@medecins.example", red_list=True)
    closed = await space.box("P2@medecins.example")
    await space.db.write(space.boxes.set_state, closed.id, BoxState.CLOSED, 1)
    assert run(space, write(tmp_path, people(4))).kept_out == 2
    assert found(space, "anne") == ["p0@medecins.example", "p3@medecins.example"]


async def test_our_own_entries_keep_what_only_we_know(space: Any, tmp_path: Path) -> None:
    own = Entry(
        "p1@medecins.example", BoxKind.PER, "Dr Anne Nom", phone="01 99 00 10 10", hours="9 h à 19 h", sector="SA07"
    )
    await space.db.write(directory.add, space.keys, own)
    run(space, write(tmp_path, people(2)))
    run(space, write(tmp_path, people(1)))
    kept = space.db.read_now(directory.get, parse_address(own.address))
    assert (kept.phone, kept.hours, kept.sector) == (own.phone, own.hours, own.sector)
    assert (kept.display_name, kept.town) == ("Anne NOM1", "VILLEFLEUR")


class Stopped(Exception):
    pass


async def test_an_interrupted_import_goes_on(space: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PIECE", 10)
    path = write(tmp_path, people(95))

    def stop(done: int, size: int) -> None:
        if done > size // 2:
            raise Stopped

    with pytest.raises(Stopped):
        run(space, path, progress=stop)
    assert 40 <= space.db.read_now(directory.count) < 70  # what was handed in is finished
    report = run(space, path)
    assert (report.unchanged >= 40, report.lines, report.gone) == (True, 95, 0)
    assert space.db.read_now(directory.count) == 95
    rows = space.db.read_now(lambda conn: conn.execute(select(directory_imports)).all())
    assert [row.finished_at for row in rows] == [None, 1_000]
    assert rows[1].lines == 95


async def test_a_large_file_is_read_by_processes_of_their_own(
    space: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PIECE", 10)
    monkeypatch.setattr(reading, "WORTH_A_PROCESS", 0)
    monkeypatch.setattr(reading, "READERS", 2)
    path = write(tmp_path, people(35) + "PER|nonsense|A|B|C\n")
    report = run(space, path)
    assert (report.lines, report.faults, report.first_faults) == (36, {Fault.ADDRESS: 1}, ((37, Fault.ADDRESS),))
    assert found(space, "nom34") == ["p34@medecins.example"]


def lines(*said: str) -> str:
    return HEADER + "".join(f"PER|{line}\n" for line in said)


async def test_only_lines_that_changed_are_read_again(space: Any, tmp_path: Path) -> None:
    run(space, write(tmp_path, people(50)))
    before = ids(space)
    changed = people(50).replace("NOM7|", "AUTRE|").replace("PER|p9@medecins.example|NOM9|ANNE|99100 VILLEFLEUR\n", "")
    report = run(space, write(tmp_path, changed + "PER|p50@medecins.example|NOM50|ANNE|99100 VILLEFLEUR\n"))
    assert (report.lines, report.unchanged, report.gone) == (50, 48, 1)
    assert found(space, "autre") == ["p7@medecins.example"]
    assert found(space, "nom50") == ["p50@medecins.example"]
    assert {address: at for address, at in ids(space).items() if address in before} == {
        address: at for address, at in before.items() if address != "p9@medecins.example"
    }
    again = run(space, write(tmp_path, people(50)))
    assert (again.unchanged, again.gone) == (48, 1)


def ids(space: Any) -> dict[str, int]:
    rows = space.db.read_now(
        lambda conn: conn.execute(select(directory_entries.c.address, directory_entries.c.id)).all()
    )
    return {row.address: row.id for row in rows}


async def test_what_was_said_otherwise_since_is_read_again(space: Any, tmp_path: Path) -> None:
    """Not the line alone: also what its columns are called."""
    path = write(tmp_path, people(3))
    run(space, path)
    await space.db.write(
        directory.add, space.keys, Entry("p1@medecins.example", BoxKind.PER, "Dr Autre"), directory.EXTRACT
    )
    assert (run(space, path).unchanged, found(space, "nom1")) == (2, ["p1@medecins.example"])
    turned = people(3).replace("Nom d'exercice|Prénom d'exercice", "Prénom d'exercice|Nom d'exercice")
    assert run(space, write(tmp_path, turned)).unchanged == 0
    assert [entry.family_name for entry in space.db.read_now(directory.search, Search("p1"), 9)] == ["ANNE"]


async def test_of_two_lines_with_one_address_the_first_is_kept(
    space: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one transaction or in two, and however often the file is imported."""
    for piece in (100, 1):
        monkeypatch.setattr(reading, "PIECE", piece)
        path = write(
            tmp_path, lines("a@b.example|UN|ANNE|1 X", "a@b.example|DEUX|ANNE|1 X", "c@b.example|TROIS|ANNE|1 X")
        )
        for _ in range(3):
            assert run(space, path).gone == 0
            assert (found(space, "un"), found(space, "deux")) == (["a@b.example"], [])
        run(space, write(tmp_path, lines("c@b.example|TROIS|ANNE|1 X")))


async def test_another_file_takes_what_the_first_one_wrote_as_known(
    space: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PIECE", 10)

    def stop(done: int, size: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        run(space, write(tmp_path, people(95)), progress=stop)
    assert run(space, write(tmp_path, people(96))) == Report(lines=96, unchanged=10)


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"\xff\xfe\x00", b"PK\x03\x04nothing"])
async def test_another_kind_of_file_is_refused_and_changes_nothing(space: Any, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "extraction.txt"
    path.write_bytes(content)
    with pytest.raises(NotAnExtraction):
        run(space, path)
    assert space.db.read_now(lambda conn: conn.execute(select(directory_imports)).all()) == []

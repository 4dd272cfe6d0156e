"""Importing an extraction: what is added, changed, taken away, kept out; and going on where it was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from mssante import directory
from mssante.address import parse_address
from mssante.directory import Entry, Search
from mssante.kinds import BoxKind, BoxState
from mssante.registers import importing
from mssante.registers.extraction import Fault, NotAnExtraction
from mssante.tables import directory_imports

HEADER = "Type de BAL|Adresse BAL|Nom d'exercice|Prénom d'exercice|L6LIGNEACHEMINEMENT structure BAL\n"


def people(count: int, town: str = "VILLEFLEUR") -> str:
    return HEADER + "".join(f"PER|p{n}@medecins.example|NOM{n}|ANNE|99100 {town}\n" for n in range(count))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "extraction.txt"
    path.write_text(text, encoding="utf-8")
    return path


def run(space: Any, path: Path, **options: Any) -> importing.Report:
    return importing.run(space.db, space.keys, path, lambda: 1_000, **options)


def found(space: Any, text: str) -> list[str]:
    return sorted(entry.address for entry in space.db.read_now(directory.search, Search(text), 200))


async def test_added_changed_and_taken_away(space: Any, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = write(tmp_path, people(12))
    assert run(space, path, progress=lambda *at: seen.append(at)) == importing.Report(lines=12)
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


async def test_bad_lines_are_told_and_passed_over(space: Any, tmp_path: Path) -> None:
    path = tmp_path / "extraction.txt"
    lines = [
        b"PER|a@b.example|A|B|C",
        b"PER|nonsense|A|B|C",
        b"",
        b"PER|a",
        b"XXX|c@d.example|A|B|C",
        b"PER|\xff@d.example|A|B|C",
    ]
    path.write_bytes(HEADER.encode() + b"\n".join([*lines, b"x" * 20_000, b"PER|e@f.example|A|B|C"]))
    report = run(space, path)
    assert report.lines == 8
    assert report.faults == {Fault.ADDRESS: 1, Fault.SHORT: 1, Fault.KIND: 1, Fault.CODING: 1, Fault.LONG: 1}
    assert report.first_faults == (
        (3, Fault.ADDRESS), (5, Fault.SHORT), (6, Fault.KIND), (7, Fault.CODING), (8, Fault.LONG),
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
    monkeypatch.setattr(importing, "PIECE", 10)
    path = write(tmp_path, people(95))

    def stop(done: int, size: int) -> None:
        if done > size // 2:
            raise Stopped

    with pytest.raises(Stopped):
        run(space, path, progress=stop)
    assert 40 <= space.db.read_now(directory.count) < 70  # what was handed in is finished
    report = run(space, path)
    assert (report.resumed_at >= 40, report.lines, report.gone) == (True, 95, 0)
    assert space.db.read_now(directory.count) == 95
    rows = space.db.read_now(lambda conn: conn.execute(select(directory_imports)).all())
    assert [(row.lines, row.finished_at) for row in rows] == [(95, 1_000)]


async def test_a_large_file_is_read_by_a_process_of_its_own(
    space: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PIECE", 10)
    monkeypatch.setattr(importing, "WORTH_A_PROCESS", 0)
    path = write(tmp_path, people(35) + "PER|nonsense|A|B|C\n")
    report = run(space, path)
    assert (report.lines, report.faults, report.first_faults) == (36, {Fault.ADDRESS: 1}, ((37, Fault.ADDRESS),))
    assert found(space, "nom34") == ["p34@medecins.example"]


async def test_another_file_begins_anew(space: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "PIECE", 10)

    def stop(done: int, size: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        run(space, write(tmp_path, people(95)), progress=stop)
    assert run(space, write(tmp_path, people(96))) == importing.Report(lines=96)


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"\xff\xfe\x00", b"PK\x03\x04nothing"])
async def test_another_kind_of_file_is_refused_and_changes_nothing(space: Any, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "extraction.txt"
    path.write_bytes(content)
    with pytest.raises(NotAnExtraction):
        run(space, path)
    assert space.db.read_now(lambda conn: conn.execute(select(directory_imports)).all()) == []

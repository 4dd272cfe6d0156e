"""What the registers say of professionals, given to the directory: a person's mailbox has the sector of what they do at that place,
and their skills (« savoir-faire »): of that place first, then those of the person. Joined by the person's national identifier.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, select, update

from foundation.database import Database, Transaction
from mssante.directory import OWN, SEVERAL, Entry, entry_of, row_of
from mssante.directory_words import folded
from mssante.registers.facts_file import Kind
from mssante.registers.nomenclatures import specialities
from mssante.tables import directory_entries, register_facts

JOINED = 1_000  # entries in one transaction


def join(db: Database, entries: ColumnElement[bool]) -> None:
    """Gives it to these entries, if they are persons'. Not to those of ours."""
    last = 0
    while page := db.read_now(_page, entries, last):
        if found := list(db.read_now(_unlike, page)):
            db.write_now(_give, found)
        last = page[-1].id


def _page(conn: Connection, entries: ColumnElement[bool], last: int) -> Sequence[Row[Any]]:
    if conn.execute(select(register_facts.c.id).limit(1)).first() is None:
        return ()
    mine = (directory_entries.c.id > last, directory_entries.c.person_id != "", directory_entries.c.source != OWN)
    return conn.execute(
        select(directory_entries).where(entries, *mine).order_by(directory_entries.c.id).limit(JOINED)
    ).all()


def _unlike(conn: Connection, page: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """What changes in these entries; of one that a file was read over, the words at least."""
    said, changes = _said(conn, {row.person_id for row in page}), []
    for row in page:
        facts = said.get(row.person_id, ())
        if not facts and not row.skills:
            continue
        before = entry_of(row)
        entry = joined(before, facts)
        words = row_of(entry, entry.address)["words"]
        if (entry, words) != (before, row.words):
            changes.append({"entry": row.id, "sector": entry.sector, "skills": entry.skills, "words": words})
    return changes


def _said(conn: Connection, persons: set[str]) -> Mapping[str, list[Any]]:
    """What is said still, by person."""
    facts = register_facts.c
    columns = (facts.person_id, facts.kind, facts.code, facts.label, facts.sector, facts.structure_id)
    kinds = facts.kind.in_([Kind.ACTIVITY.value, Kind.SKILL.value])
    found: dict[str, list[Any]] = defaultdict(list)
    for row in conn.execute(select(*columns).where(facts.person_id.in_(persons), facts.until.is_(None), kinds)):
        found[row.person_id].append(row)
    return found


def joined(entry: Entry, facts: Sequence[Any]) -> Entry:
    """A sector that nothing speaks of stays."""
    here = [one for one in facts if one.structure_id and one.structure_id == entry.structure_id]
    sector = min((one.sector for one in here if one.sector), default=entry.sector)
    return replace(entry, sector=sector, skills=SEVERAL.join(_labels(entry, facts)))


def _labels(entry: Entry, facts: Sequence[Any]) -> Iterator[str]:
    """Each once, and none that the mailbox's own speciality says; what is done at another place only is not."""
    known = {folded(label) for label in entry.speciality.split(SEVERAL)} | {""}
    activities = [
        one
        for one in facts
        if one.kind == Kind.ACTIVITY.value and one.structure_id == (entry.structure_id or one.structure_id)
    ]
    skills = [one for one in facts if one.kind == Kind.SKILL.value]
    for one in sorted(activities, key=_label) + sorted(skills, key=_label):
        label = _label(one)
        if folded(label) not in known:
            known.add(folded(label))
            yield label


def _label(fact: Any) -> str:
    concept = specialities().get(fact.code)
    return str(fact.label) or (concept.label if concept else "")


def _give(tx: Transaction, found: list[dict[str, Any]]) -> None:
    given: dict[str, Any] = {name: bindparam(name) for name in ("sector", "skills", "words")}
    tx.execute(update(directory_entries).where(directory_entries.c.id == bindparam("entry")).values(given), found)

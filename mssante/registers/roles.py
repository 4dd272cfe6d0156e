"""A person at a place has an entry that repeats what the resources of the person and of the place say. When one of these changes,
the role itself does not, and is not told among the changes: its entry learns of it here. Specialities that a person has no
longer stay until everything is told again, as nobody knows which of them are the role's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, literal_column, select, update

from foundation.database import Database, Transaction
from mssante.directory import SEVERAL, Entry, entry_of, learn, row_of
from mssante.directory_words import folded, vocabulary
from mssante.registers.fhir import Held, Told
from mssante.tables import directory_entries

_NONE: ColumnElement[str] = literal_column("''")  # in so many words, as the indexes on persons and places have it
AT_ONCE = 500  # entries of one transaction


def repeat(db: Database, number: int, page: Sequence[Held]) -> int:
    """How many entries changed; they count as told of by the import of this number."""
    changed = db.read_now(unlike, page)
    for start in range(0, len(changed), AT_ONCE):
        db.write_now(_give, number, changed[start : start + AT_ONCE])
    return len(changed)


def unlike(conn: Connection, page: Sequence[Held]) -> list[dict[str, Any]]:
    """What these resources, all persons or all places, change in entries of roles."""
    return [row for by in ("person_id", "structure_id") for row in _unlike(conn, by, _by_number(page, by))]


def _by_number(page: Sequence[Held], by: str) -> dict[str, Told]:
    return {held.told.number: held.told for held in page if held.told is not None and held.told.by == by}


def _unlike(conn: Connection, by: str, told: Mapping[str, Told]) -> Iterator[dict[str, Any]]:
    resource = directory_entries.c.resource
    roles = (directory_entries.c[by].in_(told), resource != _NONE, resource.like("PractitionerRole/%"))
    for row in conn.execute(select(directory_entries).where(*roles)) if told else ():
        before = entry_of(row)
        if (entry := repeated(before, told[getattr(row, by)])) != before:
            yield {"entry": row.id, **row_of(entry, entry.address)}


def repeated(entry: Entry, told: Told) -> Entry:
    known = {folded(label) for label in entry.speciality.split(SEVERAL)}
    more = [label for label in told.also if folded(label) not in known]
    return replace(entry, **told.said, speciality=SEVERAL.join(filter(None, (entry.speciality, *more))))


def _give(tx: Transaction, number: int, rows: list[dict[str, Any]]) -> None:
    columns = sorted(set(rows[0]) - {"entry", "address"})
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    change = update(directory_entries).where(directory_entries.c.id == bindparam("entry"))
    tx.execute(change.values(**values, import_id=number), rows)
    learn(tx, vocabulary(row["words"] for row in rows))

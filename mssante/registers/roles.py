"""A person at a place has an entry that repeats what the resources of the person and of the place say. When one of these changes,
the role itself does not, and is not told among the changes: their roles are asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from sqlalchemy import ColumnElement, Connection, literal_column, select

from mssante.registers.annuaire import Server
from mssante.registers.fhir import Held
from mssante.tables import directory_entries

AT_ONCE = 30  # persons, or places, of one search
_NONE: ColumnElement[str] = literal_column("''")  # in so many words, as the indexes on persons and places have it
_COLUMNS = {"Practitioner": directory_entries.c.person_id, "Organization": directory_entries.c.structure_id}


def repeated(conn: Connection, page: Sequence[Held]) -> list[str]:
    """Those of these resources that an entry of a role repeats: "Practitioner/12"."""
    found = []
    for kind, column in _COLUMNS.items():
        numbers = {held.number: held.resource for held in page if held.number and held.resource.startswith(f"{kind}/")}
        resource = directory_entries.c.resource
        roles = (column.in_(numbers), resource != _NONE, resource.like("PractitionerRole/%"))
        if numbers:
            found += [numbers[number] for number in conn.execute(select(column).where(*roles).distinct()).scalars()]
    return found


async def asked(server: Server, resources: Sequence[str]) -> AsyncIterator[tuple[Held, ...]]:
    """The roles of these persons and places. Raises `annuaire.Unanswered`."""
    for kind in _COLUMNS:
        ids = sorted({one.partition("/")[2] for one in resources if one.startswith(f"{kind}/")})
        for start in range(0, len(ids), AT_ONCE):
            async for page in server.roles(kind.lower(), ids[start : start + AT_ONCE]):
                yield page.held

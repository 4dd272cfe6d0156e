"""The directory kept up with a FHIR server: everything the first time, then what changed since the last time that was finished.

Everything again when that is too long ago for the server to know what changed, and every week: what changed of a person is not told
of the places where they work. After everything, what was not told of is taken away, unless it is so much that the answers look cut
short.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from foundation.clock import DAY, HOUR
from foundation.database import Database, Transaction
from foundation.keys import KeyRing
from mssante.directory import FHIR, OWN, hidden, learn, row_of
from mssante.directory_words import vocabulary
from mssante.mailboxes import address_lookup
from mssante.registers import joining, runs
from mssante.registers.annuaire import Server
from mssante.registers.fhir import TYPES, Held
from mssante.tables import directory_entries, directory_imports
from mssante.upsert import upsert_all

OVERLAP = HOUR  # what changed while the last one ran, and the difference between two clocks
KEPT = 28 * DAY  # the server knows of 30
WHOLE_EVERY = 7 * DAY


@dataclass
class Synced:
    """`since`: where it began (ISO 8601), empty: everything. `gone`: entries taken away; `kept_out`: ours, red list or closed;
    `doubtful`: entries that everything no longer held, too many to be taken away."""

    since: str = ""
    resources: int = 0
    entries: int = 0
    gone: int = 0
    kept_out: int = 0
    doubtful: int = 0


async def sync(
    db: Database,
    keys: KeyRing,
    server: Server,
    clock: Callable[[], int],
    everything: bool = False,
    progress: Callable[[Synced], None] = lambda so_far: None,
) -> Synced:
    """Raises `annuaire.Unanswered`; what was taken by then stays, and the next time begins where this one did."""
    started = clock()
    so_far = Synced("" if everything else await db.read(_since, server.url, started))
    number = await db.write(_begin, _name(server.url, whole=not so_far.since), started)
    for kind in TYPES:
        async for page in server.pages(kind, so_far.since):
            gone, kept_out = await db.write(_take, keys, number, page.held)
            so_far.resources += len(page.held)
            so_far.entries += sum(len(held.entries) for held in page.held) - kept_out
            so_far.gone += gone
            so_far.kept_out += kept_out
            progress(so_far)
    if not so_far.since:
        gone, so_far.doubtful = await db.write(_sweep, number)
        so_far.gone += gone
    await asyncio.to_thread(joining.join, db, directory_entries.c.import_id == number)
    await db.write(_finish, number, clock())
    return so_far


def _name(url: str, whole: bool) -> str:
    return sha256(f"fhir {'whole ' if whole else ''}{url}".encode()).hexdigest()


def _since(conn: Connection, url: str, now: int) -> str:
    """Empty: everything."""

    def last(*names: str) -> int:
        ended = (directory_imports.c.digest.in_(names), directory_imports.c.finished_at.is_not(None))
        return conn.execute(select(func.max(directory_imports.c.started_at)).where(*ended)).scalar() or 0

    whole, changes = _name(url, whole=True), _name(url, whole=False)
    latest = last(whole, changes)
    if now - latest > KEPT or now - last(whole) >= WHOLE_EVERY:
        return ""
    return datetime.fromtimestamp((latest - OVERLAP) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sweep(tx: Transaction, number: int) -> tuple[int, int]:
    """(taken away, left because they are too many): entries that only this server told of, and no longer does."""
    told = (directory_entries.c.source == FHIR, directory_entries.c.line.is_(None))
    unseen = (*told, directory_entries.c.import_id < number)
    counted = select(func.count()).select_from(directory_entries)
    lost, all_told = tx.execute(counted.where(*unseen)).scalar_one(), tx.execute(counted.where(*told)).scalar_one()
    if lost > runs.LARGEST_LOSS * all_told:
        return 0, lost
    return tx.execute(delete(directory_entries).where(*unseen)).rowcount, 0


def _begin(tx: Transaction, name: str, now: int) -> int:
    row = {"digest": name, "position": 0, "lines": 0, "faults": 0, "started_at": now}
    return tx.insert(directory_imports, row)


def _take(tx: Transaction, keys: KeyRing, number: int, page: Sequence[Held]) -> tuple[int, int]:
    """(taken away, kept out). An entry of ours keeps its source, and what only we know."""
    out, gone, rows = hidden(tx.conn), 0, []
    for held in page:
        shown = [entry for entry in held.entries if address_lookup(keys, entry.address) not in out]
        values = {"source": FHIR, "import_id": number, "resource": held.resource, "line": None}
        rows += [row_of(entry, entry.address) | values for entry in shown]
        no_longer = and_(
            directory_entries.c.resource == held.resource,
            directory_entries.c.address.not_in([entry.address for entry in shown]),
        )
        lost = or_(no_longer, directory_entries.c.address.in_(held.red_list))
        gone += tx.execute(delete(directory_entries).where(lost, directory_entries.c.source != OWN)).rowcount
    changed = tuple(sorted(set(rows[0]) - {"address", "source", "phone", "hours", "skills"})) if rows else ()
    upsert_all(tx, directory_entries, rows, key=("address",), change=changed)
    learn(tx, vocabulary(row["words"] for row in rows))
    return gone, sum(len(held.entries) for held in page) - len(rows)


def _finish(tx: Transaction, number: int, now: int) -> None:
    tx.execute(update(directory_imports).where(directory_imports.c.id == number).values(finished_at=now))

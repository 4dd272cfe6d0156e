"""The directory kept up with a FHIR server: everything the first time, then what changed since the last time that was finished.

Everything again when that is too long ago for the server to know what changed, and every week: what was deleted while nobody asked
is in no changes. After everything, what was not told of is taken away, unless it is so much that the answers look cut short.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, update

from foundation.clock import DAY, HOUR, Clock
from foundation.database import Database, Transaction
from foundation.keys import KeyRing
from mssante.directory import FHIR, OWN, Entry, hidden, learn, row_of
from mssante.directory_words import vocabulary
from mssante.mailboxes import address_lookup
from mssante.registers import joining, roles, runs
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
    `roles`: entries of persons at a place, read again as the person or the place changed; `doubtful`: entries that everything no
    longer held, too many to be taken away."""

    since: str = ""
    resources: int = 0
    entries: int = 0
    gone: int = 0
    kept_out: int = 0
    roles: int = 0
    doubtful: int = 0


Progress = Callable[[Synced], None]


@dataclass(frozen=True, slots=True)
class _Way:
    """What becomes of a page: (taken away, kept out); and of what no page of everything told of: (taken away, left as too many)."""

    take: Callable[[Sequence[Held]], Awaitable[tuple[int, int]]]
    sweep: Callable[[], Awaitable[tuple[int, int]]]


def _nothing(_so_far: Synced) -> None:
    return None


async def sync(
    db: Database,
    keys: KeyRing,
    server: Server,
    clock: Clock,
    everything: bool = False,
    progress: Progress = _nothing,
) -> Synced:
    """Raises `annuaire.Unanswered`; what was taken by then stays, and the next time begins where this one did."""
    started = clock()
    so_far = Synced("" if everything else await db.read(_since, server.url, started))
    number = await db.write(_begin, _name(server.url, whole=not so_far.since), started)
    way = _Way(lambda page: db.write(_take, keys, number, page), lambda: db.write(_sweep, number))
    await _walk(db, server, so_far, way, progress)
    await asyncio.to_thread(joining.join, db, directory_entries.c.import_id == number)
    await db.write(_finish, number, clock())
    return so_far


async def rehearse(
    db: Database,
    keys: KeyRing,
    server: Server,
    clock: Clock,
    everything: bool = False,
    progress: Progress = _nothing,
) -> Synced:
    """What `sync` would do; the server is asked all the same, nothing is changed. Raises `annuaire.Unanswered`."""
    so_far = Synced("" if everything else await db.read(_since, server.url, clock()))
    seen = set[str]()
    way = _Way(lambda page: db.read(_looked, keys, seen, page), lambda: db.read(_left, seen))
    await _walk(db, server, so_far, way, progress)
    return so_far


async def _walk(db: Database, server: Server, so_far: Synced, way: _Way, progress: Progress) -> None:
    """Every page, then the roles that repeat what changed; when everything is told, so are all roles, and what is not is swept."""
    again: list[str] = []
    async for page in _pages(server, so_far.since):
        _add(so_far, page, *await way.take(page))
        if so_far.since:
            again += await db.read(roles.repeated, page)
        progress(so_far)
    async for page in roles.asked(server, again):
        gone, _ = await way.take(page)
        so_far.gone += gone
        so_far.roles += sum(len(held.entries) for held in page)
    if not so_far.since:
        gone, so_far.doubtful = await way.sweep()
        so_far.gone += gone


async def _pages(server: Server, since: str) -> AsyncIterator[tuple[Held, ...]]:
    for kind in TYPES:
        async for page in server.pages(kind, since):
            yield page.held


def _add(so_far: Synced, page: Sequence[Held], gone: int, kept_out: int) -> None:
    so_far.resources += len(page)
    so_far.entries += sum(len(held.entries) for held in page) - kept_out
    so_far.gone += gone
    so_far.kept_out += kept_out


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


_TOLD = (directory_entries.c.source == FHIR, directory_entries.c.line.is_(None))  # that only this server told of


def _sweep(tx: Transaction, number: int) -> tuple[int, int]:
    """(taken away, left because they are too many): entries that it no longer tells of."""
    unseen = (*_TOLD, directory_entries.c.import_id < number)
    lost = tx.execute(select(func.count()).select_from(directory_entries).where(*unseen)).scalar_one()
    gone, doubtful = _judged(tx.conn, lost)
    if gone:
        tx.execute(delete(directory_entries).where(*unseen))
    return gone, doubtful


def _judged(conn: Connection, lost: int) -> tuple[int, int]:
    told = conn.execute(select(func.count()).select_from(directory_entries).where(*_TOLD)).scalar_one()
    return (0, lost) if lost > runs.LARGEST_LOSS * told else (lost, 0)


def _left(conn: Connection, seen: set[str]) -> tuple[int, int]:
    """What `_sweep` would tell, of the addresses that were in no page."""
    told = conn.execute(select(directory_entries.c.address).where(*_TOLD).execution_options(yield_per=10_000))
    return _judged(conn, sum(address not in seen for address in told.scalars()))


def _begin(tx: Transaction, name: str, now: int) -> int:
    row = {"digest": name, "position": 0, "lines": 0, "faults": 0, "started_at": now}
    return tx.insert(directory_imports, row)


def _take(tx: Transaction, keys: KeyRing, number: int, page: Sequence[Held]) -> tuple[int, int]:
    """(taken away, kept out). An entry of ours keeps its source, and what only we know."""
    gone, kept_out, rows = 0, 0, []
    for held, shown in _shown(tx.conn, keys, page):
        values = {"source": FHIR, "import_id": number, "resource": held.resource, "line": None}
        rows += [row_of(entry, entry.address) | values for entry in shown]
        kept_out += len(held.entries) - len(shown)
        gone += tx.execute(delete(directory_entries).where(*_lost(held, shown))).rowcount
    changed = tuple(sorted(set(rows[0]) - {"address", "source", "phone", "hours", "skills"})) if rows else ()
    upsert_all(tx, directory_entries, rows, key=("address",), change=changed)
    learn(tx, vocabulary(row["words"] for row in rows))
    return gone, kept_out


def _looked(conn: Connection, keys: KeyRing, seen: set[str], page: Sequence[Held]) -> tuple[int, int]:
    """The same, told only; the page's addresses are added to those `seen`."""
    seen.update(address for held in page for address in held.addresses)
    counted, judged = select(func.count()).select_from(directory_entries), _shown(conn, keys, page)
    gone = sum(conn.execute(counted.where(*_lost(held, shown))).scalar_one() for held, shown in judged)
    return gone, sum(len(held.entries) - len(shown) for held, shown in judged)


def _shown(conn: Connection, keys: KeyRing, page: Sequence[Held]) -> list[tuple[Held, list[Entry]]]:
    """Each with those of its entries that are not ours on the red list, or closed."""
    out = hidden(conn)
    return [
        (held, [entry for entry in held.entries if address_lookup(keys, entry.address) not in out]) for held in page
    ]


def _lost(held: Held, shown: Sequence[Entry]) -> tuple[ColumnElement[bool], ...]:
    """Entries that leave: what this resource had and no longer says, and whoever it says is on the red list."""
    no_longer = and_(
        directory_entries.c.resource == held.resource,
        directory_entries.c.address.not_in([entry.address for entry in shown]),
    )
    return or_(no_longer, directory_entries.c.address.in_(held.red_list)), directory_entries.c.source != OWN


def _finish(tx: Transaction, number: int, now: int) -> None:
    tx.execute(update(directory_imports).where(directory_imports.c.id == number).values(finished_at=now))

"""The directory of professional mailboxes: public register data (Annuaire Santé), here and at other operators, readable as such.

A pharmacy is found by its activity sector (TRE_R02), never by the word in its name. A mailbox on the red list is never here:
adding it is refused, and `Mailboxes.set_red_list` takes it away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, delete, func, or_, select

from foundation.database import Transaction
from foundation.keys import KeyRing
from mssante import directory_search
from mssante.address import Address, address_key, parse_address
from mssante.directory_search import Search
from mssante.directory_words import KIND, NAME, PLACE, PROFESSION, SECTOR, folded, indexed, vocabulary
from mssante.identity import Invalid
from mssante.kinds import SECTORS_PHARMACY, BoxKind, BoxState
from mssante.mailboxes import address_lookup
from mssante.tables import directory_entries, directory_vocabulary, mailboxes
from mssante.upsert import upsert, upsert_all

OWN, EXTRACT, FHIR = "own", "extract", "fhir"  # where an entry comes from


@dataclass(frozen=True, slots=True)
class Entry:
    """`structure_id`: FINESS or SIRET; `person_id`: 8 + RPPS or 0 + ADELI; `sector`: TRE_R02 code; `hours`: opening hours in the
    structure's own words; `speciality`: of the mailbox, `skills`: of its holder, by the registers of professionals; both may be
    several, `SEVERAL` between them. Only what is the register's to tell: no private address, no date of birth."""

    address: str
    kind: BoxKind
    display_name: str
    profession: str = ""
    town: str = ""
    postcode: str = ""
    sector: str | None = None
    structure_id: str = ""
    phone: str = ""
    hours: str = ""
    title: str = ""
    given_name: str = ""
    family_name: str = ""
    person_id: str = ""
    speciality: str = ""
    organisation: str = ""
    service: str = ""
    skills: str = ""

    @property
    def specialities(self) -> tuple[str, ...]:
        """Each once, the mailbox's own first."""
        labels = filter(None, f"{self.speciality}{SEVERAL}{self.skills}".split(SEVERAL))
        return tuple({folded(label): label for label in reversed(tuple(labels))}.values())[::-1]

    @property
    def is_pharmacy(self) -> bool:
        return self.kind is BoxKind.ORG and self.sector in SECTORS_PHARMACY


SEVERAL = "; "  # between labels
FIELDS = tuple(one.name for one in fields(Entry))
AT_ONCE = 500  # addresses of one look-up
ROW = (*FIELDS, "words")  # columns
_values = attrgetter(*FIELDS[2:])  # behind address and kind


def add(tx: Transaction, keys: KeyRing, entry: Entry, source: str = OWN) -> bool:
    """Adds or replaces the entry of this address; False when the mailbox is on our red list. ValueError: malformed address."""
    key = address_key(entry.address)
    if isinstance(key, Invalid):
        raise ValueError(key.why)
    row = row_of(entry, key) | {"source": source, "import_id": 0, "line": None}
    if address_lookup(keys, key) in hidden(tx.conn, [address_lookup(keys, key)]):
        return False
    upsert(tx, directory_entries, row, key=("address",), change=tuple(sorted(set(row) - {"address"})))
    learn(tx, vocabulary([row["words"]]))
    return True


def hidden(conn: Connection, lookups: Sequence[bytes] | None = None) -> set[bytes]:
    """Keyed hashes of addresses, of all our mailboxes or of these, that must not be in the directory: red list, closed."""
    query = select(mailboxes.c.address_key).where(
        or_(mailboxes.c.red_list.is_(True), mailboxes.c.state == BoxState.CLOSED.value)
    )
    return set(conn.execute(query if lookups is None else query.where(mailboxes.c.address_key.in_(lookups))).scalars())


def row_of(entry: Entry, key: str) -> dict[str, Any]:
    """The entry as it is kept; `key`: its address in the form that look-ups compare."""
    return dict(zip(ROW, values_of(entry, key), strict=True))


def values_of(entry: Entry, key: str) -> tuple[Any, ...]:
    """Those of `row_of` in the order of `ROW`."""
    name = f"{entry.display_name} {entry.given_name} {entry.family_name}"
    shared = (
        (NAME, entry.organisation),
        (NAME, entry.service),
        (PROFESSION, entry.profession),
        (PROFESSION, entry.speciality),
        (PROFESSION, entry.skills),
        (PLACE, entry.town),
        (PLACE, entry.postcode),
    )
    codes = ((KIND, entry.kind.value), *([(SECTOR, entry.sector)] if entry.sector else []))
    return (key, entry.kind.value, *_values(entry), indexed(name, key.rpartition("@")[0], shared, codes))


def learn(tx: Transaction, words: set[str]) -> None:
    """Words against which typing errors are judged."""
    upsert_all(tx, directory_vocabulary, [{"word": word} for word in sorted(words)], key=("word",), change=())


def remove(tx: Transaction, address: Address) -> None:
    tx.execute(delete(directory_entries).where(directory_entries.c.address == address.key))


def get(conn: Connection, address: Address) -> Entry | None:
    row = conn.execute(select(directory_entries).where(directory_entries.c.address == address.key)).first()
    return None if row is None else entry_of(row)


def postcode_of(conn: Connection, address: str) -> str:
    """Empty: not known."""
    parsed = parse_address(address)
    entry = None if isinstance(parsed, Invalid) else get(conn, parsed)
    return "" if entry is None else entry.postcode


def some(conn: Connection, addresses: Sequence[str]) -> list[Entry]:
    """Those of these address keys that are here, in the same order."""
    found: dict[str, Entry] = {}
    for start in range(0, len(addresses), AT_ONCE):
        keys = directory_entries.c.address.in_(addresses[start : start + AT_ONCE])
        found |= {row.address: entry_of(row) for row in conn.execute(select(directory_entries).where(keys))}
    return [found[address] for address in addresses if address in found]


def count(conn: Connection) -> int:
    return conn.execute(select(func.count()).select_from(directory_entries)).scalar_one()


def search_pharmacies(conn: Connection, text: str, limit: int = 25) -> list[Entry]:
    """Pharmacies whose name, town or postcode have words beginning with those of `text`; all of them for an empty text."""
    return search(conn, Search(text, sectors=SECTORS_PHARMACY, kinds=frozenset({BoxKind.ORG})), limit)


def search(conn: Connection, asked: Search, limit: int = 25) -> list[Entry]:
    """At most `limit` (200 at the most) entries, the best first."""
    return [entry_of(row) for row in directory_search.rows(conn, asked, limit)]


def entry_of(row: Row[Any]) -> Entry:
    values = {name: getattr(row, name) for name in FIELDS}
    return Entry(**values | {"kind": BoxKind(values["kind"])})

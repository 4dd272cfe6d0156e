"""The directory of professional mailboxes: public register data (Annuaire Santé), here and at other operators, readable as such.

A pharmacy is found by its activity sector (TRE_R02), never by the word in its name. A mailbox on the red list is never here:
adding it is refused, and `Mailboxes.set_red_list` takes it away.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, Row, delete, select
from sqlalchemy.sql import Select

from foundation.database import Transaction
from foundation.keys import KeyRing
from mssante.address import Address, address_key
from mssante.identity import Invalid
from mssante.kinds import SECTORS_PHARMACY, BoxKind
from mssante.mailboxes import address_lookup
from mssante.tables import directory_entries, mailboxes
from mssante.upsert import upsert

MOST_WORDS = 8  # of a search; more are ignored


@dataclass(frozen=True, slots=True)
class Entry:
    """`structure_id`: FINESS or SIRET; `sector`: TRE_R02 code; `hours`: opening hours in the structure's own words."""

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

    @property
    def is_pharmacy(self) -> bool:
        return self.kind is BoxKind.ORG and self.sector in SECTORS_PHARMACY


def add(tx: Transaction, keys: KeyRing, entry: Entry) -> bool:
    """Adds or replaces the entry of this address; False when the mailbox is on our red list. ValueError: malformed address."""
    key = address_key(entry.address)
    if isinstance(key, Invalid):
        raise ValueError(key.why)
    red = select(mailboxes.c.red_list).where(mailboxes.c.address_key == address_lookup(keys, key))
    if tx.execute(red).scalar():
        return False
    row = asdict(entry) | {"address": key, "kind": entry.kind.value, "words": _words(entry)}
    upsert(tx, directory_entries, row, key=("address",), change=tuple(sorted(set(row) - {"address"})))
    return True


def remove(tx: Transaction, address: Address) -> None:
    tx.execute(delete(directory_entries).where(directory_entries.c.address == address.key))


def get(conn: Connection, address: Address) -> Entry | None:
    row = conn.execute(select(directory_entries).where(directory_entries.c.address == address.key)).first()
    return None if row is None else _entry(row)


def search_pharmacies(conn: Connection, text: str, limit: int = 25) -> list[Entry]:
    """Pharmacies whose name, town or postcode have words beginning with those of `text`; all of them for an empty text."""
    pharmacies = select(directory_entries).where(directory_entries.c.kind == BoxKind.ORG.value)
    return _search(conn, pharmacies, text, limit, SECTORS_PHARMACY)


def search(conn: Connection, text: str, limit: int = 25) -> list[Entry]:
    """The same among all mailboxes."""
    return _search(conn, select(directory_entries), text, limit, None)


def folded(text: str) -> str:
    """Without case, accents or punctuation, one space between words: « Pharmacie de l'Étoile » and `pharmacie etoile` meet."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("œ", "oe").replace("æ", "ae"))
    letters = (char if char.isalnum() else " " for char in plain if not unicodedata.combining(char))
    return " ".join("".join(letters).split())


def _search(
    conn: Connection, query: Select[tuple[object, ...]], text: str, limit: int, sectors: Collection[str] | None
) -> list[Entry]:
    if sectors is not None:
        query = query.where(directory_entries.c.sector.in_(sorted(sectors)))
    for word in folded(text[:200]).split()[:MOST_WORDS]:
        query = query.where(
            directory_entries.c.words.contains(f" {word}")
        )  # letters and digits only: no wildcard inside
    ordered = query.order_by(directory_entries.c.town, directory_entries.c.display_name, directory_entries.c.id)
    return [_entry(row) for row in conn.execute(ordered.limit(limit))]


def _words(entry: Entry) -> str:
    return " " + folded(f"{entry.display_name} {entry.town} {entry.postcode} {entry.profession}")


def _entry(row: Row[tuple[object, ...]]) -> Entry:
    values = row._asdict()
    del values["id"], values["words"]
    return Entry(**values | {"kind": BoxKind(values["kind"])})

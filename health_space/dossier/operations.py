"""Filing, listing, opening and reading the documents of one citizen (rules.md section 8, DOC-01 to DOC-15).

Every query starts from a `Dossier`, which can only be had by its box: an id that belongs to a neighbour finds nothing. Who may
ask for which box is decided before (`profiles.operations.may_act_for`). Functions are synchronous: run them in `db.read` or
`db.write`.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, insert, select, update

from foundation.blobs import BlobRef, Blobs, PreparedBlob
from foundation.database import Transaction
from foundation.keys import Key, KeyRing
from health_space.dossier.categories import LABELS, PRESCRIPTIONS, fold
from health_space.dossier.tables import documents, dossiers, filings
from mssante.upsert import upsert


@dataclass(frozen=True, slots=True)
class Dossier:
    id: int
    box_id: int
    key: Key


class Origin(Enum):
    MESSAGE = "message"
    CITIZEN = "citizen"


class Sort(Enum):
    RECENT = "recents"
    OLD = "anciens"
    TITLE = "nom"
    AUTHOR = "auteur"


@dataclass(frozen=True, slots=True)
class NewDocument:
    """What is known of a document about to be filed; `digest` is the SHA-256 of the file as it came."""

    title: str
    file_name: str
    author_name: str
    author_address: str
    act_date: date
    category: str
    type_code: str
    media_type: str
    pages: int
    origin: Origin
    digest: bytes
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    id: int
    title: str
    file_name: str
    author_name: str
    author_address: str
    act_date: date
    category: str
    type_code: str
    media_type: str
    size: int  # octets as stored
    pages: int  # 0: text without pages
    origin: Origin
    masked: bool
    added_at: int
    blob: BlobRef


@dataclass(frozen=True, slots=True)
class Filed:
    document_id: int
    folded: bool  # the same file was there already: nothing was added


# ---------------------------------------------------------------- the dossier
def dossier_of(conn: Connection, keys: KeyRing, box_id: int) -> Dossier | None:
    row = conn.execute(select(dossiers).where(dossiers.c.box_id == box_id)).first()
    return None if row is None else Dossier(row.id, box_id, keys.unwrap(row.wrapped_key, _context(box_id)))


def open_dossier(tx: Transaction, keys: KeyRing, box_id: int, now: int) -> Dossier:
    """The box's dossier, made with a key of its own at first need."""
    found = dossier_of(tx.conn, keys, box_id)
    if found is not None:
        return found
    _, wrapped = keys.new_key(_context(box_id))
    row = {"box_id": box_id, "wrapped_key": wrapped, "created_at": now}
    upsert(
        tx, dossiers, row, key=("box_id",), change=()
    )  # another process may open it at the same instant: one key wins
    opened = dossier_of(tx.conn, keys, box_id)
    assert opened is not None
    return opened


# ---------------------------------------------------------------- filing
def file_document(
    tx: Transaction, blobs: Blobs, dossier: Dossier, new: NewDocument, prepared: PreparedBlob, now: int
) -> Filed:
    """Adds a document, or finds the same file already there. The caller discards `prepared` when it was folded."""
    if new.category not in LABELS:
        raise ValueError(f"no such category: {new.category}")
    digest_key = _keyed(dossier, b"digest", new.digest)
    same = (documents.c.dossier_id == dossier.id) & (documents.c.digest_key == digest_key)
    existing = tx.conn.execute(select(documents.c.id).where(same)).scalar()
    if existing is not None:
        return Filed(existing, folded=True)
    row = {
        "dossier_id": dossier.id,
        "blob_id": blobs.insert(tx, prepared),
        "digest_key": digest_key,
        "category": new.category,
        "type_code": new.type_code,
        "media_type": new.media_type,
        "size": prepared.ref.size,
        "pages": new.pages,
        "origin": new.origin.value,
        "state": "current",
        "masked": new.masked,
        "added_at": now,
        "sealed_meta": dossier.key.seal(_meta(new, prepared.ref), b"document" + digest_key),
    }
    return Filed(tx.insert(documents, row), folded=False)


def set_category(tx: Transaction, dossier: Dossier, document_id: int, category: str) -> bool:
    """Sorts a document elsewhere in the citizen's own list; its type, and so the rights on it, do not change."""
    if category not in LABELS:
        raise ValueError(f"no such category: {category}")
    one = (documents.c.dossier_id == dossier.id) & (documents.c.id == document_id)
    return tx.execute(update(documents).where(one).values(category=category)).rowcount == 1


# ---------------------------------------------------------------- reading
def documents_in(
    conn: Connection, dossier: Dossier, category: str | None = None, sort: Sort = Sort.RECENT
) -> list[Document]:
    """The current documents, all or of one category. Titles are sealed, so sorting happens here, in memory."""
    query = select(documents).where(documents.c.dossier_id == dossier.id, documents.c.state == "current")
    if category is not None:
        query = query.where(documents.c.category == category)
    found = [_document(dossier, row) for row in conn.execute(query).all()]
    match sort:
        case Sort.RECENT:
            found.sort(key=lambda d: (d.act_date, d.added_at, d.id), reverse=True)
        case Sort.OLD:
            found.sort(key=lambda d: (d.act_date, d.added_at, d.id))
        case Sort.TITLE:
            found.sort(key=lambda d: (fold(d.title), d.id))
        case Sort.AUTHOR:
            found.sort(key=lambda d: (fold(d.author_name), -d.id))
    return found


def prescriptions(conn: Connection, dossier: Dossier) -> list[Document]:
    """What may be sent to a pharmacy (rules.md section 5): the documents of « Ordonnances et soins », newest first."""
    return documents_in(conn, dossier, PRESCRIPTIONS)


def find(conn: Connection, dossier: Dossier, document_id: int) -> Document | None:
    """One document of this dossier; None for any other id, known elsewhere or not."""
    one = (documents.c.dossier_id == dossier.id) & (documents.c.id == document_id)
    row = conn.execute(select(documents).where(one)).first()
    return None if row is None else _document(dossier, row)


def read(conn: Connection, blobs: Blobs, document: Document, offset: int = 0, length: int | None = None) -> bytes:
    """Octets of the stored file from `offset`."""
    return blobs.read(conn, document.blob, offset, length)


def message_name(message_id: str | None, content: bytes) -> str:
    """What identifies a message for good: its Message-ID and its octets.

    Not the Message-ID alone: its writer chooses it, and could take the next one of a laboratory that numbers its messages; the
    results would then count as filed already.
    """
    return f"{message_id or ''} {sha256(content).hexdigest()}"


def message_key(dossier: Dossier, name: str) -> bytes:
    """How the ledger names a message: a keyed hash of its `message_name`."""
    return _keyed(dossier, b"message", name.encode("utf-8", "replace"))


def documents_of_message(conn: Connection, dossier: Dossier, key: bytes) -> dict[str, Document]:
    """Section number of each attachment that is in the dossier -> the document."""
    query = (
        select(filings.c.part, documents)
        .join(documents, documents.c.id == filings.c.document_id)
        .where(filings.c.dossier_id == dossier.id, filings.c.message_key == key)
    )
    return {row.part: _document(dossier, row) for row in conn.execute(query).all()}


def record_filings(
    tx: Transaction, dossier: Dossier, key: bytes, filed: Sequence[tuple[str, int, int]], now: int
) -> None:
    """Ledger rows (part, document id, size in octets as it came) of attachments that are in the dossier."""
    rows = [
        {
            "dossier_id": dossier.id,
            "message_key": key,
            "part": part,
            "document_id": document_id,
            "size": size,
            "at": now,
        }
        for part, document_id, size in filed
    ]
    if rows:
        tx.execute(insert(filings), rows)


def parts_settled(conn: Connection, dossier: Dossier, key: bytes) -> frozenset[str]:
    """Attachments of a message that the ledger already answers for, filed or refused."""
    query = select(filings.c.part).where(filings.c.dossier_id == dossier.id, filings.c.message_key == key)
    return frozenset(conn.execute(query).scalars())


# ---------------------------------------------------------------- sealed values
def _context(box_id: int) -> bytes:
    return b"dossier %d" % box_id


def _keyed(dossier: Dossier, purpose: bytes, value: bytes) -> bytes:
    return hmac.digest(dossier.key.raw, purpose + b"\0" + value, sha256)[:16]


def _meta(new: NewDocument, ref: BlobRef) -> bytes:
    value = {
        "title": new.title,
        "file_name": new.file_name,
        "author_name": new.author_name,
        "author_address": new.author_address,
        "act_date": new.act_date.isoformat(),
        "blob": [ref.name, ref.key.hex(), ref.size],
    }
    return json.dumps(value, ensure_ascii=False).encode(
        "utf-8", "replace"
    )  # headers of hostile mail hold lone surrogates


def _document(dossier: Dossier, row: Any) -> Document:
    meta = json.loads(dossier.key.open(row.sealed_meta, b"document" + row.digest_key))
    name, key, size = meta["blob"]
    return Document(
        id=row.id,
        title=meta["title"],
        file_name=meta["file_name"],
        author_name=meta["author_name"],
        author_address=meta["author_address"],
        act_date=date.fromisoformat(meta["act_date"]),
        category=row.category,
        type_code=row.type_code,
        media_type=row.media_type,
        size=row.size,
        pages=row.pages,
        origin=Origin(row.origin),
        masked=row.masked,
        added_at=row.added_at,
        blob=BlobRef(name, bytes.fromhex(key), size),
    )

"""Tables of the dossier. Readable: ids, sizes, dates, categories, media types. Sealed under the dossier's key: the rest.

`filings` is the ledger of what came by message: one row per attachment, with the document it became or the reason it was
refused. Its unique key makes filing idempotent. `message_key` and `digest_key` are keyed hashes under the dossier's key.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from foundation.database import metadata
from foundation.tables import Id, blobs

dossiers = Table(
    "dossiers",
    metadata,
    Column("id", Id, primary_key=True),
    Column("box_id", BigInteger, nullable=False, unique=True),
    Column("wrapped_key", LargeBinary, nullable=False),  # destroying it is the final deletion
    Column("created_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

documents = Table(
    "documents",
    metadata,
    Column("id", Id, primary_key=True),
    Column("dossier_id", ForeignKey(dossiers.c.id), nullable=False),
    Column("blob_id", ForeignKey(blobs.c.id), nullable=False),  # also keeps the sweeping of blobs away from it
    Column("digest_key", LargeBinary, nullable=False),  # of the file as it came: folds duplicates
    Column("category", String(12), nullable=False),
    Column("type_code", String(24), nullable=False),  # "" when it came without a type
    Column("media_type", String(32), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("origin", String(8), nullable=False),  # message | citizen
    Column("state", String(8), nullable=False),  # current (XDS Approved); obsolete, archived: later
    Column("masked", Boolean, nullable=False),  # hidden from professionals
    Column("added_at", BigInteger, nullable=False),
    Column("sealed_meta", LargeBinary, nullable=False),  # title, file name, author, date of the act, blob key
    UniqueConstraint("dossier_id", "digest_key"),
    sqlite_autoincrement=True,
)

filings = Table(
    "filings",
    metadata,
    Column("dossier_id", ForeignKey(dossiers.c.id), primary_key=True),
    Column("message_key", LargeBinary, primary_key=True),
    Column("part", String(64), primary_key=True),  # section number of the attachment (RFC 9051 6.4.5)
    Column("document_id", ForeignKey(documents.c.id)),  # what it became
    Column("reason", String(40)),  # or why it was refused
    Column("size", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("told_at", BigInteger),  # when the sender was told of the refusal
    Column("sealed_detail", LargeBinary),  # of a refusal: file name, sender
    Index("filings_document", "document_id"),
)

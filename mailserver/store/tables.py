"""Tables of the mail store. What can be read without a key: ids, sizes, dates, flags, keyed hashes (ARCHITECTURE.md, principle 5).

Every key starts with a box or a folder, so that it all partitions by mailbox. `messages` is narrow and clustered by UID: SELECT
reads nothing else. Cards, with the texts of SEARCH, are wide and stand apart, sealed with the box's key; a box has one for a blob,
whatever the number of its folders that hold the message: COPY and MOVE write narrow rows only. Times: `internal_date` in seconds
since the epoch (what IMAP shows), the others in milliseconds.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    literal_column,
)

from foundation.database import metadata
from foundation.tables import Id

folders = Table(
    "folders",
    metadata,
    Column("id", Id, primary_key=True),
    Column("box_id", BigInteger, nullable=False),
    Column("name_key", LargeBinary, nullable=False),  # keyed hash of box and name
    Column("sealed_name", LargeBinary, nullable=False),
    Column("uid_validity", BigInteger, nullable=False),  # never changes; never used twice in a box
    Column("uid_next", BigInteger, nullable=False),
    Column("highest_modseq", BigInteger, nullable=False),
    # of the last STORE: after it only new messages, found by their UIDs; so MODSEQ needs no index, half the price of a STORE
    Column("flags_modseq", BigInteger, nullable=False, server_default="1"),
    Column(
        "forgotten", BigInteger, nullable=False, server_default="0"
    ),  # the MODSEQ up to which expunges are (`forgetting`)
    Column("remembered", BigInteger, nullable=False, server_default="0"),  # rows in `expunged`
    Column("special_use", String(16)),
    Column("subscribed", Boolean, nullable=False),
    # counters kept with every change, so that STATUS never counts
    Column("messages", Integer, nullable=False),
    Column("unseen", Integer, nullable=False),
    Column("deleted", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Index("folders_name", "box_id", "name_key", unique=True),
    sqlite_autoincrement=True,  # an id is never used twice: it gives the UIDVALIDITY
)

lost_folders = Table(
    "lost_folders",  # deleted, and their names still subscribed (RFC 9051 6.3.7)
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name_key", LargeBinary, primary_key=True),
    Column("sealed_name", LargeBinary, nullable=False),
)

folder_rights = Table(
    "folder_rights",  # RFC 4314, where they differ from the member's role
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("folder_id", BigInteger, primary_key=True, autoincrement=False),
    Column("member", BigInteger, primary_key=True, autoincrement=False),
    Column(
        "rights", String(16), nullable=False
    ),  # mssante.rights.written; empty: the folder is not there for the member
)

folder_subscriptions = Table(
    "folder_subscriptions",  # of the members of a team, where they said so
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("folder_id", BigInteger, primary_key=True, autoincrement=False),
    Column("member", BigInteger, primary_key=True, autoincrement=False),
    Column("subscribed", Boolean, nullable=False),
)

folder_annotations = Table(
    "folder_annotations",  # RFC 5464
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("folder_id", BigInteger, primary_key=True, autoincrement=False),  # 0: of the server
    Column("member", BigInteger, primary_key=True, autoincrement=False),  # whose private entry; 0: shared
    Column("entry_key", LargeBinary, primary_key=True),  # keyed hash of the entry's name
    Column("sealed", LargeBinary, nullable=False),  # name and value
)

messages = Table(
    "messages",
    metadata,
    Column("folder_id", BigInteger, primary_key=True, autoincrement=False),
    Column("uid", BigInteger, primary_key=True, autoincrement=False),
    Column("modseq", BigInteger, nullable=False),
    Column("flags", SmallInteger, nullable=False),  # store.api.Flag
    Column("keywords", Text, nullable=False),  # separated by one space, sorted
    Column("internal_date", BigInteger, nullable=False),
    Column("saved_at", BigInteger, nullable=False, server_default="0"),  # seconds; SAVEDATE (RFC 8514)
    Column("size", BigInteger, nullable=False),
    Column("blob_id", BigInteger, nullable=False),
    Column("thread_id", BigInteger, nullable=False),  # within the box; the blob of its first message
    Column("exchange_id", BigInteger),  # mssante exchange between a citizen and a professional
    Index("messages_thread", "thread_id"),
    Index("messages_blob", "blob_id"),
    sqlite_with_rowid=False,
)
WITH_KEYWORDS = messages.c.keywords != literal_column("''")  # as it stands in the index, or that is not used
Index(
    "messages_keywords",
    messages.c.folder_id,
    messages.c.keywords,
    sqlite_where=WITH_KEYWORDS,
    postgresql_where=WITH_KEYWORDS,
)

cards = Table(
    "cards",
    metadata,
    Column("blob_id", BigInteger, primary_key=True, autoincrement=False),
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    # Each sealed. One row: measured, a row for the texts apart costs a delivery four more pages, and a seventh more room on disk.
    Column("front", LargeBinary, nullable=False),  # blob reference with its key, ENVELOPE and BODYSTRUCTURE
    Column("heads", LargeBinary, nullable=False),  # for SEARCH, deflated when long: decoded headers
    Column("back", LargeBinary, nullable=False),  # the rest of the rendered card
    Column("texts", LargeBinary, nullable=False),  # for SEARCH, deflated when long: decoded body
)

sheets = Table(
    "sheets",  # what a list shows of the messages of a folder whose UIDs have the same upper bits, sealed together (`sheets`)
    metadata,
    Column("folder_id", BigInteger, primary_key=True, autoincrement=False),
    Column("page", BigInteger, primary_key=True, autoincrement=False),  # those bits
    Column("sealed", LargeBinary, nullable=False),  # of each UID, ENVELOPE and BODYSTRUCTURE
)

expunged = Table(
    "expunged",
    metadata,
    Column("folder_id", BigInteger, primary_key=True, autoincrement=False),
    Column("modseq", BigInteger, primary_key=True, autoincrement=False),
    Column("uid", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Integer, nullable=False, server_default="0"),  # since the epoch, when it went
    sqlite_with_rowid=False,
)

message_ids = Table(
    "message_ids",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("message_key", LargeBinary, primary_key=True),  # keyed hash of the Message-ID
    Column("counterpart", LargeBinary, nullable=False),  # keyed hash of the other side's address
    Column("thread_id", BigInteger, nullable=False),
    Column("exchange_id", BigInteger),
    Column("no_reply", Boolean, nullable=False),  # its sender takes no answer to it (docs/rules.md section 4)
    sqlite_with_rowid=False,
)

answers = Table(
    "answers",  # of members of a team, to messages of its mailbox
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("message_key", LargeBinary, primary_key=True),  # as in message_ids, of the message answered
    Column("member", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("sealed_actor", LargeBinary, nullable=False),  # the member's name
)

filed_copies = Table(
    "filed_copies",  # of what members of a team sent, for whose own copy a client may still come
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("message_key", LargeBinary, primary_key=True),
    Column("folder_id", BigInteger, nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
)

loose_blobs = Table(
    "loose_blobs",
    metadata,
    Column("blob_id", BigInteger, primary_key=True, autoincrement=False),
    Column("since", BigInteger, nullable=False),  # when a row that pointed to it went, or a promise was made on it
)

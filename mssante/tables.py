"""Tables of the trust space. All times are milliseconds since the epoch, UTC.

Readable: ids, kinds, states, sizes, dates, sector codes, keyed hashes (`*_key`), and the directory, which is public. Sealed:
addresses, logins, names, password hashes (operator's registry key); contacts of a citizen (that citizen's own key).
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
    Text,
    UniqueConstraint,
)

from foundation.database import metadata
from foundation.tables import Id

mailboxes = Table(
    "mailboxes",
    metadata,
    Column("id", Id, primary_key=True),
    Column(
        "address_key", LargeBinary, nullable=False, unique=True
    ),  # an address is never given twice, even once closed
    Column("sealed_address", LargeBinary, nullable=False),
    Column("kind", String(3), nullable=False),  # kinds.BoxKind
    Column("state", String(9), nullable=False),  # kinds.BoxState
    Column("profile_state", String(13)),  # kinds.ProfileState, citizens only
    Column("red_list", Boolean, nullable=False),
    Column("sector", String(8)),  # TRE_R02, structures only
    Column("quota_bytes", BigInteger, nullable=False),
    Column("used_bytes", BigInteger, nullable=False),
    Column("wrapped_key", LargeBinary),  # NULL: destroyed, the final deletion of all that it sealed
    Column("sealed_holder", LargeBinary, nullable=False),  # mailboxes.Holder
    Column("created_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    sqlite_autoincrement=True,
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", Id, primary_key=True),
    Column("login_key", LargeBinary, nullable=False, unique=True),
    Column("sealed_login", LargeBinary, nullable=False),
    Column("mailbox_id", ForeignKey(mailboxes.c.id), nullable=False, index=True),
    Column("sealed_actor", LargeBinary, nullable=False),  # who acts in the box, by name
    Column("sealed_password", LargeBinary, nullable=False),  # argon2id, PHC string
    Column("sealed_scram", LargeBinary),  # scram.Keys; NULL: no sign-in by password since SCRAM is here
    Column("role", String(8), nullable=False, server_default="holder"),  # rights.Role
    Column("scopes", String(64), nullable=False),  # separated by one space: mail, web
    Column("state", String(8), nullable=False),  # active | revoked
    Column("sealed_totp", LargeBinary),  # RFC 6238 secret
    Column("totp_step", BigInteger, nullable=False),  # last step used: a code never serves twice
    Column("code_key", LargeBinary),  # keyed hash of the code sent last
    Column("code_until", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

app_passwords = Table(
    "app_passwords",
    metadata,
    Column("id", Id, primary_key=True),
    Column("credential_id", ForeignKey(credentials.c.id), nullable=False, index=True),
    Column("secret_key", LargeBinary, nullable=False),  # keyed hash, app_secrets.secret_key
    Column("sealed_name", LargeBinary, nullable=False),  # given by its owner: « Téléphone »
    Column("sealed_scram", LargeBinary, nullable=False),  # scram.Keys, salted as all of the credential
    Column("protocols", String(32), nullable=False),  # separated by one space: imap, submission
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),  # to the hour; 0 = never
    sqlite_autoincrement=True,
)

guesses = Table(
    "guesses",
    metadata,
    Column("subject_key", LargeBinary, primary_key=True),  # keyed hash of a login, a place, or both
    Column("failures", Integer, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("good_at", BigInteger, nullable=False),  # last success; 0 = never
    Index("guesses_last", "last_at"),
)

exchanges = Table(
    "exchanges",
    metadata,
    Column("id", Id, primary_key=True),
    Column("citizen_box_id", ForeignKey(mailboxes.c.id), nullable=False),
    Column("contact_key", LargeBinary, nullable=False),  # keyed with the citizen's box: not comparable between citizens
    Column("sender_key", LargeBinary, nullable=False),  # who opened it last: differs from the contact after a Reply-To
    Column("sealed_contact", LargeBinary, nullable=False),  # exchanges.Contact
    Column("state", String(6), nullable=False),  # kinds.ExchangeState
    Column("opened_at", BigInteger, nullable=False),
    Column("last_message_at", BigInteger, nullable=False),
    Column("reply_until", BigInteger),
    Column("closed_at", BigInteger),
    Column("closed_means", String(9)),  # kinds.ClosedMeans
    Column("sealed_closed_by", LargeBinary),
    UniqueConstraint("citizen_box_id", "contact_key"),
    Index("exchanges_sender", "citizen_box_id", "sender_key"),
    sqlite_autoincrement=True,
)

directory_entries = Table(
    "directory_entries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("address", String(254), nullable=False, unique=True),  # public: Address.key
    Column("kind", String(3), nullable=False),
    Column("display_name", Text, nullable=False),
    Column("profession", Text, nullable=False),
    Column("town", Text, nullable=False),
    Column("postcode", String(10), nullable=False),
    Column("sector", String(8)),
    Column("structure_id", String(15), nullable=False),
    Column("phone", String(32), nullable=False),
    Column("hours", Text, nullable=False),  # opening hours as the structure words them
    Column("words", Text, nullable=False),  # folded, each word after a space: directory.folded
    Index("directory_entries_sector", "sector"),
    sqlite_autoincrement=True,
)

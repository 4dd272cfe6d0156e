"""Tables of the trust space. All times are milliseconds since the epoch, UTC.

Readable: ids, kinds, states, sizes, dates, sector codes, keyed hashes (`*_key`), and the directory, which is public. Sealed:
addresses, logins, names, password hashes (operator's registry key); contacts of a citizen (that citizen's own key).
"""

from __future__ import annotations

from sqlalchemy import (
    DDL,
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
    event,
    false,
    text,
)
from sqlalchemy.schema import ExecutableDDLElement

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
    Column("refuses", Boolean, nullable=False, server_default=false()),  # takes no mail while suspended
    Column("kept_until", BigInteger),  # closed: when its key is destroyed; NULL: nobody said when
    Column("told_percent", Integer, nullable=False, server_default="0"),  # last warning of the quota: 0, 80, 95
    Column("certificate", Text, index=True),  # APP: DN of the organisation's certificate that opens it
    Column("published", LargeBinary),  # keyed hash of what the Annuaire Santé was told last; NULL: nothing
    sqlite_autoincrement=True,
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", Id, primary_key=True),
    Column("login_key", LargeBinary, nullable=False, unique=True),
    Column("sealed_login", LargeBinary, nullable=False),
    Column("mailbox_id", ForeignKey(mailboxes.c.id), nullable=False, index=True),
    Column("subject_key", LargeBinary, index=True),  # keyed hash of how an OpenID provider names the person
    Column("sealed_actor", LargeBinary, nullable=False),  # who acts in the box, by name
    Column("sealed_password", LargeBinary, nullable=False),  # argon2id, PHC string
    Column("sealed_scram", LargeBinary),  # scram.Keys; NULL: no sign-in by password since SCRAM is here
    Column("role", String(8), nullable=False, server_default="holder"),  # rights.Role
    Column("scopes", String(64), nullable=False),  # separated by one space: mail, web
    Column("state", String(8), nullable=False),  # kinds.SignInState
    Column("sealed_totp", LargeBinary),  # RFC 6238 secret
    Column("totp_step", BigInteger, nullable=False),  # last step used: a code never serves twice
    Column("code_key", LargeBinary),  # keyed hash of the code sent last
    Column("code_until", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("signed_out_at", BigInteger, nullable=False, server_default="0"),  # mail clients that came in before are out
    sqlite_autoincrement=True,
)

app_passwords = Table(
    "app_passwords",
    metadata,
    Column("id", Id, primary_key=True),
    Column("credential_id", ForeignKey(credentials.c.id), nullable=False, index=True),
    Column("secret_key", LargeBinary, nullable=False),  # keyed hash, app_secrets.secret_key
    Column("sealed_name", LargeBinary, nullable=False),  # given by its owner: « Téléphone »
    Column("sealed_scram", LargeBinary, nullable=False),  # scram.Keys, salted as all of the login
    Column("protocols", String(32), nullable=False),  # separated by one space: imap, submission
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),  # to the hour; 0 = never
    sqlite_autoincrement=True,
)

mail_clients = Table(
    "mail_clients",
    metadata,
    Column("id", Id, primary_key=True),
    Column("credential_id", ForeignKey(credentials.c.id), nullable=False, index=True),
    Column("key", LargeBinary, nullable=False, unique=True),  # keyed hash of devices.Came.device
    Column("way", String(8), nullable=False),  # devices.Way
    Column("app_password", BigInteger, nullable=False),  # the id of the one it used, maybe gone; 0: none
    Column("door", String(12), nullable=False),  # devices.Door
    Column("sealed", LargeBinary, nullable=False),  # the name it gives itself, its network
    Column("first_at", BigInteger, nullable=False),  # to the hour, as the next
    Column("last_at", BigInteger, nullable=False, index=True),
    sqlite_autoincrement=True,
)

passkeys = Table(
    "passkeys",
    metadata,
    Column("id", Id, primary_key=True),
    Column("credential_id", ForeignKey(credentials.c.id), nullable=False, index=True),
    Column("key", LargeBinary, nullable=False, unique=True),  # keyed hash of the id that the device chose
    Column("sealed", LargeBinary, nullable=False),  # that id, the public key, the name given by its owner
    Column("counter", BigInteger, nullable=False),  # the device's, at the last use
    Column("blocked", Boolean, nullable=False),  # the counter did not grow
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),  # to the hour; 0 = never
    sqlite_autoincrement=True,
)

passkey_challenges = Table(
    "passkey_challenges",
    metadata,
    Column("session_key", LargeBinary, primary_key=True),  # keyed hash of the web session that asked
    Column("challenge", LargeBinary, nullable=False),
    Column("until", BigInteger, nullable=False, index=True),
)

recoveries = Table(
    "recoveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("credential_id", ForeignKey(credentials.c.id), nullable=False, index=True),
    Column("lost", String(8), nullable=False),  # `recovery.Lost`: what the code stands for
    Column("asked_by", String(32), nullable=False),  # as in the audit trail
    Column("asked_at", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # why
    Column("agreed_by", String(32), nullable=False),  # empty: nobody yet
    Column("code_key", LargeBinary),  # keyed hash of the code
    Column("until", BigInteger, nullable=False),  # of the request, then of the code; 0: taken back
    Column("used_at", BigInteger, nullable=False),  # 0 = never
    sqlite_autoincrement=True,
)

approvers = Table(
    "approvers",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(24), nullable=False),  # as in the audit trail
    Column("sealed_secret", LargeBinary, nullable=False),  # argon2id, PHC string, of a passphrase
    Column("created_at", BigInteger, nullable=False),
    Column("usable_at", BigInteger, nullable=False),  # approves from then on
    Column("vouched_by", String(24), nullable=False),  # who let them in; empty: nobody was there
    Column("removed_at", BigInteger, nullable=False),  # 0: is there
    UniqueConstraint("name", "removed_at"),
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

_TOLD = text("resource != ''")

directory_entries = Table(
    "directory_entries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("address", String(254), nullable=False, unique=True),  # public: Address.key
    Column("kind", String(3), nullable=False),
    Column("display_name", Text, nullable=False),
    Column("title", Text, nullable=False, server_default=""),
    Column("given_name", Text, nullable=False, server_default=""),
    Column("family_name", Text, nullable=False, server_default=""),
    Column("person_id", String(16), nullable=False, server_default=""),  # 8 + RPPS or 0 + ADELI
    Column("profession", Text, nullable=False),
    Column("speciality", Text, nullable=False, server_default=""),
    Column("skills", Text, nullable=False, server_default=""),  # of the holder, by register_facts
    Column("organisation", Text, nullable=False, server_default=""),
    Column("service", Text, nullable=False, server_default=""),
    Column("town", Text, nullable=False),
    Column("postcode", String(10), nullable=False),
    Column("sector", String(8)),
    Column("structure_id", String(15), nullable=False),
    Column("phone", String(32), nullable=False),
    Column("hours", Text, nullable=False),  # opening hours as the structure words them
    Column("words", Text, nullable=False),  # directory_words.indexed; what the text index below reads
    Column("source", String(8), nullable=False, server_default="own"),  # own | extract | fhir
    Column("import_id", BigInteger, nullable=False, server_default="0"),  # the last import that held it
    Column("resource", String(128), nullable=False, server_default=""),  # of a FHIR server: Organization/123
    Column("line", BigInteger),  # digest of the extraction's line that it says; NULL: something else was said since
    Index("directory_entries_resource", "resource"),
    # Of what a FHIR server told: roles are found by the person, and by the place, that they repeat.
    Index("directory_entries_person", "person_id", sqlite_where=_TOLD, postgresql_where=_TOLD),
    Index("directory_entries_structure", "structure_id", sqlite_where=_TOLD, postgresql_where=_TOLD),
    sqlite_autoincrement=True,
)

directory_vocabulary = Table(  # every word of the directory, against which typing errors are judged; none is taken away
    "directory_vocabulary",
    metadata,
    Column("word", String(64), primary_key=True),
    sqlite_with_rowid=False,
)

books = Table(  # of those with whom a mailbox corresponds, as each person who works in it was told last: books.py
    "books",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("member", BigInteger, primary_key=True, autoincrement=False),  # credentials.id
    Column("sealed", LargeBinary, nullable=False),
)

register_facts = Table(  # of all professionals, public: registers/facts.py
    "register_facts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("person_id", String(16), nullable=False, index=True),  # 8 + RPPS or 0 + ADELI
    Column("kind", String(8), nullable=False),  # facts_file.Kind
    Column("profession", String(32), nullable=False),  # TRE_G15
    Column("type", String(32), nullable=False),
    Column("code", String(32), nullable=False),
    Column("label", Text, nullable=False),
    Column("sector", String(32), nullable=False),  # TRE_R02
    Column("structure_id", String(15), nullable=False),
    Column("place", Text, nullable=False),
    Column("town", Text, nullable=False),
    Column("since", Integer, nullable=False),  # day since the epoch of the first file that says it
    Column("until", Integer),  # of the first one that does not; NULL: said still
    Column("import_id", BigInteger, nullable=False),  # the last import that wrote it
    Column("line", BigInteger, nullable=False, unique=True),  # digest of the line that says it
)

directory_imports = Table(
    "directory_imports",
    metadata,
    Column("id", Id, primary_key=True),
    Column("digest", String(64), nullable=False),  # of the file: extraction.digest
    Column("position", BigInteger, nullable=False),  # octets of the text that are done
    Column("lines", BigInteger, nullable=False),
    Column("faults", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),  # NULL: interrupted, goes on at `position`
    sqlite_autoincrement=True,
)

paces = Table(  # when each server that allows so many requests a second may be asked next: registers/pace.py
    "paces",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("next_at", BigInteger, nullable=False),
)

# The text index follows `words` by itself. SQLite: FTS5 over that column (its documentation, 4.4.3), kept by triggers; words are
# folded already, so that its ASCII tokenizer does nothing but split. PostgreSQL: GIN over the same words.
WORDS_VECTOR = "array_to_tsvector(string_to_array(words, ' '))"
_OUT = "INSERT INTO directory_index(directory_index, rowid, words) VALUES ('delete', old.id, old.words);"
_IN = "INSERT INTO directory_index(rowid, words) VALUES (new.id, new.words);"
TEXT_INDEX = {
    "sqlite": (
        "CREATE VIRTUAL TABLE directory_index USING fts5(words, content='directory_entries', content_rowid='id', "
        "tokenize='ascii', prefix='3 4', detail='none', columnsize=0)",
        f"CREATE TRIGGER directory_entries_in AFTER INSERT ON directory_entries BEGIN {_IN} END",
        f"CREATE TRIGGER directory_entries_out AFTER DELETE ON directory_entries BEGIN {_OUT} END",
        "CREATE TRIGGER directory_entries_new AFTER UPDATE OF words ON directory_entries WHEN old.words <> new.words "
        f"BEGIN {_OUT} {_IN} END",
    ),
    "postgresql": (f"CREATE INDEX directory_index ON directory_entries USING gin ({WORDS_VECTOR})",),
}
for _dialect, _statements in TEXT_INDEX.items():
    for _statement in _statements:
        _made: ExecutableDDLElement = DDL(_statement).execute_if(dialect=_dialect)  # type: ignore[no-untyped-call]
        event.listen(directory_entries, "after_create", _made)

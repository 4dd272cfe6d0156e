"""The directory: fields of the registers, words by field with a text index over them, vocabulary, imports

Revision: 0006, after 0005.
"""

from __future__ import annotations

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TEXTS = ("title", "given_name", "family_name", "speciality", "organisation", "service")
_OUT = "INSERT INTO directory_index(directory_index, rowid, words) VALUES ('delete', old.id, old.words);"
_IN = "INSERT INTO directory_index(rowid, words) VALUES (new.id, new.words);"
_TEXT_INDEX = {
    "sqlite": (
        "CREATE VIRTUAL TABLE directory_index USING fts5(words, content='directory_entries', content_rowid='id', "
        "tokenize='ascii', prefix='3 4', detail='none', columnsize=0)",
        "INSERT INTO directory_index(directory_index) VALUES ('rebuild')",
        f"CREATE TRIGGER directory_entries_in AFTER INSERT ON directory_entries BEGIN {_IN} END",
        f"CREATE TRIGGER directory_entries_out AFTER DELETE ON directory_entries BEGIN {_OUT} END",
        "CREATE TRIGGER directory_entries_new AFTER UPDATE OF words ON directory_entries WHEN old.words <> new.words "
        f"BEGIN {_OUT} {_IN} END",
    ),
    "postgresql": (
        "CREATE INDEX directory_index ON directory_entries USING gin (array_to_tsvector(string_to_array(words, ' ')))",
    ),
}


def upgrade() -> None:
    for name in _TEXTS:
        op.add_column("directory_entries", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.add_column("directory_entries", sa.Column("person_id", sa.String(16), nullable=False, server_default=""))
    op.add_column("directory_entries", sa.Column("source", sa.String(8), nullable=False, server_default="own"))
    op.add_column("directory_entries", sa.Column("import_id", sa.BigInteger(), nullable=False, server_default="0"))
    op.drop_index("directory_entries_sector", "directory_entries")  # sectors are words of the text index
    op.create_table(
        "directory_vocabulary",
        sa.Column("word", sa.String(64), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "directory_imports",
        sa.Column("id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("faults", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger()),
        sqlite_autoincrement=True,
    )
    conn = op.get_bind()
    _word_anew(conn)
    for statement in _TEXT_INDEX[conn.dialect.name]:
        op.execute(statement)


def _word_anew(conn: sa.Connection) -> None:
    vocabulary: set[str] = set()
    for row in conn.execute(sa.text("SELECT * FROM directory_entries")).mappings().all():
        fields = [("n", row["display_name"]), ("n", row["address"].rpartition("@")[0]), ("p", row["profession"])]
        fields += [("l", row["town"]), ("l", row["postcode"])]
        words = dict.fromkeys(tag + word[:64] for tag, text in fields for word in _folded(text).split())
        vocabulary |= {word[1:] for word in words}
        codes = ["k" + row["kind"], *(["s" + row["sector"]] if row["sector"] else [])]
        update = sa.text("UPDATE directory_entries SET words = :words WHERE id = :id")
        conn.execute(update, {"words": " ".join([*words, *codes]), "id": row["id"]})
    for word in sorted(vocabulary):
        conn.execute(sa.text("INSERT INTO directory_vocabulary VALUES (:word)"), {"word": word})


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold().replace("œ", "oe").replace("æ", "ae"))
    return "".join(char if char.isalnum() else " " for char in plain if not unicodedata.combining(char))

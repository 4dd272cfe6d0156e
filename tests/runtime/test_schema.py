"""The migrations lead exactly to the tables that the packages declare."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, select, text

from mailserver.store.tables import cards
from runtime import schema, start
from tests.support.postgres import other_database

ROOT = Path(__file__).resolve().parents[2]


def test_the_steps_are_one_chain_and_named_by_date_and_subject() -> None:
    """No number to collide with; numbers are of before. PostgreSQL's `alembic_version` holds 32 characters."""
    steps = ScriptDirectory.from_config(schema.config())
    newest, *others = steps.get_heads()
    assert others == [], f"two come after one: give one of {newest}, {others[0]} the other as its down_revision"
    for step in steps.walk_revisions():
        stem = Path(step.path).stem
        assert re.fullmatch(r"00\d\d_\w+|20\d{6}_[a-z_]{1,23}", stem), f"{stem}: made by scripts/migration?"
        assert step.revision in (stem, stem[:4])


def difference(url: str) -> list[object]:
    schema.upgrade(url)
    schema.upgrade(url)  # a second start changes nothing
    engine = create_engine(url)
    with engine.connect() as conn:
        found = compare_metadata(MigrationContext.configure(conn), schema.METADATA)
    engine.dispose()
    aside = (
        "test_",
        "directory_index",
    )  # tables that tests declare for themselves; the text index, no table of SQLAlchemy's
    return [one for one in found if not any(name in str(one) for name in aside)]


def test_a_migrated_sqlite_database_is_the_declared_one(tmp_path: Path) -> None:
    assert difference(f"sqlite:///{tmp_path}/t.db") == []


def test_a_migrated_postgresql_database_is_the_declared_one(postgres_server: str) -> None:
    assert difference(other_database(postgres_server, "migrated")) == []


def test_a_store_that_cannot_be_migrated_is_said_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Cards of before revision 0002 could only be sealed anew with the mailboxes' keys."""
    settings_file = tmp_path / "mssante.toml"
    assert start.init(settings_file) == start.OK
    engine = create_engine(f"sqlite:///{tmp_path}/mssante.db")
    with engine.begin() as conn:
        alembic = schema.config()
        alembic.attributes["connection"] = conn
        for name in schema.METADATA.tables:
            conn.execute(text(f"DROP TABLE IF EXISTS {name}"))
        conn.execute(text("DROP TABLE alembic_version"))
        command.upgrade(alembic, "0001")
        columns = [row.name for row in conn.execute(text("PRAGMA table_info(cards)"))]
        conn.execute(text(f"INSERT INTO cards VALUES ({', '.join('1' for _ in columns)})"))
    engine.dispose()
    capsys.readouterr()
    assert start.init(settings_file, "en") == start.WRONG
    said = capsys.readouterr().err
    assert "cannot be migrated: begin with an empty one" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_card_finds_its_own_texts(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/t.db"
    if database == "postgresql":
        url = other_database(request.getfixturevalue("postgres_server"), "texts")
    before = {(blob, box): f"{blob} {box}".encode() for blob, box in ((7, 1), (7, 2), (9, 1))}
    engine = create_engine(url)
    with engine.begin() as conn:
        alembic = schema.config()
        alembic.attributes["connection"] = conn
        command.upgrade(alembic, "20261130_recovery_lost")
        for (blob, box), value in before.items():
            row = {"blob": blob, "box": box, "value": value}
            conn.execute(text("INSERT INTO cards VALUES (:blob, :box, :value, :value)"), row)
            conn.execute(text("INSERT INTO search_texts VALUES (:blob, :box, :value, :value)"), row)
    schema.upgrade(url)
    with engine.begin() as conn:
        rows = conn.execute(select(cards)).all()
    engine.dispose()
    assert {(row.blob_id, row.box_id): (row.front, row.heads, row.back, row.texts) for row in rows} == {
        place: (value,) * 4 for place, value in before.items()
    }


def test_every_table_module_is_known_to_the_schema() -> None:
    declared = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in ROOT.glob("*/**/tables.py")
        if path.relative_to(ROOT).parts[0] not in (".venv", "tests")
    }
    assert declared
    assert declared <= set(sys.modules)

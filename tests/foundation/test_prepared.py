"""Prepared statements: the driver's own cursor, SQLAlchemy's errors, both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, bindparam, create_engine, insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from foundation.prepared import Prepared

things = Table(
    "test_things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String(20), nullable=False),
    Column("data", LargeBinary),
    Column("count", Integer, nullable=False, server_default="7"),
)
ADD = Prepared(insert(things))
ADD_NEW = Prepared(
    {
        "sqlite": sqlite.insert(things).on_conflict_do_nothing(),
        "postgresql": postgresql.insert(things).on_conflict_do_nothing(),
    }
)
GROW = Prepared(
    update(things)
    .where(things.c.id == bindparam("thing"))
    .values(count=things.c.count + 1)
    .returning(things.c.count, things.c.data)
)


@pytest.fixture(params=["sqlite", "postgresql"])
def conn(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    url = f"sqlite:///{tmp_path}/t.db" if request.param == "sqlite" else request.getfixturevalue("postgres_server")
    engine = create_engine(url, hide_parameters=True)
    with engine.connect() as connection:
        things.create(connection)
        yield connection
        connection.rollback()
    engine.dispose()


def test_values_go_as_they_are_and_rows_come_as_tuples(conn: Connection) -> None:
    ADD.run(conn, {"id": 1, "name": "a", "data": b"\0\xff"})
    ADD.run(conn, {"name": "b", "id": 2})  # another set of columns, in another order
    ADD_NEW.run_all(conn, [{"id": 2, "name": "c"}, {"id": 3, "name": "d"}])
    assert GROW.run(conn, {"thing": 1}).fetchone() == (8, b"\0\xff")
    assert conn.execute(things.select().order_by(things.c.id)).all() == [
        (1, "a", b"\0\xff", 8),
        (2, "b", None, 7),
        (3, "d", None, 7),
    ]


def test_errors_are_sqlalchemys_and_say_no_value(conn: Connection) -> None:
    ADD.run(conn, {"id": 1, "name": "Jeanne"})
    with pytest.raises(IntegrityError) as one:
        ADD.run(conn, {"id": 1, "name": "Dupont"})
    assert "Dupont" not in str(one.value)


def test_errors_of_many_are_too(conn: Connection) -> None:
    with pytest.raises(IntegrityError):
        ADD.run_all(conn, [{"id": 1, "name": "Jeanne"}, {"id": 1, "name": "Dupont"}])

"""A COMMIT whose answer is lost, on a real PostgreSQL behind a wire that is cut: nothing twice, and no promise that is not kept."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, String, Table, make_url, select, text
from sqlalchemy.exc import DBAPIError

from foundation import doubt
from foundation.database import Database, Transaction, metadata
from foundation.doubt import CommitUnknown

promises = Table("test_promises", metadata, Column("id", Integer, primary_key=True), Column("word", String(20)))
SOCKET = ".s.PGSQL.5432"


class Wire:
    """Carries octets to PostgreSQL; `cut` says what becomes of the next COMMIT:

    "before"  it never gets there
    "after"   it is done, and its answer is lost
    "early"   it gets there, and nobody waits for it
    "gone"    as "after", and the server is not to be reached any more
    """

    def __init__(self, folder: Path, server: str) -> None:
        self.cut = ""
        self._server, self._folder = server, folder
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                lost = threading.Event()
                for args in ((client, server, lost, True), (server, client, lost, False)):
                    threading.Thread(target=self._carry, args=args, daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket, lost: threading.Event, asks: bool) -> None:
        with suppress(OSError):
            while octets := one.recv(65_536):
                if asks and self.cut and b"COMMIT" in octets:
                    cut, self.cut = self.cut, ""
                    if cut == "before":
                        break
                    lost.set()
                    if cut == "gone":
                        self.close()
                    other.sendall(octets)
                    if cut == "early":
                        one.shutdown(socket.SHUT_RDWR)
                        return
                elif not asks and lost.is_set() and b"COMMIT" in octets:
                    break
                else:
                    other.sendall(octets)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def wire(postgres_server: str) -> Iterator[Wire]:
    with tempfile.TemporaryDirectory(prefix="wire-") as folder:
        made = Wire(Path(folder), str(Path(str(make_url(postgres_server).query["host"])) / SOCKET))
        yield made
        made.close()


@pytest.fixture
async def db(wire: Wire, postgres_server: str) -> AsyncIterator[Database]:
    fresh(postgres_server).close_now()
    url = make_url(postgres_server).update_query_dict({"host": str(wire._folder)})
    made = Database(url.render_as_string(hide_password=False))
    yield made
    await made.close()


def fresh(server: str) -> Database:
    real = Database(server)
    metadata.drop_all(real.engine, tables=[promises])
    metadata.create_all(real.engine, tables=[promises])
    return real


def kept(server: str) -> list[str]:
    """Read past the wire."""
    real = Database(server)
    try:
        return real.read_now(lambda conn: list(conn.execute(select(promises.c.word).order_by(promises.c.id)).scalars()))
    finally:
        real.close_now()


def promise(tx: Transaction, word: str) -> str:
    tx.insert(promises, {"word": word})
    return word


async def together(db: Database, words: list[str]) -> list[Any]:
    """Surely in one commit: they wait while another write is under way."""
    go = threading.Event()
    first = asyncio.ensure_future(db.write(lambda tx: go.wait() and None))
    rest = [asyncio.ensure_future(db.write(promise, word)) for word in words]
    await asyncio.sleep(0)
    go.set()
    await first
    return list(await asyncio.gather(*rest, return_exceptions=True))


async def test_a_commit_that_was_done_is_not_done_again(db: Database, wire: Wire, postgres_server: str) -> None:
    wire.cut = "after"
    assert await db.write(promise, "a") == "a"
    assert wire.cut == ""
    assert await db.write(promise, "b") == "b"
    assert kept(postgres_server) == ["a", "b"]


async def test_nor_is_one_that_many_waited_for(db: Database, wire: Wire, postgres_server: str) -> None:
    await db.write(promise, "first")
    words = [str(number) for number in range(20)]
    go = asyncio.ensure_future(together(db, words))
    await asyncio.sleep(0)
    wire.cut = "after"
    assert await go == words
    assert wire.cut == ""
    assert kept(postgres_server) == ["first", *words]


async def test_a_commit_that_never_got_there_is_made_again_or_told(
    db: Database,
    wire: Wire,
    postgres_server: str,
) -> None:
    wire.cut = "before"
    with pytest.raises(DBAPIError):
        await db.write(promise, "alone")
    assert kept(postgres_server) == []
    words = [str(number) for number in range(5)]
    await db.write(promise, "first")
    assert await together(db, words) == words
    assert kept(postgres_server) == ["first", *words]


def at_commit(tx: Transaction, what: str) -> None:
    """From now on each COMMIT of a promise does `what` (PL/pgSQL)."""
    body = f"BEGIN {what}; RETURN NULL; END".replace("'", "''")
    tx.execute(text(f"CREATE OR REPLACE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS '{body}'"))
    made = "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON test_promises DEFERRABLE INITIALLY DEFERRED"
    tx.execute(text(f"{made} FOR EACH ROW EXECUTE FUNCTION late()"))


async def test_it_waits_for_a_commit_that_is_still_under_way(db: Database, wire: Wire, postgres_server: str) -> None:
    await db.write(at_commit, "PERFORM pg_sleep(.5)")
    wire.cut = "early"
    assert await db.write(promise, "a") == "a"
    assert kept(postgres_server) == ["a"]


async def test_what_cannot_be_known_is_not_promised(
    db: Database,
    wire: Wire,
    postgres_server: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doubt, "PATIENCE_S", 0.5)
    await db.write(promise, "first")
    wire.cut = "gone"
    with pytest.raises(CommitUnknown):
        await db.write(promise, "a")
    assert kept(postgres_server) == ["first", "a"], "once: it was not tried again"


async def test_an_answer_that_says_no_is_one(db: Database, postgres_server: str) -> None:
    """A constraint that speaks at the COMMIT: undone, and the connection stands."""
    await db.write(at_commit, "RAISE EXCEPTION 'no'")
    with pytest.raises(DBAPIError, match="no"):
        await db.write(promise, "a")
    assert kept(postgres_server) == []


def test_a_backend_that_is_killed_before_the_commit(postgres_server: str) -> None:
    db = fresh(postgres_server)

    def killed(tx: Transaction) -> None:
        promise(tx, "a")
        tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(DBAPIError):
        db.write_now(killed)
    assert kept(postgres_server) == []
    assert db.write_now(promise, "b") == "b"
    db.close_now()

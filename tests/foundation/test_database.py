"""Group commit: one transaction for all who wait, a savepoint each, nothing shared by their faults."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Column, Connection, Integer, String, Table, column, func, insert, make_url, select, table
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from foundation import database
from foundation.database import Database, Transaction, metadata
from foundation.group_commit import WORTH, Writer
from foundation.prepared import Prepared
from foundation.signals import ANY
from tests.support.there import there

words = Table("test_words", metadata, Column("id", Integer, primary_key=True), Column("word", String(20), unique=True))


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    db = Database(f"sqlite:///{tmp_path}/t.db")
    metadata.create_all(db.engine, tables=[words])
    await db.start()
    yield db
    await db.close()


def add(tx: Transaction, word: str) -> int:
    tx.signal("word", len(word))
    return tx.insert(words, {"word": word})


def count(conn: Connection) -> int:
    return there(conn.scalar(select(func.count()).select_from(words)))


async def test_writes_that_wait_share_commits_and_all_land(db: Database) -> None:
    ids = await asyncio.gather(*(db.write(add, f"w{i}") for i in range(500)))
    assert len(set(ids)) == 500
    assert await db.read(count) == 500


class Commits:
    """A collector that sees how many functions each commit had."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def write(self, _conn: Connection, items: list[str]) -> None:
        self.sizes.append(len(items))

    def committed(self) -> None:
        pass


async def test_whoever_waits_for_another_process_takes_along_all_that_comes_meanwhile(
    db: Database, tmp_path: Path
) -> None:
    commits = Commits()

    def add_and_count(tx: Transaction, word: str) -> None:
        add(tx, word)
        tx.collect(commits, word)

    with (tmp_path / "t.db.lock").open("w") as others:
        fcntl.flock(others, fcntl.LOCK_EX)
        first = asyncio.ensure_future(db.write(add_and_count, "first"))
        await asyncio.sleep(0.2)  # its turn does not come
        later = [asyncio.ensure_future(db.write(add_and_count, f"word {i}")) for i in range(5)]
        await asyncio.sleep(0)
        assert not first.done()
    await asyncio.gather(first, *later)
    assert commits.sizes == [6]


async def test_a_pause_pours_the_log_into_the_database_so_that_no_commit_has_to(db: Database, tmp_path: Path) -> None:
    await asyncio.gather(*(db.write(add, f"word {number}") for number in range(WORTH)))

    def poured() -> bool:
        """Whether the file alone, without its log, has every word."""
        copy = tmp_path / "copy.db"
        copy.write_bytes((tmp_path / "t.db").read_bytes())
        alone = sqlite3.connect(copy)
        try:
            return bool(alone.execute("SELECT count(*) FROM test_words").fetchone() == (WORTH,))
        except sqlite3.Error:
            return False
        finally:
            alone.close()

    async with asyncio.timeout(10):
        while not poured():
            await asyncio.sleep(0.02)
    await db.write(add, "and on")
    assert await db.read(count) == WORTH + 1


async def test_a_pause_in_which_the_disk_is_full_ends_nothing(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = threading.Event()

    def full(_: Writer) -> None:
        tried.set()
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Writer, "_pour", full)
    await asyncio.gather(*(db.write(add, f"word {number}") for number in range(WORTH)))
    assert await asyncio.to_thread(tried.wait, 10)
    await db.write(add, "and on")
    assert await db.read(count) == WORTH + 1


async def test_what_is_left_for_afterwards_is_written_behind_what_was_committed_alone(db: Database) -> None:
    def first(tx: Transaction, word: str) -> None:
        tx.afterwards(add, f"{word} later")
        add(tx, word)

    answers = await asyncio.gather(*(db.write(first, word) for word in ("a", "b", "a")), return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(None), type(None), IntegrityError]
    assert await db.write(lambda tx: tx.execute(select(words.c.word).order_by(words.c.id)).scalars().all()) == [
        "a", "b", "a later", "b later",
    ]  # fmt: skip


async def test_a_failing_write_undoes_itself_only(db: Database) -> None:
    answers = await asyncio.gather(*(db.write(add, w) for w in ("a", "b", "a", "c")), return_exceptions=True)
    assert [type(a) for a in answers] == [int, int, IntegrityError, int]
    assert await db.read(count) == 3


async def test_many_faults_in_one_commit_fail_alone_and_signal_nothing(db: Database) -> None:
    heard: list[int] = []
    db.subscribe("word", heard.append)

    def fail(tx: Transaction, word: str) -> None:
        add(tx, word)
        raise LookupError(word)

    works = [db.write(fail if i % 3 else add, f"word {i}") for i in range(60)]
    answers = await asyncio.gather(*works, return_exceptions=True)
    assert [isinstance(answer, LookupError) for answer in answers] == [bool(i % 3) for i in range(60)]
    assert await db.read(count) == 20
    await asyncio.sleep(0.01)
    assert set(heard) <= {len(f"word {i}") for i in range(0, 60, 3)}


async def test_an_exception_of_ours_undoes_what_was_written(db: Database) -> None:
    def half(tx: Transaction) -> None:
        tx.execute(insert(words), {"word": "half"})
        raise LookupError("no")

    with pytest.raises(LookupError):
        await db.write(half)
    assert await db.read(count) == 0


_ADD = Prepared(insert(words))


@pytest.mark.parametrize("last", ["ours", "the driver's"])
async def test_statements_of_both_ways_are_one_transaction(db: Database, last: str) -> None:
    def both(tx: Transaction, fail: bool) -> None:
        ways = [lambda word: add(tx, word), lambda word: _ADD.run(tx.conn, {"word": word})]
        for word, way in zip(("first", "second"), ways if last == "ours" else reversed(ways), strict=True):
            way(word + str(fail))
        if fail:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await db.write(both, True)
    assert await db.read(count) == 0
    await db.write(both, False)
    assert await db.read(count) == 2
    with pytest.raises(IntegrityError):
        await db.write(both, False)
    assert await db.read(count) == 2


async def test_a_refused_commit_fails_its_own_and_nothing_else(db: Database) -> None:
    """By a foreign key that is looked at then; a full disk ends the same way."""
    made = "CREATE TABLE test_leaves (branch INTEGER REFERENCES test_words (id) DEFERRABLE INITIALLY DEFERRED)"
    await db.write(lambda tx: tx.conn.exec_driver_sql(made))
    leaf = Prepared(insert(table("test_leaves", column("branch"))))
    done = await asyncio.gather(
        db.write(lambda tx: leaf.run(tx.conn, {"branch": 99})),
        *(db.write(add, word) for word in ("oak", "elm")),
        return_exceptions=True,
    )
    assert isinstance(done[0], IntegrityError)
    assert await db.read(count) == 2
    assert await db.write(add, "ash") not in done


async def test_signals_come_after_the_commit_and_only_for_what_was_committed(db: Database) -> None:
    heard: list[int] = []
    undo = db.subscribe("word", heard.append)
    await asyncio.gather(db.write(add, "abc"), db.write(add, "abc"), return_exceptions=True)
    await asyncio.sleep(0.01)
    assert heard == [3]
    undo()
    await db.write(add, "abcd")
    await asyncio.sleep(0.01)
    assert heard == [3]


OTHER = """
import sys
from foundation.database import Database, metadata
from sqlalchemy import Column, Connection, Integer, String, Table
import asyncio
words = Table("test_words", metadata, Column("id", Integer, primary_key=True), Column("word", String(20), unique=True))
def add(tx, word):
    tx.signal("word", len(word))
    return tx.insert(words, {"word": word})
async def main():
    db = Database(sys.argv[1])
    await db.start()
    for i in range(200):
        await db.write(add, f"other {i}")
    await db.close()
asyncio.run(main())
"""


async def test_two_processes_write_side_by_side_and_hear_each_other(db: Database) -> None:
    heard: list[int] = []
    db.subscribe("word", heard.append)
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", OTHER, str(db.url), stderr=subprocess.PIPE)
    for i in range(200):
        await db.write(add, f"mine {i}")
    _, errors = await other.communicate()
    assert other.returncode == 0, errors.decode()
    await asyncio.sleep(0.05)
    assert await db.read(count) == 400
    assert len(heard) >= 201  # ours, and the other process's (a datagram may carry several)


async def test_on_postgresql_they_hear_each_other_by_notify_and_nobody_listens_on(postgres_url: str) -> None:
    one, other = Database(postgres_url), Database(postgres_url)
    await one.start()
    await other.start()
    heard: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
    one.subscribe("word", lambda key: heard.put_nowait(("one", key)))
    other.subscribe("word", lambda key: heard.put_nowait(("other", key)))
    await one.write(add, "abc")
    await other.write(add, "abcd")
    came = sorted([await asyncio.wait_for(heard.get(), 5) for _ in range(4)])
    assert came == [("one", 3), ("one", 4), ("other", 3), ("other", 4)]
    await one.close()
    await other.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "db-listen"]


@asynccontextmanager
async def two_on(postgres_url: str) -> AsyncIterator[tuple[Database, asyncio.Queue[int]]]:
    """One that writes, and what another one hears."""
    one, other = Database(postgres_url), Database(postgres_url)
    await one.start()
    await other.start()
    heard: asyncio.Queue[int] = asyncio.Queue()
    other.subscribe("word", heard.put_nowait)
    try:
        yield one, heard
    finally:
        await one.close()
        await other.close()


async def test_on_postgresql_they_hear_each_other_again_when_it_was_away(postgres_url: str) -> None:
    async with two_on(postgres_url) as (one, heard):
        await one.write(add, "ab")
        assert await asyncio.wait_for(heard.get(), 5) == 2
        with psycopg.connect(make_url(postgres_url).set(drivername="postgresql").render_as_string(False)) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert await asyncio.wait_for(heard.get(), 5) == ANY
        assert await _heard_again(one, heard) > 2


def cut(postgres_url: str, query: str) -> None:
    """The connections whose last statement begins like this."""
    with psycopg.connect(make_url(postgres_url).set(drivername="postgresql").render_as_string(False)) as conn:
        found = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE %s"
        assert there(conn.execute(found, [f"{query}%"]).fetchone())[0] > 0


async def test_on_postgresql_who_was_deaf_for_a_while_is_told_that_anything_may_have_changed(postgres_url: str) -> None:
    """What was written meanwhile may have been the last that is ever written: nothing more need come."""
    async with two_on(postgres_url) as (one, heard):
        cut(postgres_url, "LISTEN")  # of both
        await one.write(add, "abc")
        assert await asyncio.wait_for(heard.get(), 5) == ANY


async def test_on_postgresql_what_a_lost_connection_did_not_take_is_told_by_the_next(postgres_url: str) -> None:
    async with two_on(postgres_url) as (one, heard):
        await one.write(add, "ab")
        assert await asyncio.wait_for(heard.get(), 5) == 2
        cut(postgres_url, "SELECT pg_notify")
        await one.write(add, "abc")
        assert await asyncio.wait_for(heard.get(), 5) == 3


async def _heard_again(db: Database, heard: asyncio.Queue[int]) -> int:
    """What is written while nobody listens is lost to the others, and a write may meet the lost connection: it is tried again."""
    for length in range(3, 20):
        with suppress(DBAPIError):
            await db.write(add, "a" * length)
        with suppress(TimeoutError):
            return await asyncio.wait_for(heard.get(), 1)
    raise AssertionError("nothing was heard any more")


async def test_processes_hear_each_other_in_a_folder_deeper_than_a_socket_name_may_be(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 40)
    folder.mkdir()
    db = Database(f"sqlite:///{folder}/t.db")
    metadata.create_all(db.engine, tables=[words])
    await db.start()
    try:
        await test_two_processes_write_side_by_side_and_hear_each_other(db)
    finally:
        await db.close()


async def test_what_was_handed_in_is_finished_at_close(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path}/t.db")
    metadata.create_all(db.engine, tables=[words])
    futures = [db.submit(add, f"w{i}") for i in range(50)]
    await db.close()
    assert all(f.done() for f in futures)


async def test_a_glance_sees_the_last_commit_of_anybody_and_knows_when_it_cannot(db: Database, tmp_path: Path) -> None:
    db.clock = lambda: 0.0  # nothing is slow, however busy the machine is
    assert db.glance(count) == 0
    await db.write(add, "ours")
    other = Database(f"sqlite:///{tmp_path}/t.db")
    other.write_now(add, "theirs")
    assert db.glance(count) == 2
    other.close_now()
    assert db.glance(lambda conn: conn.exec_driver_sql("SELECT * FROM nowhere")) is None
    assert db.glance(count) == 2, "the fault left nothing behind"


async def test_after_a_glance_that_waited_for_the_disk_threads_wait_for_a_second(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, reads = 100.0, 3
    db.clock = lambda: at
    monkeypatch.setattr(database, "_disk_reads", lambda: reads)

    def slow(conn: Connection) -> int:
        nonlocal at
        at += 0.006
        return 7

    assert db.glance(slow) == 7
    assert db.glance(count) is None
    assert await db.read(count) == 0
    at += 1
    assert db.glance(slow) == 7, "the machine was busy: no disk was read meanwhile"
    reads += 1
    assert db.glance(slow) == 7
    at += 0.9
    assert db.glance(count) is None
    at += 0.1
    assert db.glance(count) == 0


async def test_a_reading_thread_keeps_no_snapshot_and_survives_a_fault(db: Database) -> None:
    for expected in range(8):  # each of the threads in turn
        assert await db.read(count) == expected
        await db.write(add, f"word {expected}")
        with pytest.raises(OperationalError):
            await db.read(lambda conn: conn.exec_driver_sql("SELECT * FROM nowhere"))


async def test_what_was_asked_before_the_end_is_answered_and_nothing_behind_it(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path}/t.db")
    metadata.create_all(db.engine, tables=[words])
    asked = [asyncio.create_task(db.read(count)) for _ in range(50)]
    await asyncio.sleep(0)
    asked[7].cancel()  # who gives up disturbs nobody
    await db.close()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [int] * 7 + [asyncio.CancelledError] + [int] * 42
    with pytest.raises(RuntimeError):
        await db.read(count)

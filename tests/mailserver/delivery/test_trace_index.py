"""A trace is found among very many: what the databases do for it, and nothing lost while marks are filed away."""

from __future__ import annotations

import os

from sqlalchemy import Connection, Table, func, insert, select, text

from foundation.clock import MINUTE
from mailserver.delivery import trace_index
from mailserver.delivery.tables import trace_blocks, trace_marks
from mailserver.delivery.trace_index import BLOCK, file_away, filed, not_filed, places
from mailserver.delivery.traces import Traces, forget
from tests.mailserver.delivery.conftest import CHILD, CITIZEN, DOCTOR, START, World, mail

Row = dict[str, object]


def others(number: int, at: int) -> list[Row]:
    """Marks of other messages, one each millisecond."""
    return [{"at": at + count, "name": os.urandom(8), "marks": os.urandom(24)} for count in range(number)]


async def fill(world: World, rows: list[Row]) -> None:
    await world.space.db.write(lambda tx: tx.execute(insert(trace_marks), rows))


async def count(world: World, table: Table) -> int:
    return await world.space.db.read(lambda conn: conn.execute(select(func.count()).select_from(table)).scalar_one())


async def test_filed_or_not_a_trace_is_found_in_the_same_ways(world: World) -> None:
    await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN, ident="m1"))
    await fill(world, others(2 * BLOCK, START + 1))
    world.now = START + MINUTE
    await world.send(DOCTOR, CHILD, mail(DOCTOR, CHILD, ident="m2"))
    find = Traces(world.space.keys).find

    async def idents(ident: str | None, address: str | None, since: int = START, limit: int = 9) -> list[str | None]:
        found = await world.space.db.read(find, ident, address, since, START + 2 * MINUTE, limit)
        return [one.message_id for one in found]

    async def answers() -> list[object]:
        return [
            await idents("m1@x.example", None),
            await idents(None, CITIZEN),
            await idents("m1@x.example", CITIZEN),
            await idents("m1@x.example", CHILD),
            await idents(None, DOCTOR),
            await idents(None, DOCTOR, limit=1),
            await idents(None, DOCTOR, since=START + 1),
        ]

    before = await answers()
    assert before[4:] == [["<m1@x.example>", "<m2@x.example>"], ["<m2@x.example>"], ["<m2@x.example>"]]
    assert await world.space.db.write(file_away) == BLOCK
    assert await world.space.db.write(file_away) == BLOCK
    assert await world.space.db.write(file_away) == 0, "too few are left to be worth it"
    assert (await count(world, trace_marks), await count(world, trace_blocks)) == (2, 512)
    assert await answers() == before


async def test_a_block_goes_with_its_newest_trace(world: World) -> None:
    rows = others(BLOCK, START)
    await fill(world, rows)
    await world.space.db.write(file_away)
    last = START + BLOCK - 1
    await world.space.db.write(forget, last)
    assert await count(world, trace_blocks) == 256
    await world.space.db.write(forget, last + 1)
    assert await count(world, trace_blocks) == 0


async def test_marks_of_one_moment_stay_together(world: World) -> None:
    """The clock stood still: no row of that millisecond may be left half filed."""
    await fill(world, [row | {"at": START} for row in others(BLOCK + 10, START)])
    assert await world.space.db.write(file_away) == BLOCK + 10


async def test_each_mark_is_found_where_it_is_and_nowhere_else(world: World) -> None:
    rows = others(BLOCK, START)
    await fill(world, rows)
    await world.space.db.write(file_away)
    for row in rows[:: BLOCK // 8]:
        marks = row["marks"]
        assert isinstance(marks, bytes)
        for start in (0, 8, 16):
            found = await world.space.db.read(places, marks[start : start + 8], START, START + BLOCK)
            assert found == {(row["at"], row["name"])}
        assert await world.space.db.read(places, marks[4:12], START, START + BLOCK) == set(), "across two marks"


async def test_the_databases_read_no_table_from_end_to_end(world: World) -> None:
    for turn in range(4):
        await fill(world, others(BLOCK, START + turn * BLOCK))
        await world.space.db.write(file_away)
    await fill(world, others(BLOCK, START + 9 * BLOCK))
    mark, recent = os.urandom(8), START + 9 * BLOCK

    def plans(conn: Connection) -> list[str]:
        sqlite = conn.dialect.name == "sqlite"
        if not sqlite:
            conn.execute(text("ANALYZE trace_blocks"))
            conn.execute(text("ANALYZE trace_marks"))
        said = []
        for statement in (filed(mark, START, recent), not_filed(conn, mark, recent, recent + 10)):
            sql = statement.compile(conn, compile_kwargs={"render_postcompile": True})
            explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
            rows = conn.exec_driver_sql(explain + str(sql), sql.params if not sqlite else tuple(sql.params.values()))
            said.append("\n".join(str(row[-1]) for row in rows))
        return said

    for plan in await world.space.db.read(plans):
        assert "SCAN" not in plan, plan
        assert "Seq Scan" not in plan, plan
        assert "USING PRIMARY KEY" in plan or "_pkey" in plan, plan


async def test_all_that_is_taken_is_filed(world: World) -> None:
    rows = others(2 * BLOCK, START)
    await fill(world, rows)
    taken = [await world.space.db.write(trace_index.file_away) for _ in range(3)]
    assert sum(taken) == 2 * BLOCK
    found = await world.space.db.read(
        lambda conn: sum(len(row.entries) for row in conn.execute(select(trace_blocks.c.entries)))
    )
    assert found == 2 * BLOCK * 3 * 24

"""Does cost grow with the store? `python -m benchmarks.growth [messages…]` fills one, step by step, and measures the same work at
each size; prints a table and draws docs/images/growth.svg. Ten minutes for the usual 300,000 messages in 3,000 mailboxes.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.clients import Imap, deliver, message
from benchmarks.figures import address_of, bench_of, cpu_seconds
from foundation.database import Transaction
from mailserver.store.api import NewMessage
from mssante.kinds import BoxKind
from mssante.mailbox import Holder, NewMailbox
from runtime.house import House
from runtime.settings import read
from tests.support.demo import ROOT, Demo, free_port_base

SIZES = (1_000, 10_000, 50_000, 150_000, 300_000)  # messages in the store beside those that are measured
PER_BOX = 100
WATCHED = 1_000  # messages of a mailbox that is read
TRIES = 3  # what can be done once only is done in as many mailboxes, or parts of one
CHART = ROOT / "docs" / "images" / "growth.svg"
Costs = dict[str, float]  # figure -> milliseconds


def main(sizes: list[int]) -> None:
    found: dict[int, Costs] = {}
    with tempfile.TemporaryDirectory(prefix="mssante-growth-") as folder:
        demo = Demo(Path(folder), free_port_base(), ("--operators", "1", "--bench", "--workers", "2"))
        demo.start()
        _fill_watched(demo)
        for size in sizes:
            demo.stop()
            asyncio.run(_grow(demo.data, size))
            demo.start()
            try:
                found[size] = measured(demo)
            finally:
                demo.stop()
            print(f"# {size:,} messages: {found[size]}", flush=True)
    print("\n".join(table(found)))
    CHART.write_text(chart(found), encoding="utf-8")


# ---------------------------------------------------------------- the store grows
async def _grow(data: Path, size: int) -> None:
    """The store's own way in, a hundred messages a transaction."""
    house = House(read(data / "alpha" / "mssante.toml"))
    await house.start()
    contents = [message(number, "a@elsewhere.example", "b@here.example") for number in range(1000)]
    for number in range(size // PER_BOX):
        inbox = await house.db.write(_filler, house, number)
        if inbox is not None:
            some = (contents[(number * 7 + each) % 1000] for each in range(PER_BOX))
            await house.store.append(inbox, [NewMessage(content) for content in some])
    await house.close()


def _filler(tx: Transaction, house: House, number: int) -> int | None:
    """INBOX of the new mailbox; None when it is there already."""
    name = f"filler{number}@{house.settings.operator.domains[0]}"
    if house.mailboxes.resolve(tx.conn, name) is not None:
        return None
    box = house.mailboxes.create(tx, NewMailbox(name, BoxKind.APP, Holder(display_name=name)), house.clock())
    house.store.open_box_in(tx, box.id)
    return house.store._inbox(tx.conn, box.id)


def _fill_watched(demo: Demo) -> None:
    bench = bench_of(demo)
    for user in bench["users"][1 : 1 + TRIES]:
        deliver(address_of(bench["smtp"]), bench["sender"], user["address"], WATCHED, 10)


# ---------------------------------------------------------------- the same work at each size
def measured(demo: Demo) -> Costs:
    return dict(_figures(demo))


def _figures(demo: Demo) -> Iterator[tuple[str, float]]:
    bench = bench_of(demo)
    writer, reader = bench["users"][0], bench["users"][1]
    smtp, imaps = address_of(bench["smtp"]), address_of(bench["imaps"])
    deliver(smtp, bench["sender"], writer["address"], 200, 10)
    before, count = cpu_seconds(bench["pids"]), 3000
    rate = deliver(smtp, bench["sender"], writer["address"], count, 10)
    yield "delivery, CPU", (cpu_seconds(bench["pids"]) - before) / count * 1000
    yield "delivery, 10 connections", 1000 / rate
    with closing(Imap(imaps, reader["user"], reader["password"])) as imap:
        yield "SELECT", _best(lambda: imap.do("SELECT INBOX"))
        yield "FETCH list, first", min(_first_list(imaps, user) for user in bench["users"][1 : 1 + TRIES]) / WATCHED
        yield "FETCH BODY[]", _best(lambda: imap.do("FETCH 1:* BODY.PEEK[]")) / WATCHED
        yield "SEARCH TEXT", _best(lambda: imap.do("SEARCH TEXT nowhere"))
        yield "STORE", _best(lambda: (imap.do("STORE 1:* +FLAGS x"), imap.do("STORE 1:* -FLAGS x"))) / 2 / WATCHED
        content = message(1, reader["address"], reader["address"]).decode()
        yield "APPEND", statistics.median(_times(lambda: imap.append("Brouillons", content), 60))
    yield "sign-in", statistics.median(_times(lambda: Imap(imaps, reader["user"], reader["password"]).close(), 60))
    with closing(Imap(imaps, writer["user"], writer["password"])) as imap:
        imap.do("SELECT INBOX")
        yield "EXPUNGE", min(_expunge(imap, WATCHED) for _ in range(TRIES)) / WATCHED


def _first_list(imaps: tuple[str, int], user: dict[str, str]) -> float:
    """In a process that has just started: nothing of the mailbox is in its memory."""
    with closing(Imap(imaps, user["user"], user["password"])) as imap:
        imap.do("SELECT INBOX")
        return _best(lambda: imap.do("FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)"), 1)


def _expunge(imap: Imap, count: int) -> float:
    imap.do(f"STORE 1:{count} +FLAGS.SILENT \\Deleted")
    return _best(lambda: imap.do("EXPUNGE"), 1)


def _best(work: Callable[[], object], times: int = 5) -> float:
    """Milliseconds: the machine adds, never takes away."""
    return min(_times(work, times))


def _times(work: Callable[[], object], times: int) -> list[float]:
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append((time.perf_counter() - start) * 1000)
    return found


# ---------------------------------------------------------------- shown
def table(found: dict[int, Costs]) -> Iterator[str]:
    sizes = list(found)
    yield "| ms | " + " | ".join(f"{size:,}" for size in sizes) + " | last / first |"
    yield "|---" * (len(sizes) + 2) + "|"
    for name in found[sizes[0]]:
        costs = [found[size][name] for size in sizes]
        yield f"| {name} | " + " | ".join(f"{cost:.3g}" for cost in costs) + f" | {costs[-1] / costs[0]:.2f} |"


WIDTH, HEIGHT, LEFT, TOP, BOTTOM, RIGHT = 760, 420, 60, 30, 50, 210
TALLEST = 2.0
COLOURS = ("#1d4ed8", "#b45309", "#047857", "#b91c1c", "#6d28d9", "#0e7490", "#be185d", "#4d7c0f", "#334155", "#92400e")


def chart(found: dict[int, Costs]) -> str:
    """Cost against the smallest store, one line a figure."""
    sizes = list(found)
    step = (WIDTH - LEFT - RIGHT) / max(1, len(sizes) - 1)

    def place(index: int, ratio: float) -> tuple[float, float]:
        height = HEIGHT - TOP - BOTTOM
        return LEFT + index * step, TOP + height * (1 - min(ratio, TALLEST) / TALLEST)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="18">Cost of the same work, against the smallest store (1.0)</text>',
    ]
    for mark in (0.0, 0.5, 1.0, 1.3, 2.0):
        y = place(0, mark)[1]
        dash = ' stroke-dasharray="4"' if mark == 1.3 else ""
        lines.append(f'<path d="M{LEFT} {y:.0f}H{WIDTH - RIGHT}" stroke="#94a3b8"{dash}/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{mark}</text>')
    for index, size in enumerate(sizes):
        lines.append(f'<text x="{place(index, 0)[0]:.0f}" y="{HEIGHT - 28}" text-anchor="middle">{size:,}</text>')
    lines.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">messages in the store</text>'
    )
    for number, name in enumerate(found[sizes[0]]):
        points = [place(index, found[size][name] / found[sizes[0]][name]) for index, size in enumerate(sizes)]
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = TOP + 10 + 18 * number
        lines.append(f'<text x="{WIDTH - RIGHT + 16}" y="{y}" fill="{colour}">{name}</text>')
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or list(SIZES))

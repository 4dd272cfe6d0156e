"""What one mail costs the event loop: `python -m benchmarks.session [mails] [steps | profile]`, half a minute.

Whole SMTP sessions, one connection a mail as relays do, on a transport in memory and a store of its own (rules, encryption,
SQLite, fsync); so neither the kernel's sockets nor a client's CPU are counted. « loop »: CPU of the loop's thread; « all »: of
every thread. Batches are short and the cheapest one is told beside the median: what else the machine does makes them dearer only.
`steps`: instructions and calls of the interpreter in the loop's thread and in the writer's, and where; the same on the busiest
machine.
"""

from __future__ import annotations

import asyncio
import cProfile
import pstats
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import uvloop

from benchmarks.clients import message
from foundation.blob_receiver import Receiver
from foundation.database import Database, Transaction
from mailserver.signatures.checking import Checker
from mailserver.signatures.verdicts import Verdict
from mailserver.smtp.doors import Template
from mailserver.smtp.ports import BENCH, House
from tests.mailserver.delivery.conftest import DOCTOR, PEER, make_world
from tests.support.demo import ROOT

BATCH = 100  # mails
SIGNATURE = (
    "Received: from mx1.hopital.example (mx1.hopital.example [192.0.2.1])\r\n\tby relay.hopital.example with ESMTPS id 01;\r\n"
    "\tTue, 14 Nov 2023 22:14:20 -0000\r\n"
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=hopital.example; s=s1;\r\n"
    f"\th=from:to:subject:date:message-id; bh={'A' * 43}=;\r\n\tb={'B' * 342}==\r\n"
).encode()


class Client(asyncio.Transport):
    """The other end of one connection: says its next line once it was answered."""

    def __init__(self, template: Template, lines: list[bytes]) -> None:
        super().__init__({"peername": ("127.0.0.1", 4000)})
        self._loop = asyncio.get_running_loop()
        self._lines = iter(lines)
        self._session = template()
        self.over = self._loop.create_future()
        self.heard: list[bytes] = []
        self._session.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.heard.append(bytes(data))
        if line := next(self._lines, b""):
            self._loop.call_soon(self._session.data_received, line)

    def close(self) -> None:
        self._loop.call_soon(self._session.connection_lost, None)
        self.over.set_result(None)

    def is_closing(self) -> bool:
        return self.over.done()


def lines_of(number: int) -> list[bytes]:
    said = (
        b"HELO relay.hopital.example",
        b"MAIL FROM:<%b>" % PEER.encode(),
        b"RCPT TO:<%b>" % DOCTOR.encode(),
        b"DATA",
    )
    content = SIGNATURE + message(3 * number + 1, PEER, DOCTOR)
    return [*(line + b"\r\n" for line in said), content + b".\r\n", b"QUIT\r\n"]


async def send(template: Template, sessions: int, mails: list[list[bytes]]) -> None:
    async def one_after_the_other(own: list[list[bytes]]) -> None:
        for lines in own:
            client = Client(template, lines)
            await client.over
            assert client.heard[-2].startswith(b"250 2.0.0 Accepted"), client.heard

    await asyncio.gather(*(one_after_the_other(mails[first::sessions]) for first in range(sessions)))


async def no_dns(name: str) -> Verdict:
    return Verdict.NO_DNS


async def run(folder: Path, mails: int, how: str) -> None:
    world = await make_world(f"sqlite:///{folder}/mail.db", folder)
    checker = Checker("mail.cabinet.example", no_dns, ThreadPoolExecutor(1))
    house = House("mail.cabinet.example", world.delivery, partial(Receiver, world.space.blobs), checker=checker)
    template = Template(BENCH, house, asyncio.get_running_loop())
    batches = [[lines_of(first + each) for each in range(BATCH)] for first in range(0, mails, BATCH)]
    if how == "steps":
        await count_steps(template, world.space.db, batches)
    elif how == "profile":
        profile = cProfile.Profile(time.thread_time)  # the database answers from another thread
        with profile:
            await send(template, 1, [mail for batch in batches for mail in batch])
        pstats.Stats(profile).sort_stats("cumtime").print_stats(120)
    else:
        half = len(batches) // 2
        await measure(template, 1, batches[:half])
        await measure(template, 10, batches[half:])
    await world.space.db.close()


async def measure(template: Template, sessions: int, batches: list[list[list[bytes]]]) -> None:
    costs: list[tuple[float, float]] = []
    for batch in batches:
        before = time.thread_time(), time.process_time()
        await send(template, sessions, batch)
        after = time.thread_time(), time.process_time()
        costs.append(((after[0] - before[0]) / BATCH * 1e6, (after[1] - before[1]) / BATCH * 1e6))
    for name, found in zip(("loop", "all"), zip(*costs, strict=True), strict=True):
        least, median = min(found), statistics.median(found)
        print(
            f"{sessions:3} sessions, {name:4}: least {least:5.0f}, median {median:5.0f}, first {found[0]:5.0f} µs a mail"
        )


class Steps:
    """Instructions and calls of the interpreter in one thread, by function."""

    def __init__(self) -> None:
        self.by_function, self.calls = Counter[str](), 0

    def watch(self, frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        self.calls += event == "call"
        name = f"{frame.f_code.co_filename.removeprefix(f'{ROOT}/')} {frame.f_code.co_qualname}"
        self.by_function[name] += event == "opcode"
        return self.watch

    def tell(self, thread: str) -> None:
        print(
            f"{thread}: {self.by_function.total() / BATCH:,.0f} instructions and {self.calls / BATCH:,.0f} calls a mail"
        )
        for name, count in self.by_function.most_common(60):
            print(f"{count / BATCH:6,.0f}  {name}")


async def count_steps(template: Template, database: Database, batches: list[list[list[bytes]]]) -> None:
    """Of the second batch: the first one fills the caches."""
    loop, writer = Steps(), Steps()

    def watch_writer(_: Transaction, watch: Any) -> None:
        sys.settrace(watch)

    await send(template, 1, batches[0])
    await database.write(watch_writer, writer.watch)
    sys.settrace(loop.watch)
    await send(template, 1, batches[1])
    sys.settrace(None)
    await database.write(watch_writer, None)
    loop.tell("loop")
    writer.tell("writer")


def main(words: list[str]) -> None:
    mails = next((int(word) for word in words if word.isdigit()), 4_000)
    how = next((word for word in words if not word.isdigit()), "")
    with tempfile.TemporaryDirectory(prefix="mssante-session-") as folder:
        uvloop.run(run(Path(folder), max(mails, 2 * BATCH), how))


if __name__ == "__main__":
    main(sys.argv[1:])

"""`make bench`: the figures of this machine, printed as a table. See README.md beside this file."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import trust
from benchmarks.clients import Imap, deliver
from benchmarks.figures import address_of, bench_of, cpu_seconds, pss_kib
from benchmarks.sign_in import figure_sign_in
from tests.support.browser_session import WebSession
from tests.support.demo import Demo, free_port_base

BOX = 10_000
Figures = Iterator[tuple[str, str]]


def figure_start(demo: Demo) -> Figures:
    demo.stop()
    start = time.perf_counter()
    demo.start()
    yield "start-up, two operators, data kept", f"{time.perf_counter() - start:.2f} s"


def figure_deliver(demo: Demo) -> Figures:
    bench = bench_of(demo)
    user = bench["users"][0]
    for connections, count in ((1, 1000), (10, 3000), (50, 4000)):
        before = cpu_seconds(bench["pids"])
        rate = deliver(address_of(bench["smtp"]), bench["sender"], user["address"], count, connections)
        cpu = (cpu_seconds(bench["pids"]) - before) / count * 1000
        yield f"deliveries of 4 KB, {connections} connections", f"{rate:,.0f} /s ({cpu:.2f} ms of server CPU each)"


def figure_imap(demo: Demo) -> Figures:
    bench = bench_of(demo)
    user = bench["users"][1]
    imap = Imap(address_of(bench["imaps"]), user["user"], user["password"])
    if f"* {BOX} EXISTS".encode() not in imap.do("SELECT INBOX"):
        deliver(address_of(bench["smtp"]), bench["sender"], user["address"], BOX, 10)
    start = time.perf_counter()
    imap.do("SELECT INBOX")
    yield f"SELECT of {BOX:,} messages", f"{(time.perf_counter() - start) * 1000:.1f} ms"
    for name, items in (
        ("flags", "UID FLAGS"),
        ("envelopes", "UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE"),
        ("Thunderbird's headers", "UID FLAGS BODY.PEEK[HEADER.FIELDS (FROM TO CC SUBJECT DATE MESSAGE-ID)]"),
        ("whole messages", "BODY.PEEK[]"),
    ):
        rates = [imap.timed(f"FETCH 1:* ({items})", BOX) for _ in range(3)]
        yield f"FETCH {name}, {BOX:,} messages", f"{statistics.median(rates):,.0f} /s"
    imap.close()


def figure_idle(demo: Demo) -> Figures:
    bench = bench_of(demo)
    user = bench["users"][2]
    address = address_of(bench["imaps"])
    Imap(address, user["user"], user["password"]).close()
    time.sleep(1)
    before, count = pss_kib(bench["pids"]), 200
    connections = []
    for _ in range(count):
        connections.append(Imap(address, user["user"], user["password"]))
        connections[-1].do("SELECT INBOX")
        connections[-1].idle()
    time.sleep(2)
    per_connection = (pss_kib(bench["pids"]) - before) / count
    for connection in connections:
        connection.close()
    yield f"memory per idle IMAP connection (of {count}, TLS)", f"{per_connection:.1f} KiB"


def figure_page(demo: Demo) -> Figures:
    bench = bench_of(demo)
    citizen = demo.person("jacqueline")
    with demo.imap(demo.person("medecin")):
        pass
    web = WebSession(demo, "jacqueline")
    have = bench.get("jacqueline", 0)
    if have < BOX:
        deliver(address_of(bench["smtp"]), bench["sender"], citizen["address"], BOX, 10)
    times = []
    for _ in range(30):
        start = time.perf_counter()
        page = web.get("/messagerie")
        times.append((time.perf_counter() - start) * 1000)
        assert page.status == 200
    times.sort()
    yield f"page of conversations, {BOX:,} messages", f"{times[15]:.0f} ms median, {times[28]:.0f} ms p95"


FIGURES: dict[str, Callable[[Demo], Figures]] = {
    "start": figure_start,
    "idle": figure_idle,  # before the others: memory they give back would hide it
    "deliver": figure_deliver,
    "imap": figure_imap,
    "page": figure_page,
    "list": trust.figure_trust_list,
    "border": trust.figure_border,
    "sign-in": figure_sign_in,
}


def main(wanted: list[str]) -> None:
    unknown = [name for name in wanted if name not in FIGURES]
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; there are: {', '.join(FIGURES)}")
    with tempfile.TemporaryDirectory(prefix="mssante-bench-") as folder:
        demo = Demo(Path(folder), free_port_base(), ("--operators", "2", "--bench"))
        demo.start()
        try:
            print(f"{os.cpu_count()} cores, client and server together, {time.strftime('%Y-%m-%d %H:%M')}")
            for name in wanted or FIGURES:
                for label, value in FIGURES[name](demo):
                    print(f"| {label:52} | {value} |", flush=True)
        finally:
            demo.stop()


if __name__ == "__main__":
    main(sys.argv[1:])

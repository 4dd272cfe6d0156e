"""Processes where hostile files are opened: what a file that took one over can make the server read, and what comes after it."""

from __future__ import annotations

import asyncio
import struct
import tracemalloc
from pathlib import Path

import pytest

from foundation import landlock
from foundation.fenced import BODY_MOST, HEAD_MOST, Fenced

ROOT = str(Path(__file__).parents[2])
PROGRAM = f"""
import struct, sys
sys.path[0:0] = [{ROOT!r}]
from foundation.fence import serve
def run(head, data):
    if head["say"] == "honest":
        return {{"said": len(data)}}, data
    out = sys.__stdout__.buffer
    out.write(data)
    while head["say"] == "endless":
        out.write(bytes(1 << 16))
    out.flush()
    sys.exit() if head["say"] == "last" else __import__("time").sleep(60)
serve(run)
"""


def frame(head: bytes, body: bytes = b"") -> bytes:
    return struct.pack("!II", len(head), len(body)) + head + body


@pytest.mark.parametrize(
    ("say", "octets"),
    [
        ("last", frame(b"not JSON")),
        ("last", frame(b"[" * 100_000)),
        ("last", frame(b"[]")),
        ("last", frame(b"\xff")),
        ("last", struct.pack("!II", 100, 0) + b"{}"),
        ("last", b""),
        ("endless", struct.pack("!II", HEAD_MOST + 1, 0)),
        ("endless", struct.pack("!II", 2, BODY_MOST + 1) + b"{}"),
        ("endless", b"\xff" * 8),
        ("silent", struct.pack("!II", 2, 5) + b"{}"),
    ],
    ids=[
        *("not JSON", "deep JSON", "another value", "no text", "cut", "nothing"),
        *("a long head", "a long body", "both of 4 GiB", "a body that never comes"),
    ],
)
async def test_what_is_no_answer_is_silence(tmp_path: Path, say: str, octets: bytes) -> None:
    """The process is ended, and the next file has one of its own."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    pool = Fenced(program, 1, 1.0 if say == "silent" else 60.0)
    try:
        tracemalloc.start()
        assert await pool.ask({"say": say}, octets) is None
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
        pool._seconds = 60.0
        assert await pool.ask({"say": "honest"}, b"letter") == ({"said": 6}, b"letter")
    finally:
        tracemalloc.stop()
        await pool.close()


async def test_a_long_answer_comes_whole(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    pool = Fenced(program, 1, 60.0)
    try:
        picture = bytes(range(256)) * 40_000
        assert await asyncio.wait_for(pool.ask({"say": "honest"}, picture), 60) == ({"said": len(picture)}, picture)
    finally:
        await pool.close()


REACHING = f"""
import os, socket, sys
sys.path[0:0] = [{ROOT!r}]
from foundation.fence import serve
def tried(act):
    try:
        act()
    except OSError:
        return "barred"
    return "done"
def run(head, data):
    secret, port, parent = head["secret"], head["port"], os.getppid()
    return {{
        "a file": tried(lambda: open(secret).read()),
        "a folder": tried(lambda: os.listdir(os.path.dirname(secret))),
        "settings beside the sources": tried(lambda: open({ROOT!r} + "/pyproject.toml")),
        "a new file": tried(lambda: open(secret + ".new", "w")),
        "the server's memory": tried(lambda: open(f"/proc/{{parent}}/mem", "rb")),
        "the server's environment": tried(lambda: open(f"/proc/{{parent}}/environ", "rb").read()),
        "a port": tried(lambda: socket.create_connection(("127.0.0.1", port))),
        "a signal": tried(lambda: os.kill(parent, 0)),
        "its code": tried(lambda: open({ROOT!r} + "/foundation/fence.py").read()),
        "a library": tried(lambda: __import__("PIL.TiffImagePlugin")),
    }}, b""
serve(run)
"""


async def test_what_a_process_reaches_that_was_taken_over(tmp_path: Path) -> None:
    """Under the kernel's landlock(7): nothing of the server's. Of an older kernel that lacks a part, that part is done."""
    program, secret = tmp_path / "program.py", tmp_path / "secret"
    program.write_text(REACHING)
    secret.write_text("the master key")
    known = landlock.version()
    listening = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    pool = Fenced(program, 1, 60.0)
    try:
        head = {"secret": str(secret), "port": listening.sockets[0].getsockname()[1]}
        answer = await pool.ask(head, b"")
    finally:
        await pool.close()
        listening.close()
    barred = {
        1: "a file, a folder, settings beside the sources, a new file, the server's memory, the server's environment"
    }
    barred |= {4: "a port", 6: "a signal"}
    names = {name for since, line in barred.items() if since <= known for name in line.split(", ")}
    assert answer is not None
    assert {name for name, done in answer[0].items() if done == "barred"} == names

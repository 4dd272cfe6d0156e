"""Processes where hostile files are opened, seen from the server: a file is handed over, a bounded time later there is an answer or
nothing.

A few workers, started when first needed, reused, killed and replaced when they overrun; each is renewed after some tasks so that a
reader's leaks stay bounded. Nothing here ever raises because of the file's content. An answer may be the words of a file that
took its worker over: it is bounded, and what is none counts as silence. The inside: `foundation.fence`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foundation import cores
from foundation.fence import Answer

SECONDS = 10.0  # per task
WORKERS = 2
TASKS_PER_WORKER = 300
HEAD_MOST, BODY_MOST = 1 << 20, 1 << 24  # octets of an answer: a picture stored as JPG has 5 MB at most, a text 1.6 MB


@dataclass(slots=True)
class Patience:
    """Seconds of a worker's time left for all files of one source; waiting for a worker is not counted."""

    left: float


class Fenced:
    """A pool of processes that run `program`. `close()` ends them; a worker also dies with the server."""

    def __init__(
        self, program: Path, workers: int = WORKERS, seconds: float = SECONDS, environment: dict[str, str] | None = None
    ) -> None:
        self._seconds = seconds
        self._free: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        self._all = [_Worker(program, environment or {}) for _ in range(workers)]
        for worker in self._all:
            self._free.put_nowait(worker)

    async def ask(self, head: dict[str, Any], data: bytes, patience: Patience | None = None) -> Answer | None:
        """None: it took too long, or took its process down or over. Files of one `patience` that is used up are not opened."""
        if patience is not None and patience.left <= 0:
            return None
        worker = await self._free.get()
        started = asyncio.get_running_loop().time()
        try:
            return await asyncio.wait_for(worker.ask(head, data), self._seconds)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError, NoAnswer):
            await worker.stop()
            return None
        except BaseException:  # cancelled half-way through a frame: this worker's pipe means nothing any more
            await worker.stop()
            raise
        finally:
            self._free.put_nowait(worker)
            if patience is not None:
                patience.left -= asyncio.get_running_loop().time() - started

    async def close(self) -> None:
        for worker in self._all:
            await worker.stop()


class NoAnswer(Exception):
    """Not a frame of `fence`, or a longer one than any task gives."""


@dataclass(slots=True)
class _Worker:
    """One child process, started at its first task: isolated (-I: no user site, no folder of ours on the path), without our
    environment and its secrets."""

    program: Path
    environment: dict[str, str]
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)
    _tasks: int = field(default=0, init=False)

    async def ask(self, head: dict[str, Any], data: bytes) -> Answer:
        if self._tasks >= TASKS_PER_WORKER:
            await self.stop()
        if self._process is None:
            self._process = await self._start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._tasks += 1
        encoded = json.dumps(head).encode()
        self._process.stdin.write(struct.pack("!II", len(encoded), len(data)) + encoded)
        self._process.stdin.write(data)
        await self._process.stdin.drain()
        return await _answer(self._process.stdout)

    async def stop(self) -> None:
        process, self._process, self._tasks = self._process, None, 0
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(self.program),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"LANG": "C.UTF-8", **self.environment},
            limit=1 << 20,
        )
        cores.roam(process.pid)
        return process


async def _answer(source: asyncio.StreamReader) -> Answer:
    head_size, body_size = struct.unpack("!II", await source.readexactly(8))
    if head_size > HEAD_MOST or body_size > BODY_MOST:
        raise NoAnswer
    try:
        head = json.loads(await source.readexactly(head_size))
    except (ValueError, RecursionError) as fault:
        raise NoAnswer from fault
    if not isinstance(head, dict):
        raise NoAnswer
    return head, await source.readexactly(body_size)

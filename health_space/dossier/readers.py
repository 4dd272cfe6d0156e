"""The server's side of the worker processes: hands over a file, waits a bounded time, and gets a value or a reason.

A few workers, started when first needed, reused, killed and replaced when they overrun; each is renewed after some tasks so that a
reader's leaks stay bounded. Nothing here ever raises because of the file's content.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from health_space.dossier import reasons
from health_space.dossier.formats import MAX_BYTES, Format, Recognised, Refused, decode, recognise

SECONDS = 10.0  # per task; a page takes 25 ms, a photo 100 ms
WORKERS = 2
TASKS_PER_WORKER = 300
BIG = 65_536  # octets: looking through more than this leaves the event loop
PAGE_WIDTH = 1000  # pixels: an A4 page at 120 dpi, sharp on a phone
FAULTS = {
    "locked": reasons.LOCKED,
    "broken": reasons.BROKEN,
    "pixels": reasons.TOO_MANY_PIXELS,
    "too_large": reasons.TOO_LARGE,
    "slow": reasons.TOO_SLOW,
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is kept of a file: content as stored (images without EXIF), its media type, its number of pages (0: no pages, text)."""

    content: bytes
    media_type: str
    pages: int


@dataclass(frozen=True, slots=True)
class Page:
    image: bytes  # image/webp
    width: int
    height: int
    pages: int


@dataclass(slots=True)
class Patience:
    """Seconds of a worker's time left for all files of one source; waiting for a worker is not counted."""

    left: float


class Readers:
    """A pool of worker processes. `close()` ends them; a worker also dies with the server."""

    def __init__(self, workers: int = WORKERS, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._free: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        self._all = [_Worker() for _ in range(workers)]
        for worker in self._all:
            self._free.put_nowait(worker)

    async def accept(self, data: bytes, limit: int = MAX_BYTES, patience: Patience | None = None) -> Accepted | Refused:
        """The whole examination of a file that wants to enter a dossier: recognised, opened, made ready to be stored.

        A page that only shows a file (an attachment in its message) may give a larger `limit`, in octets. Files that come together
        share one `patience`: once it is used up, what needs a worker is refused unopened.
        """
        kind = await asyncio.to_thread(recognise, data, limit) if len(data) > BIG else recognise(data, limit)
        match kind:
            case Refused():
                return kind
            case Recognised(Format.TXT):
                return Accepted((decode(data) or "").encode(), "text/plain", 0)
            case Recognised(Format.RTF):
                answer = await self._ask("text", data, patience, media_type="application/rtf")
                return answer if isinstance(answer, Refused) else Accepted(data, "application/rtf", 0)
            case Recognised(Format.JPG) | Recognised(Format.PNG):
                name = "JPEG" if kind.format is Format.JPG else "PNG"
                answer = await self._ask("to_jpg", data, patience, format=name)
                return answer if isinstance(answer, Refused) else Accepted(answer[1], "image/jpeg", 1)
        task = "check_pdf" if kind.format is Format.PDF else "check_tif"
        answer = await self._ask(task, data, patience)
        return answer if isinstance(answer, Refused) else Accepted(data, kind.format.value, int(answer[0]["pages"]))

    async def page(
        self, content: bytes, media_type: str, number: int, width: int = PAGE_WIDTH
    ) -> Page | Refused | None:
        """Page `number` (from 0) of a stored PDF, TIF or JPG; None when there is no such page."""
        answer = await self._ask("page", content, media_type=media_type, number=number, width=width)
        if isinstance(answer, Refused):
            return answer
        head, image = answer
        return Page(image, head["width"], head["height"], head["pages"]) if image else None

    async def text(self, content: bytes, media_type: str) -> str | Refused:
        """Readable text of a stored document; empty for images and scans."""
        if media_type == "text/plain":
            return decode(content) or ""
        if media_type not in ("application/pdf", "application/rtf"):
            return ""
        answer = await self._ask("text", content, media_type=media_type)
        return answer if isinstance(answer, Refused) else answer[1].decode()

    async def close(self) -> None:
        for worker in self._all:
            await worker.stop()

    async def _ask(
        self, task: str, data: bytes, patience: Patience | None = None, **options: Any
    ) -> tuple[dict[str, Any], bytes] | Refused:
        if patience is not None and patience.left <= 0:
            return Refused(reasons.TOO_SLOW)
        worker = await self._free.get()
        started = asyncio.get_running_loop().time()
        try:
            head, body = await asyncio.wait_for(worker.ask({"task": task, **options}, data), self._seconds)
        except (
            TimeoutError,
            asyncio.IncompleteReadError,
            ConnectionError,
        ):  # too slow, or the reader took its process down
            await worker.stop()
            return Refused(reasons.TOO_SLOW)
        except BaseException:  # cancelled half-way through a frame: this worker's pipe means nothing any more
            await worker.stop()
            raise
        finally:
            self._free.put_nowait(worker)
            if patience is not None:
                patience.left -= asyncio.get_running_loop().time() - started
        if "fault" in head:
            return Refused(FAULTS[head["fault"]])
        return head, body


class _Worker:
    """One child process, started at its first task."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._tasks = 0

    async def ask(self, head: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
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
        head_size, body_size = struct.unpack("!II", await self._process.stdout.readexactly(8))
        answer: dict[str, Any] = json.loads(await self._process.stdout.readexactly(head_size))
        return answer, await self._process.stdout.readexactly(body_size)

    async def stop(self) -> None:
        process, self._process, self._tasks = self._process, None, 0
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    @staticmethod
    async def _start() -> asyncio.subprocess.Process:
        """Isolated (-I: no user site, no folder of ours on the path), without our environment and its secrets."""
        program = Path(__file__).with_name("worker.py")
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(program),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"LANG": "C.UTF-8"},
            limit=1 << 20,
        )

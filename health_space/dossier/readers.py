"""Documents and pictures opened in processes of their own (`foundation.fenced`): a value or a reason, in a bounded time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundation.fenced import WORKERS, Fenced, Patience
from health_space.dossier import reasons
from health_space.dossier.formats import MAX_BYTES, Format, Recognised, Refused, decode, recognise

PROGRAM = Path(__file__).with_name("worker.py")
SECONDS = 10.0  # per task; a page takes 25 ms, a photo 100 ms
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


class Readers:
    """A pool of worker processes. `close()` ends them; a worker also dies with the server."""

    def __init__(self, workers: int = WORKERS, seconds: float = SECONDS) -> None:
        self._pool = Fenced(PROGRAM, workers, seconds)

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
        await self._pool.close()

    async def _ask(
        self, task: str, data: bytes, patience: Patience | None = None, **options: Any
    ) -> tuple[dict[str, Any], bytes] | Refused:
        answer = await self._pool.ask({"task": task, **options}, data, patience)
        if answer is None:
            return Refused(reasons.TOO_SLOW)
        head, body = answer
        return Refused(FAULTS[head["fault"]]) if "fault" in head else (head, body)

"""A form sent twice (a double click, a page sent again) acts once: the second one waits for the first and gives its answer.

Each page with such a form carries a random mark; the first to write its hash acts, and leaves where it led to. When it led nowhere
(an error to correct), the mark is taken away and the next try acts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.exc import IntegrityError
from starlette.responses import RedirectResponse, Response

from foundation.database import Database, Transaction
from foundation.web.tables import web_once

PATIENCE = 15.0  # seconds a second form waits for the first
_LOOK_EVERY = 0.1


async def once(db: Database, now: int, mark: str, act: Callable[[], Awaitable[Response]]) -> Response:
    """`act()`'s answer, or that of the earlier form with the same `mark`; only answers that redirect are remembered."""
    key = sha256(mark.encode()).digest()
    waited = 0.0
    while not await _is_first(db, key, now):
        location = await db.read(_location, key)
        if location:
            return RedirectResponse(location, status_code=303)
        if waited >= PATIENCE:  # the process of the first one died: nothing says that it acted
            break
        await asyncio.sleep(_LOOK_EVERY)
        waited += _LOOK_EVERY
    response: Response | None = None
    try:
        response = await act()
    finally:
        led = response.headers["location"] if response is not None and response.status_code == 303 else ""
        await db.write(_end, key, led)
    return response


async def _is_first(db: Database, key: bytes, now: int) -> bool:
    try:
        return await db.write(_begin, key, now)
    except IntegrityError:  # two processes at the same instant: the primary key decides
        return False


def _begin(tx: Transaction, key: bytes, now: int) -> bool:
    if tx.conn.execute(select(web_once.c.at).where(web_once.c.mark == key)).first() is not None:
        return False
    tx.execute(web_once.insert(), {"mark": key, "at": now, "location": ""})
    return True


def _end(tx: Transaction, key: bytes, location: str) -> None:
    where = web_once.c.mark == key
    tx.execute(update(web_once).where(where).values(location=location) if location else delete(web_once).where(where))


def _location(conn: Connection, key: bytes) -> str:
    return conn.execute(select(web_once.c.location).where(web_once.c.mark == key)).scalar() or ""

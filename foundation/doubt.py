"""A COMMIT whose answer was lost: PostgreSQL is asked what became of it, so that nothing is written twice and nothing is promised
that was not kept.

The number of the transaction is read before the COMMIT; the server knows the fate of all those it still remembers, also after a
crash (`pg_xact_status`). SQLite is in this process: its COMMIT answers, or this process is no more.
"""

from __future__ import annotations

import time
from enum import Enum

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from foundation.begun import Begun

log = structlog.get_logger()

PATIENCE_S = 30.0  # while the server is started again, or another one takes its place
PAUSE_S = 0.25

_NUMBER = text("SELECT CAST(pg_current_xact_id_if_assigned() AS text)")
_FATE = text("SELECT pg_xact_status(CAST(CAST(:number AS text) AS xid8))")


class CommitUnknown(Exception):
    """Whether the changes are on disk cannot be known: they are not promised to anybody, and not made again."""


class Fate(Enum):
    """As PostgreSQL names them."""

    COMMITTED = "committed"
    ABORTED = "aborted"


def commit(engine: Engine, conn: Connection, transaction: Begun) -> None:
    """Returns when it is on disk; raises the database's error when it is not, `CommitUnknown` when nobody can tell."""
    if conn.dialect.name != "postgresql":
        transaction.commit()
        return
    number = conn.execute(_NUMBER).scalar()  # None: nothing was written
    try:
        transaction.commit()
    except DBAPIError as error:
        if not error.connection_invalidated or number is None:
            raise  # it answered
        if _fate(engine, number) is not Fate.COMMITTED:
            raise
        log.warning("commit_answer_lost", fate=Fate.COMMITTED.value)


def _fate(engine: Engine, number: str) -> Fate:
    """Waits for a server to say it; one that is still at work on it will be done soon."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            with engine.connect() as conn:
                found = conn.execute(_FATE, {"number": number}).scalar()
            if found is None:  # too long ago for it to remember
                break
            if found in (Fate.COMMITTED.value, Fate.ABORTED.value):
                return Fate(found)
        except DBAPIError as error:
            if not error.connection_invalidated and getattr(error.orig, "sqlstate", None) == "22023":
                return Fate.ABORTED  # a number of the future: a server that took over and never saw the transaction
        if time.monotonic() > until:
            break
        time.sleep(PAUSE_S)
    log.error("commit_unknown")
    raise CommitUnknown

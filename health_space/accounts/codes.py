"""One-time codes sent by e-mail, and the growing wait after wrong ones (never a lock for ever).

Six digits, ten minutes (WCAG 3.3.8 asks for time to read and copy), five tries each. Only a keyed hash of the code is kept, in the
sealed data of the half-open session.
"""

from __future__ import annotations

import secrets
from hmac import compare_digest

from sqlalchemy import Connection, delete, select

from foundation.clock import DAY, MINUTE, SECOND
from foundation.database import Transaction
from foundation.keys import KeyRing
from health_space.accounts.tables import code_failures

VALID = 10 * MINUTE
TRIES = 5
SEND_AGAIN = MINUTE
FREE_FAILURES = 3
LONGEST_WAIT = 15 * MINUTE


def new_code() -> str:
    return f"{secrets.randbelow(10**6):06d}"


def normal(typed: str) -> str:
    """What people type: « 123 456 », « 123-456 »."""
    return "".join(c for c in typed if c.isascii() and c.isdigit())


def sealed_data(keys: KeyRing, code: str, now: int) -> dict[str, str]:
    """What the session remembers of a code just sent."""
    return {"code": keys.lookup("one-time code", code).hex(), "code_at": str(now), "code_tries": "0"}


def matches(keys: KeyRing, data: dict[str, str], typed: str, now: int) -> bool:
    fresh = now - int(data.get("code_at", "0")) < VALID and int(data.get("code_tries", "0")) < TRIES
    given = keys.lookup("one-time code", typed).hex()
    return fresh and compare_digest(given, data.get("code", ""))


def spent(data: dict[str, str], now: int) -> bool:
    """Too old or tried too often: only a new one helps."""
    return now - int(data.get("code_at", "0")) >= VALID or int(data.get("code_tries", "0")) >= TRIES


def wait_before_next(conn: Connection, person: int, now: int) -> int:
    """Milliseconds before this person's next code is looked at: 5 s after the third wrong one, doubling up to 15 minutes."""
    row = conn.execute(select(code_failures).where(code_failures.c.person == person)).first()
    if row is None or row.failures < FREE_FAILURES or now - row.last_at >= DAY:
        return 0
    delay: int = min(LONGEST_WAIT, 5 * SECOND * 2 ** min(row.failures - FREE_FAILURES, 20))
    return int(max(0, row.last_at + delay - now))


def note_failure(tx: Transaction, person: int, now: int) -> None:
    row = tx.conn.execute(select(code_failures).where(code_failures.c.person == person)).first()
    failures = 1 if row is None or now - row.last_at >= DAY else row.failures + 1
    forget_failures(tx, person)
    tx.execute(code_failures.insert(), {"person": person, "failures": failures, "last_at": now})


def forget_failures(tx: Transaction, person: int) -> None:
    tx.execute(delete(code_failures).where(code_failures.c.person == person))

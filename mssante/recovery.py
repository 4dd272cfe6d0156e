"""A second factor lost, a password forgotten, or both: two operators, one who asks and another who agrees, give its owner one code.

It stands for what was lost only. In place of a second factor it is asked for behind the password, and a new factor is enrolled
behind it; in place of a password it is asked for with the login, and a new password is chosen behind the second factor. It is good
for a day, and once: until what is new is there. A request that nobody agrees to within three days is over; the next replaces it.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Connection, delete, select, update

from foundation.clock import DAY
from foundation.database import Transaction
from foundation.keys import KeyRing
from mssante import throttle
from mssante.credential_rows import TOPIC
from mssante.tables import credentials, passkeys, recoveries

ASKED_FOR = 3 * DAY
CODE_LIVES = DAY
LONGEST_REASON = 200
DIGITS = 12  # given on the telephone, as a number is: « 42 71 09 53 88 16 »


class Lost(Enum):
    """What the code stands for."""

    FACTOR = "factor"
    PASSWORD = "password"  # noqa: S105
    BOTH = "both"


class State(Enum):
    ASKED = "asked"
    AGREED = "agreed"
    USED = "used"
    OVER = "over"  # too late, or taken back


class NotNow(Enum):
    """Why an operator's act is refused."""

    UNKNOWN = "unknown"
    SAME_OPERATOR = "same_operator"
    NOT_WAITING = "not_waiting"


@dataclass(frozen=True, slots=True, repr=False)
class Recovery:
    id: int
    credential_id: int
    lost: Lost
    state: State
    asked_by: str
    asked_at: int
    reason: str
    agreed_by: str
    until: int

    def __repr__(self) -> str:
        return f"Recovery({self.id}, {self.state.value})"


@dataclass(frozen=True, slots=True)
class WrongCode:
    wait_ms: int


# -------------------------------------------------------------------- the operators
def new_code() -> str:
    digits = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    return " ".join(digits[at : at + 2] for at in range(0, DIGITS, 2))


def ask(tx: Transaction, keys: KeyRing, credential_id: int, lost: Lost, author: str, reason: str, now: int) -> int:
    """Returns the request's number; an earlier one of this person is over."""
    pending = (recoveries.c.credential_id == credential_id, recoveries.c.used_at == 0)
    tx.execute(update(recoveries).where(*pending).values(until=0, code_key=None))
    context = f"{credential_id} {now}"
    row = {
        "credential_id": credential_id,
        "lost": lost.value,
        "asked_by": author,
        "asked_at": now,
        "sealed": keys.registry.seal(json.dumps({"reason": reason}).encode(), f"recovery {context}".encode()),
        "agreed_by": "",
        "until": now + ASKED_FOR,
        "used_at": 0,
    }
    return tx.insert(recoveries, row)


def agree(tx: Transaction, keys: KeyRing, recovery_id: int, author: str, code: str, now: int) -> Recovery | NotNow:
    """`code` from `new_code`: shown to the second operator, kept as a keyed hash."""
    found = get(tx.conn, keys, recovery_id, now)
    if found is None:
        return NotNow.UNKNOWN
    if found.asked_by == author:
        return NotNow.SAME_OPERATOR
    if found.state is not State.ASKED:
        return NotNow.NOT_WAITING
    key = _code_key(keys, found.credential_id, code)
    waiting = (recoveries.c.id == recovery_id, recoveries.c.agreed_by == "", recoveries.c.until > now)
    values = {"agreed_by": author, "code_key": key, "until": now + CODE_LIVES}
    if tx.execute(update(recoveries).where(*waiting).values(values)).rowcount != 1:
        return NotNow.NOT_WAITING
    return get(tx.conn, keys, recovery_id, now) or NotNow.UNKNOWN


def take_back(tx: Transaction, keys: KeyRing, recovery_id: int, now: int) -> Recovery | NotNow:
    found = get(tx.conn, keys, recovery_id, now)
    if found is None:
        return NotNow.UNKNOWN
    if found.state not in (State.ASKED, State.AGREED):
        return NotNow.NOT_WAITING
    tx.execute(update(recoveries).where(recoveries.c.id == recovery_id).values(until=0, code_key=None))
    return found


def get(conn: Connection, keys: KeyRing, recovery_id: int, now: int) -> Recovery | None:
    row = conn.execute(select(recoveries).where(recoveries.c.id == recovery_id)).first()
    return None if row is None else _recovery(keys, row, now)


def of_all(conn: Connection, keys: KeyRing, now: int) -> list[Recovery]:
    """The newest first."""
    return [_recovery(keys, row, now) for row in conn.execute(select(recoveries).order_by(recoveries.c.id.desc()))]


# -------------------------------------------------------------------- their person
def check(tx: Transaction, keys: KeyRing, credential_id: int, code: str, now: int) -> int | WrongCode:
    """The number of the recovery that the code belongs to, in place of a second factor. It is used up by `use` only, when a new
    one is there."""
    asked = throttle.code_subject(keys, credential_id)
    if wait := throttle.wait(tx.conn, asked, now):
        return WrongCode(wait)
    found = of_code(tx.conn, keys, credential_id, code, now)
    if found is None or found.lost is Lost.PASSWORD:
        return WrongCode(throttle.failed(tx, asked, now))
    throttle.succeeded(tx, asked, now)
    return found.id


def of_code(conn: Connection, keys: KeyRing, credential_id: int, code: str, now: int) -> Recovery | None:
    """The recovery that the code belongs to; guessing is for the caller to slow down."""
    key = _code_key(keys, credential_id, code)
    good = (recoveries.c.credential_id == credential_id, recoveries.c.code_key == key, recoveries.c.until > now)
    row = None if key is None else conn.execute(select(recoveries).where(*good)).first()
    return None if row is None else _recovery(keys, row, now)


def usable(conn: Connection, credential_id: int, recovery_id: int, now: int) -> bool:
    query = select(recoveries.c.id).where(*_usable(credential_id, recovery_id, now))
    return conn.execute(query).first() is not None


def use(tx: Transaction, credential_id: int, recovery_id: int, now: int, passkey: int = 0) -> None:
    """The new factor is enrolled in this same transaction: the authenticator, or this passkey. What was lost opens no more.

    Raises LookupError, so that nothing of it happens, when the recovery is used or over meanwhile.
    """
    used = update(recoveries).where(*_usable(credential_id, recovery_id, now)).values(used_at=now, code_key=None)
    if tx.execute(used).rowcount != 1:
        raise LookupError(recovery_id)
    tx.execute(delete(passkeys).where(passkeys.c.credential_id == credential_id, passkeys.c.id != passkey))
    if passkey:
        tx.execute(update(credentials).where(credentials.c.id == credential_id).values(sealed_totp=None))
    tx.signal(TOPIC, credential_id)


def password_chosen(tx: Transaction, credential_id: int, recovery_id: int, now: int) -> None:
    """A new password is set in this same transaction. Where both were lost the code still stands for the second factor.

    Raises LookupError as `use`.
    """
    where = _usable(credential_id, recovery_id, now)
    alone = (*where, recoveries.c.lost == Lost.PASSWORD.value)
    both = (*where, recoveries.c.lost == Lost.BOTH.value)
    used = tx.execute(update(recoveries).where(*alone).values(used_at=now, code_key=None)).rowcount
    if used + tx.execute(update(recoveries).where(*both).values(lost=Lost.FACTOR.value)).rowcount != 1:
        raise LookupError(recovery_id)


def _usable(credential_id: int, recovery_id: int, now: int) -> tuple[Any, ...]:
    table = recoveries.c
    mine = (table.id == recovery_id, table.credential_id == credential_id)
    return (*mine, table.code_key.is_not(None), table.used_at == 0, table.until > now)


def _code_key(keys: KeyRing, credential_id: int, code: str) -> bytes | None:
    digits = "".join(sign for sign in code[: 4 * DIGITS] if sign.isascii() and sign.isdigit())
    return keys.lookup("recovery", f"{credential_id} {digits}") if len(digits) == DIGITS else None


def _recovery(keys: KeyRing, row: Any, now: int) -> Recovery:
    context = f"recovery {row.credential_id} {row.asked_at}".encode()
    reason = json.loads(keys.registry.open(row.sealed, context))["reason"]
    alive = State.AGREED if row.agreed_by else State.ASKED
    state = State.USED if row.used_at else alive if row.until > now else State.OVER
    lost, asked = Lost(row.lost), (row.asked_by, row.asked_at)
    return Recovery(row.id, row.credential_id, lost, state, *asked, reason, row.agreed_by, row.until)

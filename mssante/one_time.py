"""The second factor: an authenticator's code (TOTP, RFC 6238) or a code sent to the person; each serves once.

A TOTP code is taken one step early or late (RFC 6238 5.2) and never again at or before a step already used, in any process. A
sent code lives ten minutes; only its keyed hash is stored; the next one sent replaces it. Wrong codes slow down as wrong
passwords do, and five of them destroy a sent code.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

import pyotp
from sqlalchemy import select, update

from foundation.clock import MINUTE
from foundation.database import Transaction
from foundation.keys import KeyRing
from mssante import throttle
from mssante.credentials import TOPIC
from mssante.passkeys import has_factor
from mssante.tables import credentials

STEP = 30  # seconds
CODE_LIVES = 10 * MINUTE
DIGITS = 6


@dataclass(frozen=True, slots=True)
class RightCode:
    """The code is right, and now used."""


@dataclass(frozen=True, slots=True)
class WrongCode:
    """Wrong, old or used code, or guessing too fast; hold the reply back `wait_ms` milliseconds."""

    wait_ms: int


def new_code() -> str:
    """Six random digits to send to the person."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


def new_totp_secret() -> str:
    return pyotp.random_base32()


def totp_uri(secret: str, login: str, issuer: str) -> str:
    """otpauth:// address for the authenticator's QR code; a secret, never logged."""
    return pyotp.TOTP(secret, interval=STEP).provisioning_uri(name=login, issuer_name=issuer)


def enrol_totp(tx: Transaction, keys: KeyRing, credential_id: int, secret: str) -> None:
    """Replaces an earlier authenticator; ValueError for a secret below 112 bits (NIST SP 800-63B)."""
    pyotp.TOTP(secret)
    sealed = keys.registry.seal(secret.encode(), _context(credential_id))
    _of(tx, credential_id, sealed_totp=sealed, totp_step=0)
    tx.signal(TOPIC, credential_id)


def confirm_totp(
    tx: Transaction, keys: KeyRing, credential_id: int, secret: str, code: str, now: int, first: bool = False
) -> RightCode | WrongCode:
    """Enrols `secret` once its owner's application makes the right `code` of it.

    `first`: only where no second factor is enrolled, whatever was known when the page was opened.
    """
    asked = throttle.code_subject(keys, credential_id)
    if wait := throttle.wait(tx.conn, asked, now):
        return WrongCode(wait)
    step = _step_of(secret, "".join(code[:32].split()), now)
    if step is None or (first and has_factor(tx.conn, credential_id)):
        return WrongCode(throttle.failed(tx, asked, now))
    enrol_totp(tx, keys, credential_id, secret)
    _of(tx, credential_id, totp_step=step)
    throttle.succeeded(tx, asked, now)
    return RightCode()


def expect_code(tx: Transaction, keys: KeyRing, credential_id: int, code: str, now: int) -> None:
    """`code` is about to be sent to the person; it replaces the one before."""
    _of(tx, credential_id, code_key=_code_key(keys, credential_id, code), code_until=now + CODE_LIVES)


def expect_sent(tx: Transaction, keys: KeyRing, credential_id: int, code: str, now: int) -> int:
    """`expect_code`, and 0; or the milliseconds until another code may be sent: who has a password fills nobody's mailbox, and
    does not make each code void by the next one."""
    asked = throttle.sent_subject(keys, credential_id)
    if wait := throttle.wait(tx.conn, asked, now):
        return wait
    throttle.failed(tx, asked, now)
    expect_code(tx, keys, credential_id, code, now)
    return 0


def check_code(tx: Transaction, keys: KeyRing, credential_id: int, code: str, now: int) -> RightCode | WrongCode:
    """A sent code or an authenticator's; spaces between digits are allowed."""
    asked = throttle.code_subject(keys, credential_id)
    if wait := throttle.wait(tx.conn, asked, now):
        return WrongCode(wait)
    digits = "".join(code[:32].split())
    if digits.isascii() and (
        _use_sent(tx, keys, credential_id, digits, now) or _use_totp(tx, keys, credential_id, digits, now)
    ):
        throttle.succeeded(tx, asked, now)
        return RightCode()
    wait = throttle.failed(tx, asked, now)
    if throttle.failures(tx.conn, asked, now) >= 5:
        _of(tx, credential_id, code_key=None)
    return WrongCode(wait)


def _use_sent(tx: Transaction, keys: KeyRing, credential_id: int, code: str, now: int) -> bool:
    """Compared and destroyed by one statement: two processes cannot both use it."""
    used = tx.execute(
        update(credentials)
        .where(
            credentials.c.id == credential_id,
            credentials.c.code_key == _code_key(keys, credential_id, code),
            credentials.c.code_until > now,
        )
        .values(code_key=None)
    )
    return used.rowcount == 1


def _use_totp(tx: Transaction, keys: KeyRing, credential_id: int, code: str, now: int) -> bool:
    query = select(credentials.c.sealed_totp).where(credentials.c.id == credential_id)
    sealed = tx.execute(query).scalar()
    if sealed is None:
        return False
    step = _step_of(keys.registry.open(sealed, _context(credential_id)).decode(), code, now)
    return step is not None and _use_step(tx, credential_id, step)


def _step_of(secret: str, code: str, now: int) -> int | None:
    totp = pyotp.TOTP(secret, interval=STEP)
    current = now // 1000 // STEP
    steps = (current, current - 1, current + 1)
    return next((step for step in steps if totp.verify(code, for_time=datetime.fromtimestamp(step * STEP, UTC))), None)


def _use_step(tx: Transaction, credential_id: int, step: int) -> bool:
    unused = (credentials.c.id == credential_id, credentials.c.totp_step < step)
    return tx.execute(update(credentials).where(*unused).values(totp_step=step)).rowcount == 1


def _of(tx: Transaction, credential_id: int, **values: object) -> None:
    if tx.execute(update(credentials).where(credentials.c.id == credential_id).values(**values)).rowcount != 1:
        raise KeyError(credential_id)


def _code_key(keys: KeyRing, credential_id: int, code: str) -> bytes:
    return keys.lookup("code", f"{credential_id} {code}")


def _context(credential_id: int) -> bytes:
    return b"totp %d" % credential_id

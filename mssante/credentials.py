"""Signing in: login and password, or the proof of one, to the mailbox opened and the person who acts in it.

What is kept of a password (`mssante.passwords`) is sealed; it is hashed off the loop, a few at a time. An unknown login takes the
same way and time as a wrong password. What was verified is remembered for five minutes as a keyed hash, so that a mail client's
many connections cost nothing; a proof costs nothing anyway. What was wrong is remembered for an hour: the same again is no new
guess, so that a forgotten telephone with an old password keeps nobody out. Each member of an ORG mailbox has a login of their own
for it.

Who has a second factor for the pages, or an application password (`mssante.app_passwords`), signs in to mail by application
passwords only; one look-up finds one, nothing slow is hashed.

SCRAM tells a salt to who only names a login. It follows from the login alone (`scram.Salt`), so that logins cannot be listed. An
account whose keys are missing, or older than that, has them from the next sign-in by password on; until then every proof is wrong.
"""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, update

from foundation.clock import HOUR, MINUTE
from foundation.database import Database, T, Transaction
from foundation.keys import KeyRing
from foundation.signals import concerns
from mssante import app_secrets, scram, throttle
from mssante import mailboxes as boxes
from mssante.cache import Cache
from mssante.credential_rows import BY_LOGIN, PERSON, TOPIC, CredentialRows, apps_of, person_number
from mssante.mailboxes import Mailboxes
from mssante.passwords import NOBODY, PasswordHash, is_right, password_form, scram_keys
from mssante.signed_in import (
    IMAP,
    MAIL,
    SUBMISSION,
    WEB,
    LoginTaken,
    Member,
    NewCredential,
    SignedIn,
    by_app_password,
    by_own_password,
    covers,
    login_form,
    subject_form,
)
from mssante.tables import app_passwords, credentials

__all__ = [
    "IMAP", "MAIL", "PERSON", "SUBMISSION", "TOPIC", "WEB",
    "Credentials", "LoginTaken", "Member", "NewCredential", "Proven", "SignedIn", "WrongPassword",
    "covers", "login_form", "person_number", "subject_form",
]  # fmt: skip

VERIFIED_FOR = 5 * MINUTE
WRONG_FOR = HOUR
AT_ONCE = 2  # password checks together in one process: each holds 19 MiB and a core


@dataclass(frozen=True, slots=True)
class WrongPassword:
    """Login or password wrong, or guessing too fast; hold the reply back `wait_ms` milliseconds."""

    wait_ms: int


@dataclass(frozen=True, slots=True)
class Proven:
    """`signature`: what shows the client that we have its keys (RFC 5802 3, ServerSignature)."""

    who: SignedIn
    signature: bytes


@dataclass(frozen=True, slots=True, repr=False)
class _Account:
    """A login looked up. `who`: None when nobody may sign in by it. `row`: None when there is no such login.

    `apps`: rows of its application passwords.
    """

    who: SignedIn | None
    password_hash: PasswordHash
    row: Any
    apps: list[Any]


class Credentials(CredentialRows):
    """The sign-in of one operator. `pool` runs the password hashes."""

    def __init__(self, db: Database, keys: KeyRing, mailboxes: Mailboxes, pool: Executor | None = None) -> None:
        super().__init__(keys, mailboxes)
        self._db = db
        self._pool = pool
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._secret = os.urandom(32)
        self._verified: Cache[bytes, SignedIn] = Cache(10_000, VERIFIED_FOR)
        self._wrong: Cache[bytes, tuple[int, int]] = Cache(10_000, WRONG_FOR)  # numbers of credential and mailbox, or 0

    def listen(self) -> Callable[[], None]:
        """Forgets what was verified as soon as a credential or mailbox changes, in any process; returns the undo."""
        undo = ExitStack()
        right, wrong = self._verified.forget, self._wrong.forget
        subscribe = self._db.subscribe
        undo.callback(subscribe(TOPIC, lambda key: right(lambda _, who: concerns(key, who.credential_id))))
        undo.callback(subscribe(boxes.TOPIC, lambda key: right(lambda _, who: concerns(key, who.box_id))))
        undo.callback(subscribe(TOPIC, lambda key: wrong(lambda _, whose: not whose[0] or concerns(key, whose[0]))))
        undo.callback(subscribe(boxes.TOPIC, lambda key: wrong(lambda _, whose: concerns(key, whose[1]))))
        return undo.close

    async def check(
        self, login: str, password: str, now: int, client_ip: str, scope: str | None = None
    ) -> SignedIn | WrongPassword:
        """`scope`: what the door needs (IMAP, SUBMISSION, both: MAIL, or WEB).

        Writes failures, new good places and the hour of an application password's use; a repeated success writes nothing.
        """
        login, secret = login_form(login), password_form(password)
        memory = hmac.digest(self._secret, login.encode() + b"\0" + secret, "sha256")
        if (known := self._remembered(memory, now, scope)) is not None:
            return known
        asked = throttle.subjects(self._keys, login, client_ip)
        generation, before = self._verified.generation, self._wrong.generation
        async with self._slots:  # the wait is read inside: guesses queueing together do not all see « no wait »
            if (known := self._remembered(memory, now, scope)) is not None:
                return known
            wait, account = await self._db.read(self._look, login, asked, now)
            if wait:
                return WrongPassword(wait)
            who = self._by_app_password(account, password)
            if who is None and await self._hash(is_right, account.password_hash.argon2, secret):
                who = account.who
            if who is None or not covers(who, scope):
                self._wrong.keep(_at(memory, scope), _numbers(account.row), now, before)
                return WrongPassword(await self._db.write(throttle.failed, asked, now))
            who = replace(who, at=now)
            self._verified.keep(memory, who, now, generation)
            if not who.app_password and _unproven(account, salt := self.salt_for(login)):
                await self._learn(account, await self._hash(scram_keys, password, salt))
        await self._succeeded(asked, account, who, now)
        return await self.settled(who, scope, generation) or WrongPassword(0)

    async def salt(self, login: str) -> scram.Salt:
        """What a client that wants to prove its password is told. No row is looked at: it says nothing of who is there."""
        return self.salt_for(login)

    async def check_proof(
        self, login: str, proof: scram.Proof, now: int, client_ip: str, scope: str | None = None
    ) -> Proven | WrongPassword:
        """`check` for SCRAM: the same rules, the same waits."""
        login = login_form(login)
        asked = throttle.subjects(self._keys, login, client_ip)
        generation = self._verified.generation
        async with self._slots:
            wait, account = await self._db.read(self._look, login, asked, now)
            if wait:
                return WrongPassword(wait)
            proven = self._proven(account, proof)
            if proven is None or not covers(proven.who, scope):
                return WrongPassword(await self._db.write(throttle.failed, asked, now))
        await self._succeeded(asked, account, proven.who, now)
        who = await self.settled(replace(proven.who, at=now), scope, generation)
        return WrongPassword(0) if who is None else Proven(who, proven.signature)

    @property
    def generation(self) -> int:
        """Another number whenever some credential or mailbox changed; for `settled`."""
        return self._verified.generation

    async def settled(self, who: SignedIn, scope: str | None, generation: int) -> SignedIn | None:
        """As things stand when this returns: somebody may have been revoked while the password was hashed."""
        now: SignedIn | None = who
        while now is not None and generation != self._verified.generation:
            generation = self._verified.generation
            now = await self._db.read(self.standing, who, scope)
        return now

    def _by_app_password(self, account: _Account, password: str) -> SignedIn | None:
        form = app_secrets.plain_form(password)
        if form is None or account.who is None or not account.apps:
            return None
        key = app_secrets.secret_key(self._keys, account.who.credential_id, form)
        found = next((app for app in account.apps if hmac.compare_digest(app.secret_key, key)), None)
        return None if found is None else by_app_password(account.who, found)

    def _proven(self, account: _Account, proof: scram.Proof) -> Proven | None:
        """Of the person's own password, or of one of their application passwords: the client does not say which."""
        if account.who is None:
            return None
        for app in account.apps:
            keys = app_secrets.opened_scram(self._keys, app.secret_key, app.sealed_scram)
            if (signature := scram.signature(keys, proof)) is not None:
                return Proven(by_app_password(account.who, app), signature)
        signature = scram.signature(account.password_hash.scram, proof)
        return None if signature is None else Proven(account.who, signature)

    def _remembered(self, memory: bytes, now: int, scope: str | None) -> SignedIn | WrongPassword | None:
        if self._wrong.get(_at(memory, scope), now) is not None:
            return WrongPassword(throttle.FIRST_WAIT)
        who = self._verified.get(memory, now)
        return who if who is not None and covers(who, scope) else None

    async def _hash(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)

    async def _succeeded(self, asked: tuple[throttle.Subject, ...], account: _Account, who: SignedIn, now: int) -> None:
        if await self._db.read(throttle.worth_recording, asked, now):
            await self._db.write(throttle.succeeded, asked, now)
        used = next((app for app in account.apps if app.id == who.app_password), None)
        if used is not None and used.used_at <= now - HOUR:
            await self._db.write(_used, used.id, now)

    async def _learn(self, account: _Account, keys: scram.Keys | None) -> None:
        if keys is not None:
            await self._db.write(self._keep_scram, account.row, keys)

    def _keep_scram(self, tx: Transaction, row: Any, keys: scram.Keys) -> None:
        """Unless the password was changed meanwhile."""
        same = (credentials.c.id == row.id, credentials.c.sealed_password == row.sealed_password)
        sealed = self._sealed_scram(keys, row.login_key)
        tx.execute(update(credentials).where(*same).values(sealed_scram=sealed))

    def _look(
        self, conn: Connection, login: str, asked: tuple[throttle.Subject, ...], now: int
    ) -> tuple[int, _Account]:
        """The wait, and the account, of which nothing is looked at while there is one."""
        wait = throttle.wait(conn, asked, now)
        row = None if wait else conn.execute(BY_LOGIN, {"key": self._keys.lookup("login", login)}).first()
        if row is None:
            return wait, _Account(None, NOBODY, None, [])
        apps = apps_of(conn, row)
        argon2 = self._keys.registry.open(row.sealed_password, b"password " + row.login_key).decode()
        who = self._who(conn, row)
        return 0, _Account(who and by_own_password(who, row, apps), PasswordHash(argon2, self._scram(row)), row, apps)


def _unproven(account: _Account, salt: scram.Salt) -> bool:
    """No proof of the password can be right: its keys are missing, or were made with another salt."""
    keys = account.password_hash.scram
    return keys is None or keys.salt != salt


def _at(memory: bytes, scope: str | None) -> bytes:
    """What is wrong at one door may be right at another."""
    return memory + (scope or "").encode()


def _numbers(row: Any) -> tuple[int, int]:
    return (0, 0) if row is None else (row.id, row.mailbox_id)


def _used(tx: Transaction, app_id: int, now: int) -> None:
    tx.execute(update(app_passwords).where(app_passwords.c.id == app_id).values(used_at=now - now % HOUR))

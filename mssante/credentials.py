"""Signing in: login and password, or the proof of one, to the mailbox opened and the person who acts in it.

What is kept of a password (`mssante.passwords`) is sealed; it is hashed off the loop, a few at a time. An unknown login takes the
same way and time as a wrong password. What was verified is remembered for five minutes as a keyed hash, so that a mail client's
many connections cost nothing; a proof costs nothing anyway. What was wrong is remembered for an hour: the same again is no new
guess, so that a forgotten telephone with an old password keeps nobody out. Each member of an ORG mailbox has a login of their own
for it.

Who has a second factor for the pages, or an application password (`mssante.app_passwords`), signs in to mail by application
passwords only; one look-up finds one, nothing slow is hashed.

SCRAM tells a salt to who only names a login. An unknown login has one too, always the same, so that logins cannot be listed. An
account older than SCRAM here has its keys from the next sign-in by password on; until then every proof is wrong.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import unicodedata
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select, update

from foundation.clock import HOUR, MINUTE
from foundation.database import Database, T, Transaction
from foundation.keys import KeyRing
from mssante import app_secrets, scram, throttle
from mssante import mailboxes as boxes
from mssante.cache import Cache
from mssante.identity import Invalid, parse_rpps
from mssante.kinds import BoxKind, BoxState, SignInState
from mssante.mailboxes import Mailboxes
from mssante.passwords import LONGEST, NOBODY, PasswordHash, is_right, password_form, scram_keys
from mssante.rights import Role
from mssante.tables import app_passwords, credentials

TOPIC = "credential"
MAIL, WEB = "mail", "web"  # scopes: IMAP and SMTP; the pages
IMAP, SUBMISSION = "imap", "submission"  # the parts of MAIL, which an application password can have one of
VERIFIED_FOR = 5 * MINUTE
WRONG_FOR = HOUR
STAMP = 12  # octets at the beginning of what is sealed: its nonce, another one for another password
AT_ONCE = 2  # password checks together in one process: each holds 19 MiB and a core


@dataclass(frozen=True, slots=True, repr=False)
class SignedIn:
    """`actor` is the member's or citizen's name, shown and traced, never logged. `role` as it was at sign-in.

    `totp`: an authenticator is enrolled. `app_password`: the id of the one that was used, 0 for the person's own password, which
    `stamp` tells from a later one.
    """

    credential_id: int
    box_id: int
    address: str
    kind: BoxKind
    actor: str
    role: Role
    scopes: frozenset[str]
    totp: bool
    app_password: int = 0
    stamp: bytes = b""

    def __repr__(self) -> str:
        return f"SignedIn(credential {self.credential_id}, box {self.box_id})"


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
class NewCredential:
    """`password_hash` from `passwords.hash_password`, made outside the transaction: it takes 40 ms.

    `subject`: how an OpenID provider names the person (their RPPS number).
    """

    box_id: int
    login: str
    actor: str
    password_hash: PasswordHash
    scopes: frozenset[str] = frozenset({MAIL, WEB})
    role: Role = Role.HOLDER
    subject: str = ""

    def __repr__(self) -> str:
        return f"NewCredential(box {self.box_id})"


@dataclass(frozen=True, slots=True, repr=False)
class Member:
    """Someone who can sign in to a mailbox."""

    credential_id: int
    login: str
    actor: str
    role: Role
    scopes: frozenset[str]
    state: SignInState

    @property
    def active(self) -> bool:
        return self.state is SignInState.ACTIVE

    def __repr__(self) -> str:
        return f"Member(credential {self.credential_id})"


class LoginTaken(Exception):
    """The login is another credential's."""


@dataclass(frozen=True, slots=True, repr=False)
class _Account:
    """A login looked up. `who`: None when nobody may sign in by it. `row`: None when there is no such login.

    `apps`: rows of its application passwords.
    """

    who: SignedIn | None
    password_hash: PasswordHash
    row: Any
    apps: list[Any]


class Credentials:
    """The sign-in of one operator. `pool` runs the password hashes."""

    def __init__(self, db: Database, keys: KeyRing, mailboxes: Mailboxes, pool: Executor | None = None) -> None:
        self._db = db
        self._keys = keys
        self._mailboxes = mailboxes
        self._pool = pool
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._secret = os.urandom(32)
        self._verified: Cache[bytes, SignedIn] = Cache(10_000, VERIFIED_FOR)
        self._wrong: Cache[bytes, tuple[int, int]] = Cache(10_000, WRONG_FOR)  # numbers of credential and mailbox, or 0

    def listen(self) -> Callable[[], None]:
        """Forgets what was verified as soon as a credential or mailbox changes, in any process; returns the undo."""
        undo = ExitStack()
        right, wrong = self._verified.forget, self._wrong.forget
        undo.callback(self._db.subscribe(TOPIC, lambda key: right(lambda _, who: who.credential_id == key)))
        undo.callback(self._db.subscribe(boxes.TOPIC, lambda key: right(lambda _, who: who.box_id == key)))
        undo.callback(self._db.subscribe(TOPIC, lambda key: wrong(lambda _, whose: whose[0] in (0, key))))
        undo.callback(self._db.subscribe(boxes.TOPIC, lambda key: wrong(lambda _, whose: whose[1] == key)))
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
            self._verified.keep(memory, who, now, generation)
            if account.password_hash.scram is None and not who.app_password:
                await self._learn(account, await self._hash(scram_keys, password))
        await self._succeeded(asked, account, who, now)
        return await self.settled(who, scope, generation) or WrongPassword(0)

    async def salt(self, login: str) -> scram.Salt:
        """What a client that wants to prove its password is told. Says nothing of whether the login exists."""
        return await self._db.read(self._salt, login_form(login))

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
        who = await self.settled(proven.who, scope, generation)
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
        return None if found is None else _by(account.who, found)

    def _proven(self, account: _Account, proof: scram.Proof) -> Proven | None:
        """Of the person's own password, or of one of their application passwords: the client does not say which."""
        if account.who is None:
            return None
        for app in account.apps:
            keys = app_secrets.opened_scram(self._keys, app.secret_key, app.sealed_scram)
            if (signature := scram.signature(keys, proof)) is not None:
                return Proven(_by(account.who, app), signature)
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
        row = None if wait else conn.execute(_BY_LOGIN, {"key": self._keys.lookup("login", login)}).first()
        if row is None:
            return wait, _Account(None, NOBODY, None, [])
        apps = _apps(conn, row)
        argon2 = self._keys.registry.open(row.sealed_password, b"password " + row.login_key).decode()
        who = self._who(conn, row)
        return 0, _Account(who and _by_own(who, row, apps), PasswordHash(argon2, self._scram(row)), row, apps)

    def _salt(self, conn: Connection, login: str) -> scram.Salt:
        invented = scram.Salt(self._keys.lookup("salt", login), scram.ROUNDS)
        row = conn.execute(_BY_LOGIN, {"key": self._keys.lookup("login", login)}).first()
        if row is not None and _apps(conn, row):
            return app_secrets.salt(self._keys, row.id)
        keys = None if row is None else self._scram(row)
        return invented if keys is None else keys.salt

    def _scram(self, row: Any) -> scram.Keys | None:
        if row.sealed_scram is None:
            return None
        return scram.read(self._keys.registry.open(row.sealed_scram, b"scram " + row.login_key).decode())

    def _sealed_scram(self, keys: scram.Keys | None, login_key: bytes) -> bytes | None:
        return None if keys is None else self._keys.registry.seal(scram.written(keys).encode(), b"scram " + login_key)

    def _who(self, conn: Connection, row: Any) -> SignedIn | None:
        """None for what may not sign in: revoked, or mailbox closed. A suspended mailbox is still read by its holder."""
        box = self._mailboxes.get(conn, row.mailbox_id)
        if row.state != SignInState.ACTIVE.value or box is None or box.state is BoxState.CLOSED:
            return None
        actor = self._keys.registry.open(row.sealed_actor, b"actor " + row.login_key).decode()
        totp = row.sealed_totp is not None
        scopes = frozenset(row.scopes.split())
        return SignedIn(row.id, box.id, box.address.key, box.kind, actor, Role(row.role), scopes, totp)

    # ---------------------------------------------------------------- life
    def add(self, tx: Transaction, new: NewCredential, now: int) -> int:
        """Returns the credential's id; raises `LoginTaken`."""
        login = login_form(new.login)
        login_key = self._keys.lookup("login", login)
        if tx.execute(_BY_LOGIN, {"key": login_key}).first() is not None:
            raise LoginTaken
        seal = self._keys.registry.seal
        row = {
            "login_key": login_key,
            "sealed_login": seal(login.encode(), b"login " + login_key),
            "mailbox_id": new.box_id,
            "subject_key": self._subject_key(new.subject),
            "sealed_actor": seal(new.actor.encode(), b"actor " + login_key),
            "sealed_password": seal(new.password_hash.argon2.encode(), b"password " + login_key),
            "sealed_scram": self._sealed_scram(new.password_hash.scram, login_key),
            "role": new.role.value,
            "scopes": " ".join(sorted(new.scopes)),
            "state": SignInState.ACTIVE.value,
            "totp_step": 0,
            "code_until": 0,
            "created_at": now,
        }
        made = tx.insert(credentials, row)
        tx.signal(TOPIC, made)
        return made

    def knows(self, conn: Connection, login: str) -> bool:
        """Whether the login is taken."""
        return conn.execute(_BY_LOGIN, {"key": self._keys.lookup("login", login_form(login))}).first() is not None

    def set_password(self, tx: Transaction, credential_id: int, password_hash: PasswordHash) -> None:
        login_key = tx.execute(select(credentials.c.login_key).where(credentials.c.id == credential_id)).scalar_one()
        sealed = self._keys.registry.seal(password_hash.argon2.encode(), b"password " + login_key)
        scram = self._sealed_scram(password_hash.scram, login_key)
        _change(tx, credential_id, sealed_password=sealed, sealed_scram=scram)

    def set_role(self, tx: Transaction, credential_id: int, role: Role) -> None:
        """At once, also for who is signed in to a mail client."""
        _change(tx, credential_id, role=role.value)

    def set_state(self, tx: Transaction, credential_id: int, state: SignInState) -> None:
        _change(tx, credential_id, state=state.value)

    def set_subject(self, tx: Transaction, credential_id: int, subject: str) -> None:
        """How an OpenID provider names the person; empty: it does not."""
        _change(tx, credential_id, subject_key=self._subject_key(subject))

    def _subject_key(self, subject: str) -> bytes | None:
        return self._keys.lookup("subject", subject_form(subject)) if subject else None

    def revoke(self, tx: Transaction, credential_id: int) -> None:
        self.set_state(tx, credential_id, SignInState.REVOKED)

    def of(self, conn: Connection, credential_id: int) -> SignedIn | None:
        """Who a number stands for now; None for what may not sign in."""
        row = conn.execute(select(credentials).where(credentials.c.id == credential_id)).first()
        return None if row is None else self._who(conn, row)

    def held_by(self, conn: Connection, subject: str, login: str) -> SignedIn | None:
        """Who opens a mailbox by the token that names `subject`; `login` says which one where there are several.

        The credential has this subject; or its mailbox is personal, and its holder's number is this; or its login is this name.
        """
        key, own = self._subject_key(subject), self._keys.lookup("login", login_form(subject))
        asked = self._keys.lookup("login", login) if login else own
        found = []
        for row in conn.execute(_BY_SUBJECT, {"subject": key, "login": asked}):
            who = self._who(conn, row) if not login or row.login_key == asked else None
            if who is not None and (row.subject_key == key or row.login_key == own or self._holds(conn, who, subject)):
                found.append(who)
        return found[0] if len(found) == 1 else None

    def _holds(self, conn: Connection, who: SignedIn, subject: str) -> bool:
        box = self._mailboxes.get(conn, who.box_id)
        number = box.holder.holder_id if box is not None and who.kind is BoxKind.PER else ""
        return bool(number) and subject_form(number) == subject_form(subject)

    def standing(self, conn: Connection, who: SignedIn, scope: str | None = None) -> SignedIn | None:
        """Who signed in, as things stand now; None: revoked, mailbox closed, or what they signed in with is no longer good."""
        row = conn.execute(select(credentials).where(credentials.c.id == who.credential_id)).first()
        if row is None:
            return None
        apps, now = _apps(conn, row), self._who(conn, row)
        if now is not None and who.app_password:
            now = next((_by(now, app) for app in apps if app.id == who.app_password), None)
        elif now is not None and who.stamp:
            now = _by_own(now, row, apps)
        same = now is not None and now.stamp == who.stamp
        return now if now is not None and same and covers(now, scope) else None

    def members(self, conn: Connection, box_id: int) -> list[Member]:
        """Who can sign in to the mailbox, oldest first."""
        query = select(credentials).where(credentials.c.mailbox_id == box_id).order_by(credentials.c.id)
        return [self._member(row) for row in conn.execute(query)]

    def _member(self, row: Any) -> Member:
        login = self._keys.registry.open(row.sealed_login, b"login " + row.login_key).decode()
        actor = self._keys.registry.open(row.sealed_actor, b"actor " + row.login_key).decode()
        return Member(row.id, login, actor, Role(row.role), frozenset(row.scopes.split()), SignInState(row.state))


def login_form(login: str) -> str:
    """Logins compare without case or compatibility forms (RFC 8265 3.3, UsernameCaseMapped)."""
    text = login[: LONGEST + 1].strip().encode("utf-8", "replace").decode()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def subject_form(name: str) -> str:
    """How a person is looked up: the RPPS number where the name is one, also after the « 8 » that Pro Santé Connect puts before it
    (national identifier); else the name as a login is written."""
    number = name[1:] if len(name) == 12 and name.startswith("8") else name
    rpps = parse_rpps(number)
    return login_form(name) if isinstance(rpps, Invalid) else rpps.value


def covers(who: SignedIn, scope: str | None) -> bool:
    """Whether `who` may come in by a door that needs `scope`; None: no door."""
    if scope is None or scope in who.scopes:
        return True
    parts = {IMAP, SUBMISSION}
    return MAIL in who.scopes if scope in parts else scope == MAIL and parts <= who.scopes


def _at(memory: bytes, scope: str | None) -> bytes:
    """What is wrong at one door may be right at another."""
    return memory + (scope or "").encode()


def _numbers(row: Any) -> tuple[int, int]:
    return (0, 0) if row is None else (row.id, row.mailbox_id)


def _by_own(who: SignedIn, row: Any, apps: list[Any]) -> SignedIn:
    """What the person's own password opens: no mail client beside a second factor."""
    scopes = who.scopes - {MAIL} if who.totp or apps else who.scopes
    return replace(who, scopes=scopes, stamp=bytes(row.sealed_password[:STAMP]))


def _by(who: SignedIn, app: Any) -> SignedIn:
    return replace(who, scopes=frozenset(app.protocols.split()), app_password=app.id, stamp=b"")


def _apps(conn: Connection, row: Any) -> list[Any]:
    """Nothing of a person without the scope MAIL: taking it away takes their application passwords away."""
    return list(conn.execute(_APPS, {"id": row.id})) if MAIL in row.scopes.split() else []


def _used(tx: Transaction, app_id: int, now: int) -> None:
    tx.execute(update(app_passwords).where(app_passwords.c.id == app_id).values(used_at=now - now % HOUR))


def _change(tx: Transaction, credential_id: int, **values: Any) -> None:
    if tx.execute(update(credentials).where(credentials.c.id == credential_id).values(**values)).rowcount != 1:
        raise KeyError(credential_id)
    tx.signal(TOPIC, credential_id)


_APPS = select(app_passwords).where(app_passwords.c.credential_id == bindparam("id")).order_by(app_passwords.c.id)
_BY_SUBJECT = select(credentials).where(
    or_(credentials.c.subject_key == bindparam("subject"), credentials.c.login_key == bindparam("login"))
)
_BY_LOGIN = select(credentials).where(credentials.c.login_key == bindparam("key"))

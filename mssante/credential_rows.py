"""The rows of sign-in: who may open which mailbox, as what, by what. Their life, and who a number or a name stands for now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, or_, select, update

from foundation.database import Transaction
from foundation.keys import KeyRing
from mssante import scram
from mssante.identity import Invalid, parse_rpps
from mssante.kinds import BoxKind, BoxState, SignInState
from mssante.life import SHARED
from mssante.mailboxes import Mailboxes
from mssante.passwords import PasswordHash
from mssante.rights import OF_ROLE, Role
from mssante.signed_in import (
    MAIL,
    SUBMISSION,
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
from mssante.tables import app_passwords, credentials, mailboxes, passkeys

TOPIC = "credential"
PERSON = "person"  # signalled with `person_number` when a sign-in that names the person changed
MOST = 200  # forgotten at once


class CredentialRows:
    """Those of one operator; functions for `Database.read` and `Database.write`."""

    def __init__(self, keys: KeyRing, mailboxes: Mailboxes) -> None:
        self._keys = keys
        self._mailboxes = mailboxes

    def salt_for(self, login: str) -> scram.Salt:
        """Of any login, whoever has it or not; its keys of SCRAM are made with it."""
        return scram.Salt(self._keys.lookup("salt", login_form(login)), scram.ROUNDS)

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
        return SignedIn(
            row.id,
            box.id,
            box.address.key,
            box.kind,
            actor,
            Role(row.role),
            scopes,
            totp,
            passkey=bool(row.has_passkey),
            name=box.holder.display_name,
        )

    def add(self, tx: Transaction, new: NewCredential, now: int) -> int:
        """Returns the credential's id; raises `LoginTaken`."""
        login = login_form(new.login)
        login_key = self._keys.lookup("login", login)
        if tx.execute(BY_LOGIN, {"key": login_key}).first() is not None:
            raise LoginTaken
        subject_key = self._subject_key(new.subject or self._number(tx.conn, new.box_id))
        seal = self._keys.registry.seal
        row = {
            "login_key": login_key,
            "sealed_login": seal(login.encode(), b"login " + login_key),
            "mailbox_id": new.box_id,
            "subject_key": subject_key,
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
        _tell_person(tx, subject_key)
        return made

    def learn_numbers(self, tx: Transaction, after: int) -> int:
        """Of personal mailboxes made before their sign-in kept its holder's number, or whose holder was given one since: a few at a
        time, those of higher numbers than `after`. Returns the last looked at; 0: none is left."""
        unknown = select(credentials.c.id, credentials.c.mailbox_id).join(mailboxes)
        where = (mailboxes.c.kind == BoxKind.PER.value, credentials.c.subject_key.is_(None), credentials.c.id > after)
        active = credentials.c.state == SignInState.ACTIVE.value
        found = list(tx.execute(unknown.where(*where, active).order_by(credentials.c.id).limit(MOST)))
        for row in found:
            if number := self._number(tx.conn, row.mailbox_id):
                self.set_subject(tx, row.id, number)
        return found[-1].id if found else 0

    def _number(self, conn: Connection, box_id: int) -> str:
        """The RPPS number of a personal mailbox's holder, by which an OpenID provider knows them; empty: none."""
        box = self._mailboxes.get(conn, box_id)
        if box is None or box.kind is not BoxKind.PER:
            return ""
        rpps = parse_rpps(box.holder.holder_id)
        return "" if isinstance(rpps, Invalid) else rpps.value

    def knows(self, conn: Connection, login: str) -> bool:
        """Whether the login is taken."""
        return conn.execute(BY_LOGIN, {"key": self._keys.lookup("login", login_form(login))}).first() is not None

    def set_password(self, tx: Transaction, credential_id: int, password_hash: PasswordHash) -> None:
        login_key = tx.execute(select(credentials.c.login_key).where(credentials.c.id == credential_id)).scalar_one()
        sealed = self._keys.registry.seal(password_hash.argon2.encode(), b"password " + login_key)
        scram = self._sealed_scram(password_hash.scram, login_key)
        _change(tx, credential_id, sealed_password=sealed, sealed_scram=scram)

    def by_login(self, conn: Connection, login: str) -> SignedIn | None:
        """Who a login stands for now; None for what may not sign in."""
        row = conn.execute(BY_LOGIN, {"key": self._keys.lookup("login", login_form(login))}).first()
        return None if row is None else self._who(conn, row)

    def login_of(self, conn: Connection, credential_id: int) -> str:
        """KeyError."""
        row = conn.execute(select(credentials).where(credentials.c.id == credential_id)).first()
        if row is None:
            raise KeyError(credential_id)
        return self._member(row).login

    def set_role(self, tx: Transaction, credential_id: int, role: Role) -> None:
        """At once, also for who is signed in to a mail client."""
        _change(tx, credential_id, role=role.value)

    def set_state(self, tx: Transaction, credential_id: int, state: SignInState) -> None:
        _change(tx, credential_id, state=state.value)

    def set_subject(self, tx: Transaction, credential_id: int, subject: str) -> None:
        """How an OpenID provider names the person; empty: it does not."""
        known = tx.execute(select(credentials.c.subject_key).where(credentials.c.id == credential_id)).scalar()
        _tell_person(tx, known)
        _change(tx, credential_id, subject_key=self._subject_key(subject))

    def _subject_key(self, subject: str) -> bytes | None:
        return self._keys.lookup("subject", subject_form(subject)) if subject else None

    def revoke(self, tx: Transaction, credential_id: int) -> None:
        self.set_state(tx, credential_id, SignInState.REVOKED)

    def of(self, conn: Connection, credential_id: int) -> SignedIn | None:
        """Who a number stands for now; None for what may not sign in."""
        row = conn.execute(_ROWS.where(credentials.c.id == credential_id)).first()
        return None if row is None else self._who(conn, row)

    def may_send(self, conn: Connection, box_id: int, credential_id: int) -> bool:
        """Whether this person may write from the mailbox now, by a mail client."""
        who = self.of(conn, credential_id)
        return who is not None and who.box_id == box_id and "p" in OF_ROLE[who.role] and covers(who, SUBMISSION)

    def provider_name(self, conn: Connection, credential_id: int, typed: str) -> str | None:
        """How an OpenID provider is told whom to ask: the national identifier of the person of this sign-in. Of a personal mailbox
        it is known; else the RPPS number that they typed, when it is the one that the operator gave. None: it is not."""
        row = conn.execute(_ROWS.where(credentials.c.id == credential_id)).first()
        who = None if row is None else self._who(conn, row)
        if row is None or who is None:
            return None
        box = self._mailboxes.get(conn, who.box_id)
        holder = box.holder.holder_id if box is not None and who.kind is BoxKind.PER else ""
        rpps = parse_rpps(subject_form("".join(typed.split())) if typed else holder)
        if isinstance(rpps, Invalid):
            return None
        theirs = row.subject_key == self._subject_key(rpps.value) or self._holds(conn, who, rpps.value)
        return f"8{rpps.value}" if theirs else None

    def called(self, conn: Connection, typed: str) -> SignedIn | None:
        """Who means themselves by a login; or by their RPPS number, which stands for their own mailbox."""
        rpps = parse_rpps(subject_form("".join(typed.split())))
        return self.by_login(conn, typed) or (None if isinstance(rpps, Invalid) else self.held_by(conn, rpps.value, ""))

    def held_by(self, conn: Connection, subject: str, login: str) -> SignedIn | None:
        """Who opens the mailbox of `login` by the token that names `subject`.

        The credential has this subject; or its mailbox is personal, and its holder's number is this; or its login is this name.
        An empty login stands for a mailbox of the person's own: never for the seat in a team's that happens to be known.
        """
        key, own = self._subject_key(subject), self._keys.lookup("login", login_form(subject))
        asked = self._keys.lookup("login", login) if login else own
        found = []
        for row in conn.execute(_BY_SUBJECT, {"subject": key, "login": asked}):
            named = row.login_key == asked
            who = self._who(conn, row) if named or not login else None
            if who is None or not (named or who.kind is BoxKind.PER):
                continue
            if row.subject_key == key or row.login_key == own or self._holds(conn, who, subject):
                found.append(who)
        return found[0] if len(found) == 1 else None

    def _holds(self, conn: Connection, who: SignedIn, subject: str) -> bool:
        box = self._mailboxes.get(conn, who.box_id)
        number = box.holder.holder_id if box is not None and who.kind is BoxKind.PER else ""
        return bool(number) and subject_form(number) == subject_form(subject)

    def person(self, conn: Connection, who: SignedIn) -> bytes | None:
        """Who stands behind a sign-in to their own mailbox, as a keyed hash of their number; None: nobody knows, or the mailbox is
        a team's. A personal mailbox is one person's (`mssante.life`), so its holder's number is theirs."""
        if who.kind is not BoxKind.PER:
            return None
        row = conn.execute(select(credentials.c.subject_key).where(credentials.c.id == who.credential_id)).first()
        box = self._mailboxes.get(conn, who.box_id)
        if row is None or box is None:
            return None
        return row.subject_key or (self._subject_key(box.holder.holder_id) if box.holder.holder_id else None)

    def seats(self, conn: Connection, person: bytes, scope: str) -> list[SignedIn]:
        """The shared mailboxes in which a person works, by their number, each as if signed in to it; one for each, the larger
        role where there are two."""
        found: dict[int, SignedIn] = {}
        for row in conn.execute(_BY_PERSON, {"subject": person}):
            seat = self._who(conn, row)
            if seat is None or seat.kind not in SHARED or not covers(seat, scope):
                continue
            known = found.get(seat.box_id)
            if known is None or len(OF_ROLE[seat.role]) > len(OF_ROLE[known.role]):
                found[seat.box_id] = seat
        return sorted(found.values(), key=lambda seat: seat.address)

    def standing(self, conn: Connection, who: SignedIn, scope: str | None = None) -> SignedIn | None:
        """Who signed in, as things stand now; None: revoked, mailbox closed, or what they signed in with is no longer good."""
        row = conn.execute(_ROWS.where(credentials.c.id == who.credential_id)).first()
        if row is None or 0 < who.at <= row.signed_out_at:
            return None
        apps, now = apps_of(conn, row), self._who(conn, row)
        if now is not None and who.app_password:
            now = next((by_app_password(now, app) for app in apps if app.id == who.app_password), None)
        elif now is not None and who.stamp:
            now = by_own_password(now, row, apps)
        same = now is not None and now.stamp == who.stamp
        return replace(now, at=who.at) if now is not None and same and covers(now, scope) else None

    def members(self, conn: Connection, box_id: int) -> list[Member]:
        """Who can sign in to the mailbox, oldest first."""
        query = select(credentials).where(credentials.c.mailbox_id == box_id).order_by(credentials.c.id)
        return [self._member(row) for row in conn.execute(query)]

    def _member(self, row: Any) -> Member:
        login = self._keys.registry.open(row.sealed_login, b"login " + row.login_key).decode()
        actor = self._keys.registry.open(row.sealed_actor, b"actor " + row.login_key).decode()
        return Member(row.id, login, actor, Role(row.role), frozenset(row.scopes.split()), SignInState(row.state))


def apps_of(conn: Connection, row: Any) -> list[Any]:
    """Nothing of a person without the scope MAIL: taking it away takes their application passwords away."""
    return list(conn.execute(_APPS, {"id": row.id})) if MAIL in row.scopes.split() else []


def _change(tx: Transaction, credential_id: int, **values: Any) -> None:
    change = update(credentials).where(credentials.c.id == credential_id).values(**values)
    row = tx.execute(change.returning(credentials.c.subject_key)).first()
    if row is None:
        raise KeyError(credential_id)
    tx.signal(TOPIC, credential_id)
    _tell_person(tx, row.subject_key)


def person_number(person: bytes) -> int:
    """What a signal carries of a person: part of the keyed hash. Two people with one number are woken together, no more."""
    return int.from_bytes(person[:7])


def _tell_person(tx: Transaction, person: bytes | None) -> None:
    if person is not None:
        tx.signal(PERSON, person_number(person))


_APPS = select(app_passwords).where(app_passwords.c.credential_id == bindparam("id")).order_by(app_passwords.c.id)
_ROWS = select(credentials, exists().where(passkeys.c.credential_id == credentials.c.id).label("has_passkey"))
_BY_SUBJECT = _ROWS.where(
    or_(credentials.c.subject_key == bindparam("subject"), credentials.c.login_key == bindparam("login"))
)
_BY_PERSON = _ROWS.where(
    credentials.c.subject_key == bindparam("subject"), credentials.c.state == SignInState.ACTIVE.value
).order_by(credentials.c.id)
BY_LOGIN = _ROWS.where(credentials.c.login_key == bindparam("key"))


_SECRETS = (credentials.c.sealed_scram, credentials.c.sealed_totp, credentials.c.subject_key, credentials.c.code_key)


def forget_erased(tx: Transaction) -> int:
    """Of who could sign in to mailboxes whose key is destroyed only the login and the name stay, sealed: a login is never given to
    another. Returns how many were emptied now, at most `MOST`.
    """
    erased = select(mailboxes.c.id).where(mailboxes.c.wrapped_key.is_(None))
    full = or_(credentials.c.state != SignInState.REVOKED.value, *(column.is_not(None) for column in _SECRETS))
    rows = select(credentials.c.id).where(credentials.c.mailbox_id.in_(erased), full).limit(MOST)
    gone = list(tx.execute(rows).scalars())
    for table in credentials.metadata.tables.values():
        for key in table.foreign_keys:
            if key.references(credentials):
                tx.execute(delete(table).where(key.parent.in_(gone)))
    empty: dict[str, object] = {column.name: None for column in _SECRETS}
    revoked = update(credentials).where(credentials.c.id.in_(gone))
    tx.execute(revoked.values(state=SignInState.REVOKED.value, **empty))
    return len(gone)

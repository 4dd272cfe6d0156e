"""Guessing slowed down: each wrong answer doubles the wait of its subject, up to a ceiling; nobody is locked out for ever.

A subject is a login at one place, a place (IPv4 address, IPv6 /64), the network around it (/24, /48), or a login from anywhere;
all stored as keyed hashes. While a subject waits, answers are refused without being looked at, and cost one read. A place from
which the login once succeeded is not stopped by what others guess elsewhere. Failures fade with time. Doors hold back their reply
for the wait they are given, so a person who mistypes never meets a refusal of the right password.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from foundation.clock import DAY, HOUR, MINUTE, SECOND
from foundation.database import Transaction
from foundation.keys import KeyRing
from foundation.places import place_of
from mssante.tables import guesses
from mssante.upsert import upsert

FIRST_WAIT = 250  # ms
FADES = 5 * MINUTE  # one failure forgotten
KEPT = 30 * DAY  # how long a good place is remembered
FORGET_AT_ONCE = 100  # old rows taken away with each failure: the table stays small without a sweeper


@dataclass(frozen=True, slots=True)
class Subject:
    """`free`: failures before waiting begins; `ceiling`: longest wait in ms; `shared`: also others fail it. `first`: the wait that
    is doubled; `fades`: when one failure is forgotten.
    """

    key: bytes
    free: int
    ceiling: int
    shared: bool
    first: int = FIRST_WAIT
    fades: int = FADES


def subjects(keys: KeyRing, login: str, client_ip: str) -> tuple[Subject, ...]:
    """The first is the login at this place; `client_ip` empty or not an address: no place."""
    place = place_of(client_ip)
    found = [Subject(keys.lookup("guess", f"{login}\0{place}"), 0, 30 * SECOND, False)]
    if place:
        found.append(Subject(keys.lookup("guess place", place), 20, 30 * SECOND, True))
        found.append(Subject(keys.lookup("guess network", _network(place)), 200, 30 * SECOND, True))
    # Many places, one login: a low ceiling, since this one could keep a person out of a new place.
    return (*found, Subject(keys.lookup("guess login", login), 50, 10 * SECOND, True))


def code_subject(keys: KeyRing, credential_id: int) -> tuple[Subject, ...]:
    """One-time codes of one credential; only who has the password gets here."""
    return (Subject(keys.lookup("guess code", str(credential_id)), 2, MINUTE, False),)


def sent_subject(keys: KeyRing, credential_id: int) -> tuple[Subject, ...]:
    """Codes sent to the person of one credential, each counted like a failure: nobody needs as many."""
    return (Subject(keys.lookup("code sent", str(credential_id)), 8, MINUTE, False),)


def operator_subject(keys: KeyRing, name: str) -> tuple[Subject, ...]:
    """Passphrases of one of the operator's people; only who holds the master key gets here."""
    return (Subject(keys.lookup("guess operator", name), 2, MINUTE, False, 5 * SECOND),)


def named_subjects(keys: KeyRing, named: str, client_ip: str) -> tuple[Subject, ...]:
    """Names given without a password to have a telephone ring, each counted like a failure. Their wait is shown, so it knows what
    was typed and where, and nothing of whose name it is.
    """
    place = place_of(client_ip)
    found = [Subject(keys.lookup("ring named", f"{named}\0{place}"), 0, 10 * MINUTE, False, MINUTE)]
    if place:
        found.append(Subject(keys.lookup("ring place", place), 10, 30 * MINUTE, True, MINUTE))
        found.append(Subject(keys.lookup("ring network", _network(place)), 100, 30 * MINUTE, True, MINUTE))
    return tuple(found)


def ring_subjects(keys: KeyRing, person: str, client_ip: str) -> tuple[Subject, ...]:
    """Telephones that ring so, each counted like a failure; their wait is never shown. Who is rung again and again is left alone:
    about once an hour. From where they have confirmed before they are asked sooner, whatever others do elsewhere.
    """
    here = Subject(keys.lookup("ring", f"{person}\0{place_of(client_ip)}"), 0, 10 * MINUTE, False, MINUTE)
    return (here, Subject(keys.lookup("ring person", person), 1, HOUR, True, 2 * MINUTE, HOUR))


def answer_subjects(keys: KeyRing, client_ip: str) -> tuple[Subject, ...]:
    """Answers brought from the OpenID provider's page that it does not stand by: each made us ask it."""
    return (Subject(keys.lookup("answer place", place_of(client_ip)), 20, MINUTE, True, 5 * SECOND),)


def asked_for(tx: Transaction, asked: Sequence[Subject], now: int) -> int:
    """0, and it is counted; or the milliseconds until it may be done again."""
    if left := wait(tx.conn, asked, now):
        return left
    failed(tx, asked, now)
    return 0


def wait(conn: Connection, asked: Sequence[Subject], now: int) -> int:
    """Milliseconds until the next answer will be looked at; 0 = now."""
    rows = _rows(conn, asked)
    known = rows.get(asked[0].key)
    good = known is not None and known.good_at > 0
    counted = [subject for subject in asked if subject.key in rows and not (good and subject.shared)]
    return max((_remaining(subject, rows[subject.key], now) for subject in counted), default=0)


def failed(tx: Transaction, asked: Sequence[Subject], now: int) -> int:
    """Records a wrong answer; returns the wait before the next one."""
    rows = _rows(tx.conn, asked)
    for subject in asked:
        count = 1 + (_left(rows[subject.key], now, subject.fades) if subject.key in rows else 0)
        row = {"subject_key": subject.key, "failures": count, "last_at": now, "good_at": 0}
        upsert(tx, guesses, row, key=("subject_key",), change=("failures", "last_at"))
    old = select(guesses.c.subject_key).where(guesses.c.last_at < now - KEPT).limit(FORGET_AT_ONCE)
    tx.execute(delete(guesses).where(guesses.c.subject_key.in_(old)))
    return wait(tx.conn, asked, now)


def failures(conn: Connection, asked: Sequence[Subject], now: int) -> int:
    """Failures of the first subject that have not faded."""
    row = _rows(conn, asked[:1]).get(asked[0].key)
    return 0 if row is None else _left(row, now, asked[0].fades)


def succeeded(tx: Transaction, asked: Sequence[Subject], now: int) -> None:
    """Records the place as good and forgets its failures; what is shared with others only fades."""
    row = {"subject_key": asked[0].key, "failures": 0, "last_at": now, "good_at": now}
    upsert(tx, guesses, row, key=("subject_key",), change=("failures", "last_at", "good_at"))


def spaced(tx: Transaction, key: bytes, gap: int, now: int) -> int:
    """0, and it is remembered; or the milliseconds until it may be done again, once in `gap`."""
    last = tx.execute(select(guesses.c.last_at).where(guesses.c.subject_key == key)).scalar()
    if last is not None and 0 <= now - last < gap:
        return int(last) + gap - now
    row = {"subject_key": key, "failures": 0, "last_at": now, "good_at": 0}
    upsert(tx, guesses, row, key=("subject_key",), change=("last_at",))
    return 0


def worth_recording(conn: Connection, asked: Sequence[Subject], now: int) -> bool:
    """False when a success would change nothing: spares a commit at each sign-in."""
    row = _rows(conn, asked[:1]).get(asked[0].key)
    return row is None or row.failures > 0 or row.good_at < now - DAY


@dataclass(frozen=True, slots=True)
class _Row:
    failures: int
    last_at: int
    good_at: int


def _rows(conn: Connection, asked: Sequence[Subject]) -> dict[bytes, _Row]:
    query = select(guesses).where(guesses.c.subject_key.in_([subject.key for subject in asked]))
    return {bytes(row.subject_key): _Row(row.failures, row.last_at, row.good_at) for row in conn.execute(query)}


def _left(row: _Row, now: int, fades: int) -> int:
    """Failures not yet faded."""
    return max(0, row.failures - max(0, now - row.last_at) // fades)


def _remaining(subject: Subject, row: _Row, now: int) -> int:
    """Never more than the delay itself, should the clock have gone back."""
    beyond = _left(row, now, subject.fades) - subject.free
    if beyond <= 0:
        return 0
    delay: int = min(subject.first * 2 ** min(beyond - 1, 20), subject.ceiling)
    return max(0, min(delay, row.last_at + delay - now))


def _network(place: str) -> str:
    """Of a place: who has one address of it often has them all."""
    return place.rpartition(".")[0] or place[:12]

"""Which programs came in to a mailbox, for who owns the sign-in: by what, at which door, under which name, since when, about where.

One row for each way, door and name of program; a program's name is what it says of itself, and the address is cut to its network:
enough to know one's own devices again, no diary of where they were. Times are to the hour, and rows go after a year.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Connection, delete, select, update

from foundation.clock import DAY, HOUR
from foundation.database import Database, Transaction
from foundation.keys import KeyRing
from foundation.signals import concerns
from mssante.cache import Cache
from mssante.credential_rows import TOPIC
from mssante.signed_in import SignedIn
from mssante.tables import credentials, mail_clients
from mssante.upsert import upsert

MOST = 40  # of one credential; those seen longest ago go
KEPT = 365 * DAY
LONGEST_NAME = 40


class Way(Enum):
    """What a program signed in with."""

    OWN = "own"  # the person's own password
    APP = "app"  # an application password
    TOKEN = "token"  # noqa: S105


class Door(Enum):
    IMAP = "imap"
    SUBMISSION = "submission"
    LDAP = "ldap"
    CARDDAV = "carddav"


@dataclass(frozen=True, slots=True, repr=False)
class Came:
    """A program that came in. `app_password`: the id of the one it used, else 0. `place`: its network, as shown."""

    credential_id: int
    way: Way
    app_password: int
    door: Door
    name: str
    place: str

    @classmethod
    def of(cls, who: SignedIn, door: Door, name: str, place: str) -> Came:
        way = Way.APP if who.app_password else Way.OWN if who.stamp else Way.TOKEN
        return cls(who.credential_id, way, who.app_password, door, _shown(name), place)

    @property
    def device(self) -> tuple[int, str, int, str, str]:
        return self.credential_id, self.way.value, self.app_password, self.door.value, self.name


@dataclass(frozen=True, slots=True, repr=False)
class Device:
    """Times in ms, to the hour."""

    id: int
    way: Way
    app_password: int
    door: Door
    name: str
    place: str
    first_at: int
    last_at: int


class Devices:
    """Of one process: remembers what it wrote in the last hour."""

    def __init__(self, db: Database, keys: KeyRing) -> None:
        self._db, self._keys = db, keys
        self._written: Cache[tuple[int, str, int, str, str], bool] = Cache(10_000, HOUR)
        db.subscribe(TOPIC, lambda key: self._written.forget(lambda device, _: concerns(key, device[0])))

    def came(self, came: Came, now: int) -> None:
        """Nobody waits for the write: a sign-in is no slower for it, and one that is lost comes again."""
        if self._written.get(came.device, now) is None:
            self._written.keep(came.device, True, now, self._written.generation)
            self._db.submit(keep, self._keys, came, now)


def keep(tx: Transaction, keys: KeyRing, came: Came, now: int) -> None:
    hour = now - now % HOUR
    key = keys.lookup("device", "\0".join(map(str, came.device)))
    content = json.dumps({"name": came.name, "place": came.place}).encode()
    row = {
        "credential_id": came.credential_id,
        "key": key,
        "way": came.way.value,
        "app_password": came.app_password,
        "door": came.door.value,
        "sealed": keys.registry.seal(content, b"device " + key),
        "first_at": hour,
        "last_at": hour,
    }
    upsert(tx, mail_clients, row, key=("key",), change=("sealed", "last_at"))
    mine = mail_clients.c.credential_id == came.credential_id
    recent = select(mail_clients.c.id).where(mine).order_by(mail_clients.c.last_at.desc(), mail_clients.c.id.desc())
    tx.execute(delete(mail_clients).where(mine, mail_clients.c.id.not_in(recent.limit(MOST))))


def of(conn: Connection, keys: KeyRing, credential_id: int) -> list[Device]:
    """The one seen last first."""
    query = select(mail_clients).where(mail_clients.c.credential_id == credential_id)
    found = []
    for row in conn.execute(query.order_by(mail_clients.c.last_at.desc(), mail_clients.c.id.desc())):
        said = json.loads(keys.registry.open(row.sealed, b"device " + row.key))
        way, door = Way(row.way), Door(row.door)
        found.append(
            Device(row.id, way, row.app_password, door, said["name"], said["place"], row.first_at, row.last_at)
        )
    return found


def forget(tx: Transaction, credential_id: int, device_id: int) -> bool:
    """False: this credential has no such one. Its connections go on: see `sign_out`."""
    mine = (mail_clients.c.id == device_id, mail_clients.c.credential_id == credential_id)
    return tx.execute(delete(mail_clients).where(*mine)).rowcount == 1


def sign_out(tx: Transaction, credential_id: int, now: int) -> None:
    """Every mail client that came in before `now` is cut, in all processes; with a password that is still good it comes again."""
    tx.execute(update(credentials).where(credentials.c.id == credential_id).values(signed_out_at=now))
    tx.signal(TOPIC, credential_id)


def sweep(tx: Transaction, now: int) -> None:
    tx.execute(delete(mail_clients).where(mail_clients.c.last_at < now - KEPT))


def _shown(name: str) -> str:
    """What a stranger says of itself, fit to be shown."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in name[:200]).split())[:LONGEST_NAME]

"""Mailboxes of this operator and their life: docs/rules.md section 2.

Address and kind never change; an address is never given twice. Each mailbox has its own data key. `Mailboxes` is also what the
mail store asks for keys, addresses and quotas. Look-ups go through a keyed hash; resolved mailboxes and unwrapped keys are kept
in memory for a while, forgotten on the signal `mailbox`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, bindparam, delete, or_, select, update

from foundation.database import Database, Transaction
from foundation.dn import DistinguishedName
from foundation.jobs import hurry
from foundation.keys import Key, KeyRing
from foundation.prepared import Prepared
from foundation.signals import concerns
from mssante.address import Address, parse_address
from mssante.cache import Cache
from mssante.identity import Invalid
from mssante.kinds import BoxKind, BoxState, ProfileState
from mssante.mailbox import MARKS, AddressTaken, Holder, Mailbox, NewMailbox, checked, mark_told
from mssante.tables import books, directory_entries, mailboxes

TOPIC = "mailbox"
PUBLISHING = "annuaire-publish"  # the recurring job that tells the Annuaire Santé what changed
REMEMBERED = 10_000  # mailboxes and keys kept in memory
REMEMBER_SECONDS = 60.0
ROOMY = MARKS[0]  # below the first warning, room is remembered

OnMark = Callable[[Transaction, int, int], None]  # mailbox, mark


class Mailboxes:
    """The mailboxes of one operator. Methods run inside `db.read` (conn) or `db.write` (tx).

    `on_mark`: what is owed when a mailbox fills past one of `MARKS`, in the transaction that filled it, once.
    """

    def __init__(
        self,
        keys: KeyRing,
        monotonic: Callable[[], float] = time.monotonic,
        on_mark: OnMark = lambda _tx, _box, _mark: None,
    ) -> None:
        self._keys = keys
        self._on_mark = on_mark
        self._monotonic = monotonic
        self._boxes: Cache[bytes | int, Mailbox] = Cache(2 * REMEMBERED, REMEMBER_SECONDS)
        self._box_keys: Cache[int, Key] = Cache(REMEMBERED, REMEMBER_SECONDS)
        self._roomy: Cache[int, bool] = Cache(REMEMBERED, REMEMBER_SECONDS)

    def listen(self, db: Database) -> Callable[[], None]:
        """From now on changes made in any process are seen at once; returns the undo."""
        return db.subscribe(TOPIC, self.forget)

    def forget(self, box_id: int) -> None:
        self._boxes.forget(lambda _, box: concerns(box_id, box.id))
        self._box_keys.forget(lambda key, _: concerns(box_id, key))
        self._roomy.forget(lambda key, _: concerns(box_id, key))

    # ---------------------------------------------------------------- find
    def resolve(self, conn: Connection, address: Address | str) -> Mailbox | None:
        """The mailbox of ours with this address, whatever its state."""
        parsed = parse_address(address) if isinstance(address, str) else address
        if isinstance(parsed, Invalid):
            return None
        return self._find(conn, self._address_key(parsed), _BY_ADDRESS)

    def get(self, conn: Connection, box_id: int) -> Mailbox | None:
        return self._find(conn, box_id, _BY_ID)

    def bound_to(self, conn: Connection, certificate: DistinguishedName) -> list[Mailbox]:
        """The mailboxes that this certificate opens, whatever their state."""
        bound = select(mailboxes).where(mailboxes.c.certificate == certificate.compared).order_by(mailboxes.c.id)
        return [self._opened(row) for row in conn.execute(bound)]

    def every(self, conn: Connection, after: int = 0, at_most: int = 1000) -> list[Mailbox]:
        """A page of all of them, by id."""
        page = select(mailboxes).where(mailboxes.c.id > after).order_by(mailboxes.c.id).limit(at_most)
        return [self._opened(row) for row in conn.execute(page)]

    def _find(self, conn: Connection, key: bytes | int, query: Any) -> Mailbox | None:
        now = self._monotonic()
        if (found := self._boxes.get(key, now)) is not None:
            return found
        generation = self._boxes.generation
        row = conn.execute(query, {"key": key}).first()
        if row is None:
            return None
        box = self._opened(row)
        self._boxes.keep(key, box, now, generation)
        return box

    def _opened(self, row: Any) -> Mailbox:
        address = parse_address(self._keys.registry.open(row.sealed_address, _context("address", row)).decode())
        assert not isinstance(address, Invalid)  # it was parsed before it was sealed
        return Mailbox(
            id=row.id,
            address=address,
            kind=BoxKind(row.kind),
            state=BoxState(row.state),
            profile=ProfileState(row.profile_state) if row.profile_state else None,
            red_list=row.red_list,
            sector=row.sector,
            holder=Holder(**json.loads(self._keys.registry.open(row.sealed_holder, _context("holder", row)))),
            created_at=row.created_at,
            closed_at=row.closed_at,
            refuses=row.refuses,
            kept_until=row.kept_until,
            erased=row.wrapped_key is None,
            certificate=row.certificate or "",
        )

    # ---------------------------------------------------------------- what the mail store asks
    def key(self, conn: Connection, box_id: int) -> Key:
        """The mailbox's data key; KeyError when the mailbox is unknown or its key destroyed."""
        now = self._monotonic()
        if (found := self._box_keys.get(box_id, now)) is not None:
            return found
        generation = self._box_keys.generation
        row = conn.execute(_WRAPPED, {"key": box_id}).first()
        if row is None or row.wrapped_key is None:
            raise KeyError(box_id)
        key = self._keys.unwrap(row.wrapped_key, _context("key", row))
        self._box_keys.keep(box_id, key, now, generation)
        return key

    def address(self, conn: Connection, box_id: int) -> str:
        """In the form that look-ups compare; KeyError when unknown."""
        box = self.get(conn, box_id)
        if box is None:
            raise KeyError(box_id)
        return box.address.key

    def quota(self, conn: Connection, box_id: int) -> tuple[int, int]:
        """(used, limit) in octets; KeyError when unknown."""
        row = _QUOTA.run(conn, {"key": box_id}).fetchone()
        if row is None:
            raise KeyError(box_id)
        used, limit = row
        return used, limit

    def has_room(self, conn: Connection, box_id: int) -> bool:
        """Whether anything more fits, as far as is known before the message; `charge` decides. KeyError when unknown.

        A mailbox far from its limit is remembered as such for a while; one near it is always read.
        """
        now = self._monotonic()
        if self._roomy.get(box_id, now):
            return True
        generation = self._roomy.generation
        used, limit = self.quota(conn, box_id)
        if used * 100 < ROOMY * limit:
            self._roomy.keep(box_id, True, now, generation)
        return used < limit

    def charge(self, tx: Transaction, box_id: int, octets: int) -> bool:
        """Adds to what is used (takes away when negative); False, and nothing changed, when the limit would be passed."""
        rows = _CHARGE.run(tx.conn, {"key": box_id, "octets": octets}).fetchall()
        if not rows:
            self._roomy.forget(lambda key, _: concerns(box_id, key))
            return False
        used, limit, told = rows[0]
        if (mark := mark_told(told, used, limit)) != told:
            tx.execute(_TELL, {"key": box_id, "mark": mark})
            if mark > told:
                self._on_mark(tx, box_id, mark)
        return True

    # ---------------------------------------------------------------- life
    def create(self, tx: Transaction, new: NewMailbox, now: int) -> Mailbox:
        """Raises `AddressTaken`; ValueError when the address or the holder's identifier is malformed."""
        address = checked(new)
        address_key = self._address_key(address)
        if tx.execute(_BY_ADDRESS, {"key": address_key}).first() is not None:
            raise AddressTaken
        _, wrapped = self._keys.new_key(b"mailbox key " + address_key)
        row = {
            "address_key": address_key,
            "sealed_address": self._keys.registry.seal(address.text.encode(), b"mailbox address " + address_key),
            "kind": new.kind.value,
            "state": BoxState.ACTIVE.value,
            "profile_state": new.profile.value if new.profile else None,
            "red_list": new.red_list,
            "sector": new.sector,
            "quota_bytes": new.quota_bytes,
            "used_bytes": 0,
            "refuses": False,
            "told_percent": 0,
            "wrapped_key": wrapped,
            "sealed_holder": self._sealed(new.holder, address_key),
            "created_at": now,
        }
        box_id = tx.insert(mailboxes, row)
        self.forget(box_id)  # the number may have been another's, in a transaction that was undone
        return Mailbox(
            box_id, address, new.kind, BoxState.ACTIVE, new.profile, new.red_list, new.sector, new.holder, now, None
        )

    def set_state(self, tx: Transaction, box_id: int, state: BoxState, now: int) -> None:
        """Closing withdraws the mailbox from the directory; a closed mailbox may be opened again."""
        self._enter(tx, box_id, state, now)

    def suspend(self, tx: Transaction, box_id: int, refuses: bool, now: int) -> None:
        self._enter(tx, box_id, BoxState.SUSPENDED, now, refuses=refuses)

    def close(self, tx: Transaction, box_id: int, now: int, kept_until: int) -> None:
        """Its mail stays sealed until `kept_until`, then it is `due`."""
        self._enter(tx, box_id, BoxState.CLOSED, now, kept_until=kept_until)

    def due(self, conn: Connection, now: int) -> list[int]:
        """Closed mailboxes that were kept long enough by then: `destroy` them."""
        due = (mailboxes.c.kept_until <= now, mailboxes.c.wrapped_key.is_not(None))
        return list(conn.execute(select(mailboxes.c.id).where(*due).order_by(mailboxes.c.id)).scalars())

    def bind(self, tx: Transaction, box_id: int, certificate: DistinguishedName | None) -> None:
        """The certificate that opens an APP mailbox; None frees it."""
        self._change(tx, box_id, certificate=None if certificate is None else certificate.compared)

    def _enter(self, tx: Transaction, box_id: int, state: BoxState, now: int, **values: Any) -> None:
        closed = state is BoxState.CLOSED
        if closed:
            self._withdraw(tx, box_id)
        fresh = {"closed_at": now if closed else None, "refuses": False, "kept_until": None}
        self._change(tx, box_id, **{"state": state.value, **fresh, **values})

    def set_profile(self, tx: Transaction, box_id: int, profile: ProfileState) -> None:
        self._change(tx, box_id, profile_state=profile.value)

    def set_red_list(self, tx: Transaction, box_id: int, red_list: bool) -> None:
        """A mailbox put on the red list leaves the directory in the same transaction."""
        if red_list:
            self._withdraw(tx, box_id)
        self._change(tx, box_id, red_list=red_list)

    def set_quota(self, tx: Transaction, box_id: int, octets: int) -> None:
        self._change(tx, box_id, quota_bytes=octets)
        self.charge(tx, box_id, 0)  # a mark may have been passed by it

    def set_holder(self, tx: Transaction, box_id: int, holder: Holder) -> None:
        row = tx.execute(_WRAPPED, {"key": box_id}).one()
        self._change(tx, box_id, sealed_holder=self._sealed(holder, row.address_key))

    def destroy(self, tx: Transaction, box_id: int, now: int) -> None:
        """The final deletion: closes the mailbox, forgets its holder, and destroys the key of all that it sealed."""
        box = self.get(tx.conn, box_id)
        if box is not None and box.state is not BoxState.CLOSED:
            self.set_state(tx, box_id, BoxState.CLOSED, now)
        self.set_holder(tx, box_id, Holder())
        tx.execute(delete(books).where(books.c.box_id == box_id))
        self._change(tx, box_id, wrapped_key=None)

    def _change(self, tx: Transaction, box_id: int, **values: Any) -> None:
        if tx.execute(update(mailboxes).where(mailboxes.c.id == box_id).values(**values)).rowcount != 1:
            raise KeyError(box_id)
        self.forget(box_id)  # for what this transaction still reads; the signal does it again once committed
        tx.signal(TOPIC, box_id)

    def _withdraw(self, tx: Transaction, box_id: int) -> None:
        """From our directory in this transaction, from the Annuaire Santé at once after it."""
        hurry(tx, PUBLISHING)
        address = self.address(tx.conn, box_id)
        tx.execute(delete(directory_entries).where(directory_entries.c.address == address))

    def _sealed(self, holder: Holder, address_key: bytes) -> bytes:
        return self._keys.registry.seal(json.dumps(asdict(holder)).encode(), b"mailbox holder " + address_key)

    def _address_key(self, address: Address) -> bytes:
        return address_lookup(self._keys, address.key)


def address_lookup(keys: KeyRing, address_key: str) -> bytes:
    """Keyed hash of `Address.key`, as in `mailboxes.address_key`."""
    return keys.lookup("address", address_key)


def _context(name: str, row: Any) -> bytes:
    address_key: bytes = row.address_key
    return b"mailbox " + name.encode() + b" " + address_key


_BY_ADDRESS = select(mailboxes).where(mailboxes.c.address_key == bindparam("key"))
_BY_ID = select(mailboxes).where(mailboxes.c.id == bindparam("key"))
_WRAPPED = select(mailboxes.c.address_key, mailboxes.c.wrapped_key).where(mailboxes.c.id == bindparam("key"))
_QUOTA = Prepared(select(mailboxes.c.used_bytes, mailboxes.c.quota_bytes).where(mailboxes.c.id == bindparam("key")))
_FITS = or_(bindparam("octets") <= 0, mailboxes.c.used_bytes + bindparam("octets") <= mailboxes.c.quota_bytes)
_CHARGE = Prepared(
    update(mailboxes)
    .where(mailboxes.c.id == bindparam("key"), _FITS)
    .values(used_bytes=mailboxes.c.used_bytes + bindparam("octets"))
    .returning(mailboxes.c.used_bytes, mailboxes.c.quota_bytes, mailboxes.c.told_percent)
)
_TELL = update(mailboxes).where(mailboxes.c.id == bindparam("key")).values(told_percent=bindparam("mark"))

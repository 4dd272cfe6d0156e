"""Exchanges between a citizen and a professional: docs/rules.md sections 3 and 4. Kept by the citizen's operator.

An exchange is opened by a professional's message (or a prescription), closed by the professional's wish or the citizen's block,
and reopened by any later message of the professional. Closing twice is harmless: the first closing stays. Who closed, when and by
which means is kept, so that the citizen can be told. Contacts are sealed with the citizen's own key.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, or_, select, update

from foundation.database import Transaction
from foundation.keys import Key, KeyRing
from mssante.address import Address, parse_address
from mssante.identity import Invalid
from mssante.kinds import ClosedMeans, ExchangeState
from mssante.mailboxes import Mailboxes
from mssante.rules import ExchangeFacts
from mssante.tables import exchanges
from mssante.upsert import upsert

TOPIC = "exchange"  # signalled with the citizen's box id


@dataclass(frozen=True, slots=True, repr=False)
class Contact:
    """The professional as the citizen sees them: `name` from the directory or the message's From."""

    address: str
    name: str = ""
    profession: str = ""

    def __repr__(self) -> str:
        return "Contact(***)"


@dataclass(frozen=True, slots=True, repr=False)
class Exchange:
    id: int
    citizen_box_id: int
    contact: Contact
    state: ExchangeState
    opened_at: int
    last_message_at: int
    reply_until: int | None
    closed_at: int | None
    closed_means: ClosedMeans | None
    closed_by: str
    sender_key: bytes  # keyed hash of who opened it last

    def __repr__(self) -> str:
        return f"Exchange({self.id}, {self.state.value})"

    @property
    def facts(self) -> ExchangeFacts:
        return ExchangeFacts(self.state, self.closed_at, self.closed_by, self.closed_means, self.reply_until)


class Exchanges:
    """The exchanges of this operator's citizens. Methods run inside `db.read` (conn) or `db.write` (tx)."""

    def __init__(self, keys: KeyRing, mailboxes: Mailboxes) -> None:
        self._keys = keys
        self._mailboxes = mailboxes

    # ---------------------------------------------------------------- read
    def get(self, conn: Connection, citizen_box_id: int, address: Address | str) -> Exchange | None:
        """The exchange whose contact has this address."""
        contact_key = self._contact_key(citizen_box_id, address)
        return self._one(conn, _BY_CONTACT, {"box": citizen_box_id, "contact": contact_key})

    def by_id(self, conn: Connection, citizen_box_id: int, exchange_id: int) -> Exchange | None:
        """None too when it is another citizen's: a page may ask with any number."""
        return self._one(conn, _BY_ID, {"box": citizen_box_id, "exchange": exchange_id})

    def of_citizen(self, conn: Connection, citizen_box_id: int, state: ExchangeState | None = None) -> list[Exchange]:
        """The latest first."""
        wanted = exchanges.c.citizen_box_id == citizen_box_id
        if state is not None:
            wanted = and_(wanted, exchanges.c.state == state.value)
        query = select(exchanges).where(wanted).order_by(exchanges.c.last_message_at.desc(), exchanges.c.id.desc())
        key = self._mailboxes.key(conn, citizen_box_id)
        return [_opened(row, key) for row in conn.execute(query)]

    # ---------------------------------------------------------------- write
    def open_or_reopen(
        self,
        tx: Transaction,
        citizen_box_id: int,
        contact: Contact,
        now: int,
        sender: Address | str | None = None,
        reply_until: int | None = None,
    ) -> Exchange:
        """A message that the citizen may answer arrived. `sender`: who wrote it, when a Reply-To named another contact.

        Whatever had closed the exchange is forgotten; `reply_until` (ms) is the message's reply window, None = no end.
        """
        contact_key = self._contact_key(citizen_box_id, contact.address)
        sender_key = contact_key if sender is None else self._contact_key(citizen_box_id, sender)
        found = self.get(tx.conn, citizen_box_id, contact.address)
        if found is not None and found.state is ExchangeState.OPEN and found.sender_key == contact_key:
            sender_key = contact_key  # what the contact opened is not taken over by whoever names them in a Reply-To
        if found is not None and (not contact.name or (sender is not None and found.contact.name)):
            contact = found.contact  # a message without a display name, or somebody else's, does not rename the contact
        tx.signal(TOPIC, citizen_box_id)
        opened = Exchange(
            id=found.id if found else 0,
            citizen_box_id=citizen_box_id,
            contact=contact,
            state=ExchangeState.OPEN,
            opened_at=found.opened_at if found else now,
            last_message_at=now,
            reply_until=reply_until,
            closed_at=None,
            closed_means=None,
            closed_by="",
            sender_key=sender_key,
        )
        if found is not None and replace(found, last_message_at=now) == opened:  # the usual case: one more message
            tx.execute(_TOUCH, {"box": citizen_box_id, "contact": contact_key, "now": now})
            return opened
        self._write(tx, opened, contact_key)
        return replace(opened, id=tx.execute(_ID, {"box": citizen_box_id, "contact": contact_key}).scalar_one())

    def _write(self, tx: Transaction, opened: Exchange, contact_key: bytes) -> None:
        key = self._mailboxes.key(tx.conn, opened.citizen_box_id)
        row = {
            "citizen_box_id": opened.citizen_box_id,
            "contact_key": contact_key,
            "sender_key": opened.sender_key,
            "sealed_contact": key.seal(json.dumps(asdict(opened.contact)).encode(), b"contact " + contact_key),
            "state": opened.state.value,
            "opened_at": opened.opened_at,
            "last_message_at": opened.last_message_at,
            "reply_until": opened.reply_until,
            "closed_at": None,
            "closed_means": None,
            "sealed_closed_by": None,
        }
        upsert(tx, exchanges, row, key=("citizen_box_id", "contact_key"), change=_REOPENED)

    def touch(self, tx: Transaction, citizen_box_id: int, address: Address | str, now: int) -> None:
        """A message passed that changes nothing else: the citizen's own, or one that cannot be answered."""
        contact_key = self._contact_key(citizen_box_id, address)
        tx.execute(_TOUCH, {"box": citizen_box_id, "contact": contact_key, "now": now})

    def close(
        self, tx: Transaction, citizen_box_id: int, address: Address | str, means: ClosedMeans, closed_by: str, now: int
    ) -> list[Exchange]:
        """Closes the exchange with the contact at `address`, and those that its messages opened for another (Reply-To).

        Returns those that were open; `closed_by` is the name that the citizen will read.
        """
        contact_key = self._contact_key(citizen_box_id, address)
        wanted = self._with(citizen_box_id, contact_key, also_sender=means is not ClosedMeans.CITIZEN)
        return self._close(tx, citizen_box_id, wanted, means, closed_by, now)

    def may_close(self, exchange: Exchange, address: Address | str) -> bool:
        """Whether a professional may close it: its contact, or whose message opened it for the contact (Reply-To)."""
        contact_key = self._contact_key(exchange.citizen_box_id, exchange.contact.address)
        return self._contact_key(exchange.citizen_box_id, address) in (contact_key, exchange.sender_key)

    def unblock(self, tx: Transaction, citizen_box_id: int, exchange_id: int) -> bool:
        """The citizen takes a block back; nobody else's closing is undone by it."""
        wanted = and_(
            exchanges.c.citizen_box_id == citizen_box_id,
            exchanges.c.id == exchange_id,
            exchanges.c.closed_means == ClosedMeans.CITIZEN.value,
        )
        values = {"state": ExchangeState.OPEN.value, "closed_at": None, "closed_means": None, "sealed_closed_by": None}
        if tx.execute(update(exchanges).where(wanted).values(**values)).rowcount == 0:
            return False
        tx.signal(TOPIC, citizen_box_id)
        return True

    def _close(
        self,
        tx: Transaction,
        citizen_box_id: int,
        wanted: ColumnElement[bool],
        means: ClosedMeans,
        closed_by: str,
        now: int,
    ) -> list[Exchange]:
        key = self._mailboxes.key(tx.conn, citizen_box_id)
        closed = {"state": ExchangeState.CLOSED.value, "closed_at": now, "closed_means": means.value}
        is_open = exchanges.c.state == ExchangeState.OPEN.value
        rows = tx.execute(select(exchanges).where(wanted, is_open).order_by(exchanges.c.id)).all()
        for row in rows:
            sealed_by = key.seal(closed_by.encode(), b"closed by " + row.contact_key)
            one = update(exchanges).where(exchanges.c.id == row.id)
            tx.execute(one.values(**closed, sealed_closed_by=sealed_by))
        if rows:
            tx.signal(TOPIC, citizen_box_id)
        return [
            replace(
                _opened(row, key), state=ExchangeState.CLOSED, closed_at=now, closed_means=means, closed_by=closed_by
            )
            for row in rows
        ]

    # ---------------------------------------------------------------- keys
    def _one(self, conn: Connection, query: Any, values: dict[str, Any]) -> Exchange | None:
        row = conn.execute(query, values).first()
        return None if row is None else _opened(row, self._mailboxes.key(conn, row.citizen_box_id))

    def _with(self, citizen_box_id: int, contact_key: bytes, also_sender: bool = False) -> ColumnElement[bool]:
        same = exchanges.c.contact_key == contact_key
        if also_sender:
            same = or_(same, exchanges.c.sender_key == contact_key)
        return and_(exchanges.c.citizen_box_id == citizen_box_id, same)

    def _contact_key(self, citizen_box_id: int, address: Address | str) -> bytes:
        parsed = parse_address(address) if isinstance(address, str) else address
        if isinstance(parsed, Invalid):
            raise ValueError(parsed.why)
        return self._keys.lookup("contact", f"{citizen_box_id} {parsed.key}")


def reply_contact(
    sender: Address, reply_to: Address | None, is_trusted_professional: Callable[[Address], bool]
) -> Address:
    """Whom the citizen will answer: the Reply-To when it names a trusted professional mailbox, else who wrote."""
    return reply_to if reply_to is not None and is_trusted_professional(reply_to) else sender


def _opened(row: Any, key: Key) -> Exchange:
    sealed_by = row.sealed_closed_by
    return Exchange(
        id=row.id,
        citizen_box_id=row.citizen_box_id,
        contact=Contact(**json.loads(key.open(row.sealed_contact, b"contact " + row.contact_key))),
        state=ExchangeState(row.state),
        opened_at=row.opened_at,
        last_message_at=row.last_message_at,
        reply_until=row.reply_until,
        closed_at=row.closed_at,
        closed_means=ClosedMeans(row.closed_means) if row.closed_means else None,
        closed_by="" if sealed_by is None else key.open(sealed_by, b"closed by " + row.contact_key).decode(),
        sender_key=row.sender_key,
    )


_OF_CITIZEN = exchanges.c.citizen_box_id == bindparam("box")
_WITH_CONTACT = and_(_OF_CITIZEN, exchanges.c.contact_key == bindparam("contact"))
_BY_CONTACT = select(exchanges).where(_WITH_CONTACT)
_BY_ID = select(exchanges).where(_OF_CITIZEN, exchanges.c.id == bindparam("exchange"))
_ID = select(exchanges.c.id).where(_WITH_CONTACT)
_TOUCH = update(exchanges).where(_WITH_CONTACT).values(last_message_at=bindparam("now"))
_REOPENED = tuple(
    sorted({column.name for column in exchanges.c} - {"id", "citizen_box_id", "contact_key", "opened_at"})
)

"""What became of a message, from its reception to the last verdict, for whoever asks the operator (docs/rules.md section 7).

Facts of the envelope and a few of the header: never the subject, never the content. Written in the transaction of the verdicts they
tell, so that any process can read them and none is lost. Sealed with the operator's registry key; found by time and by keyed hashes
of the Message-ID and of the addresses (`trace_index`). What happens later is a step: tries at another operator's, the verdict it
sends back, and the marks notified, opened, filed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from foundation.blobs import BlobRef
from foundation.database import Transaction
from foundation.keys import KeyRing, random_octets
from foundation.prepared import Prepared
from mailserver.delivery import trace_index
from mailserver.delivery.api import Envelope, Fate, Sender, Verdict
from mailserver.delivery.letter import Letter
from mailserver.delivery.tables import trace_marks, trace_steps, traces
from mailserver.delivery.trace_index import MARK, Place
from mssante.address import address_key
from mssante.identity import Invalid

_TRACE, _MARKS = Prepared(insert(traces)), Prepared(insert(trace_marks))

NOTIFIED, OPENED, FILED = "notified", "opened", "filed"
MARKS = frozenset({NOTIFIED, OPENED, FILED})  # after the verdict, beside it; each once for a recipient
FINAL = frozenset({"delivered", "closed", "refused", "failed", "called_off"})  # one for a recipient, never a second one


@dataclass(frozen=True, slots=True)
class Step:
    """One recipient at one moment: `state` is accepted, deferred, failed, called_off, delivered (the other operator says so), or
    one of `MARKS`; `said`: the peer's words.
    """

    at: int
    recipient: str
    state: str
    host: str | None = None
    reason: str | None = None
    status: str | None = None
    said: str | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """`recipients`: address, fate, reason's name; `author`: the From address; `size` in octets; times in ms; `blobs`: names of what
    was kept or left.
    """

    at: int
    reference: str
    message_id: str | None
    reverse_path: str
    author: str | None
    recipients: tuple[tuple[str, str, str | None], ...]
    door: str
    ip: str
    actor: str
    size: int
    headers: Mapping[str, str]
    blobs: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()

    def verdict(self, recipient: str) -> str:
        """Where it stands for this one: a fate, or how the last try ended; the first that is final stays."""
        found = next((fate for address, fate, _ in self.recipients if address == recipient), "")
        for step in self.steps:
            if same_address(step.recipient, recipient) and step.state not in MARKS and found not in FINAL:
                found = step.state
        return found

    def marks(self, recipient: str) -> dict[str, int]:
        """Mark -> when (ms)."""
        return {
            one.state: one.at for one in self.steps if one.state in MARKS and same_address(one.recipient, recipient)
        }


class Traces:
    """Writes them; those of one commit together."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    # ---------------------------------------------------------------- writing
    def received(
        self,
        tx: Transaction,
        envelope: Envelope,
        letter: Letter,
        verdicts: Iterable[Verdict],
        content: BlobRef,
        kept: Iterable[str],
        now: int,
    ) -> None:
        """`content` as it came in; `kept`: names of the contents in mailboxes here, or on their way to other operators."""
        author = letter.senders[0].text if letter.senders and letter.senders[0] else None
        told = [(one.recipient, one.fate.value, one.reason.name if one.reason else None) for one in verdicts]
        facts = _facts(envelope.sender, envelope.reverse_path, told) | {
            "reference": content.name[:16],
            "message_id": letter.digest.message_id,
            "author": author,
            "size": content.size,
            "headers": letter.x_mss,
            "blobs": sorted(kept),
        }
        self._keep(tx, facts, now)

    def refused(
        self, tx: Transaction, sender: Sender, reverse_path: str, recipient: str, reason: str, now: int
    ) -> None:
        """A recipient who was refused before there was a message."""
        facts = _facts(sender, reverse_path, [(recipient, Fate.REFUSED.value, reason)])
        self._keep(tx, facts, now)

    def _keep(self, tx: Transaction, facts: dict[str, Any], now: int) -> None:
        marks, name = b"".join(self._marks(facts)), random_octets(8)
        row = {"at": now, "name": name, "sealed": self._seal(facts, b"trace " + name)}
        tx.collect(self, (row, {"at": now, "name": name, "marks": marks}))

    def write(self, conn: Connection, items: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
        _TRACE.run_all(conn, [row for row, _ in items])
        _MARKS.run_all(conn, [marks for _, marks in items])

    def committed(self) -> None:
        pass

    def stepped(self, tx: Transaction, blob: str, steps: Sequence[Step], now: int) -> None:
        """`steps` of one moment, about the content of this name; their `at` is `now`."""
        told = [[one.recipient, one.state, one.host, one.reason, one.status, one.said] for one in steps]
        sealed = self._seal(told, b"step " + blob.encode())
        tx.execute(insert(trace_steps), {"blob": blob, "at": now, "sealed": sealed})

    def marked(self, tx: Transaction, blob: str, recipient: str, mark: str, now: int) -> bool:
        """`mark` of `MARKS`, once for a recipient of the content of this name; False when it was there."""
        if any(one.state == mark and same_address(one.recipient, recipient) for one in self._steps(tx.conn, blob)):
            return False
        self.stepped(tx, blob, [Step(now, recipient, mark)], now)
        return True

    # ---------------------------------------------------------------- reading
    def find(
        self, conn: Connection, message_id: str | None, address: str | None, since: int, until: int, limit: int
    ) -> list[Trace]:
        """The newest `limit` of [since, until[ (ms) that have all that is given, oldest first."""
        wanted = {self._message_id(message_id)} if message_id else set()
        wanted |= {self._address(address)} if address else set()
        found: list[Trace] = []
        for at, name in _places(conn, wanted, since, until, limit):
            sealed = conn.execute(select(traces.c.sealed).where(traces.c.at == at, traces.c.name == name)).scalar()
            if sealed is None:  # old, and its marks in a block with younger ones
                continue
            facts = json.loads(self._keys.registry.open(sealed, b"trace " + name))
            if self._marks(facts) >= wanted:
                found.append(self._trace(conn, facts | {"at": at}))
            if len(found) == limit:
                break
        return found[::-1]

    def _trace(self, conn: Connection, facts: dict[str, Any]) -> Trace:
        left = facts.pop("left", None)  # before `blobs`: only what went to other operators
        facts["blobs"] = tuple(facts.get("blobs") or ([left] if left else ()))
        facts["recipients"] = tuple(tuple(one) for one in facts["recipients"])
        steps = [step for blob in facts["blobs"] for step in self._steps(conn, blob)]
        return Trace(**facts, steps=tuple(sorted(steps, key=lambda step: step.at)))

    def _steps(self, conn: Connection, blob: str) -> Iterable[Step]:
        query = select(trace_steps).where(trace_steps.c.blob == blob).order_by(trace_steps.c.id)
        for row in conn.execute(query):
            for told in json.loads(self._keys.registry.open(row.sealed, b"step " + blob.encode())):
                yield Step(row.at, *told)

    # ---------------------------------------------------------------- parts
    def _seal(self, facts: Any, context: bytes) -> bytes:
        return self._keys.registry.seal(json.dumps(facts).encode(), context)

    def _marks(self, facts: dict[str, Any]) -> set[bytes]:
        addresses = {facts["reverse_path"], facts["author"], *(one[0] for one in facts["recipients"])} - {"", None}
        marks = {self._address(address) for address in addresses}
        return marks | {self._message_id(facts["message_id"])} if facts["message_id"] else marks

    def _address(self, text: str) -> bytes:
        return self._keys.lookup("trace address", address_form(text))[:MARK]

    def _message_id(self, text: str) -> bytes:
        return self._keys.lookup("trace message", text.strip().removeprefix("<").removesuffix(">"))[:MARK]


def _facts(sender: Sender, reverse_path: str, told: list[tuple[str, str, str | None]]) -> dict[str, Any]:
    """Of a `Trace`; the message's own are empty."""
    return {
        "reverse_path": reverse_path,
        "recipients": told,
        "door": sender.door.value,
        "ip": sender.client_ip,
        "actor": sender.actor,
        "reference": "",
        "message_id": None,
        "author": None,
        "size": 0,
        "headers": {},
    }


def address_form(address: str) -> str:
    """As the whole space compares addresses."""
    key = address_key(address)
    return address.lower() if isinstance(key, Invalid) else key


def same_address(address: str, other: str) -> bool:
    return address == other or address_form(address) == address_form(other)


def _places(conn: Connection, wanted: set[bytes], since: int, until: int, limit: int) -> list[Place]:
    """The newest first: all that have what is wanted, or without a wish `limit` of them."""
    if wanted:
        return sorted(
            set.intersection(*(trace_index.places(conn, mark, since, until) for mark in wanted)), reverse=True
        )
    newest = select(traces.c.at, traces.c.name).where(traces.c.at.between(since, until - 1))
    newest = newest.order_by(traces.c.at.desc(), traces.c.name.desc()).limit(limit)
    return [(row.at, row.name) for row in conn.execute(newest)]


def newest(conn: Connection) -> int:
    """When the last message was judged (ms); 0: none yet. No clock that is right says an earlier time now."""
    return conn.execute(select(func.max(traces.c.at))).scalar() or 0


def older(conn: Connection, before: int) -> int:
    """How many are older than `before` (ms)."""
    return conn.execute(select(func.count()).select_from(traces).where(traces.c.at < before)).scalar_one()


def forget(tx: Transaction, before: int) -> int:
    """What is older than `before` (ms) goes; returns how many traces."""
    trace_index.forget(tx, before)
    tx.execute(delete(trace_steps).where(trace_steps.c.at < before))
    return int(tx.execute(delete(traces).where(traces.c.at < before)).rowcount)

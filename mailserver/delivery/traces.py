"""What became of a message, from its reception to the last verdict, for whoever asks the operator (docs/rules.md section 7).

Facts of the envelope and a few of the header: never the subject, never the content. Written in the transaction of the verdicts they
tell, so that any process can read them and none is lost. Sealed with the operator's registry key; found by time and by keyed hashes
of the Message-ID and of the addresses.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, literal, select

from foundation.blobs import BlobRef
from foundation.database import Transaction
from foundation.keys import KeyRing
from foundation.prepared import Prepared
from mailserver.delivery.api import Envelope, Fate, Sender, Verdict
from mailserver.delivery.letter import Letter
from mailserver.delivery.tables import trace_marks, trace_steps, traces
from mssante.address import address_key
from mssante.identity import Invalid

_TRACE, _MARKS = Prepared(insert(traces)), Prepared(insert(trace_marks))
MARK = 8  # octets of a keyed hash: enough to pass over nearly all others' traces; what is opened is compared


@dataclass(frozen=True, slots=True)
class Step:
    """One recipient at one try: `state` is accepted, deferred, failed or called_off; `said`: the peer's words."""

    at: int
    recipient: str
    state: str
    host: str | None = None
    reason: str | None = None
    status: str | None = None
    said: str | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """`recipients`: address, fate, reason's name; `author`: the From address; `size` in octets; times in ms."""

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
    steps: tuple[Step, ...] = ()

    def verdict(self, recipient: str) -> str:
        """Where it stands for this one: a fate, or how the last try ended."""
        fate = next((fate for address, fate, _ in self.recipients if address == recipient), "")
        last = next((step.state for step in reversed(self.steps) if step.recipient == recipient), None)
        return last or fate


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
        left: BlobRef | None,
        now: int,
    ) -> None:
        """`content` as it came in; `left`: what goes to other operators, if any."""
        author = letter.senders[0].text if letter.senders and letter.senders[0] else None
        told = [(one.recipient, one.fate.value, one.reason.name if one.reason else None) for one in verdicts]
        facts = _facts(envelope.sender, envelope.reverse_path, told) | {
            "reference": content.name[:16],
            "message_id": letter.digest.message_id,
            "author": author,
            "size": content.size,
            "headers": letter.x_mss,
            "left": left.name if left else None,
        }
        self._keep(tx, facts, now)

    def refused(
        self, tx: Transaction, sender: Sender, reverse_path: str, recipient: str, reason: str, now: int
    ) -> None:
        """A recipient who was refused before there was a message."""
        facts = _facts(sender, reverse_path, [(recipient, Fate.REFUSED.value, reason)])
        self._keep(tx, facts, now)

    def _keep(self, tx: Transaction, facts: dict[str, Any], now: int) -> None:
        marks, name = b"".join(self._marks(facts)), os.urandom(8)
        row = {"at": now, "name": name, "sealed": self._seal(facts, b"trace " + name)}
        tx.collect(self, (row, {"at": now, "name": name, "marks": marks}))

    def write(self, conn: Connection, items: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
        _TRACE.run_all(conn, [row for row, _ in items])
        _MARKS.run_all(conn, [marks for _, marks in items])

    def committed(self) -> None:
        pass

    def stepped(self, tx: Transaction, blob: BlobRef, steps: Sequence[Step], now: int) -> None:
        """`steps` of one try; their `at` is `now`."""
        told = [[one.recipient, one.state, one.host, one.reason, one.status, one.said] for one in steps]
        sealed = self._seal(told, b"step " + blob.name.encode())
        tx.execute(insert(trace_steps), {"blob": blob.name, "at": now, "sealed": sealed})

    # ---------------------------------------------------------------- reading
    def find(
        self, conn: Connection, message_id: str | None, address: str | None, since: int, until: int, limit: int
    ) -> list[Trace]:
        """The newest `limit` of [since, until[ (ms) that have all that is given, oldest first."""
        wanted = [self._message_id(message_id)] if message_id else []
        wanted += [self._address(address)] if address else []
        marked = select(trace_marks.c.at, trace_marks.c.name).where(trace_marks.c.at.between(since, until - 1))
        for mark in wanted:
            marked = marked.where(_holds(conn, trace_marks.c.marks, mark))
        newest = marked.order_by(trace_marks.c.at.desc(), trace_marks.c.name.desc()).limit(limit).subquery()
        query = select(traces).join(newest, (traces.c.at == newest.c.at) & (traces.c.name == newest.c.name))
        rows = conn.execute(query.order_by(traces.c.at, traces.c.name)).all()
        opened = (
            json.loads(self._keys.registry.open(row.sealed, b"trace " + row.name)) | {"at": row.at} for row in rows
        )
        return [self._trace(conn, facts) for facts in opened if self._marks(facts) >= set(wanted)]

    def _trace(self, conn: Connection, facts: dict[str, Any]) -> Trace:
        left = facts.pop("left")
        facts["recipients"] = tuple(tuple(one) for one in facts["recipients"])
        return Trace(**facts, steps=() if left is None else tuple(self._steps(conn, left)))

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
        key = address_key(text)
        return self._keys.lookup("trace address", text.lower() if isinstance(key, Invalid) else key)[:MARK]

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
        "left": None,
    }


def _holds(conn: Connection, marks: Any, mark: bytes) -> ColumnElement[bool]:
    """It may also be found across two marks: whoever asks compares."""
    if conn.dialect.name == "sqlite":
        return func.instr(marks, mark) > 0
    return func.position(literal(mark).op("IN")(marks)) > 0


def forget(tx: Transaction, before: int) -> int:
    """What is older than `before` (ms) goes; returns how many traces."""
    tx.execute(delete(trace_marks).where(trace_marks.c.at < before))
    tx.execute(delete(trace_steps).where(trace_steps.c.at < before))
    return int(tx.execute(delete(traces).where(traces.c.at < before)).rowcount)

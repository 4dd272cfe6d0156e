"""What the members of a team see of each other's work: who answered a message, and the copy of what was sent in the team's name.

Messages are known by the keyed hash of their Message-ID, as in threads: an answer is one to the message, in whichever folder of the
mailbox it lies. Names are sealed with the mailbox's key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from foundation.clock import DAY
from foundation.database import Transaction
from foundation.keys import Key
from mailserver.store.api import Answer
from mailserver.store.insert import named
from mailserver.store.tables import answers, filed_copies, messages

EXPECTED = 2 * DAY  # how long a client may take to store its own copy of what it sent


def note_answer(tx: Transaction, key: Key, box_id: int, message_key: bytes, answer: Answer, again: bool) -> None:
    """`again`: a later answer of the same member takes the place of the earlier one; else the earlier one stays."""
    own = (answers.c.box_id == box_id, answers.c.message_key == message_key, answers.c.member == answer.member)
    if again:
        tx.execute(delete(answers).where(*own))
    elif tx.execute(select(answers.c.at).where(*own)).first() is not None:
        return
    row = {
        "box_id": box_id,
        "message_key": message_key,
        "member": answer.member,
        "at": answer.at,
        "sealed_actor": key.seal(answer.actor.encode(), _context(message_key, answer.member)),
    }
    tx.execute(insert(answers), row)


def known(tx: Transaction, box_id: int, message_key: bytes) -> bool:
    """Whether the mailbox has, or had, this message."""
    return bool(named(tx, box_id, (message_key,)))


def answers_to(
    conn: Connection, key: Key, box_id: int, message_keys: Sequence[bytes]
) -> dict[bytes, tuple[Answer, ...]]:
    """Of those that were answered, the oldest answer first."""
    found: defaultdict[bytes, list[Answer]] = defaultdict(list)
    query = select(answers).where(answers.c.box_id == box_id, answers.c.message_key.in_(message_keys))
    for row in conn.execute(query.order_by(answers.c.at)):
        actor = key.open(row.sealed_actor, _context(row.message_key, row.member)).decode()
        found[bytes(row.message_key)].append(Answer(row.member, actor, row.at))
    return {message_key: tuple(given) for message_key, given in found.items()}


def expect_copy(tx: Transaction, box_id: int, message_key: bytes, folder_id: int, uid: int, now: int) -> None:
    """A copy was filed in this folder; the sender's client may be about to store its own."""
    tx.execute(delete(filed_copies).where(filed_copies.c.box_id == box_id, filed_copies.c.at < now - EXPECTED))
    tx.execute(delete(filed_copies).where(*_copy(box_id, message_key)))
    row = {"box_id": box_id, "message_key": message_key, "folder_id": folder_id, "uid": uid, "at": now}
    tx.execute(insert(filed_copies), row)


def filed_copy(tx: Transaction, box_id: int, message_key: bytes, folder_id: int) -> int | None:
    """The UID of the copy that lies in this folder already; told once."""
    here = (messages.c.folder_id == folder_id, messages.c.uid == filed_copies.c.uid)
    query = select(filed_copies.c.uid).where(*_copy(box_id, message_key), filed_copies.c.folder_id == folder_id, *here)
    uid = tx.execute(query).scalar()
    if uid is not None:
        tx.execute(delete(filed_copies).where(*_copy(box_id, message_key)))
    return uid


def _copy(box_id: int, message_key: bytes) -> tuple[ColumnElement[bool], ...]:
    return filed_copies.c.box_id == box_id, filed_copies.c.message_key == message_key


def _context(message_key: bytes, member: int) -> bytes:
    return b"answer %d " % member + message_key

"""Short commands on the selected folder (RFC 3501 6.4, RFC 3691, RFC 4315, RFC 6851); FETCH, SEARCH, STORE stand apart."""

from __future__ import annotations

from dataclasses import dataclass

from mailserver.imap.grammar import Cursor
from mailserver.imap.sequences import SequenceSet


@dataclass(frozen=True, slots=True)
class Check:
    """RFC 3501 6.4.1."""


@dataclass(frozen=True, slots=True)
class Close:
    """RFC 3501 6.4.2: expunges in silence."""


@dataclass(frozen=True, slots=True)
class Unselect:
    """RFC 3691."""


@dataclass(frozen=True, slots=True)
class CancelUpdate:
    """RFC 5267 4.3.5: the tags of the searches that asked for updates."""

    tags: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Expunge:
    """RFC 3501 6.4.3; UID EXPUNGE (RFC 4315 2.1) gives `uids`."""

    uids: SequenceSet | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """RFC 3501 6.4.7; MOVE (RFC 6851) has the same words."""

    messages: SequenceSet
    name: str
    uid: bool


@dataclass(frozen=True, slots=True)
class Move:
    """RFC 6851 3."""

    messages: SequenceSet
    name: str
    uid: bool


def parse_uid_expunge(at: Cursor) -> Expunge:
    at.space()
    return Expunge(at.sequence_set())


def parse_cancel_update(at: Cursor) -> CancelUpdate:
    at.space()
    tags = [at.quoted()]
    while at.take(b" "):
        tags.append(at.quoted())
    return CancelUpdate(tuple(tags))


def parse_copy(at: Cursor, uid: bool = False) -> Copy:
    return Copy(*_messages_and_target(at, uid), uid)


def parse_move(at: Cursor, uid: bool = False) -> Move:
    return Move(*_messages_and_target(at, uid), uid)


def _messages_and_target(at: Cursor, uid: bool) -> tuple[SequenceSet, str]:
    at.space()
    messages = at.sequence_set(uid)
    at.space()
    return messages, at.mailbox()

"""STORE (RFC 3501 6.4.6) with UNCHANGEDSINCE (RFC 7162 3.1.3)."""

from __future__ import annotations

from dataclasses import dataclass

from mailserver.imap.grammar import Cursor, flags_of
from mailserver.imap.sequences import SequenceSet
from mailserver.store.api import FlagOp, Flags


@dataclass(frozen=True, slots=True)
class Store:
    messages: SequenceSet
    op: FlagOp
    flags: Flags
    silent: bool
    unchanged_since: int | None
    uid: bool


def parse_store(at: Cursor, uid: bool = False) -> Store:
    at.space()
    messages = at.sequence_set(uid)
    at.space()
    unchanged_since = None
    if at.take(b"("):
        if not at.take_word(b"UNCHANGEDSINCE "):
            at.fail("unknown STORE modifier")
        unchanged_since = at.mod_sequence()
        at.expect(b")")
        at.space()
    item, _, suffix = at.word().partition(b".")
    if item not in (b"FLAGS", b"+FLAGS", b"-FLAGS") or suffix not in (b"", b"SILENT"):
        at.fail("FLAGS, +FLAGS or -FLAGS expected")
    at.space()
    flags = at.flag_list() if at.at(b"(") else _bare_flags(at)
    return Store(messages, FlagOp(item.decode("ascii")), flags, suffix == b"SILENT", unchanged_since, uid)


def _bare_flags(at: Cursor) -> Flags:
    names = [at.flag()]
    while at.take(b" "):
        names.append(at.flag())
    return flags_of(names)

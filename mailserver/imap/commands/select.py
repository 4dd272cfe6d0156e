"""SELECT and EXAMINE (RFC 3501 6.3.1 and 6.3.2) with the parameters of RFC 7162 (3.1.8 CONDSTORE, 3.2.5 QRESYNC)."""

from __future__ import annotations

from dataclasses import dataclass

from mailserver.imap.grammar import Cursor
from mailserver.imap.sequences import SequenceSet


@dataclass(frozen=True, slots=True)
class Known:
    """What the client remembers of the folder: all of it up to `modseq`, the messages `uids` (None: all since the first)."""

    uid_validity: int
    modseq: int
    uids: SequenceSet | None


@dataclass(frozen=True, slots=True)
class Select:
    """`read_only`: EXAMINE."""

    name: str
    read_only: bool
    condstore: bool
    known: Known | None


def parse_select(at: Cursor, read_only: bool = False) -> Select:
    at.space()
    name = at.mailbox()
    parameters: dict[bytes, Known | None] = {}

    def parameter() -> None:
        word = at.word()
        if word in parameters or word not in (b"CONDSTORE", b"QRESYNC"):
            at.fail("unknown or repeated SELECT parameter")
        parameters[word] = _known(at) if word == b"QRESYNC" else None

    if at.take(b" "):
        at.parenthesised(parameter)
    return Select(name, read_only, bool(parameters), parameters.get(b"QRESYNC"))


def _known(at: Cursor) -> Known:
    """UIDVALIDITY, MODSEQ, known UIDs, then pairs of numbers and UIDs.

    The pairs would spare a server that forgets its expunges; this one never does: they are read and not needed (3.2.5.2).
    """
    at.space()
    at.expect(b"(")
    validity = at.nz_number()
    at.space()
    modseq = at.mod_sequence()
    uids = None
    if at.take(b" ") and not at.at(b"("):
        uids = at.sequence_set()
        at.take(b" ")
    if at.take(b"("):
        numbers = at.sequence_set(uid=False)
        at.space()
        known = at.sequence_set()
        at.expect(b")")
        if numbers.starred or known.starred or numbers.count() != known.count():
            at.fail("as many message numbers as UIDs expected")
    at.expect(b")")
    if modseq == 0 or (uids is not None and uids.starred):
        at.fail("a MODSEQ above zero and UIDs without * expected")
    return Known(validity, modseq, uids)

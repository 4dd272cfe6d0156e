"""SELECT and EXAMINE (RFC 3501 6.3.1 and 6.3.2) with the parameters of RFC 7162 (3.1.8 CONDSTORE, 3.2.5 QRESYNC)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailserver.imap.grammar import Cursor
from mailserver.imap.sequences import SequenceSet

NONE = SequenceSet(())


@dataclass(frozen=True, slots=True)
class Known:
    """What the client remembers of the folder: all of it up to `modseq`, the messages `uids` (None: all since the first).

    `sample`: some of its message numbers and their UIDs, for a server that has forgotten what went before `modseq` (3.2.5.2).
    """

    uid_validity: int
    modseq: int
    uids: SequenceSet | None
    sample: tuple[SequenceSet, SequenceSet] | None = None

    def unchanged(self, uids: Sequence[int]) -> int:
        """The UID up to which a folder of `uids` (ascending) has lost nothing, by the sample; 0 when it says nothing."""
        found = before = 0
        numbers, known = self.sample or (NONE, NONE)
        for number, uid in zip(numbers.each(), known.each(), strict=True):
            if not before < number <= len(uids):  # both ascend (3.2.5.2)
                break
            before = number
            found = uid if uids[number - 1] == uid else found
        return found


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
    """UIDVALIDITY, MODSEQ, known UIDs, then pairs of numbers and UIDs."""
    at.space()
    at.expect(b"(")
    validity = at.nz_number()
    at.space()
    modseq = at.mod_sequence()
    uids = sample = None
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
        sample = numbers, known
    at.expect(b")")
    if modseq == 0 or (uids is not None and uids.starred):
        at.fail("a MODSEQ above zero and UIDs without * expected")
    return Known(validity, modseq, uids, sample)

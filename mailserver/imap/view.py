"""What one session believes of its selected folder: message numbers, flags, and the news not told yet.

RFC 3501 2.3.1.2 and 7.4.1: message numbers only change by the EXPUNGE responses that this session was sent, and none may be
sent while a FETCH, STORE or SEARCH is answered. So the view keeps a message that is gone until it may say so. Columns, not
objects: a folder of 10,000 messages costs an idle session 300 KB. No store and no protocol here.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from mailserver.imap.responses import SYSTEM_FLAGS, Exists, Expunge, FolderFlags, Ok, Response, Untagged, flag_text
from mailserver.store.api import Changes, Flag, Folder, FolderStatus, Row

NO_KEYWORDS: frozenset[str] = frozenset()


class FolderView:
    """Columns in UID order; index i is message number i + 1."""

    def __init__(self, folder: Folder, read_only: bool, status: FolderStatus, rows: Sequence[Row]) -> None:
        self.folder = folder
        self.read_only = read_only
        self.uids = array("I", [row.uid for row in rows])
        self.modseqs = array("Q", [row.modseq for row in rows])
        self.system = array("B", [row.flags.system for row in rows])
        self.dates = array("q", [row.internal_date for row in rows])
        self.sizes = array("Q", [row.size for row in rows])
        self.keywords: dict[int, frozenset[str]] = {}  # by UID; most messages have none
        self.known_keywords: dict[str, str] = {}  # lower case -> as first seen
        self.highest_modseq = status.highest_modseq
        self.uid_next = status.uid_next  # at SELECT
        self._gone: set[int] = set()  # UIDs expunged, not told yet
        self._changed: set[int] = set()  # UIDs whose flags changed elsewhere, not told yet
        self._new_keywords = False
        for row in rows:
            if row.flags.keywords:
                self._keep_keywords(row)
        self._told = len(self.uids)  # the last EXISTS
        self._new_keywords = False

    def __len__(self) -> int:
        return len(self.uids)

    # ---------------------------------------------------------------- questions
    def index_of(self, uid: int) -> int | None:
        index = bisect_left(self.uids, uid)
        return index if index < len(self.uids) and self.uids[index] == uid else None

    def flags_text(self, index: int) -> bytes:
        return flag_text(self.system[index], self.keywords.get(self.uids[index], NO_KEYWORDS))

    def flag_texts(self, indices: Sequence[int]) -> list[bytes]:
        """`flags_text` of many: nearly all messages have one of a few sets of system flags."""
        if self.keywords:
            return [self.flags_text(i) for i in indices]
        texts = {system: flag_text(system, NO_KEYWORDS) for system in set(self.system)}
        return [texts[self.system[i]] for i in indices]

    def first_unseen(self) -> int | None:
        """The message number for SELECT's UNSEEN."""
        return next((i + 1 for i, system in enumerate(self.system) if not system & Flag.SEEN), None)

    def folder_flags(self) -> tuple[Response, Response]:
        """FLAGS and PERMANENTFLAGS."""
        flags = FolderFlags(tuple(self.known_keywords.values()))
        kept = "" if self.read_only else " ".join((SYSTEM_FLAGS, *flags.keywords, "\\*"))
        return flags, Untagged(Ok("flags kept", f"PERMANENTFLAGS ({kept})"))

    # ---------------------------------------------------------------- what happened
    def learn(self, changes: Changes) -> None:
        """News from the store, to be told later by `news`."""
        for row in changes.changed:
            if not self.uids or row.uid > self.uids[-1]:
                self._add(row)
            elif self._update(row):
                self._changed.add(row.uid)
        self.expunged(changes.vanished)
        self.highest_modseq = max(self.highest_modseq, changes.highest_modseq)

    def own_change(self, rows: Iterable[Row]) -> None:
        """Flags that this session's own command set; the command itself answers them."""
        for row in rows:
            self._update(row)
            self._changed.discard(row.uid)

    def expunged(self, uids: Iterable[int]) -> None:
        self._gone.update(uid for uid in uids if self.index_of(uid) is not None)

    def news(self, expunge: bool, modseq: bool) -> Iterator[Response]:
        """Everything not told yet; EXPUNGEs only when `expunge` allows; MODSEQ in FETCH when `modseq` (RFC 7162 3.2.4)."""
        if expunge and self._gone:
            yield from self._expunges()
        if len(self.uids) != self._told:
            self._told = len(self.uids)
            yield Exists(self._told)
        yield from self.keyword_news()
        changed, self._changed = self._changed, set()
        for uid in sorted(changed):
            index = self.index_of(uid)
            if index is not None:
                yield self.flags_response(index, uid=False, flags=True, modseq=modseq)

    def keyword_news(self) -> Iterator[Response]:
        """A FLAGS and a PERMANENTFLAGS line when a keyword appeared, ahead of the FETCH that has it (RFC 3501 7.2.6)."""
        if self._new_keywords:
            self._new_keywords = False
            yield from self.folder_flags()

    def flags_response(self, index: int, uid: bool, flags: bool, modseq: bool) -> bytes:
        """An untagged FETCH of flags."""
        items = []
        if uid:
            items.append(b"UID %d" % self.uids[index])
        if flags:
            items.append(b"FLAGS (%b)" % self.flags_text(index))
        if modseq:
            items.append(b"MODSEQ (%d)" % self.modseqs[index])
        return b"* %d FETCH (%b)\r\n" % (index + 1, b" ".join(items))

    # ---------------------------------------------------------------- inside
    def _expunges(self) -> Iterator[Expunge]:
        """From the last to the first: no number said is touched by the ones said before it."""
        gone, self._gone = self._gone, set()
        indices = sorted(bisect_left(self.uids, uid) for uid in gone)
        kept = [i for i in range(len(self.uids)) if self.uids[i] not in gone]
        for name in ("uids", "modseqs", "system", "dates", "sizes"):
            column = getattr(self, name)
            setattr(self, name, array(column.typecode, [column[i] for i in kept]))
        for uid in gone:
            self.keywords.pop(uid, None)
        self._told -= len(indices)
        for index in reversed(indices):
            yield Expunge(index + 1)

    def _add(self, row: Row) -> None:
        self.uids.append(row.uid)
        self.modseqs.append(row.modseq)
        self.system.append(row.flags.system)
        self.dates.append(row.internal_date)
        self.sizes.append(row.size)
        if row.flags.keywords:
            self._keep_keywords(row)

    def _update(self, row: Row) -> bool:
        """False when the row is not here or says nothing new."""
        index = self.index_of(row.uid)
        if index is None or row.modseq <= self.modseqs[index]:
            return False
        self.modseqs[index] = row.modseq
        self.system[index] = row.flags.system
        if row.flags.keywords or row.uid in self.keywords:
            self._keep_keywords(row)
        return True

    def _keep_keywords(self, row: Row) -> None:
        """One spelling of a keyword for the whole folder: the first seen."""
        for keyword in sorted(row.flags.keywords):
            if keyword.lower() not in self.known_keywords:
                self.known_keywords[keyword.lower()] = keyword
                self._new_keywords = True
        self.keywords[row.uid] = frozenset(self.known_keywords[keyword.lower()] for keyword in row.flags.keywords)

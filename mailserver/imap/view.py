"""What one session believes of its selected folder: message numbers, flags, and the news not told yet.

RFC 3501 2.3.1.2 and 7.4.1: message numbers only change by the EXPUNGE responses that this session was sent, and none may be
sent while a FETCH, STORE or SEARCH is answered. So the view keeps a message that is gone until it may say so. The columns are
shared with the other sessions of the process (`store.columns`); a view has its own only between an expunge elsewhere and the
word about it. No store and no protocol here.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mailserver.imap.modes import Modes
from mailserver.imap.responses import Ok, Response, Untagged
from mailserver.imap.responses_messages import Exists, Expunge, FolderFlags, Vanished, flag_text
from mailserver.imap.rights import permanent_flags
from mailserver.imap.wire import runs
from mailserver.store import flags as flag_rules
from mailserver.store.api import Flag, Folder, StoreResult
from mailserver.store.columns import Columns
from mssante.rights import ALL, Rights

NO_KEYWORDS: frozenset[str] = frozenset()
LINES = 1000  # answered in one piece: about 64 KB


class FolderView:
    """Columns in UID order; index i is message number i + 1."""

    def __init__(
        self,
        folder: Folder,
        read_only: bool,
        columns: Columns,
        rights: Rights = frozenset(ALL),
        team: bool = False,
    ) -> None:
        self.folder = folder
        self.team = team  # its flags are several people's
        self.read_only = read_only  # by EXAMINE
        self.rights = rights
        self.columns = columns  # as the client counts them, and messages not told yet behind
        self.saved: Sequence[int] = ()  # UIDs, ascending: `$` (RFC 5182)
        self._now = columns  # as the store has them
        self._gone: Sequence[int] = ()  # UIDs expunged, not told yet
        self._changed: set[int] = set()  # UIDs whose flags changed elsewhere, not told yet
        self._told = len(columns)  # the last EXISTS
        self._keywords_told: Sequence[str] | None = self._words

    def __len__(self) -> int:
        return len(self.columns)

    # ---------------------------------------------------------------- columns
    @property
    def uids(self) -> array[int]:
        return self.columns.uids

    @property
    def modseqs(self) -> array[int]:
        return self.columns.modseqs

    @property
    def system(self) -> array[int]:
        return self.columns.system

    @property
    def dates(self) -> array[int]:
        return self.columns.dates

    @property
    def sizes(self) -> array[int]:
        return self.columns.sizes

    @property
    def keywords(self) -> Mapping[int, frozenset[str]]:
        return self.columns.keywords

    @property
    def highest_modseq(self) -> int:
        """All changes up to it are known here."""
        return self._now.modseq

    @property
    def uid_next(self) -> int:
        return self._now.status.uid_next

    # ---------------------------------------------------------------- questions
    def index_of(self, uid: int) -> int | None:
        return self.columns.index_of(uid)

    @property
    def gone(self) -> frozenset[int]:
        """UIDs expunged, and the client not told yet."""
        return frozenset(self._gone)

    def flags_text(self, index: int) -> bytes:
        columns = self.columns
        return flag_text(columns.system[index], columns.keywords.get(columns.uids[index], NO_KEYWORDS))

    def flag_texts(self, indices: Sequence[int]) -> list[bytes]:
        """`flags_text` of many: nearly all messages have one of a few sets of system flags."""
        if self.keywords:
            return [self.flags_text(i) for i in indices]
        system = picked(self.system, indices)
        texts = {flags: flag_text(flags, NO_KEYWORDS) for flags in set(system)}
        return [texts[flags] for flags in system]

    def first_unseen(self) -> int | None:
        """The message number for SELECT's UNSEEN."""
        return next((i + 1 for i, system in enumerate(self.system) if not system & Flag.SEEN), None)

    def folder_flags(self) -> tuple[Response, Response]:
        """FLAGS and PERMANENTFLAGS. Others can also exist (RFC 3501 7.2.6)."""
        flags = FolderFlags(self._words)
        kept = "" if self.read_only else permanent_flags(self.rights, tuple(flags.keywords))
        told = "flags kept for the whole team, \\Seen too" if self.team else "flags kept"
        return flags, Untagged(Ok(told, f"PERMANENTFLAGS ({kept})"))

    @property
    def marks_seen(self) -> bool:
        """Reading leaves a mark."""
        return not self.read_only and "s" in self.rights

    def allow(self, rights: Rights) -> None:
        """The member's rights now; the client is told what that changes (RFC 4314 5.1.1)."""
        if rights != self.rights:
            self.rights, self._keywords_told = rights, None

    # ---------------------------------------------------------------- what happened
    def learn(self, columns: Columns, own: StoreResult | None = None) -> None:
        """News from the store, to be told later by `news`; not what `own`, a STORE of this session, did: its answer tells."""
        before, since = self.columns, self.highest_modseq
        if own is None or since != own.previous or columns.modseq != own.modseq:
            done = own.modseq if own is not None and since >= own.previous else None
            for uid in columns.changed_since(since):
                index = before.index_of(uid)
                if index is not None and (done is None or columns.modseqs[columns.index_of(uid) or 0] != done):
                    self._changed.add(uid)
        self._gone = columns.gone_from(before)
        self.columns = columns.with_gone(before, self._gone) if self._gone else columns
        self._now = columns

    def told(self, uids: Iterable[int]) -> None:
        """A command answered the flags of these."""
        self._changed.difference_update(uids)

    @property
    def last_told(self) -> int:
        """The UID of the last message that the client counts; 0 of none."""
        return self.uids[self._told - 1] if self._told else 0

    @property
    def settled(self) -> bool:
        """The client knows all that this view does."""
        told = not self._gone and not self._changed and len(self) == self._told
        return told and self._words == self._keywords_told

    def news(self, expunge: bool, modes: Modes, flags: bool = True, uid: bool = False) -> Iterator[Response]:
        """Everything not told yet; EXPUNGEs only when `expunge` allows; changed `flags`, with the `uid`, or none of them."""
        if expunge and self._gone:
            yield from self._expunges(modes)
        if len(self) != self._told:
            self._told = len(self)
            yield Exists(self._told)
        changed, self._changed = self._changed, set()
        if not flags:
            return
        yield from self.keyword_news()
        indices = [index for uid in sorted(changed) if (index := self.index_of(uid)) is not None]
        yield from self.flags_responses(indices, modes, uid)

    def keyword_news(self) -> Iterator[Response]:
        """A FLAGS and a PERMANENTFLAGS line when a keyword appeared, ahead of the FETCH that has it (RFC 3501 7.2.6)."""
        if self._words != self._keywords_told:
            self._keywords_told = self._words
            yield from self.folder_flags()

    @property
    def _words(self) -> Sequence[str]:
        """Keywords as they are told: those of the folder since it was looked at; if these are too many, those in use, not all."""
        known, most = self.columns.known, flag_rules.KEYWORDS_PER_FOLDER
        if len(known) <= most:
            return tuple(known.values())
        used = {word.lower() for some in set(self.keywords.values()) for word in some}
        return tuple(word for lower, word in known.items() if lower in used)[:most]

    def flags_responses(
        self, indices: Sequence[int], modes: Modes, uid: bool = False, flags: bool = True
    ) -> Iterator[bytes]:
        """Untagged FETCHes of flags, many in one piece; with the UID and the MODSEQ when `modes` say so (RFC 7162 3.2.4)."""
        uid, modseq = (uid or modes.says_uid) and not modes.uid_only, modes.condstore
        items = [
            form for wanted, form in ((uid, b"UID %d"), (flags, b"FLAGS (%b)"), (modseq, b"MODSEQ (%d)")) if wanted
        ]
        form = fetch_head(modes) + b" ".join(items) + b")\r\n"
        for start in range(0, len(indices), LINES):
            some = indices[start : start + LINES]
            values: list[Sequence[object]] = [self.numbers(some, modes)]
            values += [picked(self.uids, some)] * uid + [self.flag_texts(some)] * flags
            values += [picked(self.modseqs, some)] * modseq
            yield b"".join([form % line for line in zip(*values, strict=True)])

    def numbers(self, indices: Sequence[int], modes: Modes) -> Sequence[int]:
        """How the messages are called in front of FETCH, or of UIDFETCH."""
        return picked(self.uids, indices) if modes.uid_only else [index + 1 for index in indices]

    # ---------------------------------------------------------------- inside
    def _expunges(self, modes: Modes) -> Iterator[Response]:
        """From the last to the first: no number said is touched by the ones said before it."""
        numbers = [index + 1 for uid in self._gone if (index := self.index_of(uid)) is not None]
        gone, self.columns, self._gone = self._gone, self._now, ()
        self._told -= len(numbers)
        if modes.vanishes:
            yield Vanished(runs(gone))
            return
        for number in reversed(numbers):
            yield Expunge(number)


def fetch_head(modes: Modes) -> bytes:
    return b"* %d UIDFETCH (" if modes.uid_only else b"* %d FETCH ("


def picked(column: array[int], indices: Sequence[int]) -> Sequence[int]:
    """The values at these indices; a slice when they follow each other."""
    if isinstance(indices, range) and indices.step == 1:
        return column[indices.start : indices.stop]
    return [column[i] for i in indices]

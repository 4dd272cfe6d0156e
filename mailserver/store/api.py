"""The mail store: the one narrow interface between the doors and what is kept.

Two implementations, one test suite: `store.sql.SqlMailStore` and `store.memory.MemoryMailStore`.
Vocabulary: a *box* is an MSSanté mailbox (PER, CAB, ORG, APP, citizen; `mssante.mailboxes`), a *folder* is what IMAP
calls a mailbox (RFC 9051 section 2.3). Every key below starts with one of the two, so nothing crosses boxes.
Methods stand in the order of RFC 9051. UIDs, MODSEQs and expunges follow RFC 9051 2.3.1 and RFC 7162 to the letter:
a UID is never used twice, a MODSEQ never goes back, UIDVALIDITY never changes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntFlag
from typing import TYPE_CHECKING, NamedTuple, Protocol

from foundation.values import value
from mssante.rights import Rights

if TYPE_CHECKING:
    from mailserver.store.columns import Columns


class Flag(IntFlag):
    """System flags (RFC 9051 2.3.2) as one integer column; keywords stand beside it as text."""

    SEEN = 1
    ANSWERED = 2
    FLAGGED = 4
    DELETED = 8
    DRAFT = 16


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of one message: system bits and keywords (case kept as first seen, compared without case)."""

    system: Flag = Flag(0)  # noqa: RUF009 (an immutable value)
    keywords: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Folder:
    id: int
    box_id: int
    name: str  # hierarchy separator "/", Unicode; "INBOX" exactly so
    uid_validity: int
    special_use: str | None = None  # "\\Sent", "\\Drafts", ... (RFC 6154)
    subscribed: bool = True
    # number of a member (credential) -> rights in this folder, where they differ from those of the role (`mssante.rights`)
    acl: Mapping[int, Rights] = field(default_factory=dict, hash=False)
    # number of a member of a team -> whether they subscribe, where they said so
    subscriptions: Mapping[int, bool] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """What SELECT and STATUS report; `size` in octets (RFC 8438)."""

    messages: int
    unseen: int
    deleted: int
    uid_next: int
    uid_validity: int
    highest_modseq: int
    size: int


@dataclass(frozen=True, slots=True)
class Row:
    """The narrow row of a message: all that FETCH needs without any decryption."""

    uid: int
    modseq: int
    flags: Flags
    internal_date: int  # seconds since the epoch, UTC
    size: int  # RFC822.SIZE in octets


@value
class Card:
    """What delivery rendered once (`mailserver.mime.card`), wire bytes ready to be sent; encrypted at rest.

    `envelope`, `body` and `body_structure` are the parenthesised lists of RFC 9051 7.5.2; `header` is the message's header
    block with its blank line; `parts` maps a section number ("1", "2.1") to offsets in the message.
    """

    envelope: bytes
    body: bytes
    body_structure: bytes
    header: bytes
    preview: str
    parts: Mapping[str, PartOffsets] = field(default_factory=dict)


class Front(NamedTuple):
    """Of a card, what lists of messages show: cheaper to open than the whole."""

    envelope: bytes
    body_structure: bytes


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message comes from; never changes while it has its UID.

    `email` and `thread` are numbers within the house, the same for all copies of a message and all messages of a thread
    (RFC 8474); `saved_at` is when it came into this folder (RFC 8514), in seconds since the epoch, 0 when that was not kept.
    """

    email: int
    thread: int
    saved_at: int


@value
class PartOffsets:
    """Offsets in octets from the start of the message: header [header, body), body [body, end)."""

    header: int
    body: int
    end: int
    encoding: str = "7bit"  # Content-Transfer-Encoding, lower case
    media_type: str = "text/plain"


class Spool(Protocol):
    """Octets on their way in, kept sealed as they come, so that a large message never stands in memory; not a message yet."""

    @property
    def size(self) -> int: ...

    def write(self, octets: bytes | memoryview) -> None:
        """Never raises: what the disk refuses is told when the message is stored."""
        ...

    def end(self) -> None:
        """All was written; it may wait for the rest of its command, and holds nothing but its place on the disk."""
        ...

    def pieces(self) -> Iterator[bytes]:
        """All that was written; blocks."""
        ...

    def discard(self) -> None:
        """Forgets it, unless it was stored."""
        ...


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message about to be stored; `content` is the whole RFC 5322 octets.

    NUL is in no message that a mail client reads (RFC 3501 4.3): a part with the transfer encoding « binary » that holds one is
    stored in base64; elsewhere it is refused with UNKNOWN-CTE (RFC 3516 4.4).
    """

    content: bytes | Spool
    flags: Flags = Flags()
    internal_date: int = 0  # seconds since the epoch; 0 = now

    @property
    def size(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else self.content.size


class FlagOp(Enum):
    SET = "FLAGS"
    ADD = "+FLAGS"
    REMOVE = "-FLAGS"
    SET_OTHERS = "FLAGS, \\Deleted stays as it is"  # RFC 4314 4: without the right « t »


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened in a folder after a MODSEQ: rows new or changed, UIDs gone (RFC 7162 3.2).

    What went up to `forgotten` is not remembered any more (`forgetting`): after an older MODSEQ, `vanished` is not all.
    """

    changed: list[Row]
    vanished: list[int]
    highest_modseq: int
    forgotten: int = 0


@dataclass(frozen=True, slots=True)
class StoreResult:
    """Messages that had these flags already keep their MODSEQ; when all had, `modseq` is `previous`."""

    previous: int  # the folder's highest MODSEQ before
    modseq: int  # and after: that of the messages changed
    modified: list[int]  # UIDs left alone because of UNCHANGEDSINCE (RFC 7162 3.1.3)


@dataclass(frozen=True, slots=True)
class CopyResult:
    """`fault`: why a MOVE to another mailbox ended half-way; the messages named here were moved (RFC 6851 3.3)."""

    uid_validity: int  # of the target (RFC 4315 COPYUID)
    source: list[int]
    target: list[int]
    fault: StoreError | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Of a member of a team: their number, their name, when (ms)."""

    member: int
    actor: str
    at: int


class StoreError(Exception):
    """A wish the store refuses. `code` is the RFC 9051 7.1 response code:
    NONEXISTENT, ALREADYEXISTS, CANNOT, OVERQUOTA, INUSE, NOPERM, UNAVAILABLE, UNKNOWN-CTE, EXPUNGEISSUED."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class MailStore(Protocol):
    """Folders and messages of all boxes. Every method that writes returns after its data is on disk."""

    # folders
    async def folders(self, box_id: int) -> list[Folder]: ...
    async def create(self, box_id: int, name: str, special_use: str | None = None) -> Folder: ...
    async def delete(self, box_id: int, name: str) -> None: ...
    async def rename(self, box_id: int, name: str, new_name: str) -> None: ...
    async def subscribe(self, box_id: int, name: str, subscribed: bool, member: int = 0) -> None:
        """`member`: for them alone, of a team; 0: for who has the mailbox."""
        ...

    async def set_rights(self, box_id: int, folder_id: int, member: int, rights: Rights | None, by: int) -> None:
        """Of one member in one folder; None: those of the role. `by`: the member who decides, for the audit trail.

        A new folder has the rights of the one above it (RFC 4314 4).
        """
        ...

    async def lost(self, box_id: int) -> list[str]:
        """Names that are subscribed and whose folder was deleted (RFC 9051 6.3.7: the subscription stays)."""
        ...

    async def status(self, folder_id: int) -> FolderStatus: ...
    async def statuses(self, box_id: int) -> dict[int, FolderStatus]:
        """Of all folders of the box by id, in one read."""
        ...

    async def deleted_sizes(self, folder_ids: Sequence[int]) -> dict[int, int]:
        """Octets that EXPUNGE would give back, by folder, in one read (RFC 9208 4.1.4); it counts, the status does not."""
        ...

    # annotations (RFC 5464); `member` is who asks: /private entries are theirs alone; folder 0 is the server
    async def annotations(self, box_id: int, member: int, folder_ids: Sequence[int]) -> dict[int, dict[str, bytes]]:
        """By folder, values by entry's name in lower case, in one read; nothing of another box's folder."""
        ...

    async def annotate(self, box_id: int, member: int, folder_id: int, values: Mapping[str, bytes | None]) -> None:
        """All or nothing; a value of None takes the entry away."""
        ...

    # messages, read
    async def look(self, folder_id: int) -> Columns:
        """The folder as it is now, its columns shared with the other sessions of this process (SELECT, NOOP, IDLE)."""
        ...

    async def rows(self, folder_id: int) -> tuple[FolderStatus, list[Row]]:
        """All narrow rows in UID order with the status they belong to, from one snapshot."""
        ...

    async def changes(self, folder_id: int, since_modseq: int) -> Changes: ...

    def cards(self, folder_id: int, uids: Sequence[int]) -> AsyncIterator[tuple[int, Card]]:
        """Cards in ascending UID order, fetched in batches; UIDs that no longer exist are skipped."""
        ...

    async def fronts(self, folder_id: int, uids: Sequence[int]) -> dict[int, Front]:
        """By UID, in one read; UIDs that no longer exist are skipped."""
        ...

    async def origins(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, Origin]]:
        """In ascending UID order, in one read; UIDs that no longer exist are skipped."""
        ...

    async def content(self, folder_id: int, uid: int, offset: int = 0, length: int | None = None) -> bytes | None:
        """Octets of the stored message from `offset`; None when the message is gone."""
        ...

    async def contents(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, Card, bytes]]:
        """(uid, card, whole octets) in ascending UID order, in one read; UIDs that no longer exist are skipped.

        All of it is held in memory: the caller bounds the sum of the sizes, and reads large messages by `content`.
        """
        ...

    async def octets(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        """`contents` without the cards."""
        ...

    def texts(self, folder_id: int, uids: Sequence[int]) -> AsyncIterator[tuple[int, str, str]]:
        """(uid, decoded headers, decoded body text), as `mime.words.comparable` makes them; extracted at delivery."""
        ...

    async def heads(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        """The headers of `texts` in UTF-8, one field a line (`subject: ...`), in ascending UID order, in one read; UIDs that no
        longer exist are skipped."""
        ...

    async def bodies(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        """The bodies of `texts`, as `heads`; each at most 1 MB, the caller bounds how many."""
        ...

    # messages, write
    def spool(self, box_id: int, expected: int = 0) -> Spool:
        """`expected` octets, when that is known. Raises `StoreError` LIMIT when too much is on its way into the box."""
        ...

    async def append(self, folder_id: int, messages: Sequence[NewMessage], team: bool = False) -> list[int]:
        """Stores all or nothing; returns the UIDs (APPENDUID). `team`: of a copy of what was sent, that lies in this folder already
        (docs/rules.md section 2), the UID is that copy's, and no second one is stored."""
        ...

    async def replace(self, folder_id: int, uid: int, target_folder_id: int, message: NewMessage, by: int = 0) -> int:
        """The message takes the place of the one with `uid`, in one step (RFC 8508 3.4); returns its UID in the target, which may
        be in another mailbox. `by` as in `carry`."""
        ...

    async def store_flags(
        self, folder_id: int, uids: Sequence[int], op: FlagOp, flags: Flags, unchanged_since: int | None = None
    ) -> StoreResult: ...

    async def copy(
        self, folder_id: int, uids: Sequence[int], target_folder_id: int, actor: str = "", undeleted: bool = False
    ) -> CopyResult:
        """`actor`: who acts (`mssante.credentials`), for the exchange that a move or copy to « Conversations closes » ends.
        `undeleted`: \\Deleted is left behind (RFC 4314 4)."""
        ...

    async def move(
        self, folder_id: int, uids: Sequence[int], target_folder_id: int, actor: str = "", undeleted: bool = False
    ) -> CopyResult: ...

    async def carry(
        self, folder_id: int, uids: Sequence[int], target_folder_id: int, by: int, leave: bool, undeleted: bool = False
    ) -> CopyResult:
        """COPY, or MOVE (not `leave`), to a folder of another mailbox: sealed with its key, charged to its quota. Any number, some
        at a time, so that deliveries go on. A COPY that cannot be ended takes back what it made (RFC 9051 6.4.7); a MOVE ends
        half-way, each message in one of the two. Goes on to its end when the caller is lost.

        `by`: the member who carries, for the audit trail; their rights in both were looked at. No exchange goes along.
        """
        ...

    # of a team (docs/rules.md section 2)
    async def answered(self, folder_id: int, uids: Sequence[int], member: int, actor: str) -> None:
        """A member set \\Answered: noted, unless an answer of theirs is."""
        ...

    async def answers(self, folder_id: int, uids: Sequence[int]) -> dict[int, tuple[Answer, ...]]:
        """By UID, of the messages that were answered, the oldest answer first."""
        ...

    async def expunge(self, folder_id: int, uids: Sequence[int] | None = None) -> list[int]:
        """Removes messages with \\Deleted (only those of `uids` when given); returns the UIDs removed."""
        ...

    # quota and changes
    async def quota(self, box_id: int) -> tuple[int, int]:
        """(used, limit) in octets."""
        ...

    async def set_quota(self, box_id: int, octets: int, by: int) -> None:
        """Refused when more is used: nothing is ever deleted to make room. `by`: the member, for the audit trail."""
        ...

    def watch(self, folder_id: int, wake: Callable[[], None]) -> Callable[[], None]:
        """Calls `wake` on the loop after each commit that changed the folder, here or in another process; returns the undo."""
        ...

    def watch_box(self, box_id: int, wake: Callable[[], None]) -> Callable[[], None]:
        """As `watch`, of the box's folders: their names, subscriptions and annotations."""
        ...

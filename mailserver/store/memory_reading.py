"""The reading half of the store in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field

from mailserver.store import flags as flag_rules
from mailserver.store.api import (
    Card,
    Changes,
    Folder,
    FolderStatus,
    Front,
    Origin,
    Row,
    StoreError,
)
from mailserver.store.columns import Columns, columns_of, narrow
from mailserver.store.digest import Digest
from mailserver.store.looking import Lookout


@dataclass(slots=True)
class KeptMessage:
    row: Row
    content: bytes
    digest: Digest
    origin: Origin


@dataclass(slots=True)
class KeptFolder:
    folder: Folder
    uid_next: int = 1
    modseq: int = 1  # RFC 7162 3.1.1: positive
    messages: dict[int, KeptMessage] = field(default_factory=dict)  # in UID order: UIDs only grow
    expunged: list[tuple[int, int]] = field(default_factory=list)  # (modseq, uid), in the order of MODSEQs
    forgotten: int = 0  # expunges up to this MODSEQ are not there any more

    def advance(self) -> int:
        self.modseq += 1
        return self.modseq


class MemoryReading:
    def __init__(self) -> None:
        self._folders: dict[int, KeptFolder] = {}
        self._lookout = Lookout(self._look)

    async def rows(self, folder_id: int) -> tuple[FolderStatus, list[Row]]:
        found = self._get(folder_id)
        return self._status(found), [message.row for message in found.messages.values()]

    async def look(self, folder_id: int) -> Columns:
        return await self._lookout.look(folder_id)

    async def _look(self, folder_id: int, known: Columns | None) -> Columns:
        found = self._get(folder_id)
        if known is not None and known.modseq == found.modseq:
            return known
        if known is not None and known.modseq < found.forgotten:
            known = None
        since = 0 if known is None else known.modseq
        rows = [narrow(message.row) for message in found.messages.values() if message.row.modseq > since]
        if known is None:
            return columns_of(self._status(found), rows)
        return known.advanced(self._status(found), rows, [uid for modseq, uid in found.expunged if modseq > since])

    async def changes(self, folder_id: int, since_modseq: int) -> Changes:
        found = self._get(folder_id)
        return Changes(
            [message.row for message in found.messages.values() if message.row.modseq > since_modseq],
            sorted(uid for modseq, uid in found.expunged if modseq > since_modseq),
            found.modseq,
            found.forgotten,
        )

    async def cards(self, folder_id: int, uids: Sequence[int]) -> AsyncIterator[tuple[int, Card]]:
        for uid, message in self._some(self._get(folder_id), uids):
            yield uid, message.digest.card

    async def fronts(self, folder_id: int, uids: Sequence[int]) -> dict[int, Front]:
        cards = [(uid, message.digest.card) for uid, message in self._some(self._get(folder_id), uids)]
        return {uid: Front(card.envelope, card.body_structure) for uid, card in cards}

    async def origins(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, Origin]]:
        return [(uid, message.origin) for uid, message in self._some(self._get(folder_id), uids)]

    async def content(self, folder_id: int, uid: int, offset: int = 0, length: int | None = None) -> bytes | None:
        message = self._get(folder_id).messages.get(uid)
        if message is None:
            return None
        return message.content[offset:] if length is None else message.content[offset : offset + length]

    async def contents(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, Card, bytes]]:
        return [(uid, message.digest.card, message.content) for uid, message in self._some(self._get(folder_id), uids)]

    async def octets(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        return [(uid, message.content) for uid, message in self._some(self._get(folder_id), uids)]

    async def texts(self, folder_id: int, uids: Sequence[int]) -> AsyncIterator[tuple[int, str, str]]:
        for uid, message in self._some(self._get(folder_id), uids):
            yield uid, message.digest.headers_text, message.digest.body_text

    async def heads(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        found = self._some(self._get(folder_id), uids)
        return [(uid, message.digest.headers_text.encode(errors="replace")) for uid, message in found]

    async def bodies(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        found = self._some(self._get(folder_id), uids)
        return [(uid, message.digest.body_text.encode(errors="replace")) for uid, message in found]

    async def status(self, folder_id: int) -> FolderStatus:
        return self._status(self._get(folder_id))

    async def statuses(self, box_id: int) -> dict[int, FolderStatus]:
        return {found.folder.id: self._status(found) for found in self._of(box_id)}

    async def deleted_sizes(self, folder_ids: Sequence[int]) -> dict[int, int]:
        def size(found: KeptFolder) -> int:
            return sum(m.row.size for m in found.messages.values() if flag_rules.deleted(m.row.flags))

        return {folder_id: size(self._folders[folder_id]) for folder_id in folder_ids if folder_id in self._folders}

    def _of(self, box_id: int) -> list[KeptFolder]:
        return [found for found in self._folders.values() if found.folder.box_id == box_id]

    def _get(self, folder_id: int) -> KeptFolder:
        try:
            return self._folders[folder_id]
        except KeyError:
            raise StoreError("NONEXISTENT", "no such folder") from None

    def _some(self, found: KeptFolder, uids: Iterable[int]) -> list[tuple[int, KeptMessage]]:
        return [(uid, found.messages[uid]) for uid in sorted(set(uids)) if uid in found.messages]

    def _status(self, found: KeptFolder) -> FolderStatus:
        rows = [message.row for message in found.messages.values()]
        return FolderStatus(
            len(rows),
            sum(flag_rules.unseen(row.flags) for row in rows),
            sum(flag_rules.deleted(row.flags) for row in rows),
            found.uid_next,
            found.folder.uid_validity,
            found.modseq,
            sum(row.size for row in rows),
        )

    def _used(self, box_id: int) -> int:
        return sum(m.row.size for found in self._of(box_id) for m in found.messages.values())

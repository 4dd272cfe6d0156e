"""The mail store in memory: the same promises as `store.sql`, without a disk. For tests of the doors, and as the readable
statement of what RFC 9051 and RFC 7162 ask of UIDs, MODSEQs and expunges. Loses everything at exit: never in production.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from mailserver.store import annotations as annotation_rules
from mailserver.store import flags as flag_rules
from mailserver.store import forgetting, names
from mailserver.store.api import (
    Answer,
    CopyResult,
    Flag,
    FlagOp,
    Flags,
    Folder,
    NewMessage,
    Origin,
    Row,
    Spool,
    StoreError,
    StoreResult,
)
from mailserver.store.arriving import check_header, wire_octets
from mailserver.store.digest import Digest, digest_of
from mailserver.store.memory_reading import KeptFolder, KeptMessage, MemoryReading
from mailserver.store.watching import Wake, Watchers
from mssante.rights import Rights


class _Spool:
    def __init__(self) -> None:
        self._octets = bytearray()

    @property
    def size(self) -> int:
        return len(self._octets)

    def write(self, octets: bytes | memoryview) -> None:
        self._octets += octets

    def end(self) -> None: ...

    def pieces(self) -> Iterator[bytes]:
        yield bytes(self._octets)

    def discard(self) -> None: ...


def _octets(content: bytes | Spool) -> bytes:
    return content if isinstance(content, bytes) else b"".join(content.pieces())


class MemoryMailStore(MemoryReading):
    """`limit` is every mailbox's quota in octets; `clock` gives seconds since the epoch."""

    def __init__(
        self,
        limit: int = 1 << 40,
        clock: Callable[[], int] = lambda: int(time.time()),
        digest: Callable[[bytes], Digest] = digest_of,
    ) -> None:
        super().__init__()
        self._limits: defaultdict[int, int] = defaultdict(lambda: limit)
        self._clock = clock
        self._digest = digest
        self._lost: defaultdict[int, set[str]] = defaultdict(set)
        self._annotations: defaultdict[int, dict[tuple[int, int, str], bytes]] = defaultdict(dict)
        self._given: defaultdict[tuple[int, str], dict[int, Answer]] = defaultdict(dict)
        self._last_id = 0
        self._last_message = 0
        self._threads: dict[tuple[int, str], int] = {}  # (box, Message-ID) -> thread
        self._folder_watchers, self._box_watchers = Watchers(), Watchers()

    async def open_box(self, box_id: int, professional: bool = False) -> None:
        """The default folders of a new mailbox; harmless when they are there."""
        present = {folder.folder.name for folder in self._of(box_id)}
        for name, special_use in names.default_folders(professional):
            if name not in present:
                self._add(box_id, name, special_use)

    async def folders(self, box_id: int) -> list[Folder]:
        return sorted((found.folder for found in self._of(box_id)), key=lambda folder: folder.name)

    async def create(self, box_id: int, name: str, special_use: str | None = None) -> Folder:
        name = names.normal(name)
        present = {found.folder.name for found in self._of(box_id)}
        if name in present:
            raise StoreError("ALREADYEXISTS", "this folder exists already")
        names.check_number(len(present.union(names.parents(name))) + 1)
        for parent in names.parents(name):
            if parent not in present:
                self._add(box_id, parent, None)
        return self._add(box_id, name, special_use)

    async def delete(self, box_id: int, name: str) -> None:
        found = self._named(box_id, name)
        first = next(other for other in self._of(box_id) if other.folder.special_use == found.folder.special_use)
        names.check_removable(found.folder.name, found is first and found.folder.special_use is not None)
        del self._folders[found.folder.id]
        kept = self._annotations[box_id]
        self._annotations[box_id] = {at: value for at, value in kept.items() if at[0] != found.folder.id}
        hidden = any("l" not in rights for rights in found.folder.acl.values())
        if found.folder.subscribed and not hidden and len(self._lost[box_id]) < names.LOST:
            self._lost[box_id].add(found.folder.name)
        self._box_watchers.wake(box_id)
        self._folder_watchers.wake(found.folder.id)

    async def rename(self, box_id: int, name: str, new_name: str) -> None:
        found, new = self._named(box_id, name), names.normal(new_name)
        names.check_rename(found.folder.name, new)
        if found.folder.name == names.INBOX:  # RFC 9051 6.3.6: its messages move, INBOX stays, empty
            created = await self.create(box_id, new)
            await self.move(found.folder.id, list(found.messages), created.id)
            return
        present = {other.folder.name for other in self._of(box_id)}
        moves = {
            other.folder.id: target
            for other in self._of(box_id)
            if (target := names.renamed(other.folder.name, found.folder.name, new)) is not None
        }
        if present & set(moves.values()):
            raise StoreError("ALREADYEXISTS", "a folder of the new name exists already")
        names.check_number(len(present) + len(set(names.parents(new)) - present))
        for folder_id, target_name in moves.items():
            moved = self._folders[folder_id]
            moved.folder = replace(moved.folder, name=target_name)
            self._lost[box_id].discard(target_name)
        for parent in names.parents(new):
            if parent not in present:
                self._add(box_id, parent, None)
        self._box_watchers.wake(box_id)

    async def set_rights(self, box_id: int, folder_id: int, member: int, rights: Rights | None, by: int) -> None:
        found = self._get(folder_id)
        if found.folder.box_id != box_id:
            raise StoreError("NONEXISTENT", "no such folder")
        others = {one: given for one, given in found.folder.acl.items() if one != member}
        found.folder = replace(found.folder, acl=others if rights is None else {**others, member: rights})
        self._folder_watchers.wake(folder_id)
        self._box_watchers.wake(box_id)

    async def subscribe(self, box_id: int, name: str, subscribed: bool, member: int = 0) -> None:
        if member:
            found = self._named(box_id, name)
            found.folder = replace(found.folder, subscriptions={**found.folder.subscriptions, member: subscribed})
        elif not subscribed and (lost := names.normal(name)) in self._lost[box_id]:
            self._lost[box_id].remove(lost)
        else:
            found = self._named(box_id, name)
            found.folder = replace(found.folder, subscribed=subscribed)
        self._box_watchers.wake(box_id)

    async def lost(self, box_id: int) -> list[str]:
        return sorted(self._lost[box_id])

    async def annotations(self, box_id: int, member: int, folder_ids: Sequence[int]) -> dict[int, dict[str, bytes]]:
        found: dict[int, dict[str, bytes]] = {folder_id: {} for folder_id in folder_ids}
        for (folder_id, whose, entry), value in self._annotations[box_id].items():
            if folder_id in found and annotation_rules.owner(member, entry) == whose:
                found[folder_id][entry] = value
        return found

    async def annotate(self, box_id: int, member: int, folder_id: int, values: Mapping[str, bytes | None]) -> None:
        if folder_id != annotation_rules.SERVER and self._get(folder_id).folder.box_id != box_id:
            raise StoreError("NONEXISTENT", "no such folder")
        kept = dict(self._annotations[box_id])
        for entry, value in values.items():
            at = (folder_id, annotation_rules.owner(member, entry), entry)
            kept.pop(at, None)
            if value is not None:
                kept[at] = value
        annotation_rules.check_number(len(kept))
        self._annotations[box_id] = kept
        self._box_watchers.wake(box_id)

    def spool(self, box_id: int, expected: int = 0) -> Spool:
        return _Spool()

    async def answered(self, folder_id: int, uids: Sequence[int], member: int, actor: str) -> None:
        found = self._get(folder_id)
        for _, message in self._some(found, uids):
            if name := message.digest.message_id:
                answer = Answer(member, actor, self._clock() * 1000)
                self._given[found.folder.box_id, name].setdefault(member, answer)

    async def answers(self, folder_id: int, uids: Sequence[int]) -> dict[int, tuple[Answer, ...]]:
        found = self._get(folder_id)
        given = {
            uid: self._given.get((found.folder.box_id, message.digest.message_id or ""), {})
            for uid, message in self._some(found, uids)
        }
        return {uid: tuple(some.values()) for uid, some in given.items() if some}

    async def append(self, folder_id: int, messages: Sequence[NewMessage], team: bool = False) -> list[int]:
        found = self._get(folder_id)
        for message in messages:
            flag_rules.check(message.flags)
        contents = [wire_octets(_octets(message.content)) for message in messages]
        digests = list(map(self._digest, contents))
        for digest in digests:
            check_header(digest)
        self._check_room(found.folder.box_id, sum(map(len, contents)), len(contents))
        _check_keywords(found, [message.flags for message in messages])
        uids: list[int] = []
        modseq = found.advance() if messages else 0
        for message, content, digest in zip(messages, contents, digests, strict=True):
            date = message.internal_date or self._clock()
            row = Row(found.uid_next, modseq, message.flags, date, len(content))
            origin = self._origin(found.folder.box_id, digest)
            self._put(found, KeptMessage(row, content, digest, origin))
            uids.append(row.uid)
        if uids:
            self._folder_watchers.wake(folder_id)
        return uids

    async def replace(self, folder_id: int, uid: int, target_folder_id: int, message: NewMessage, by: int = 0) -> int:
        source, target = self._get(folder_id), self._get(target_folder_id)
        if uid not in source.messages:
            raise StoreError("EXPUNGEISSUED", "the message is gone")
        content = wire_octets(_octets(message.content))
        check_header(self._digest(content))
        here = source.folder.box_id == target.folder.box_id
        less = source.messages[uid].row.size if here else 0
        self._check_room(target.folder.box_id, len(content) - less, 0 if here else 1)
        _check_keywords(target, [message.flags], [uid] if source is target else ())
        self._remove(source, [uid])
        return (await self.append(target_folder_id, [replace(message, content=content)]))[0]

    async def store_flags(
        self, folder_id: int, uids: Sequence[int], op: FlagOp, flags: Flags, unchanged_since: int | None = None
    ) -> StoreResult:
        flag_rules.check(flags)
        found = self._get(folder_id)
        modified: list[int] = []
        previous, modseq = found.modseq, found.modseq + 1
        changed: dict[int, Flags] = {}
        for uid, message in self._some(found, uids):
            if unchanged_since is not None and message.row.modseq > unchanged_since:
                modified.append(uid)
                continue
            after = flag_rules.apply(op, flags, message.row.flags)
            if after != message.row.flags:
                changed[uid] = after
        if flags.keywords and op is not FlagOp.REMOVE:
            _check_keywords(found, list(changed.values()), changed)
        for uid, after in changed.items():
            found.messages[uid].row = replace(found.messages[uid].row, flags=after, modseq=modseq)
            found.modseq = modseq
        if found.modseq == modseq:
            self._folder_watchers.wake(folder_id)
        return StoreResult(previous, found.modseq, modified)

    async def copy(
        self, folder_id: int, uids: Sequence[int], target_folder_id: int, actor: str = "", undeleted: bool = False
    ) -> CopyResult:
        source, target = self._pair(folder_id, target_folder_id)
        chosen = self._some(source, uids)
        self._check_room(target.folder.box_id, sum(message.row.size for _, message in chosen), len(chosen))
        return self._copy(chosen, target, undeleted)

    async def move(
        self, folder_id: int, uids: Sequence[int], target_folder_id: int, actor: str = "", undeleted: bool = False
    ) -> CopyResult:
        source, target = self._pair(folder_id, target_folder_id)
        chosen = self._some(source, uids)
        result = self._copy(chosen, target, undeleted)
        self._remove(source, result.source)
        return result

    async def carry(
        self, folder_id: int, uids: Sequence[int], target_folder_id: int, by: int, leave: bool, undeleted: bool = False
    ) -> CopyResult:
        source, target = self._get(folder_id), self._get(target_folder_id)
        chosen = self._some(source, uids)
        self._check_room(target.folder.box_id, sum(message.row.size for _, message in chosen), len(chosen))
        threads = [self._origin(target.folder.box_id, message.digest).thread for _, message in chosen]
        result = self._copy(chosen, target, undeleted)
        for uid, thread in zip(result.target, threads, strict=True):
            target.messages[uid].origin = replace(target.messages[uid].origin, thread=thread)
        if not leave:
            self._remove(source, result.source)
        return result

    async def expunge(self, folder_id: int, uids: Sequence[int] | None = None) -> list[int]:
        found = self._get(folder_id)
        wanted = found.messages.items() if uids is None else self._some(found, uids)
        gone = [uid for uid, message in wanted if message.row.flags.system & Flag.DELETED]
        self._remove(found, gone)
        return gone

    async def quota(self, box_id: int) -> tuple[int, int]:
        return self._used(box_id), self._limits[box_id]

    async def set_quota(self, box_id: int, octets: int, by: int) -> None:
        names.check_quota(self._used(box_id), octets)
        self._limits[box_id] = octets

    def watch(self, folder_id: int, wake: Wake) -> Wake:
        return self._folder_watchers.add(folder_id, wake)

    def watch_box(self, box_id: int, wake: Wake) -> Wake:
        return self._box_watchers.add(box_id, wake)

    def _named(self, box_id: int, name: str) -> KeptFolder:
        name = names.normal(name)
        for found in self._of(box_id):
            if found.folder.name == name:
                return found
        raise StoreError("NONEXISTENT", "no such folder")

    def _add(self, box_id: int, name: str, special_use: str | None) -> Folder:
        self._last_id += 1  # ids are never used twice, so they serve as UIDVALIDITY
        above = names.parents(name)
        acl = self._named(box_id, above[-1]).folder.acl if above else {}
        folder = Folder(self._last_id, box_id, name, self._last_id, special_use, acl=acl)
        self._folders[folder.id] = KeptFolder(folder)
        self._lost[box_id].discard(name)
        self._box_watchers.wake(box_id)
        return folder

    def _pair(self, folder_id: int, target_folder_id: int) -> tuple[KeptFolder, KeptFolder]:
        source, target = self._get(folder_id), self._get(target_folder_id)
        if source.folder.box_id != target.folder.box_id:
            raise StoreError("NOPERM", "messages stay inside their mailbox")
        return source, target

    def _origin(self, box_id: int, digest: Digest) -> Origin:
        """Threads by Message-ID alone: who the counterpart is, this store does not know."""
        self._last_message += 1
        own = [digest.message_id] if digest.message_id else []
        known = (self._threads.get((box_id, name)) for name in [*own, *reversed(digest.references)])
        thread = next((found for found in known if found is not None), self._last_message)
        for name in own:
            self._threads.setdefault((box_id, name), thread)
        return Origin(self._last_message, thread, self._clock())

    def _put(self, found: KeptFolder, message: KeptMessage) -> None:
        found.messages[found.uid_next] = message
        found.uid_next += 1

    def _copy(self, chosen: list[tuple[int, KeptMessage]], target: KeptFolder, undeleted: bool) -> CopyResult:
        if not chosen:
            return CopyResult(target.folder.uid_validity, [], [])
        _check_keywords(target, [message.row.flags for _, message in chosen])
        modseq, first = target.advance(), target.uid_next
        for _, message in chosen:
            flags = message.row.flags
            if undeleted:
                flags = replace(flags, system=flags.system & ~Flag.DELETED)
            row = replace(message.row, uid=target.uid_next, modseq=modseq, flags=flags)
            origin = replace(message.origin, saved_at=self._clock())
            self._put(target, KeptMessage(row, message.content, message.digest, origin))
        self._folder_watchers.wake(target.folder.id)
        return CopyResult(
            target.folder.uid_validity, [uid for uid, _ in chosen], list(range(first, first + len(chosen)))
        )

    def _remove(self, found: KeptFolder, uids: list[int]) -> None:
        if not uids:
            return
        modseq = found.advance()
        for uid in uids:
            del found.messages[uid]
            found.expunged.append((modseq, uid))
        if len(found.expunged) > 2 * (worth := forgetting.most(len(found.messages))):
            found.forgotten = found.expunged[-worth - 1][0]
            found.expunged = [one for one in found.expunged if one[0] > found.forgotten]
        self._folder_watchers.wake(found.folder.id)

    def _check_room(self, box_id: int, octets: int, messages: int) -> None:
        names.check_messages(sum(len(found.messages) for found in self._of(box_id)) + messages)
        if self._used(box_id) + octets > self._limits[box_id]:
            raise StoreError("OVERQUOTA", "the mailbox is full")


def _check_keywords(found: KeptFolder, more: Sequence[Flags], changed: Collection[int] = ()) -> None:
    """Room for `more`; the flags that the messages `changed` have now are about to go."""
    if any(flags.keywords for flags in more):
        others = (message.row.flags.keywords for uid, message in found.messages.items() if uid not in changed)
        flag_rules.check_folder([*others, *(flags.keywords for flags in more)])

"""What a client wants to hear of folders that are not selected (RFC 5465): the state it was told, and what differs from it now.

What it did itself it knows already (`known`). The word that something changed comes from the store; the tables are the truth.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from mailserver.imap import listing
from mailserver.imap.commands.auth import List
from mailserver.imap.commands.notify import (
    DELAYED,
    FLAGS,
    GONE,
    METADATA,
    NAME,
    NEW,
    OF_MESSAGES,
    SERVER_METADATA,
    SUBSCRIPTION,
    EventGroup,
)
from mailserver.imap.known import Known, named_anew
from mailserver.imap.modes import Modes
from mailserver.imap.responses import Ok, Response, Untagged
from mailserver.imap.responses_folders import ListLine, MetadataChanged, StatusLine
from mailserver.imap.seats import Seat
from mailserver.store.annotations import SERVER
from mailserver.store.api import Folder, FolderStatus, MailStore

MOST_WATCHED = 300  # folders of one session
OVERFLOW = "NOTIFICATIONOVERFLOW"


class TooMany(Exception):
    """More folders than one session may watch (RFC 5465 5.8)."""


class Notices:
    """One session's. `seats`: the mailboxes in which its member works, their own first; `visible` gives the folders that they may
    see and read, one that is shut is like one deleted (RFC 5465 5.4, 5.9); `wake` is called when there may be something to tell.
    """

    def __init__(
        self,
        store: MailStore,
        seats: Callable[[], Awaitable[Sequence[Seat]]],
        visible: Callable[[], Awaitable[list[Folder]]],
        groups: Sequence[EventGroup],
        wake: Callable[[], None],
    ) -> None:
        self._store, self._ask_seats, self._visible = store, seats, visible
        self._seats: Sequence[Seat] = ()
        self._groups = [group for group in groups if not group.of_selected]
        self.selected = next((group for group in groups if group.of_selected), None)
        self._wake = wake
        self._undo: dict[int, Callable[[], None]] = {}  # of the folders' watches
        self._unwatch_box: dict[int, Callable[[], None]] = {}
        self._changed: set[int] = set()  # folders whose messages may differ from what was told
        self._box_changed = False
        self._apart: int | None = None  # the folder that was selected the last time
        self.known = Known()

    # ---------------------------------------------------------------- what is wanted
    @property
    def listens(self) -> bool:
        return bool(self._groups) or self.hears_selected

    @property
    def hears_selected(self) -> bool:
        return self.selected is not None and bool(self.selected.events)

    @property
    def at_once(self) -> bool:
        """EXPUNGE at any moment: the client speaks in UIDs (RFC 5465 6.1.1)."""
        return self.selected is not None and self.hears_selected and self.selected.filter.word != DELAYED

    def _wants(self, folder: Folder, *events: bytes) -> bool:
        """The first group that means the folder and says NONE, or names one of the events, decides."""
        for group in self._groups:
            if group.filter.includes(folder, None):
                if not group.events:
                    return False
                if not group.events.isdisjoint(events):
                    return True
        return False

    # ---------------------------------------------------------------- begin and end
    async def begin(self) -> None:
        """Raises `TooMany`."""
        if not self._groups:
            return
        await self._list()
        self.known.annotations = await self._hashes()
        self._changed.clear()  # ahead of the look: a change in between is seen twice rather than never
        self.known.statuses = await self._statuses()

    def end(self) -> None:
        for undo in (*self._unwatch_box.values(), *self._undo.values()):
            undo()
        self._unwatch_box.clear()
        self._undo.clear()
        self._groups, self.selected = [], None

    def look_again(self) -> None:
        """The folders may be others."""
        self._box_changed = bool(self._groups)

    def _on_box(self) -> None:
        self._box_changed = True
        self._wake()

    def _on_folder(self, folder_id: int) -> None:
        self._changed.add(folder_id)
        self._wake()

    async def _list(self) -> None:
        """Takes the folders as they are now, and watches those whose messages matter."""
        self._seats = await self._ask_seats()
        here = {seat.box_id for seat in self._seats}
        for box_id in self._unwatch_box.keys() - here:
            self._unwatch_box.pop(box_id)()
        for box_id in here - self._unwatch_box.keys():
            self._unwatch_box[box_id] = self._store.watch_box(box_id, self._on_box)
        self.known.folders = {folder.id: folder for folder in await self._visible()}
        self.known.lost = frozenset(await self._store.lost(self._seats[0].box_id))
        wanted = {folder.id for folder in self.known.folders.values() if self._wants(folder, *OF_MESSAGES)}
        if len(wanted) > MOST_WATCHED:
            self.end()
            raise TooMany
        for folder_id in self._undo.keys() - wanted:
            self._undo.pop(folder_id)()
        for folder_id in wanted - self._undo.keys():
            self._undo[folder_id] = self._store.watch(folder_id, partial(self._on_folder, folder_id))
            self._changed.add(folder_id)

    async def _statuses(self) -> dict[int, FolderStatus]:
        found: dict[int, FolderStatus] = {}
        for box_id in {folder.box_id for folder in self.known.folders.values() if folder.id in self._undo}:
            found |= await self._store.statuses(box_id)
        return found

    # ---------------------------------------------------------------- what is told
    def statuses(self, selected: int | None, modes: Modes) -> Iterator[StatusLine]:
        """Of all folders whose messages matter (RFC 5465 3.1, STATUS)."""
        for folder_id in sorted(self._undo):
            if folder_id != selected and folder_id in self.known.statuses:
                yield self._status(self.known.folders[folder_id], self.known.statuses[folder_id], modes)

    def told(self, folder_id: int, status: FolderStatus) -> None:
        """The client heard so as it had the folder selected."""
        if folder_id in self.known.statuses:
            self.known.statuses[folder_id] = status

    async def news(self, selected: int | None, modes: Modes) -> AsyncIterator[Response]:
        if self._apart is not None and self._apart != selected:
            self._changed.add(self._apart)  # what it was not told while it had it selected
        self._apart = selected
        if self._box_changed:
            self._box_changed = False
            try:
                async for response in self._box_news(modes):
                    yield response
            except TooMany:
                yield Untagged(Ok("too many folders to watch", OVERFLOW))
        changed, self._changed = self._changed - {selected}, set()
        statuses = await self._statuses() if changed else {}
        for folder_id in sorted(changed & statuses.keys() & self._undo.keys()):
            after = statuses[folder_id]
            before = self.known.statuses.get(folder_id) or replace(after, messages=0, uid_next=1)  # a new folder
            self.known.statuses[folder_id] = after
            if self._wants(self.known.folders[folder_id], *_events(before, after)):
                yield self._status(self.known.folders[folder_id], after, modes)

    def _status(self, folder: Folder, status: FolderStatus, modes: Modes) -> StatusLine:
        items = [
            (b"MESSAGES", status.messages),
            (b"UIDNEXT", status.uid_next),
            (b"UIDVALIDITY", status.uid_validity),
            (b"UNSEEN", status.unseen),
        ]
        if modes.condstore or self._wants(folder, FLAGS):
            items.append((b"HIGHESTMODSEQ", status.highest_modseq))
        return StatusLine(folder.name, items, modes.utf8)

    async def _box_news(self, modes: Modes) -> AsyncIterator[Response]:
        folders, lost = self.known.folders, self.known.lost
        await self._list()
        names = named_anew(folders, self.known.folders, lambda folder: self._wants(folder, NAME))
        names |= dict.fromkeys(self._subscribed_anew(folders, lost))
        for name, old in sorted(names.items()):
            yield self._line(name, old, modes.utf8)
        annotations, self.known.annotations = self.known.annotations, await self._hashes()
        for folder_id, entries in self.known.annotations.items():
            before = annotations.get(folder_id, {}).items()
            changed = sorted({entry for entry, _ in before ^ entries.items()})
            if changed:
                name = "" if folder_id == SERVER else self.known.folders[folder_id].name
                yield MetadataChanged(name, changed, modes.utf8)

    def _subscribed_anew(self, before: Mapping[int, Folder], lost: frozenset[str]) -> Iterator[str]:
        """RFC 5465 5.5."""
        changed = [
            (old, now)
            for now in self.known.folders.values()
            if (old := before.get(now.id)) is not None and old.subscribed != now.subscribed
        ]
        gone = lost - self.known.lost - {folder.name for folder in self.known.folders.values()}
        changed += [(folder, folder) for folder in (Folder(0, self._seats[0].box_id, name, 0) for name in gone)]
        for old, now in changed:
            if self._wants(old, SUBSCRIPTION) or self._wants(now, SUBSCRIPTION):
                yield now.name

    def _line(self, name: str, old: str | None, utf8: bool) -> ListLine:
        asked = List(b"LIST", "", (name,), returns=frozenset((b"SUBSCRIBED", b"CHILDREN")), extended=True)
        found = listing.lines(asked, list(self.known.folders.values()), self.known.lost, utf8)
        line = next((line for line, _ in found), None)
        if line is None:
            subscribed = ["\\Subscribed"] if name in self.known.lost else []
            line = ListLine(["\\NonExistent", *subscribed], name, utf8=utf8)
        return replace(line, oldname=old)

    async def _hashes(self) -> dict[int, dict[str, int]]:
        wanted = [folder.id for folder in self.known.folders.values() if self._wants(folder, METADATA)]
        if any(SERVER_METADATA in group.events for group in self._groups):
            wanted.append(SERVER)
        if not wanted:
            return {}
        kept: dict[int, dict[str, bytes]] = {}
        for seat in self._seats:
            own = seat is self._seats[0]
            there = [one for one in wanted if (own if one == SERVER else self.known.folders[one].box_id == seat.box_id)]
            kept |= await self._store.annotations(seat.box_id, seat.who.member, there) if there else {}
        return {
            folder_id: {entry: hash(value) for entry, value in values.items()} for folder_id, values in kept.items()
        }


def _events(before: FolderStatus, after: FolderStatus) -> Iterator[bytes]:
    """What happened in between, as far as the counters tell."""
    added = after.uid_next - before.uid_next
    gone = before.messages + added - after.messages
    if added:
        yield NEW
    if gone:
        yield GONE
    if not added and not gone and after.highest_modseq != before.highest_modseq:
        yield FLAGS

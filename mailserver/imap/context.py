"""What a command's handler can reach: who is signed in, the store, the selected folder, the client's next line.

The state of RFC 3501 3 is computed from it, never stored beside it, so the two cannot disagree.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from foundation.dn import DistinguishedName
from mailserver.imap.commands.fetch import Item
from mailserver.imap.commands.notify import FLAGS, EventGroup
from mailserver.imap.crowd import Crowd
from mailserver.imap.fetch import Renderer
from mailserver.imap.finding import Finder
from mailserver.imap.framer import Frame, LiteralOffer
from mailserver.imap.inbox import Inbox
from mailserver.imap.known import Known
from mailserver.imap.modes import Modes
from mailserver.imap.notices import Notices
from mailserver.imap.responses import Bad, No, Response
from mailserver.imap.rights import HOLDERS, rights_in
from mailserver.imap.seats import Place, Seat, check_new, is_shared, place_of, shared_seat
from mailserver.imap.sequences import SequenceSet
from mailserver.imap.shelf import Shelf
from mailserver.imap.updating import Update, Updating, brought_up
from mailserver.imap.view import FolderView
from mailserver.sasl import Desk
from mailserver.scram import Bind
from mailserver.sign_in import SignedIn, SignIn
from mailserver.store import names
from mailserver.store.api import Folder, MailStore, Spool, StoreError, StoreResult
from mailserver.store.flags import check_folder
from mssante.rights import NONE, OF_ROLE, Rights


class State(Enum):
    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"
    LOGOUT = "logout"


@dataclass(frozen=True, slots=True)
class Settings:
    """Wishes of the operator; sizes in octets."""

    append_limit: int = 50 * 1024 * 1024
    server_name: str = "MSSanté"
    progress_every: float = 10  # seconds between two INPROGRESS
    max_login_failures: int = 5  # on one connection; slowing down across connections is the password check's affair
    max_bad_commands: int = 20  # in a row

    @property
    def command_limit(self) -> int:
        """Of all messages that one command brings (RFC 3502): four of the largest."""
        return 4 * self.append_limit


class FolderLost(Exception):
    """The selected folder was deleted by another session, or closed to this member (RFC 2180 3.3: the connection is ended)."""


class SignedOut(Exception):
    """Who is signed in may be here no longer: revoked, or the mailbox was closed."""


class Context:
    """One session's. `sleep` (seconds): tests need not wait; `shelf` and `crowd` are for all sessions of the process."""

    def __init__(
        self,
        store: MailStore,
        sign_in: SignIn,
        settings: Settings,
        client_ip: str,
        tls: bool,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        shelf: Shelf | None = None,
        crowd: Crowd | None = None,
    ) -> None:
        self.store = store
        self.sign_in = sign_in
        self.settings = settings
        self.client_ip = client_ip
        self.tls = tls
        self.bind: Bind | None = None  # of the TLS channel
        self.certificate: DistinguishedName | None = None  # the client's, judged
        self.vouched: Callable[[], Awaitable[bool]] | None = None  # as the desk asks it
        self.sleep = sleep
        self.shelf = shelf or Shelf()
        self.crowd = crowd or Crowd(1)
        self.inbox = Inbox()
        self.inbox.on_alarm = self.look_again
        self.identity: SignedIn | None = None
        self.view: FolderView | None = None
        self.updating: dict[bytes, Updating] = {}  # by tag
        self.notices: Notices | None = None
        self.mine: Collection[int] = ()  # UIDs that the command under way put into the selected folder
        self.tag = b""  # of the command under way
        self.clock: Callable[[], float] = time.time
        self.modes = Modes()
        self.needs = HOLDERS  # of the command under way
        self.start_tls = False  # STARTTLS accepted: the transport switches after the answer
        self.start_deflate = False  # COMPRESS accepted: from behind the answer on
        self.leaving = False
        self.login_failures = 0
        self._unwatch: Callable[[], None] = lambda: None
        self._unwatch_person: Callable[[], None] = lambda: None
        self._unwatch_seats: Callable[[], None] = lambda: None
        self._shared: tuple[Seat, ...] | None = None  # None: nobody asked yet
        self._name = ""  # of the program, as it says
        self._stranger: SignedIn | None = None  # signed in, and has not said yet
        self._counted: SignedIn | None = None  # in the crowd, as it was at sign-in
        self._spools: list[Spool] = []  # of the command under way

    @property
    def state(self) -> State:
        if self.leaving:
            return State.LOGOUT
        if self.identity is None:
            return State.NOT_AUTHENTICATED
        return State.SELECTED if self.view is not None else State.AUTHENTICATED

    @property
    def desk(self) -> Desk:
        return Desk(self.sign_in, self.client_ip, self.bind, self.certificate, self.vouched)

    @property
    def condstore(self) -> bool:
        return self.modes.condstore

    @condstore.setter
    def condstore(self, on: bool) -> None:
        self.modes.condstore = on

    @property
    def rev2(self) -> bool:
        return self.modes.rev2

    @property
    def utf8(self) -> bool:
        return self.modes.utf8

    @property
    def box_id(self) -> int:
        assert self.identity is not None
        return self.identity.box_id

    @property
    def selected(self) -> FolderView:
        assert self.view is not None
        return self.view

    def saved(self, uid: bool) -> SequenceSet:
        """What `$` stands for; without what was expunged since (RFC 5182 2.1)."""
        if self.view is None:
            raise Bad("no search result is kept")
        here = {kept: index for kept in self.view.saved if (index := self.view.index_of(kept)) is not None}
        return SequenceSet.of(here if uid else [index + 1 for index in here.values()])

    async def room_for_keywords(self, folder: Folder, words: Collection[str]) -> None:
        """Raises StoreError LIMIT. Two sessions at one moment can each be the last: a bound, not a count."""
        if words:
            own = self.view is not None and self.view.folder.id == folder.id
            columns = self.selected.columns if own else await self.store.look(folder.id)
            check_folder(columns.keywords.values(), columns.known, words)

    def writable(self) -> FolderView:
        if self.selected.read_only:
            raise No("the folder was opened by EXAMINE", "CANNOT")
        return self.selected

    async def line(self) -> bytes:
        """The client's next line, outside of any command (AUTHENTICATE, IDLE)."""
        event = await self.inbox.event()
        if isinstance(event, Frame) and not event.literals:
            return event.line
        if isinstance(event, LiteralOffer):
            self.inbox.framer.refuse()
        raise Bad("a line without literal expected")

    def spool(self, expected: int = 0) -> Spool:
        """For a large literal or message of the command under way; forgotten behind it unless it was stored."""
        self._spools.append(self.store.spool(self.box_id, expected))
        return self._spools[-1]

    def discard_spools(self) -> None:
        for spool in self._spools:
            spool.discard()
        self._spools.clear()

    # ---------------------------------------------------------------- rights (RFC 4314 4)
    @property
    def own(self) -> Seat:
        assert self.identity is not None
        return Seat(self.identity)

    async def shared(self) -> tuple[Seat, ...]:
        """The shared mailboxes where the person has a seat too; asked for when one may be meant, then kept up to date."""
        if self._shared is None:
            await self._sit()
        return self._shared or ()

    async def seats(self) -> tuple[Seat, ...]:
        return (self.own, *await self.shared())

    async def _sit(self) -> None:
        assert self.identity is not None
        seats = await self.sign_in.seats(self.identity, self.inbox.alarm)
        self._unwatch_seats()
        self._unwatch_seats = seats.unwatch
        self._shared = tuple(map(shared_seat, seats.found))

    def seat_in(self, box_id: int) -> Seat | None:
        """None when there is none, or no longer."""
        if box_id == self.box_id:
            return self.own
        return next((seat for seat in self._shared or () if seat.box_id == box_id), None)

    def seat_of(self, folder: Folder) -> Seat:
        seat = self.seat_in(folder.box_id)
        if seat is None:  # between the look for the folder and now
            raise No("no such folder", "NONEXISTENT")
        return seat

    async def place(self, name: str) -> Place:
        """Raises `StoreError` for what no folder may be called."""
        return place_of(name, self.own, await self.shared() if is_shared(name) else ())

    async def new_place(self, name: str) -> Place:
        """Where a folder may be made; raises `StoreError`, and NO where the member may not."""
        place = await self.place(name)
        check_new(place)
        await self._need_above(place)
        return place

    def rights(self, folder: Folder) -> Rights:
        seat = self.seat_in(folder.box_id)
        return NONE if seat is None else rights_in(folder, seat.who.role, seat.who.member)

    async def folder(self, name: str, missing: str = "NONEXISTENT", needs: str | None = None) -> Folder:
        """The folder of that name, where the command under way may do what it does; NO with the code `missing` when there is none
        (TRYCREATE for targets). `needs`: rights in place of those of the command's line in the table.
        """
        try:
            place = await self.place(name)
        except StoreError:
            raise No("no such folder", missing) from None
        for folder in await self.store.folders(place.seat.box_id):
            if folder.name == place.name:
                self.need(folder, self.needs.named if needs is None else needs, missing)
                return place.seat.shown(folder)
        raise No("no such folder", missing)

    def need(self, folder: Folder, needed: str, missing: str = "NONEXISTENT") -> None:
        """A folder that the member may not see is answered like one that is not there (RFC 4314 6)."""
        rights = self.rights(folder)
        if not rights or (not rights.issuperset(needed) and "l" not in rights):
            raise No("no such folder", missing)
        if not rights.issuperset(needed):
            raise not_permitted()

    async def _need_above(self, place: Place) -> None:
        """Of the nearest folder above that exists; of the mailbox itself for a name at the top."""
        above = {parent: depth for depth, parent in enumerate(names.parents(place.name))}
        there = [folder for folder in await self.store.folders(place.seat.box_id) if folder.name in above]
        nearest = max(there, key=lambda folder: above[folder.name], default=None)
        rights = OF_ROLE[place.seat.who.role] if nearest is None else self.rights(nearest)
        if not rights.issuperset(self.needs.above):
            raise not_permitted()

    async def folders(self, needs: str = "l") -> list[Folder]:
        """Those in which the person has these rights, as the client knows them; their own first."""
        found: list[Folder] = []
        for seat in await self.seats():
            role, member = seat.who.role, seat.who.member
            here = await self.store.folders(seat.box_id)
            mine = [folder for folder in here if rights_in(folder, role, member).issuperset(needs)]
            found += map(seat.shown, mine) if seat.prefix or seat.subscriber else mine
        return found

    async def select(self, folder: Folder, read_only: bool) -> FolderView:
        # Watching begins before the look: a change in between is seen twice rather than never.
        self._unwatch = self.store.watch(folder.id, self.inbox.wake)
        self.inbox.woken = False
        try:
            columns = await self.store.look(folder.id)
        except BaseException:
            self.deselect()
            raise
        self.view = FolderView(folder, read_only, columns, self.rights(folder))
        return self.view

    def deselect(self) -> None:
        self._unwatch()
        self._unwatch = lambda: None
        self.view = None
        self.updating.clear()  # RFC 5267 4.3

    # ---------------------------------------------------------------- who is signed in
    def enter(self, who: SignedIn) -> None:
        if not self.crowd.enter(who):
            raise No("too many connections of this account", "LIMIT")
        self.identity = self._counted = self._stranger = who
        self._unwatch_person = self.sign_in.watch(who, self.inbox.alarm)
        if self._name:
            self.introduce()

    def introduce(self, name: str | None = None) -> None:
        """What the program calls itself (RFC 2971), before or after sign-in; None: it has begun to work without saying."""
        self._name = name or self._name
        if self._stranger is not None and (self._name or name is None):
            self.sign_in.came(self._stranger, self.client_ip, self._name)
            self._stranger = None

    def _leave(self) -> None:
        self.introduce()
        self._unwatch_person()
        self._unwatch_seats()
        self._shared, self._unwatch_seats = None, lambda: None
        if self._counted is not None:
            self.crowd.leave(self._counted)
            self._counted = None

    async def look_again(self) -> None:
        """Something of the person or of the mailbox changed: another role holds from here on, or it is over (`SignedOut`)."""
        self.inbox.alarmed = False
        if self.identity is None:
            return
        self.identity = await self.sign_in.standing(self.identity)
        if self.identity is None:
            raise SignedOut
        if self._shared is not None:
            await self._sit()
            if self.notices is not None:
                self.notices.look_again()
        if self.view is not None:
            await self.look_at_rights(self.view)

    def end(self) -> None:
        """The connection is over."""
        self.deselect()
        self.hear(None)
        self._leave()
        self.discard_spools()

    def sign_out(self) -> None:
        """As before sign-in; what the connection itself has (TLS, compression) stays (RFC 8437 2)."""
        self.deselect()
        self.hear(None)
        self._leave()
        self.identity = None
        self.modes = Modes()

    async def refresh(self, own: StoreResult | None = None) -> None:
        """Brings the view up to date; the table is the truth, the signal only woke us. `own`: what this session just did."""
        view = self.selected
        self.inbox.woken = False
        try:
            view.learn(await self.store.look(view.folder.id), own)
        except StoreError as error:
            raise FolderLost from error
        await self.look_at_rights(view)

    async def look_at_rights(self, view: FolderView) -> None:
        """Who may read the folder no longer is told that it is gone (RFC 4314 5.1.1, 6)."""
        here = await self.store.folders(view.folder.box_id) if self.seat_in(view.folder.box_id) is not None else ()
        folder = next((one for one in here if one.id == view.folder.id), None)
        if folder is None or "r" not in self.rights(folder):
            raise FolderLost
        view.allow(self.rights(folder))

    @property
    def finder(self) -> Finder:
        return Finder(self.store, self.shelf, self.selected)

    # ---------------------------------------------------------------- what the client hears without asking
    @property
    def known(self) -> Known:
        """For what the command under way did: it is not told of it. Of who does not listen, nobody asks."""
        return Known() if self.notices is None else self.notices.known

    def hear(self, notices: Notices | None) -> None:
        """From now on it wants to hear of this (RFC 5465), or of the selected folder as ever."""
        if self.notices is not None:
            self.notices.end()
        self.notices = notices

    @property
    def listens(self) -> bool:
        """Even while no command is under way."""
        return self.notices is not None and self.notices.listens

    async def catch_up(self) -> None:
        """Brings the view up to date, if the client wants to hear of it."""
        self.inbox.woken = False
        if self.view is None:
            return
        if self.notices is None or self.notices.hears_selected:
            await self.refresh()
        else:
            await self.look_at_rights(self.view)

    async def news(self, expunge: bool = True) -> AsyncIterator[Response]:
        """What the client was not told yet; EXPUNGEs only when `expunge` allows, or the client always does."""
        view, notices = self.view, self.notices
        if view is not None:
            async for response in self._selected_news(view, expunge or (notices is not None and notices.at_once)):
                yield response
        if notices is not None:
            if view is not None and view.settled:
                notices.told(view.folder.id, view.columns.status)
            async for response in notices.news(view.folder.id if view is not None else None, self.modes):
                yield response

    async def _selected_news(self, view: FolderView, expunge: bool) -> AsyncIterator[Response]:
        """REMOVEFROM, EXPUNGE, EXISTS, FETCH of what is new, ADDTO: in this order all numbers are right (RFC 5267, 5465 5.2, 7)."""
        now, last = int(self.clock()), view.last_told
        updates = [await brought_up(result, self.finder, now) for result in self.updating.values()]
        for update in filter(None, updates):
            for response in update.removals(view):
                yield response
        group = None if self.notices is None else self.notices.selected
        for news in view.news(expunge, self.modes, group is None or FLAGS in group.events, group is not None):
            yield news
        told = self._items_of_new(view, last, group, list(filter(None, updates)))
        for items, indices in told.items():
            async for piece in Renderer(self.store, self.shelf, view, items, self.modes).run(indices):
                yield piece
        for update in filter(None, updates):
            for response in update.additions(view):
                yield response

    def _items_of_new(
        self, view: FolderView, last: int, group: EventGroup | None, updates: Sequence[Update]
    ) -> dict[tuple[Item, ...], list[int]]:
        """Which messages behind the UID `last` are told with which items: in one FETCH each (RFC 5465 5.2, 7)."""
        found: dict[tuple[Item, ...], list[int]] = {}
        wanted = [(update.of.items, frozenset(update.new)) for update in updates if update.of.items]
        mine, self.mine = self.mine, ()
        always = [b"UID"] * (self.modes.says_uid and not self.modes.uid_only) + [b"MODSEQ"] * self.condstore
        for index in range(bisect_right(view.uids, last), len(view)):
            uid = view.uids[index]
            items = list(group.items if group is not None and uid not in mine else ())
            items += [item for some, uids in wanted if uid in uids for item in some]
            if items:
                found.setdefault(tuple(dict.fromkeys((*items, *always))), []).append(index)
        return found


def not_permitted() -> No:
    return No("you have no right to do this here", "NOPERM")

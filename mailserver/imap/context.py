"""What a command's handler can reach: who is signed in, the store, the selected folder, the client's next line.

The state of RFC 3501 3 is computed from it, never stored beside it, so the two cannot disagree.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from enum import Enum

from foundation.database import is_away
from foundation.dn import DistinguishedName
from mailserver.imap.crowd import Crowd
from mailserver.imap.finding import Finder
from mailserver.imap.framer import Frame, LiteralOffer
from mailserver.imap.inbox import Inbox
from mailserver.imap.known import Known
from mailserver.imap.member import Member
from mailserver.imap.modes import Modes
from mailserver.imap.notices import Notices
from mailserver.imap.responses import Bad, No
from mailserver.imap.sequences import SequenceSet
from mailserver.imap.shelf import Shelf
from mailserver.imap.updating import Updating
from mailserver.imap.view import FolderView
from mailserver.sasl import Desk
from mailserver.scram import Bind
from mailserver.sign_in import SignedIn, SignIn
from mailserver.store.api import Folder, MailStore, Spool, StoreError, StoreResult
from mssante.rights import NONE

AWAY = 1.0  # seconds between two looks while the database is away


class State(Enum):
    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"
    LOGOUT = "logout"


@dataclass(frozen=True, slots=True)
class Settings:
    """Wishes of the operator; sizes in octets."""

    append_limit: int = 50 * 1024 * 1024
    holder_quota: int = 0  # up to which who holds a mailbox sets its quota; 0: nobody does
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


class Context(Member):
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
        self.inbox = Inbox()
        self.inbox.on_alarm = self.look_again
        super().__init__(store, sign_in, self.inbox.alarm)
        self.settings = settings
        self.client_ip = client_ip
        self.tls = tls
        self.bind: Bind | None = None  # of the TLS channel
        self.certificate: DistinguishedName | None = None  # the client's, judged
        self.vouched: Callable[[], Awaitable[bool]] | None = None  # as the desk asks it
        self.sleep = sleep
        self.shelf = shelf or Shelf()
        self.crowd = crowd or Crowd(1)
        self.view: FolderView | None = None
        self.updating: dict[bytes, Updating] = {}  # by tag
        self.notices: Notices | None = None
        self.mine: Collection[int] = ()  # UIDs that the command under way put into the selected folder
        self.tag = b""  # of the command under way
        self.clock: Callable[[], float] = time.time
        self.modes = Modes()
        self.start_tls = False  # STARTTLS accepted: the transport switches after the answer
        self.start_deflate = False  # COMPRESS accepted: from behind the answer on
        self.leaving = False
        self.login_failures = 0
        self._unwatch: Callable[[], None] = lambda: None
        self._unwatch_person: Callable[[], None] = lambda: None
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
    def selected(self) -> FolderView:
        assert self.view is not None
        return self.view

    def saved(self, uid: bool) -> SequenceSet:
        """What `$` stands for; without what was expunged since (RFC 5182 2.1)."""
        if self.view is None:
            raise Bad("no search result is kept")
        here = {kept: index for kept in self.view.saved if (index := self.view.index_of(kept)) is not None}
        return SequenceSet.of(here if uid else [index + 1 for index in here.values()])

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

    async def select(self, folder: Folder, read_only: bool) -> FolderView:
        # Watching begins before the look: a change in between is seen twice rather than never.
        self._unwatch = self.store.watch(folder.id, self.inbox.wake)
        self.inbox.woken = False
        try:
            columns = await self.store.look(folder.id)
        except BaseException:
            self.deselect()
            raise
        self.view = FolderView(folder, read_only, columns, self.rights(folder), self.seat_of(folder).who.team)
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
        self.stand_up()
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
        if await self.sit_again() and self.notices is not None:
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
        rights = NONE if folder is None else self.rights(folder)
        if "r" not in rights:
            raise FolderLost
        view.allow(rights)

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

    async def catch_up_at_rest(self) -> None:
        """Where no command waits for it: what cannot be seen while the database is away is looked at again, the session stays."""
        try:
            await self.catch_up()
        except Exception as error:
            if not is_away(error):
                raise
            self.inbox.wake_in(AWAY)

    async def catch_up(self) -> None:
        """Brings the view up to date, if the client wants to hear of it."""
        self.inbox.woken = False
        if self.view is None:
            return
        if self.notices is None or self.notices.hears_selected:
            await self.refresh()
        else:
            await self.look_at_rights(self.view)

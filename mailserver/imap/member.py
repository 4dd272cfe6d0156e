"""Who is signed in, and where they may go: their own mailbox and the shared ones, by the rights of RFC 4314 4."""

from __future__ import annotations

from collections.abc import Callable

from mailserver.imap.responses import No
from mailserver.imap.rights import HOLDERS, rights_in
from mailserver.imap.seats import Place, Seat, check_new, is_shared, place_of, shared_seat
from mailserver.sign_in import SignedIn, SignIn
from mailserver.store import names
from mailserver.store.api import Folder, MailStore, StoreError
from mssante.rights import NONE, OF_ROLE, Rights


class Member:
    """`alarm` is called when a seat in a shared mailbox came, went or changed."""

    def __init__(self, store: MailStore, sign_in: SignIn, alarm: Callable[[], None]) -> None:
        self.store = store
        self.sign_in = sign_in
        self.identity: SignedIn | None = None
        self.needs = HOLDERS  # of the command under way
        self._alarm = alarm
        self._unwatch_seats: Callable[[], None] = lambda: None
        self._shared: tuple[Seat, ...] | None = None  # None: nobody asked yet

    @property
    def box_id(self) -> int:
        assert self.identity is not None
        return self.identity.box_id

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
        seats = await self.sign_in.seats(self.identity, self._alarm)
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

    async def sit_again(self) -> bool:
        """Looks anew at the shared mailboxes, if anybody asked for them: false when nobody did."""
        if self._shared is None:
            return False
        await self._sit()
        return True

    def stand_up(self) -> None:
        """Nobody is signed in any more."""
        self._unwatch_seats()
        self._shared, self._unwatch_seats = None, lambda: None


def not_permitted() -> No:
    return No("you have no right to do this here", "NOPERM")

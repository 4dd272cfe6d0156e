"""Where a session may work: in the mailbox signed in to, and in the shared ones of which the person is a member, pure (RFC 2342).

Folders of the latter are called `Boîtes partagées/<address>/<folder>`: an address never changes and is nobody else's. No folder of
one's own is given such a name, so that a mailbox in which one has no seat cannot be told from one that does not exist.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailserver.sign_in import SignedIn
from mailserver.store import names
from mailserver.store.api import Folder, StoreError

ROOT = "Boîtes partagées"
BELOW = ROOT + names.SEPARATOR


@dataclass(frozen=True, slots=True)
class Seat:
    """`prefix` of its folders' names as the client knows them: empty in the mailbox signed in to."""

    who: SignedIn
    prefix: str = ""

    @property
    def box_id(self) -> int:
        return self.who.box_id

    @property
    def root(self) -> str:
        """Of its quota (RFC 9208)."""
        return self.who.address if self.prefix else ""

    @property
    def subscriber(self) -> int:
        """Whose subscriptions count in the mailbox: a team's are each one's own."""
        return self.who.member if self.who.team else 0

    def shown(self, folder: Folder) -> Folder:
        """As the client knows it. Of what is shared nothing is « my sent mail » or « my trash »: a client takes one of each."""
        if self.subscriber:
            subscribed = folder.subscriptions.get(self.subscriber, folder.subscribed)
            folder = folder if subscribed == folder.subscribed else replace(folder, subscribed=subscribed)
        return replace(folder, name=self.prefix + folder.name, special_use=None) if self.prefix else folder


@dataclass(frozen=True, slots=True)
class Place:
    """A name as the client wrote it: whose folder, and how that mailbox calls it, in the normal spelling."""

    seat: Seat
    name: str

    @property
    def shown(self) -> str:
        return self.seat.prefix + self.name


def shared_seat(who: SignedIn) -> Seat:
    return Seat(who, f"{BELOW}{who.address}{names.SEPARATOR}")


def is_shared(name: str) -> bool:
    """Whether only a shared mailbox's folder may be called so; any spelling."""
    if name.isascii():
        return False
    name = unicodedata.normalize("NFC", name)
    return name == ROOT or name.startswith(BELOW)


def place_of(name: str, own: Seat, shared: Sequence[Seat]) -> Place:
    """Raises `StoreError` for what no folder may be called."""
    spelt = unicodedata.normalize("NFC", name) if shared else name
    for seat in shared:
        if spelt.startswith(seat.prefix):
            return Place(seat, names.normal(spelt[len(seat.prefix) :]))
    return Place(own, names.normal(name))


def check_new(place: Place) -> None:
    """A new name; raises `StoreError`."""
    if not place.seat.prefix and is_shared(place.name):
        raise StoreError("CANNOT", "names that begin so are those of shared mailboxes")

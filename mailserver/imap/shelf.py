"""What commands made of messages and can never change, kept as made: the second client, or the second look, costs a join.

In memory only, bounded in octets, the least lately used folder and set of items out first; one for all sessions of a process.
What is kept was read with the key of its mailbox: `forget` it with the key.
"""

from __future__ import annotations

from asyncio import Lock
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from foundation.signals import concerns

ROOM = 48 << 20  # octets: 60,000 messages as a client lists them
OVERHEAD = 130  # octets that Python adds to each


@dataclass(frozen=True, slots=True)
class Place:
    """Where pieces belong; `what` tells the items apart."""

    box_id: int
    folder_id: int
    what: Hashable


@dataclass(slots=True)
class _Pieces:
    by_uid: dict[int, bytes] = field(default_factory=dict)
    octets: int = 0


class Shelf:
    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._held = 0
        self._places: OrderedDict[Place, _Pieces] = OrderedDict()
        self._turns: WeakValueDictionary[Place, Lock] = WeakValueDictionary()

    def pieces(self, place: Place) -> Mapping[int, bytes]:
        """By UID, those that are known."""
        found = self._places.get(place)
        if found is None:
            return {}
        self._places.move_to_end(place)
        return found.by_uid

    async def made(
        self, place: Place, uids: Sequence[int], make: Callable[[Sequence[int]], Awaitable[Mapping[int, bytes]]]
    ) -> Mapping[int, bytes]:
        """Pieces of these messages by UID; what is unknown `make` makes, of those that still are there, and it is kept.

        Pieces of other messages may be in it.
        """
        known = self.pieces(place)
        if known and not set(uids).difference(known):
            return known
        async with self.turn(place):
            known = self.pieces(place)
            unknown = [uid for uid in uids if uid not in known]
            if not unknown:
                return known
            new = await make(unknown)
            self.keep(place, new)
        return new if len(unknown) == len(uids) else {uid: known[uid] for uid in uids if uid in known} | dict(new)

    def turn(self, place: Place) -> Lock:
        """Held while pieces of a place are made: who comes at the same time finds them made."""
        return self._turns.setdefault(place, Lock())

    def keep(self, place: Place, pieces: Mapping[int, bytes]) -> None:
        """Pieces, in the place of those that were there. Those of one place that would fill the whole room are not kept."""
        found = self._places.get(place)
        octets = _octets(pieces.values())
        if found is not None:
            octets -= _octets([found.by_uid[uid] for uid in found.by_uid.keys() & pieces.keys()])
        if octets + (found.octets if found else 0) > self._room:
            return
        if found is None:
            found = self._places[place] = _Pieces()
        found.by_uid.update(pieces)
        found.octets += octets
        self._held += octets
        while self._held > self._room:
            self._drop(next(iter(self._places)))

    def forget(self, box_id: int) -> None:
        for place in [place for place in self._places if concerns(box_id, place.box_id)]:
            self._drop(place)

    def _drop(self, place: Place) -> None:
        self._held -= self._places.pop(place).octets


def _octets(pieces: Collection[bytes]) -> int:
    return sum(map(len, pieces)) + OVERHEAD * len(pieces)

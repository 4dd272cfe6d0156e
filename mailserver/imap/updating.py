"""Results that stay up to date (RFC 5267 4.3): what a SEARCH or a SORT found is told anew as messages come, change and go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mailserver.imap.commands.fetch import Item
from mailserver.imap.commands.search_keys import Aged, Key, Numbers, leaves
from mailserver.imap.finding import Finder
from mailserver.imap.origin_keys import mapped
from mailserver.imap.responses_messages import ESearch
from mailserver.imap.sorting import Criterion
from mailserver.imap.view import FolderView
from mailserver.imap.wire import number_set

MOST = 10  # of one session
MAILBOX_ORDER = 0  # the place in a result that is kept in the order of the mailbox


@dataclass(slots=True)
class Updating:
    """A result as its client knows it: `found` UIDs in the order asked, all changes up to `modseq` counted in."""

    tag: bytes
    uid: bool
    key: Key
    criteria: Sequence[Criterion]  # of SORT
    found: list[int]
    modseq: int
    where: bytes = b""  # as in `ESearch`
    items: Sequence[Item] = ()  # told of a new message that is found (RFC 5465 7)


@dataclass(frozen=True, slots=True)
class Update:
    """What became of a result: (place, UIDs) taken out, and put in, one after the other."""

    of: Updating
    removed: Sequence[tuple[int, Sequence[int]]]
    added: Sequence[tuple[int, Sequence[int]]]

    @property
    def new(self) -> Sequence[int]:
        """UIDs put in."""
        return [uid for _, uids in self.added for uid in uids]

    def removals(self, view: FolderView) -> Iterable[ESearch]:
        """Said ahead of the EXPUNGEs, so that message numbers are right (RFC 5267 4.3.4)."""
        return self._said(b"REMOVEFROM", self.removed, view)

    def additions(self, view: FolderView) -> Iterable[ESearch]:
        """Said behind the EXISTS (RFC 5267 4.3.3)."""
        return self._said(b"ADDTO", self.added, view)

    def _said(self, name: bytes, changes: Sequence[tuple[int, Sequence[int]]], view: FolderView) -> Iterable[ESearch]:
        if changes:
            pairs = (b"%d %b" % (place, number_set(self._numbers(uids, view))) for place, uids in changes)
            yield ESearch(self.of.tag, self.of.uid, ((name, b"(%b)" % b" ".join(pairs)),), self.of.where)

    def _numbers(self, uids: Sequence[int], view: FolderView) -> Sequence[int]:
        return uids if self.of.uid else [index + 1 for uid in uids if (index := view.index_of(uid)) is not None]


def lasting(view: FolderView, key: Key) -> Key:
    """`key` with the messages that have its message numbers now."""

    def named(leaf: Key) -> Key:
        match leaf:
            case Numbers(messages, uid=False):
                return Numbers(messages.in_uids(view.uids), uid=True)
            case _:
                return leaf

    return mapped(key, named)


async def brought_up(result: Updating, finder: Finder, now: int) -> Update | None:
    """Looks at the messages new or changed since the last time; at all of them when time itself decides."""
    view, gone = finder.view, finder.view.gone
    ages = any(isinstance(leaf, Aged) for leaf in leaves(result.key))
    looked = set(view.uids if ages else view.columns.changed_since(result.modseq)) - gone
    result.modseq = view.columns.modseq
    if not looked and gone.isdisjoint(result.found):
        return None
    among = sorted(index for uid in looked if (index := view.index_of(uid)) is not None)
    matching = {view.uids[i] for i in await finder.find(result.key, now, among=among)}
    lost = (looked | gone) - matching
    kept = [uid for uid in result.found if uid not in lost]
    new = matching.difference(kept)
    before, result.found = result.found, kept
    if new:
        indices = sorted(index for uid in new.union(kept) if (index := view.index_of(uid)) is not None)
        result.found = [view.uids[i] for i in await finder.ordered(indices, result.criteria)]
    if not result.criteria:
        removed, added = [uid for uid in before if uid in lost], sorted(new)
        return Update(result, [(MAILBOX_ORDER, removed)] if removed else [], [(MAILBOX_ORDER, added)] if added else [])
    # From the last place to the first, so that the places told are those the client has.
    return Update(result, _runs(before, lost)[::-1], _runs(result.found, new))


def _runs(result: Sequence[int], some: set[int]) -> list[tuple[int, Sequence[int]]]:
    """Neighbours among `some` of the result, each with the place of its first, from 1."""
    runs: list[tuple[int, list[int]]] = []
    for place, uid in enumerate(result, 1):
        if uid in some:
            if runs and runs[-1][0] + len(runs[-1][1]) == place:
                runs[-1][1].append(uid)
            else:
                runs.append((place, [uid]))
    return [*runs]

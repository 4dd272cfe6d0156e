"""How fast one operator, one account and one mailbox may be served, and one account or one operator that writes to one mailbox, per
process: a full store of turns, refilled steadily.

The generic cell rate algorithm (ITU-T I.371): one number a key, the moment at which its store is full again, nothing for who is
at rest. Of a key only a hash is kept, so that no address stays in memory; the number of keys is bounded.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from heapq import nlargest
from operator import itemgetter

from foundation.clock import HOUR, MINUTE

KEYS = 100_000  # about 10 MB at most


class Gauge:
    """`count` turns at once, then one each `span` / `count`; `span` in ms."""

    def __init__(self, count: int, span: int, keys: int = KEYS) -> None:
        self._count = count
        self._span = span
        self._keys = keys
        self._full_at: dict[
            int, int
        ] = {}  # hash of a key -> moment, in parts of a millisecond: `count` each, so that all is exact

    def take(self, key: Hashable, now: int) -> int:
        """Takes a turn and returns 0; or takes none and returns the milliseconds until there is one."""
        if wait := self.wait(key, now):
            return wait
        mark, at = hash(key), now * self._count
        if len(self._full_at) >= self._keys and mark not in self._full_at:
            self._tidy(at)
        self._full_at[mark] = self._after(mark, at)
        return 0

    def wait(self, key: Hashable, now: int) -> int:
        """Milliseconds until there is a turn; takes none."""
        at = now * self._count
        beyond = self._after(hash(key), at) - at - self._span * self._count
        return max(0, -(-beyond // self._count))

    def _after(self, mark: int, at: int) -> int:
        """When the store would be full again if a turn was taken."""
        return max(self._full_at.get(mark, 0), at) + self._span

    def _tidy(self, at: int) -> None:
        """Who is at rest goes; if they are too few, those nearest to it too: they lose least."""
        busy = {mark: full_at for mark, full_at in self._full_at.items() if full_at > at}
        self._full_at = dict(nlargest(self._keys // 2, busy.items(), key=itemgetter(1)))

    def __len__(self) -> int:
        return len(self._full_at)


def _peer() -> Gauge:
    return Gauge(6_000, MINUTE)


def _hourly() -> Gauge:
    return Gauge(3_000, HOUR)


def _of_pair() -> Gauge:
    return Gauge(600, HOUR)


def _of_peer_pair() -> Gauge:
    return Gauge(1_500, HOUR)


@dataclass(frozen=True, slots=True)
class Rates:
    """`peer`: messages of another operator; `account`: recipients of one of our mailboxes' messages; `recipient`: messages for one
    address, and `pair`: those of one sender, far fewer, so that nobody alone uses up the turns of all; `peer_pair`: those of one
    other operator, which names its senders as it likes. These three are counted once messages are taken: who only names an address
    takes no turn from the others.
    """

    peer: Gauge = field(default_factory=_peer)
    account: Gauge = field(default_factory=_hourly)
    recipient: Gauge = field(default_factory=_hourly)
    pair: Gauge = field(default_factory=_of_pair)
    peer_pair: Gauge = field(default_factory=_of_peer_pair)

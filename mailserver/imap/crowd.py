"""How many sessions one person has open in this process: each costs memory and work, and none of it is in a quota."""

from __future__ import annotations

from collections import Counter

from mailserver.sign_in import SignedIn


class Crowd:
    """Of all sessions of a process; `most` for one person in one mailbox."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[tuple[int, int]] = Counter()

    def enter(self, who: SignedIn) -> bool:
        """False when there are as many already."""
        person = who.box_id, who.member
        if self._open[person] >= self._most:
            return False
        self._open[person] += 1
        return True

    def leave(self, who: SignedIn) -> None:
        person = who.box_id, who.member
        self._open[person] -= 1
        if not self._open[person]:
            del self._open[person]

"""What changed in the trust list is in the audit trail, whoever put it in place: the job and `mssante trust-list fetch` write it
themselves, and this looks for a file that somebody replaced by hand (`mv`), while the server ran or not.

Beside the list lies a copy of the one that was written down last, `trust-list.known.xml`: what differs from it is news.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256

from mssante.trust_holder import Accepted, difference
from mssante.trust_list import TrustList, read_list
from runtime.house import House, Trust
from runtime.trust import know, known, signer_of
from runtime.trust_fetch import recorder

BY_HAND = "fichier"


class TrustRecord:
    """`look` is called now and then, in one process."""

    def __init__(self, house: House, trust: Trust) -> None:
        self._house, self._trust = house, trust
        self._seen: tuple[int, int] | None = None  # of a file that is known
        self._before: bytes | None = None  # digest of what was news at the last look

    async def look(self) -> None:
        news = await asyncio.to_thread(self._news)
        if news is None:
            self._before = None
            return
        data, change = news
        digest = sha256(data).digest()
        if digest != self._before:  # who fetched it may be writing it down at this moment
            self._before = digest
            return
        await self._house.db.write(recorder(self._house, change, BY_HAND))
        await asyncio.to_thread(know, self._house.settings, data)

    def _news(self) -> tuple[bytes, Accepted] | None:
        """The file and what it changed; None when it is known, or not the list in use."""
        file, copy = self._house.settings.trust_list.file, known(self._house.settings)
        try:
            stat = file.stat()
            if (stat.st_ino, stat.st_size) == self._seen:
                return None
            data = file.read_bytes()
        except FileNotFoundError:
            return None
        before = copy.read_bytes() if copy.exists() else b""
        if data == before:
            self._seen = stat.st_ino, stat.st_size
            return None
        now_is = self._judged(data)
        if now_is is None or now_is != self._trust.holder.current:
            return None
        return data, Accepted(now_is, difference(self._judged(before) if before else None, now_is))

    def _judged(self, data: bytes) -> TrustList | None:
        found = read_list(data, signer_of(self._house.settings), None)
        return found if isinstance(found, TrustList) else None

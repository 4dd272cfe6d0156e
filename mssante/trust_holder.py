"""The trust list in use: the last good one, on disk and in memory, replaced whole or not at all (docs/rules.md section
1).

`offer` is called by whoever fetches; several processes may share the file, and follow it with `follow`. A list that is
refused changes nothing. The last good one is kept for ever: an old list with an alarm is better than a closed door.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock

from foundation.clock import DAY, HOUR
from foundation.dn import DistinguishedName
from mssante.trust_list import ListFault, ListRefused, Signer, TrustList, read_list

SKEW = HOUR  # how far in the future a list may be dated: beyond, it would bar all the following ones


Names = Mapping[str, frozenset[DistinguishedName]]


@dataclass(frozen=True, slots=True)
class Diff:
    """Domains, lower case; `changed` have other certificates than before. `names_added`, `names_removed`: domain -> names of
    certificates that may speak for it now and did not, or no longer may; domains added and removed are there too.
    """

    added: frozenset[str]
    removed: frozenset[str]
    changed: frozenset[str]
    names_added: Names
    names_removed: Names

    def __bool__(self) -> bool:
        return bool(self.names_added or self.names_removed)


@dataclass(frozen=True, slots=True)
class Accepted:
    """`diff` is empty when the same list came again (which counts as news: the list is not stale)."""

    trust_list: TrustList
    diff: Diff


class TrustListHolder:
    """`path`: the file of the last good list; its modification time is when it was last confirmed. `current` is None
    before the first.
    """

    def __init__(self, path: Path, signer: Signer, stale_after: int = DAY) -> None:
        self._path, self._signer, self._stale_after = path, signer, stale_after
        self._stamp: tuple[int, int] | None = None  # of the file that is in use
        self._refused: tuple[int, int] | None = None  # of one that somebody put there, and that is not
        self._one_thread = RLock()  # the fetching job and the watch look from threads of their own
        self.current: TrustList | None = None
        self.confirmed_at: int | None = None  # ms

    def load(self) -> TrustList | ListRefused | None:
        """Reads the file; None when there is none. The signer's chain is judged at the list's own date: its certificate
        may have ended since, which says nothing about the day it signed.
        """
        with self._one_thread:
            return self._load()

    def _load(self) -> TrustList | ListRefused | None:
        try:
            with self._path.open("rb") as file:
                stat, data = os.fstat(file.fileno()), file.read()
        except FileNotFoundError:
            return None
        found = read_list(data, self._signer, None)
        if isinstance(found, TrustList) and (self.current is None or found.generated_at >= self.current.generated_at):
            self.current, self.confirmed_at = found, stat.st_mtime_ns // 1_000_000
            self._stamp = stat.st_ino, stat.st_size
        return found

    def follow(self) -> Accepted | ListRefused | None:
        """Rereads the file if somebody replaced it (or confirmed it): what it changed, or why it is not used. Each is said once;
        None when there is no news.
        """
        with self._one_thread:
            try:
                stat = self._path.stat()
            except FileNotFoundError:
                return None
            stamp = stat.st_ino, stat.st_size
            if stamp == self._stamp:
                self.confirmed_at = stat.st_mtime_ns // 1_000_000
            if stamp in (self._stamp, self._refused):
                return None
            before = self.current
            found = self._load()
            if found is None or found is self.current:
                self._refused = None
                return Accepted(found, difference(before, found)) if isinstance(found, TrustList) else None
            self._refused = stamp
            if isinstance(found, ListRefused) or before is None:
                return found if isinstance(found, ListRefused) else None
            return ListRefused(ListFault.NOT_NEWER, f"{when(found.generated_at)}, {when(before.generated_at)}")

    def judge(self, data: bytes, now: int) -> TrustList | ListRefused:
        """What `offer` would say of it; changes nothing. The list in use is good, and nothing new."""
        offered = read_list(data, self._signer, now)
        if isinstance(offered, ListRefused):
            return offered
        if offered.generated_at > now + SKEW:
            return ListRefused(ListFault.FUTURE, when(offered.generated_at))
        current = self.current
        if current is not None and offered != current and offered.generated_at <= current.generated_at:
            return ListRefused(ListFault.NOT_NEWER, f"{when(offered.generated_at)}, {when(current.generated_at)}")
        return offered

    def offer(self, data: bytes, now: int) -> Accepted | ListRefused:
        """Takes a fetched list if it is good and newer; on disk first, then in use. Raises OSError when it cannot be
        written.
        """
        with self._one_thread, self._alone():
            self.follow()  # another process may have stored a newer one
            offered = self.judge(data, now)
            if isinstance(offered, ListRefused):
                return offered
            current = self.current
            if current is not None and offered == current:
                self._confirm(now)
                return Accepted(current, difference(current, current))
            self._store(data, now)
            self.current = offered
            return Accepted(offered, difference(current, offered))

    def stale(self, now: int) -> bool:
        """Whether an alarm is due: no good list was seen for too long."""
        return self.confirmed_at is None or now - self.confirmed_at > self._stale_after

    def _store(self, data: bytes, now: int) -> None:
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            stat = os.fstat(file.fileno())
        os.utime(part, ns=(now * 1_000_000, now * 1_000_000))
        part.replace(self._path)
        with self._folder() as folder:
            os.fsync(folder)
        self._stamp, self.confirmed_at = (stat.st_ino, stat.st_size), now

    def _confirm(self, now: int) -> None:
        os.utime(self._path, ns=(now * 1_000_000, now * 1_000_000))
        self.confirmed_at = now

    @contextmanager
    def _folder(self) -> Iterator[int]:
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            yield folder
        finally:
            os.close(folder)  # and its lock goes

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Between the look at the file and its replacement no other process of ours replaces it: never an older over a newer."""
        with self._folder() as folder:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield


def difference(old: TrustList | None, new: TrustList) -> Diff:
    before = old.entries if old is not None else {}
    return Diff(
        frozenset(new.entries.keys() - before.keys()),
        frozenset(before.keys() - new.entries.keys()),
        frozenset(domain for domain in new.entries.keys() & before.keys() if new.entries[domain] != before[domain]),
        _more(before, new.entries),
        _more(new.entries, before),
    )


def _more(less: Names, more: Names) -> Names:
    """Domain -> the names that `more` has and `less` has not."""
    found = ((domain, names - less.get(domain, frozenset())) for domain, names in more.items())
    return {domain: names for domain, names in found if names}


def when(at: int) -> str:
    """ISO 8601, UTC."""
    return datetime.fromtimestamp(at // 1000, UTC).isoformat()

"""Something built from files, rebuilt when they change: certificates, authorities and revocation lists are renewed
without a restart.

`get` looks at the files at most once per `every` ms. Files that cannot be used (half written, key that does not match)
leave the last good value in place and show in `fault`; the first build must succeed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from OpenSSL import SSL

from foundation.clock import SECOND, Clock

Value = TypeVar("Value")
_Stamp = tuple[tuple[int, int, int], ...]


class Rotating(Generic[Value]):
    """`build` reads `paths` and returns the value, or raises OSError, ValueError or a TLS error. Not for several
    threads.
    """

    def __init__(
        self, paths: Sequence[Path], build: Callable[[], Value], clock: Clock, every: int = 5 * SECOND
    ) -> None:
        self.paths, self._build, self._clock, self._every = tuple(paths), build, clock, every
        self._stamp = self._look()
        self._looked = clock()
        self._value = build()
        self.loaded_at = self._looked  # ms
        self.fault: str | None = None

    def get(self) -> Value:
        """The current value; rereads the files when it is time and they changed."""
        now = self._clock()
        if not 0 <= now - self._looked < self._every:
            self._looked = now
            self._refresh(now)
        return self._value

    def _refresh(self, now: int) -> None:
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return
            self._value = self._build()
        except (OSError, ValueError, SSL.Error) as error:  # ssl.SSLError is an OSError
            self.fault = f"{type(error).__name__}: {error}"
            return
        self._stamp, self.loaded_at, self.fault = stamp, now, None

    def _look(self) -> _Stamp:
        stats = [path.stat() for path in self.paths]
        return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats)

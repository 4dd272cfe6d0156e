"""The OCSP answer about our own certificate, kept in a file that all processes read, shown in handshakes (RFC 6066 8)."""

from __future__ import annotations

from pathlib import Path

from certs.ocsp import Answer, OcspError
from foundation.clock import MINUTE, Clock

LOOK_EVERY = MINUTE


class KeptStaple:
    """A `certs.contexts.Staple`: what the file says of this serial, as long as it counts; the file is looked at once a minute."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._answer: Answer | None = None
        self._looked: int | None = None

    def __call__(self, serial: int) -> bytes:
        now = self._clock()
        if self._looked is None or not 0 <= now - self._looked < LOOK_EVERY:
            self._looked, self._answer = now, read(self._path)
        found = self._answer
        return found.data if found is not None and found.serial == serial and now < found.next_update else b""


def read(path: Path) -> Answer | None:
    """None when there is no usable file. Whose signature it bears was looked at before it was written."""
    try:
        return Answer(path.read_bytes())
    except (OSError, OcspError):
        return None

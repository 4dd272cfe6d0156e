"""Authorities below our anchors that peers came with and of which we hold no revocation list. Where their lists are is written in
the peers' certificates: it is kept beside our lists, and they are fetched from now on. The peer was put off (450), and is
recognised when it tries again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from certs.authority import pem, write_file
from certs.names import UNREADABLE, of_name
from certs.points import revocation_lists
from certs.times import to_ms
from foundation.clock import MINUTE
from foundation.jobs import hurry
from runtime.house import House
from runtime.settings import Settings

log = structlog.get_logger()

MOST = 50  # authorities, and addresses
AGAIN = 5 * MINUTE  # between two looks for one authority's list


@dataclass(frozen=True, slots=True)
class Met:
    """`urls`: of their lists, and of those of the authorities above them."""

    authorities: tuple[x509.Certificate, ...] = ()
    urls: tuple[str, ...] = ()

    def with_more(self, above: Iterable[x509.Certificate], urls: Iterable[str], now: int) -> Met:
        """The newest last; those that ended go, and the oldest when there are too many."""
        all_of_them = dict.fromkeys((*self.authorities, *(one for one in above if _is_authority(one))))
        living = [one for one in all_of_them if to_ms(one.not_valid_after_utc) > now]
        return Met(tuple(living[-MOST:]), tuple(dict.fromkeys((*self.urls, *urls)))[-MOST:])


def file_of(settings: Settings) -> Path:
    return settings.tls.crl.with_suffix(".met.json")


def read(settings: Settings) -> Met:
    """What was noted; nothing when the file is not there, or not ours."""
    try:
        said = json.loads(file_of(settings).read_bytes())
        found = [x509.load_pem_x509_certificate(one.encode()) for one in said["authorities"]]
        return Met(tuple(found), tuple(str(one) for one in said["urls"]))
    except (OSError, KeyError, AttributeError, *UNREADABLE):
        return Met()


class Noting:
    """Told by `OcspClient` of each peer that is put off for want of a list, on the loop."""

    def __init__(self, house: House, kind: str) -> None:
        """`kind`: of the job that fetches the lists."""
        self._house, self._kind = house, kind
        self._noted: dict[bytes, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, leaf: x509.Certificate, above: tuple[x509.Certificate, ...]) -> None:
        now, key = self._house.clock(), above[0].fingerprint(hashes.SHA256())
        if now - self._noted.get(key, -AGAIN) < AGAIN:
            return
        if len(self._noted) >= MOST:
            self._noted.clear()
        self._noted[key] = now
        log.warning("revocation_list_missing", issuer=of_name(above[0].subject).text)
        task = asyncio.create_task(self._note(leaf, above, now))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _note(self, leaf: x509.Certificate, above: tuple[x509.Certificate, ...], now: int) -> None:
        try:
            await asyncio.to_thread(self._write, leaf, above, now)
        except OSError as error:  # a full disk: the peer comes again
            log.error("revocation_lists_unusable", reason=str(error))
            return
        await self._house.db.write(hurry, self._kind)

    def _write(self, leaf: x509.Certificate, above: tuple[x509.Certificate, ...], now: int) -> None:
        """Two processes at once: the later one's stays, and the other's peer comes again."""
        settings = self._house.settings
        before = read(settings)
        after = before.with_more(above[:-1], revocation_lists((leaf, *above)), now)
        if after != before:
            said = {"authorities": [pem(one).decode() for one in after.authorities], "urls": after.urls}
            write_file(file_of(settings), json.dumps(said, indent=1).encode(), 0o644)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, *UNREADABLE):
        return False

"""The two sides of a synchronisation in the same terms: which message lies in which folder, by digest, with flags and date."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from imapclient import IMAPClient
from imapclient.imap_utf7 import encode

from tests.clients import corpus
from tests.support.demo import Demo

LETTERS = {"D": "\\Draft", "F": "\\Flagged", "R": "\\Answered", "S": "\\Seen"}  # of a Maildir's file names


class Copy(NamedTuple):
    """What must be the same on both sides; `date` in seconds since the epoch."""

    folder: str
    digest: str
    flags: frozenset[str]
    date: int


def digest(octets: bytes) -> str:
    """The same for the octets of IMAP and for those of a Maildir, whose lines end in LF and where mbsync adds a field."""
    return hashlib.sha256(re.sub(rb"X-TUID: .{12}\n", b"", octets.replace(b"\r\n", b"\n"), count=1)).hexdigest()


# -------------------------------------------------------------------- far: the server
@contextmanager
def imap(server: Demo, box: dict[str, Any]) -> Iterator[IMAPClient]:
    host, port = server.door("imaps")
    with IMAPClient(host, port, ssl_context=server.trust(), timeout=30) as client:
        client.login(box["login"], box["password"])
        yield client


def far(client: IMAPClient) -> Counter[Copy]:
    return Counter(copy for _, copy in far_places(client))


def far_places(client: IMAPClient) -> list[tuple[int, Copy]]:
    """With the UID of each."""
    found = []
    for folder in corpus.FOLDERS:
        client.select_folder(folder, readonly=True)
        for uid, data in client.fetch(client.search(), ["FLAGS", "INTERNALDATE", "BODY.PEEK[]"]).items():
            flags = frozenset(flag.decode() for flag in data[b"FLAGS"])
            date = int(data[b"INTERNALDATE"].timestamp())
            found.append((uid, Copy(folder, digest(data[b"BODY[]"]), flags, date)))
    return found


def fill(server: Demo, box: dict[str, Any], numbers: range, connections: int = 1) -> None:
    """Messages of the corpus with their flags and dates; in this order when by one connection."""
    with imap(server, box) as client:
        for folder in set(corpus.FOLDERS) - {name for *_, name in client.list_folders()}:
            client.create_folder(folder)
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(lambda n: _append(server, box, numbers[n::connections]), range(connections)))


def _append(server: Demo, box: dict[str, Any], numbers: Iterable[int]) -> None:
    """On one connection, without waiting for the answers (LITERAL+)."""
    with server.trust().wrap_socket(socket.create_connection(server.door("imaps"), 60)) as connection:
        connection.sendall(f'a LOGIN "{box["login"]}" "{box["password"]}"\r\n'.encode())
        for number in numbers:
            octets, flags = corpus.message(number), " ".join(corpus.flags(number)).encode()
            date = time.strftime("%d-%b-%Y %H:%M:%S +0000", time.gmtime(corpus.date(number))).encode()
            where = encode(corpus.folder(number))
            connection.sendall(b'b APPEND "%b" (%b) "%b" {%d+}\r\n%b\r\n' % (where, flags, date, len(octets), octets))
        connection.sendall(b"c LOGOUT\r\n")
        with connection.makefile("rb") as answers:
            refused = [line for line in answers if not line.startswith((b"*", b"a OK", b"b OK", b"c OK"))]
    assert refused == []


# -------------------------------------------------------------------- near: Maildirs
class Maildirs:
    """Folders below `top`, named in modified UTF-7 as mbsync leaves them; changed as a mail reader does."""

    def __init__(self, top: Path) -> None:
        self.top = top

    def path(self, folder: str) -> Path:
        return self.top / str(encode(folder), "ascii")

    def files(self, folder: str) -> list[Path]:
        return [path for part in ("cur", "new") for path in (self.path(folder) / part).glob("*")]

    def places(self) -> list[tuple[Path, Copy]]:
        return [(path, self._copy(folder, path)) for folder in corpus.FOLDERS for path in self.files(folder)]

    def find(self, text: str, folder: str = "INBOX") -> tuple[Path, Copy]:
        """The one file of the folder that holds `text`."""
        (path,) = (path for path in self.files(folder) if text.encode() in path.read_bytes())
        return path, self._copy(folder, path)

    def copies(self) -> Counter[Copy]:
        return Counter(copy for _, copy in self.places())

    @staticmethod
    def _copy(folder: str, path: Path) -> Copy:
        flags = frozenset(LETTERS[letter] for letter in path.name.partition(":2,")[2])
        return Copy(folder, digest(path.read_bytes()), flags, int(path.stat().st_mtime))

    def add(self, folder: str, number: int) -> None:
        path = self.path(folder) / "cur" / f"{number}.added.here:2,{letters(corpus.flags(number))}"
        path.write_bytes(corpus.message(number).replace(b"\r\n", b"\n"))
        os.utime(path, (corpus.date(number),) * 2)

    def change(self, path: Path, old: Copy, new: Copy | None) -> None:
        """To another folder a message goes without the name that the synchroniser gave it."""
        if new is None:
            path.unlink()
            return
        base = path.name.partition(":2,")[0]
        if new.folder != old.folder:
            base = base.partition(",U=")[0]
        path.rename(self.path(new.folder) / "cur" / f"{base}:2,{letters(new.flags)}")


def letters(flags: frozenset[str]) -> str:
    return "".join(letter for letter, flag in LETTERS.items() if flag in flags)

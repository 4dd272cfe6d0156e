"""Plays transcripts (`transcripts/*.txt`) against sessions in memory.

    # a comment
    with: three messages        a starting point of `STARTS` (store's content), before the first line
    begin: selected             greeting | fresh | signed in | selected (INBOX): where each connection begins
    tls: no                     connections begin in the clear
    pipelined: yes              the client speaks on without waiting for answers
    remembers: 1                expunges that every folder remembers
    keywords: 3                 that a folder has at most
    only: whole                 not byte by byte
    C: a1 NOOP                  the client's line, CRLF added; C2: for connection 2
    S: * OK ... $v              exact line; `...` = anything, `$v` = the same text everywhere it stands
    <NUL>                       that octet, in either direction

Every line said must be expected: a line too many fails. All of it must fit the formal syntax (`formal`). Each transcript runs whole
and byte by byte.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from unittest.mock import patch

import hypothesis

from mailserver.imap.context import Settings
from mailserver.imap.session import ImapSession, StartTls
from mailserver.sign_in import SignedIn, SignIn
from mailserver.store import flags, forgetting, names
from mailserver.store.api import Flag, Flags, NewMessage
from mailserver.store.memory import MemoryMailStore
from mailserver.store.sql import SqlMailStore
from mssante.rights import Role
from tests.mailserver.imap import formal
from tests.support.people import People

# Hypothesis on a machine that does other work too: time says nothing there.
PATIENT = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])

Store = MemoryMailStore | SqlMailStore
MakeStore = Callable[[], Awaitable[Store]]

BOX, NEIGHBOUR, AWA, LEA = 1, 2, 4, 5
DAY = 1_750_000_000  # 15-Jun-2025 15:06:40 +0000


def mail(number: int, subject: str = "", body: str = "", extra: str = "") -> bytes:
    text = (
        f"From: Alice Martin <alice@ville.example>\r\nTo: bob@hopital.example\r\nSubject: {subject or f'message {number}'}\r\n"
        f"Date: Mon, {number} Jun 2026 10:00:00 +0200\r\nMessage-ID: <m{number}@ville.example>\r\n{extra}\r\n"
    )
    return (text + (body or f"body of {number}\r\n")).encode()


MIXED = (
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n",
    "preamble\r\n--B\r\nContent-Type: text/plain\r\n\r\nhello\r\n--B\r\nContent-Type: message/rfc822\r\n\r\n"
    "From: carol@labo.example\r\nSubject: inner\r\n\r\ninner text\r\n--B--\r\n",
)


async def _three(store: Store) -> None:
    inbox = await inbox_of(store)
    flags = (Flags(), Flags(Flag.SEEN), Flags(Flag.SEEN | Flag.FLAGGED, frozenset(("$Forwarded",))))
    for number, flag in enumerate(flags, 1):
        await store.append(inbox, [NewMessage(mail(number), flag, DAY + number * 86400)])


async def _mixed(store: Store) -> None:
    extra, body = MIXED
    await store.append(await inbox_of(store), [NewMessage(mail(1, "mixed", body, extra), Flags(), DAY)])


async def _french(store: Store) -> None:
    texts = (("=?utf-8?q?R=C3=A9sultats?=", "Glycémie élevée\r\n"), ("autre", "rien\r\n"))
    for number, (subject, body) in enumerate(texts, 1):
        extra = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
        await store.append(await inbox_of(store), [NewMessage(mail(number, subject, body, extra), Flags(), DAY)])


async def _encoded(store: Store) -> None:
    extra = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n"
    parts = [
        ("base64", "AEhlbGxv\r\n"),
        ("quoted-printable", "caf=C3=A9 =3D 1=\r\n euro"),
        ("x-uuencode", "begin 600 x"),
    ]
    body = "".join(f"--B\r\nContent-Transfer-Encoding: {name}\r\n\r\n{text}\r\n" for name, text in parts)
    await store.append(await inbox_of(store), [NewMessage(mail(1, "encoded", body + "--B--\r\n", extra), Flags(), DAY)])


async def _nothing(store: Store) -> None: ...


async def _shared(store: Store) -> None:
    """bob's is a shared mailbox with three messages; awa works in it as anne, lea as luc, and each has her own."""
    await _three(store)
    for box in (AWA, LEA):
        await store.open_box(box)


STARTS: dict[str, Callable[[Store], Awaitable[None]]] = {
    "nothing": _nothing,
    "three messages": _three,
    "a multipart message": _mixed,
    "an encoded message": _encoded,
    "french messages": _french,
    "a shared mailbox": _shared,
}


async def inbox_of(store: Store) -> int:
    return next(folder.id for folder in await store.folders(BOX) if folder.name == "INBOX")


PEOPLE = People(
    {
        # one mailbox, its holder and the others
        "bob": ("sésame", SignedIn(BOX, "bob@hopital.example", "bob", 1)),
        "anne": ("x", SignedIn(BOX, "bob@hopital.example", "anne", 2, Role.MEMBER)),
        "luc": ("x", SignedIn(BOX, "bob@hopital.example", "luc", 3, Role.READER)),
        "eve": ("x", SignedIn(NEIGHBOUR, "eve@hopital.example", "eve", 4)),
        "user": ("pencil", SignedIn(3, "user@hopital.example", "user", 5)),  # of RFC 7677 3
        # who works in bob's mailbox too
        "awa": ("x", SignedIn(AWA, "awa.diallo@hopital.example", "Awa Diallo", 6)),
        "lea": ("x", SignedIn(LEA, "lea.morel@hopital.example", "Léa Morel", 7)),
    },
    wait_ms=2000,
    seats={"awa": ["anne"], "lea": ["luc"]},
)


class Connection:
    """One session, driven by hand. `slept` collects the waits the session asked for."""

    def __init__(
        self, store: Store, tls: bool = True, settings: Settings | None = None, sign_in: SignIn = PEOPLE
    ) -> None:
        self.slept: list[float] = []
        self.session = ImapSession(store, sign_in, settings or SETTINGS, "192.0.2.1", tls, self._sleep)
        self.output = b""
        self.pieces: list[bytes] = []
        self._task = asyncio.get_running_loop().create_task(self._collect())

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def _collect(self) -> None:
        async for piece in self.session.run():
            if isinstance(piece, StartTls):
                self.session.tls_started()
            else:
                self.output += piece
                self.pieces.append(piece)

    @property
    def closed(self) -> bool:
        return self._task.done()

    async def settle(self) -> None:
        """Until the session waits for more input, or has ended."""
        for turn in range(5000):
            await asyncio.sleep(0 if turn < 50 else 0.001)  # a store on disk answers from its threads
            if self.closed or self.session.context.inbox.waiting:
                if self.closed:
                    self._task.result()
                return
        raise AssertionError("the session never came to rest")

    async def say(self, data: bytes, byte_by_byte: bool = False) -> None:
        for piece in [data[i : i + 1] for i in range(len(data))] if byte_by_byte else [data]:
            self.session.receive(piece)
            if byte_by_byte:
                await self.settle()

    async def ask(self, line: bytes) -> bytes:
        """Sends a line and gives all that was said since."""
        await self.say(line + b"\r\n")
        await self.settle()
        said, self.output = self.output, b""
        return said

    async def close(self, cut: bool = False) -> None:
        """All that was told must fit the formal syntax, in whatever test; not when it was `cut` short."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self.session.context.inbox.deflate is None and not cut:
            formal.read(b"".join(self.pieces))


SETTINGS = Settings(append_limit=2000, server_name="Opérateur", max_bad_commands=10, holder_quota=1 << 40)


async def in_memory() -> Store:
    return MemoryMailStore(clock=lambda: DAY)


async def new_store(start: str = "nothing", make: MakeStore = in_memory) -> Store:
    store = await make()
    await store.open_box(BOX)
    await store.open_box(NEIGHBOUR)
    await STARTS[start](store)
    return store


async def connect(store: Store, begin: str = "fresh", tls: bool = True, sign_in: SignIn = PEOPLE) -> Connection:
    connection = Connection(store, tls, sign_in=sign_in)
    await connection.settle()
    if begin == "greeting":
        return connection
    if begin != "fresh":
        assert b"x1 OK" in await connection.ask(b"x1 LOGIN bob {7+}\r\n" + "sésame".encode())
    if begin == "selected":
        assert b"x2 OK" in await connection.ask(b"x2 SELECT INBOX")
    connection.output = b""
    return connection


class Player:
    def __init__(self, path: Path, byte_by_byte: bool, make: MakeStore = in_memory) -> None:
        self._path = path
        self._make = make
        self._byte_by_byte = byte_by_byte
        self._values: dict[str, str] = {}
        self._connections: dict[str, Connection] = {}
        self._head = {"with": "nothing", "begin": "fresh", "tls": "yes", "pipelined": "no", "tokens": "no", "only": ""}

    async def play(self) -> None:
        with (
            patch.object(forgetting, "FEWEST", forgetting.FEWEST),
            patch.object(names, "CARRIED", names.CARRIED),
            patch.object(flags, "KEYWORDS_PER_FOLDER", flags.KEYWORDS_PER_FOLDER),
        ):
            await self._play()

    async def _play(self) -> None:
        store = None
        for number, line in enumerate(self._path.read_text().splitlines(), 1):
            where = f"{self._path.name}:{number}: {line}"
            if not line.strip() or line.startswith("#"):
                continue
            word, _, text = line.partition(":")
            text = text.removeprefix(" ").replace("<NUL>", "\0")
            if word == "remembers":
                forgetting.FEWEST = int(text)
                continue
            if word == "carries":
                names.CARRIED = int(text)
                continue
            if word == "keywords":
                flags.KEYWORDS_PER_FOLDER = int(text)
                continue
            if word in self._head:
                self._head[word] = text
                continue
            store = store or await new_store(self._head["with"], self._make)
            connection = await self._connection(word[1:] or "1", store)
            if word[0] == "C":
                ahead = self._head["pipelined"] == "yes"
                assert ahead or not connection.output, f"{where}\nunexpected: {connection.output!r}"
                await connection.say(self._filled(text).encode() + b"\r\n", self._byte_by_byte)
            else:
                await connection.settle()
                await self._expect(connection, text, where)
        for connection in self._connections.values():
            await connection.settle()
            assert connection.output == b"", f"{self._path.name}: unexpected at the end: {connection.output!r}"
            await connection.close()

    async def _connection(self, key: str, store: Store) -> Connection:
        if key not in self._connections:
            self._connections[key] = await connect(
                store,
                self._head["begin"],
                self._head["tls"] == "yes",
                PEOPLE.with_tokens() if self._head["tokens"] == "yes" else PEOPLE,
            )
        return self._connections[key]

    async def _expect(self, connection: Connection, text: str, where: str) -> None:
        if text == "(closed)":
            assert connection.closed, f"{where}\nstill open"
            return
        for _ in range(200):  # IDLE: another connection's command is still on its way to the disk
            if connection.output or connection.closed:
                break
            await asyncio.sleep(0.005)
        line, end, connection.output = connection.output.partition(b"\r\n")
        said = line.decode("utf-8", "replace")
        assert end, f"{where}\nnothing was said"
        match = re.fullmatch(self._pattern(text), said)
        assert match, f"{where}\nsaid:     {said}\nexpected: {text}"
        self._values |= match.groupdict()

    def _pattern(self, text: str) -> str:
        pattern = re.escape(text).replace(re.escape("..."), ".*")

        def variable(match: re.Match[str]) -> str:
            name = match[1]
            return re.escape(self._values[name]) if name in self._values else rf"(?P<{name}>[^\s\])]+)"

        return re.sub(r"\\\$([a-z]\w*)", variable, pattern)

    def _filled(self, text: str) -> str:
        return re.sub(r"\$([a-z]\w*)", lambda match: self._values.get(match[1], match[0]), text)

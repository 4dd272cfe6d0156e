"""Between processes: « something changed », never what. The table is the truth; a signal only wakes.

A signal is a topic and a number (a mailbox, a folder). Inside the process it goes straight to the subscribers; to the other
processes of this machine by datagrams on Unix sockets in one folder (SQLite), or by LISTEN/NOTIFY (PostgreSQL). A lost
datagram costs a delay until the receiver's next look, never a message. Who was deaf for a while is told `ANY` of each topic.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import structlog
from sqlalchemy import URL
from sqlalchemy.exc import OperationalError

log = structlog.get_logger()

Signal = tuple[str, int]

ANY = -1  # in place of a number: some signals were lost, anything may have changed
CHANNEL = "mssante_changes"
_PACK = struct.Struct("!q")


def concerns(signalled: int, key: int) -> bool:
    return signalled in (key, ANY)


class Signals:
    """Subscribers of this process, and the wire to the others."""

    def __init__(self) -> None:
        self._subscribers: defaultdict[str, list[Callable[[int], None]]] = defaultdict(list)
        self.loop: asyncio.AbstractEventLoop | None = None
        self._wire: _Wire | None = None

    def subscribe(self, topic: str, callback: Callable[[int], None]) -> Callable[[], None]:
        self._subscribers[topic].append(callback)

        def undo() -> None:
            with contextlib.suppress(ValueError):
                self._subscribers[topic].remove(callback)

        return undo

    async def start(self, url: URL) -> None:
        """From now on callbacks run on this loop, other processes are heard, and hear us."""
        self.loop = asyncio.get_running_loop()
        await self.loop.run_in_executor(None, self.speak, url)
        if self._wire is not None:
            await self._wire.listen(self.loop, self.deliver, self._deaf)

    def speak(self, url: URL) -> None:
        """Other processes hear us from now on: all that a command of the operator needs, which has no loop."""
        if (wire := _wire_of(url)) is not None:
            wire.open()
        self._wire = wire

    async def close(self) -> None:
        if self._wire is not None:
            await self._wire.deafen()
        self.loop = None
        self.hush()

    def hush(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def send(self, signals: list[Signal]) -> None:
        """To the other processes; called by the writer thread after a commit."""
        if signals and self._wire is not None:
            self._wire.send(signals)

    def _deaf(self) -> None:
        self.deliver([(topic, ANY) for topic in tuple(self._subscribers)])

    def deliver(self, signals: Iterable[Signal]) -> None:
        for topic, key in signals:
            for callback in tuple(self._subscribers.get(topic, ())):
                callback(key)


SURE = 1_000_000_000  # ns: two changes of a folder so near each other may bear one time
AWAY = 1.0  # seconds between two tries to reach PostgreSQL again
NAME_BYTES = 107  # sun_path without its final zero


Deliver = Callable[[list[Signal]], None]


class _Wire(Protocol):
    """Opened, then maybe listening, then deaf again if it was, then closed. `missed`: called when it hears again after a cut."""

    def open(self) -> None: ...
    async def listen(self, loop: asyncio.AbstractEventLoop, deliver: Deliver, missed: Callable[[], None]) -> None: ...
    def send(self, signals: list[Signal]) -> None: ...
    async def deafen(self) -> None: ...
    def close(self) -> None: ...


def _wire_of(url: URL) -> _Wire | None:
    if url.get_backend_name() != "sqlite":
        return _Notify(url)
    return _Datagrams(Path(url.database + ".signals")) if url.database and url.database != ":memory:" else None


class _Datagrams:
    """One Unix datagram socket per process that listens, named by its pid, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / str(os.getpid())
        self._folder_fd = -1
        self._others: tuple[int, list[str]] = (-1, [])
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def open(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._folder_fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)

    async def listen(self, loop: asyncio.AbstractEventLoop, deliver: Deliver, missed: Callable[[], None]) -> None:
        self._path.unlink(missing_ok=True)
        self._socket.bind(self._short(self._path))
        self._loop = loop

        def readable() -> None:
            """One datagram: the loop calls again as long as there are more."""
            with contextlib.suppress(BlockingIOError):
                deliver(_decode(self._socket.recv(65536)))

        loop.add_reader(self._socket.fileno(), readable)

    def send(self, signals: list[Signal]) -> None:
        data = _encode(signals)
        for other in self._sockets():
            try:
                self._socket.sendto(data, other)
            except BlockingIOError:
                pass  # its buffer is full: it has plenty to wake it
            except (ConnectionRefusedError, FileNotFoundError):
                Path(other).unlink(missing_ok=True)  # left behind by a process that died

    def _sockets(self) -> list[str]:
        """Those of the other processes; looked up when one came or went."""
        try:
            changed = os.stat(self._folder).st_mtime_ns
            if changed != self._others[0] or time.time_ns() - changed < SURE:
                names = [name for name in os.listdir(self._folder) if name != self._path.name]
                self._others = changed, [self._short(self._folder / name) for name in names]
        except FileNotFoundError:  # somebody removed it under us: the others will look by themselves
            return []
        return self._others[1]

    async def deafen(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        self._socket.close()
        os.close(self._folder_fd)

    def _short(self, path: Path) -> str:
        """Unix socket names are limited to 107 bytes; a deep folder is named by its descriptor (Linux)."""
        name = str(path)
        return name if len(os.fsencode(name)) <= NAME_BYTES else f"/proc/self/fd/{self._folder_fd}/{path.name}"


class _Notify:
    """LISTEN/NOTIFY on connections of its own, made anew when PostgreSQL was away; the payload carries our name so that we skip our
    own echo.
    """

    def __init__(self, url: URL) -> None:
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._own = f"{os.getpid()}-{os.urandom(4).hex()}"
        self._end = os.eventfd(0)
        self._sender: Any = None
        self._send_lock = threading.Lock()

    def open(self) -> None:
        """Raises the error that a statement would."""
        import psycopg

        try:
            self._sender = self._connection()
        except psycopg.OperationalError as fault:
            raise OperationalError("LISTEN", None, fault) from None

    async def listen(self, loop: asyncio.AbstractEventLoop, deliver: Deliver, missed: Callable[[], None]) -> None:
        ready = asyncio.Event()

        def heard(payload: str) -> None:
            sender, _, data = payload.partition(" ")
            if sender != self._own:
                loop.call_soon_threadsafe(deliver, _decode(bytes.fromhex(data)))

        def listening(again: bool) -> None:
            loop.call_soon_threadsafe(missed if again else ready.set)

        def listen() -> None:
            self._listen(listening, heard)

        self._thread = threading.Thread(target=listen, name="db-listen", daemon=True)
        self._thread.start()
        await ready.wait()

    def send(self, signals: list[Signal]) -> None:
        import psycopg

        with self._send_lock:
            try:
                self._notify(signals)
            except psycopg.OperationalError:  # PostgreSQL was away since the last one: what is told twice harms nobody
                self._sender.close()
                self._sender = self._connection()
                self._notify(signals)

    def _notify(self, signals: list[Signal]) -> None:
        for start in range(0, len(signals), 100):  # NOTIFY payloads are limited to 8,000 bytes
            data = _encode(signals[start : start + 100]).hex()
            self._sender.execute("SELECT pg_notify(%s, %s)", (CHANNEL, f"{self._own} {data}"))

    async def deafen(self) -> None:
        os.eventfd_write(self._end, 1)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def close(self) -> None:
        self._sender.close()
        os.close(self._end)

    # ------------------------------------------------------------ the listening thread
    def _listen(self, listening: Callable[[bool], object], heard: Callable[[str], None]) -> None:
        """Until the end, over any number of connections; `listening(again)` once for each."""
        import psycopg

        again = False
        while True:
            try:
                with self._connection() as conn:
                    conn.execute(f"LISTEN {CHANNEL}")
                    listening(again)
                    again = True
                    while self._waits_for(conn.fileno()):
                        for note in conn.notifies(timeout=0):
                            heard(note.payload)
                    return
            except psycopg.Error as fault:
                log.error("signals_failed", error=type(fault).__name__)
            if not self._waits_for(patience=AWAY):
                return

    def _waits_for(self, *descriptors: int, patience: float | None = None) -> bool:
        """Until one of them has something, or `patience` seconds; False: the end came."""
        either = select.poll()
        for descriptor in (*descriptors, self._end):
            either.register(descriptor, select.POLLIN)
        return self._end not in dict(either.poll(None if patience is None else patience * 1000))

    def _connection(self) -> Any:
        import psycopg

        return psycopg.connect(self._dsn, autocommit=True)


def _encode(signals: list[Signal]) -> bytes:
    return b"".join(bytes([len(topic)]) + topic.encode() + _PACK.pack(key) for topic, key in signals)


def _decode(data: bytes) -> list[Signal]:
    signals, at = [], 0
    while at < len(data):
        end = at + 1 + data[at]
        signals.append((data[at + 1 : end].decode(), _PACK.unpack_from(data, end)[0]))
        at = end + _PACK.size
    return signals

"""sd_notify(3): tells who started us that the doors are open, that we turn, that we close. systemd listens; so do the parent of
several processes, and the demo.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from collections.abc import Sequence

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid (unix(7))


def notify(*state: str) -> None:
    """`state`: READY=1, RELOADING=1, WATCHDOG=1, STOPPING=1; nothing happens when nobody asked to be told, or is there no more."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        try:
            sock.sendto("\n".join(state).encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError:
            return


def reloading() -> None:
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog() -> float | None:
    """Seconds after which silence gets us killed (sd_watchdog_enabled(3)); None: nobody listens for that."""
    for_us = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    usec = os.environ.get("WATCHDOG_USEC", "")
    return int(usec) / 1_000_000 if for_us and usec.isdigit() and int(usec) else None


async def beat(stop: asyncio.Event) -> None:
    """Says that the loop turns, twice in the time that is given."""
    seconds = watchdog()
    while seconds is not None and not stop.is_set():
        notify("WATCHDOG=1")
        try:
            await asyncio.wait_for(stop.wait(), seconds / 2)
        except TimeoutError:
            continue


class Listener:
    """The other side: hears the processes that were given `address`."""

    def __init__(self) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._sock.bind("")  # Linux picks an abstract name: no file to clean up
        self.address = "@" + self._sock.getsockname()[1:].decode()

    def heard(self, timeout: float) -> tuple[int, Sequence[str]] | None:
        """(pid of who spoke, what it said); None when nobody did within `timeout` seconds."""
        self._sock.settimeout(timeout)
        try:
            data, ancillary, _, _ = self._sock.recvmsg(4096, socket.CMSG_SPACE(_CREDENTIALS.size))
        except (TimeoutError, InterruptedError):
            return None
        pid = next((_CREDENTIALS.unpack(sent)[0] for _, kind, sent in ancillary if kind == socket.SCM_CREDENTIALS), 0)
        return pid, data.decode("ascii", "replace").split("\n")

    def ready(self, timeout: float) -> bool:
        """Whether one more process said it is ready within `timeout` seconds."""
        heard = self.heard(timeout)
        return heard is not None and "READY=1" in heard[1]

    def close(self) -> None:
        self._sock.close()

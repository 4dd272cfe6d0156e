"""sd_notify(3): tells who started us that the doors are open, or closing. systemd listens; so does the demo."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> None:
    """`state` is READY=1 or STOPPING=1; nothing happens when nobody asked to be told."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)


class Listener:
    """The other side: counts the READY of the processes that were given `address`."""

    def __init__(self) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind("")  # Linux picks an abstract name: no file to clean up
        self.address = "@" + self._sock.getsockname()[1:].decode()

    def ready(self, timeout: float) -> bool:
        """Whether one more process said it is ready within `timeout` seconds."""
        self._sock.settimeout(timeout)
        try:
            return self._sock.recv(256).startswith(b"READY=1")
        except TimeoutError:
            return False

    def close(self) -> None:
        self._sock.close()

"""Listening sockets, opened before anything else so that every busy port is told at once; shared by the processes of one server."""

from __future__ import annotations

import socket
from collections.abc import Mapping

BACKLOG = 1024


class DoorsBusy(Exception):
    """Some doors cannot be opened; `faults` has one sentence each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def split_door(door: str) -> tuple[str, int]:
    host, _, port = door.rpartition(":")
    return host.strip("[]"), int(port)


def open_doors(doors: Mapping[str, str]) -> dict[str, socket.socket]:
    """name -> listening socket (SO_REUSEPORT: each worker opens its own, the kernel spreads the connections)."""
    opened: dict[str, socket.socket] = {}
    faults: list[str] = []
    for name, door in doors.items():
        try:
            opened[name] = listen(door)
        except OSError as fault:
            faults.append(f"doors.{name}: cannot listen on {door}: {fault.strerror}")
    if faults:
        for sock in opened.values():
            sock.close()
        raise DoorsBusy(faults)
    return opened


def listen(door: str) -> socket.socket:
    host, port = split_door(door)
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def is_free(door: str) -> bool:
    """Whether nobody listens there yet (without SO_REUSEPORT, which would share it)."""
    host, port = split_door(door)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError:
            return False
    return True

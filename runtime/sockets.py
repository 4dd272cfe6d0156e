"""Listening sockets, opened before anything else so that every busy port is told at once; shared by the processes of one server."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from foundation.wording import of_error, said

BACKLOG = 1024


class DoorsBusy(Exception):
    """Some doors cannot be opened; `faults` has one sentence each, « français // English »."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def split_door(door: str) -> tuple[str, int]:
    host, _, port = door.rpartition(":")
    return host.strip("[]"), int(port)


def own_address(door: str) -> tuple[str, int]:
    """The door as seen from this machine."""
    host, port = split_door(door)
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104


def open_doors(doors: Mapping[str, str]) -> dict[str, socket.socket]:
    """name -> listening socket (SO_REUSEPORT: each worker opens its own, the kernel spreads the connections)."""
    opened: dict[str, socket.socket] = {}
    faults: list[str] = []
    for name, door in doors.items():
        try:
            opened[name] = listen(door)
        except OSError as fault:
            why = of_error(fault)
            faults.append(
                f"doors.{name} : {door} ne s’ouvre pas : {said(why, 'fr')} // "
                f"doors.{name}: cannot listen on {door}: {said(why, 'en')}"
            )
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


def in_the_way(door: str) -> OSError | None:
    """Why we could not listen there: somebody does already (asked without SO_REUSEPORT, which would share it), or we may not."""
    host, port = split_door(door)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as fault:
            return fault
    return None


def is_free(door: str) -> bool:
    return in_the_way(door) is None

"""This machine: its clock, its ports, the keys that sign mail, where notices go."""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Iterator
from pathlib import Path

from foundation.clock import HOUR, SECOND, KernelClock
from foundation.wording import of_error
from mailserver.contents import opening
from mailserver.outbound.dkim import BadKey
from mailserver.signatures.zone import BadZone
from runtime.doctor.faults import machine as faults
from runtime.doctor.finding import Finding, private, unreadable
from runtime.doors import doors_of
from runtime.settings import Settings
from runtime.signing import key_files, read_key, records_of
from runtime.sockets import in_the_way, own_address
from runtime.trust import read_trust_list

OFF = 2 * SECOND
ANSWER_SECONDS = 3
MIGRATE = Path("/proc/sys/net/ipv4/tcp_migrate_req")
LEAST_RSA, GOOD_RSA = 1024, 2048  # bits: verifiers refuse less, signers should have more


def clock(settings: Settings, now: int, kernel: KernelClock | None) -> Iterator[Finding]:
    outcome = read_trust_list(settings)
    if not isinstance(outcome, str) and now < outcome.generated_at - HOUR:
        yield faults.CLOCK_BEFORE_LIST.at()
    if kernel is None:
        return
    if not kernel.synchronised:
        yield faults.CLOCK_UNKEPT.at()
    elif kernel.error_ms > OFF:
        yield faults.CLOCK_OFF.at(seconds=f"{kernel.error_ms / SECOND:.0f}")


def archives(_settings: Settings, _now: int) -> Iterator[Finding]:
    try:
        ctypes.CDLL(opening.LIBRARY["LIBARCHIVE"])
    except OSError:
        yield faults.ARCHIVES_CLOSED.at()


def dkim(settings: Settings, _now: int) -> Iterator[Finding]:
    files = key_files(settings.dkim)
    for kind, selector, path in files:
        try:
            yield from private(faults.DKIM_OPEN, path)
            bits = read_key(kind, selector, path).bits
        except BadKey:
            yield faults.DKIM_WRONG.at(path=path, kind=kind)
        except OSError as fault:
            yield unreadable(faults.DKIM_UNREADABLE, path, fault)
        else:
            if kind == "rsa" and bits < GOOD_RSA:  # RFC 8301 3.2
                weak = faults.DKIM_WEAK
                yield (weak.fatally if bits < LEAST_RSA else weak.at)(path=path, bits=bits)
    if (zone := settings.dkim.records) is not None:
        try:
            records_of(settings.dkim)
        except BadZone as fault:
            yield faults.DKIM_ZONE.at(path=zone, why=fault)
        except OSError as fault:
            yield unreadable(faults.DKIM_UNREADABLE, zone, fault)
    if [kind for kind, *_ in files] == ["ed25519"]:
        yield faults.DKIM_ALONE.at()


def outbox(settings: Settings, _now: int) -> Iterator[Finding]:
    if settings.outbox.folder is None and not settings.outbox.relay:
        yield faults.OUTBOX_NONE.at()


def help_named(settings: Settings, _now: int) -> Iterator[Finding]:
    if settings.doors.web and not settings.web.help:
        yield faults.HELP_NONE.at()


def reload(settings: Settings, _now: int, switch: Path = MIGRATE) -> Iterator[Finding]:
    """Connections that wait at the door of a process that leaves pass to another one only if the kernel is told to (Linux 5.14)."""
    try:
        passed = switch.read_text().strip() != "0"
    except OSError:
        return
    if settings.workers > 1 and not passed:
        yield faults.RELOAD_RESETS.at()


def free_doors(settings: Settings, _now: int) -> Iterator[Finding]:
    """Before a start."""
    for name, door in doors_of(settings).items():
        fault = in_the_way(door)
        if isinstance(fault, PermissionError):
            yield faults.DOOR_LOW.at(name=name, door=door)
        elif fault is not None:
            yield faults.DOOR_TAKEN.at(name=name, door=door, why=of_error(fault))


def bound_doors(settings: Settings, _now: int) -> Iterator[Finding]:
    """While the server runs."""
    for name, door in doors_of(settings).items():
        try:
            socket.create_connection(own_address(door), ANSWER_SECONDS).close()
        except OSError:
            yield faults.DOOR_SILENT.at(name=name, door=door)

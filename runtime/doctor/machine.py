"""This machine: its clock, its ports, the keys that sign mail, where notices go."""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Iterator

from foundation.clock import HOUR, SECOND, KernelClock
from foundation.wording import of_error, said
from mailserver.contents import opening
from mailserver.outbound.dkim import BadKey
from mailserver.signatures.zone import BadZone
from runtime.doctor.finding import Finding, private, unreadable
from runtime.doors import doors_of
from runtime.settings import Settings
from runtime.signing import key_files, read_key, records_of
from runtime.sockets import in_the_way, own_address
from runtime.trust import read_trust_list

CLOCK = "horloge // clock"
DOORS = "portes // doors"
DKIM = "dkim"
ARCHIVES = "pièces jointes // attachments"
OFF = 2 * SECOND
ANSWER_SECONDS = 3
LEAST_RSA, GOOD_RSA = 1024, 2048  # bits: verifiers refuse less, signers should have more


def clock(settings: Settings, now: int, kernel: KernelClock | None) -> Iterator[Finding]:
    outcome = read_trust_list(settings)
    if not isinstance(outcome, str) and now < outcome.generated_at - HOUR:
        yield Finding(
            CLOCK,
            "elle retarde sur la date de la liste de confiance : mettez-la à l’heure (NTP) // "
            "it is before the date of the trust list: set it (NTP)",
        )
    if kernel is None:
        return
    if not kernel.synchronised:
        yield Finding(
            CLOCK,
            "rien ne la tient à l’heure : démarrez un service NTP (chrony) // "
            "nothing keeps it right: start an NTP service (chrony)",
            fatal=False,
        )
    elif kernel.error_ms > OFF:
        seconds = f"{kernel.error_ms / SECOND:.0f}"
        yield Finding(
            CLOCK,
            f"l’écart avec le temps juste peut atteindre {seconds} s : vérifiez le service NTP // "
            f"it may be up to {seconds} s off: look at the NTP service",
            fatal=False,
        )


def archives(_settings: Settings, _now: int) -> Iterator[Finding]:
    try:
        ctypes.CDLL(opening.LIBRARY["LIBARCHIVE"])
    except OSError:
        yield Finding(
            ARCHIVES,
            "RAR, 7z, CAB et ce qu’ils contiennent ne peuvent pas être ouverts : installez libarchive (paquet libarchive13) // "
            "RAR, 7z, CAB and what they hold cannot be opened: install libarchive (package libarchive13)",
            fatal=False,
        )


def dkim(settings: Settings, _now: int) -> Iterator[Finding]:
    files = key_files(settings.dkim)
    for kind, selector, path in files:
        try:
            yield from private(DKIM, path)
            bits = read_key(kind, selector, path).bits
        except BadKey:
            yield Finding(
                DKIM,
                f"{path} : pas une clé {kind} en PEM, sans mot de passe // {path}: not an unencrypted PEM key of the kind {kind}",
            )
        except OSError as fault:
            yield unreadable(DKIM, path, fault)
        else:
            if kind == "rsa" and bits < GOOD_RSA:  # RFC 8301 3.2
                text = f"{path} : {bits} bits, il en faut 2 048 // {path}: {bits} bits, 2,048 are asked for"
                yield Finding(DKIM, text, fatal=bits < LEAST_RSA)
    if (zone := settings.dkim.records) is not None:
        try:
            records_of(settings.dkim)
        except BadZone as fault:
            yield Finding(DKIM, f"{zone} : pas un fichier de zone ({fault}) // {zone}: not a zone file ({fault})")
        except OSError as fault:
            yield unreadable(DKIM, zone, fault)
    if [kind for kind, *_ in files] == ["ed25519"]:
        yield Finding(
            DKIM,
            "sans clé RSA, certains opérateurs ne peuvent pas vérifier nos signatures // "
            "without an RSA key, some operators cannot check our signatures",
            fatal=False,
        )


def outbox(settings: Settings, _now: int) -> Iterator[Finding]:
    if settings.outbox.folder is None and not settings.outbox.relay:
        yield Finding(
            "avis // outbox",
            "ni dossier ni relais : les usagers ne seraient prévenus d’aucun message // "
            "neither a folder nor a relay: citizens would not be told of new messages",
        )


def free_doors(settings: Settings, _now: int) -> Iterator[Finding]:
    """Before a start."""
    for name, door in doors_of(settings).items():
        fault = in_the_way(door)
        if isinstance(fault, PermissionError):
            yield Finding(
                DOORS,
                f"{name} : ce compte ne peut pas ouvrir {door} : l’unité systemd lui en donne le droit // "
                f"{name}: this user may not open {door}: the systemd unit grants it",
                fatal=False,
            )
        elif fault is not None:
            why = of_error(fault)
            yield Finding(
                DOORS,
                f"{name} : {door} : {said(why, 'fr')} (par ce serveur lui-même ? alors --running) // "
                f"{name}: {door}: {said(why, 'en')} (by the server itself? then --running)",
            )


def bound_doors(settings: Settings, _now: int) -> Iterator[Finding]:
    """While the server runs."""
    for name, door in doors_of(settings).items():
        try:
            socket.create_connection(own_address(door), ANSWER_SECONDS).close()
        except OSError:
            yield Finding(
                DOORS,
                f"{name} : {door} ne répond pas : le serveur tourne-t-il ? // {name}: {door} does not answer: does the server run?",
            )

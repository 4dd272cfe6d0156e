"""The doors as mail clients outside see them, and the DNS records that lead there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_address

from care_desk.mail_doors import MailDoor, MailDoors
from certs.cms import Signer
from runtime.settings import Settings, Web
from runtime.sockets import split_door

OFFICIAL = {
    "imaps": (True, True, 993),
    "submissions": (False, True, 465),
    "imap": (True, False, 143),
    "submission": (False, False, 587),
}


def mail_doors(settings: Settings) -> MailDoors:
    """Official ports, whatever is mapped to them here; a door on a loopback address (the demo) is named as it is."""
    doors = []
    for name, (reads, tls, official) in OFFICIAL.items():
        if door := getattr(settings.doors, name):
            host, port = split_door(door)
            here = _is_loopback(host)
            doors.append(MailDoor(reads, tls, host if here else settings.operator.host, port if here else official))
    own = settings.operator
    return MailDoors(own.name, own.host, tuple(domain.lower() for domain in own.domains), tuple(doors))


def mx_records(settings: Settings) -> Iterator[str]:
    """Zone file lines that bring other operators here (RFC 5321 5.1)."""
    own = settings.operator
    if settings.doors.mx:
        for domain in filter(None, (*own.domains, own.citizen_domain)):
            yield f"{domain}. 3600 IN MX 10 {own.host}."


def profile_signer(web: Web) -> Callable[[bytes], bytes] | None:
    """Signs a profile (CMS, RFC 5652) by the web certificate, so that a telephone shows whose it is; None without one."""
    if web.certificate is None or web.key is None:
        return None
    signer = Signer.load(web.certificate, web.key)
    return None if signer is None else signer.sign


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

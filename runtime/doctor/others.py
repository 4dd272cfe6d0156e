"""What others answer when they are asked: the antivirus, the OpenID provider, DNS. Not looked at before each start."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import dns.exception
import dns.rdatatype
import dns.resolver
import dns.rrset
import dns.zonefile

from care_desk.mail_doors import srv_records
from foundation.antivirus import Clean, largest
from mailserver.outbound.dkim import BadKey
from mssante.ciba import ENDPOINT
from mssante.openid_provider import Unreachable
from runtime.doctor.faults import others as faults
from runtime.doctor.finding import Finding, private
from runtime.house import operator_of
from runtime.mail_doors import mail_doors, mx_records
from runtime.openid import backchannel_of, code_flow_of, provider_of
from runtime.settings import Settings
from runtime.signing import signing_keys, txt_records
from runtime.sockets import split_door

PING_SECONDS = 5
STREAM_SECONDS = 60
ASK_SECONDS = 4.0
AT_ONCE = 8


# -------------------------------------------------------------------- antivirus
def antivirus(settings: Settings, _now: int) -> Iterator[Finding]:
    """Whether clamd is there; looked at before each start too."""
    address = settings.antivirus.clamd
    if not address:
        return
    try:
        with _connected(address) as asked:
            asked.sendall(b"zPING\0")
            answer = asked.recv(16)
    except OSError as fault:
        answer = type(fault).__name__.encode()
    if answer != b"PONG\0":
        taken = settings.antivirus.when_absent == "accept"
        fate = (
            "accepté sans contrôle // taken unseen"
            if taken
            else "différé (451), rien n’est perdu // put off (451), nothing is lost"
        )
        yield faults.ANTIVIRUS_SILENT.at(address=address, fate=fate)


def antivirus_takes_all(settings: Settings, now: int) -> Iterator[Finding]:
    """clamd tells its `StreamMaxLength` to nobody: it is shown as many octets as a message may have."""
    own, octets = settings.antivirus, settings.limits.message_bytes
    if not own.clamd or any(antivirus(settings, now)):
        return
    verdict = asyncio.run(largest(own.clamd, octets, STREAM_SECONDS))
    if not isinstance(verdict, Clean):
        yield faults.ANTIVIRUS_LIMIT.at(address=own.clamd, octets=octets, megabytes=octets // 1_000_000 + 1)


def _connected(address: str) -> socket.socket:
    if not address.startswith("/"):
        return socket.create_connection(split_door(address), PING_SECONDS)
    found = socket.socket(socket.AF_UNIX)
    found.settimeout(PING_SECONDS)
    found.connect(address)
    return found


# -------------------------------------------------------------------- OpenID
def openid(settings: Settings, now: int) -> Iterator[Finding]:
    """The files; looked at before each start too."""
    own = settings.openid
    if not own.issuer:
        return
    try:
        for secret in (own.client_secret, own.ciba_client_secret, own.code_client_secret):
            if secret is not None:
                yield from private(faults.OPENID_OPEN, secret)
        provider = provider_of(own, lambda: now)
        backchannel_of(own, provider, lambda: now)
        code_flow_of(own, settings.web.origin, provider, lambda: now)
    except (OSError, ValueError) as fault:
        name = getattr(fault, "filename", None) or own.anchors
        yield faults.OPENID_UNREADABLE.at(path=name)
    if own.code_client_id and not settings.web.origin:
        yield faults.OPENID_NO_WAY_BACK.at()
    if not own.acr:
        yield faults.OPENID_ANY_LEVEL.at()


def openid_answers(settings: Settings, now: int) -> Iterator[Finding]:
    try:
        provider = provider_of(settings.openid, lambda: now)
        if provider is not None:
            asyncio.run(provider.probe())
        if provider is not None and settings.openid.ciba_client_id and not asyncio.run(provider.offers(ENDPOINT)):
            yield faults.OPENID_NO_CIBA.at()
    except (OSError, ValueError):
        return  # told by `openid`
    except Unreachable:
        yield faults.OPENID_SILENT.at(issuer=settings.openid.issuer)


# -------------------------------------------------------------------- DNS
def dns_records(settings: Settings, _now: int, resolver: dns.resolver.Resolver | None = None) -> Iterator[Finding]:
    """Every record that `mssante dns` prints, asked of this machine's resolver."""
    try:
        asking = resolver or dns.resolver.Resolver()
    except dns.exception.DNSException:
        yield faults.DNS_UNSET.at()
        return
    wanted = expected(settings)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = list(pool.map(lambda record: _asked(asking, record), wanted))
    if told and all(one is _SILENT for one in told):
        yield faults.DNS_SILENT.at()
        return
    for record, found in zip(wanted, told, strict=True):
        if found is None:
            continue
        name, kind = record.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(record.rdtype)
        have = "pas de réponse // no answer" if found is _SILENT else found or "absent // absent"
        yield faults.DNS_RECORD.at(record=f"{kind} {name}", found=have)


def expected(settings: Settings) -> Sequence[dns.rrset.RRset]:
    lines = [*mx_records(settings), *srv_records(mail_doors(settings))]
    with suppress(BadKey, OSError):  # told by `dkim`
        lines += txt_records(operator_of(settings).domains, signing_keys(settings.dkim))
    return [row for line in lines for row in dns.zonefile.read_rrsets(line, rdclass=None)]


_SILENT = "…"


def _asked(resolver: dns.resolver.Resolver, record: dns.rrset.RRset) -> str | None:
    """None when DNS has it; "" when it has nothing there; `_SILENT` when nobody answered; else what it has, cut short."""
    try:
        found = resolver.resolve(record.name, record.rdtype, lifetime=ASK_SECONDS, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return ""
    except (dns.exception.DNSException, OSError):
        return _SILENT
    have = {_bare(one) for one in found}
    return None if {_bare(one) for one in record} <= have else " ".join(sorted(have))[:100]


def _bare(value: object) -> str:
    """As DNS compares it: names in any case, strings of TXT joined."""
    strings = getattr(value, "strings", None)
    return b"".join(strings).decode("ascii", "replace") if strings is not None else str(value).lower()

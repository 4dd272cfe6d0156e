"""`mssante doctor`: everything that can be wrong before a start, said at once, in words an operator can act on.

Each check is a small function over the settings that yields findings; nothing is changed. Checks that need the server stopped
(ports) say so. The clock is an argument.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from certs import crl as crl_files
from certs import trust_store
from certs.alarms import threshold
from certs.chain import Purpose, Refused
from certs.names import of_name
from certs.times import to_ms
from foundation.clock import HOUR
from foundation.database import Database
from foundation.keys import KEY_BYTES
from mailserver.outbound.dkim import BadKey
from mailserver.signatures.zone import BadZone
from mssante.openid_provider import Unreachable
from runtime.help_in import said
from runtime.openid import provider_of
from runtime.settings import Settings
from runtime.signing import key_files, read_key, records_of
from runtime.sockets import is_free, split_door
from runtime.trust import read_trust_list

PING_SECONDS = 5
LOW_DISK = 2 * 1024**3
FULL_DISK = 200 * 1024**2
LEAST_RSA, GOOD_RSA = 1024, 2048  # bits: verifiers refuse less, signers should have more


@dataclass(frozen=True, slots=True)
class Finding:
    """`fatal`: the server must not start like this. `text` is « français // English », or one for both."""

    subject: str
    text: str
    fatal: bool = True

    def __str__(self) -> str:
        return f"{'FAULT' if self.fatal else 'note '}  {self.subject}: {said(self.text, 'en')}"


Check = Callable[[Settings, int], Iterator[Finding]]


def examine(settings: Settings, now: int, *, ports: bool = True) -> list[Finding]:
    """All findings; `now` in ms. With `ports=False` busy ports are not looked at (the server runs)."""
    checks: tuple[Check, ...] = (
        keys,
        certificate,
        revocation,
        trust,
        clock,
        dkim,
        antivirus,
        openid,
        database,
        disk,
        outbox,
    )
    findings = [finding for check in checks for finding in check(settings, now)]
    return findings + (list(doors(settings, now)) if ports else [])


def keys(settings: Settings, _now: int) -> Iterator[Finding]:
    path = settings.storage.master_key
    if not path.exists():
        yield Finding("master key", f"{path} is missing: run mssante init, or restore it from its backup")
        return
    if path.stat().st_size != KEY_BYTES:
        yield Finding("master key", f"{path} must hold {KEY_BYTES} bytes")
    yield from _private("master key", path)


def certificate(settings: Settings, now: int) -> Iterator[Finding]:
    paths = (settings.tls.certificate, settings.tls.key)
    missing = [path for path in paths if not path.exists()]
    if missing:
        for path in missing:
            yield Finding("certificate", f"{path} manque // {path} is missing")
        return
    yield from _private("certificate", settings.tls.key)
    if settings.web.key is not None and settings.web.key.exists():
        yield from _private("certificate", settings.web.key)
    try:
        leaf, *_chain = x509.load_pem_x509_certificates(paths[0].read_bytes())
        key = serialization.load_pem_private_key(paths[1].read_bytes(), None)
    except ValueError as fault:
        yield Finding("certificate", f"illisible : {fault} // cannot be read: {fault}")
        return
    if leaf.public_key() != key.public_key():
        yield Finding(
            "certificate",
            f"{paths[1]} n’est pas la clé de {paths[0]} // {paths[1]} is not the key of {paths[0]}",
        )
    yield from _own_chain(settings, now, leaf, _chain)
    end = to_ms(leaf.not_valid_after_utc)
    if (days := threshold(end, now)) is not None and end > now:
        yield Finding(
            "certificate",
            f"se termine dans moins de {days} jours : renouvelez-le // ends within {days} days: renew it",
            fatal=False,
        )


def _own_chain(
    settings: Settings, now: int, leaf: x509.Certificate, chain: list[x509.Certificate]
) -> Iterator[Finding]:
    try:
        store = trust_store.load(settings.tls.anchors, settings.tls.crl)
    except (OSError, ValueError):
        return  # told by `revocation`
    for purpose, recevons, receive in ((Purpose.SERVER, "recevons", "receive"), (Purpose.CLIENT, "envoyons", "send")):
        verdict = store.judge_certificate(leaf, chain, now, purpose)
        if isinstance(verdict, Refused):
            yield Finding(
                "certificate",
                f"les autres opérateurs le refuseront quand nous {recevons} : {verdict.fault.fr} // "
                f"other operators will refuse it when we {receive}: {verdict.fault.en}",
            )


def revocation(settings: Settings, now: int) -> Iterator[Finding]:
    for name, path in (("anchors", settings.tls.anchors), ("revocation lists", settings.tls.crl)):
        if not path.exists():
            yield Finding(name, f"{path} manque // {path} is missing")
    if not settings.tls.crl.exists():
        return
    try:
        lists = crl_files.load(settings.tls.crl.read_bytes())
    except ValueError as fault:
        yield Finding("revocation lists", f"{settings.tls.crl}: {fault}")
        return
    for issuer, end in crl_files.ends(lists):
        if now > end:
            late = (now - end) // HOUR
            grace = settings.tls.crl_grace_hours
            name = of_name(issuer).text
            text_ = (
                f"la liste de {name} a pris fin il y a {late} heures (refus des pairs après {grace}) // "
                f"the list of {name} ended {late} hours ago (peers are refused after {grace})"
            )
            yield Finding("revocation lists", text_, fatal=late >= grace)


def trust(settings: Settings, now: int) -> Iterator[Finding]:
    outcome = read_trust_list(settings)
    if isinstance(outcome, str):
        yield Finding("trust list", outcome)
        return
    seen = settings.trust_list.file.stat().st_mtime_ns // 1_000_000
    if now - seen > settings.trust_list.stale_hours * HOUR:
        hours = (now - seen) // HOUR
        yield Finding(
            "trust list",
            f"aucune bonne liste vue depuis {hours} heures : mssante trust-list fetch // "
            f"no good list was seen for {hours} hours: mssante trust-list fetch",
            fatal=False,
        )
    if outcome.skipped:
        count = outcome.skipped
        yield Finding(
            "trust list",
            f"{count} lignes illisibles : leurs domaines sont fermés // "
            f"{count} entries cannot be read: their domains are closed",
            fatal=False,
        )
    own = [*settings.operator.domains]
    if settings.operator.citizen_domain:
        own.append(settings.operator.citizen_domain)
    try:
        leaf = x509.load_pem_x509_certificates(settings.tls.certificate.read_bytes())[0]
    except (OSError, ValueError):
        return  # told by `certificate`
    for domain in own:
        if not outcome.has(domain):
            yield Finding(
                "trust list",
                f"notre domaine {domain} n’y est pas : personne n’acceptera notre courrier // "
                f"our domain {domain} is not in it: nobody will accept our mail",
                fatal=False,
            )
        elif not outcome.allows(domain, of_name(leaf.subject)):
            yield Finding(
                "trust list",
                f"notre certificat n’est pas celui qui est inscrit pour {domain} // "
                f"our certificate is not the one listed for {domain}",
                fatal=False,
            )


def clock(settings: Settings, now: int) -> Iterator[Finding]:
    outcome = read_trust_list(settings)
    if not isinstance(outcome, str) and now < outcome.generated_at - HOUR:
        yield Finding("clock", "the machine's clock is before the date of the trust list: set it (NTP)")


def dkim(settings: Settings, _now: int) -> Iterator[Finding]:
    files = key_files(settings.dkim)
    for kind, selector, path in files:
        try:
            yield from _private("dkim", path)
            bits = read_key(kind, selector, path).bits
        except BadKey as fault:
            yield Finding("dkim", f"{path}: {fault}")
        except OSError:
            yield Finding("dkim", f"{path} is missing or cannot be read")
        else:
            if kind == "rsa" and bits < GOOD_RSA:  # RFC 8301 3.2
                yield Finding("dkim", f"{path}: {bits} bits, 2,048 are asked for", fatal=bits < LEAST_RSA)
    try:
        records_of(settings.dkim)
    except BadZone as fault:
        yield Finding("dkim", f"{settings.dkim.records}: {fault}")
    except OSError:
        yield Finding("dkim", f"{settings.dkim.records} is missing or cannot be read")
    if [kind for kind, *_ in files] == ["ed25519"]:
        yield Finding("dkim", "without an RSA key, some operators cannot check our signatures", fatal=False)


def antivirus(settings: Settings, _now: int) -> Iterator[Finding]:
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
        yield Finding(
            "antivirus",
            f"{address} ne répond pas : le courrier est {'accepté sans contrôle' if taken else 'différé'} // "
            f"{address} does not answer: mail is {'taken unseen' if taken else 'put off'}",
            fatal=False,
        )


def _connected(address: str) -> socket.socket:
    if not address.startswith("/"):
        return socket.create_connection(split_door(address), PING_SECONDS)
    found = socket.socket(socket.AF_UNIX)
    found.settimeout(PING_SECONDS)
    found.connect(address)
    return found


def openid(settings: Settings, now: int) -> Iterator[Finding]:
    if not settings.openid.issuer:
        return
    try:
        if settings.openid.client_secret is not None:
            yield from _private("openid", settings.openid.client_secret)
        provider_of(settings.openid, lambda: now)
    except (OSError, ValueError) as fault:
        yield Finding("openid", f"illisible : {fault} // cannot be read: {fault}")
    if not settings.openid.acr:
        yield Finding(
            "openid",
            "acr est vide : les jetons sont acceptés quel que soit le niveau de connexion // "
            "acr is empty: tokens are taken however weakly their owner signed in",
            fatal=False,
        )


def openid_answers(settings: Settings, now: int) -> Iterator[Finding]:
    """Asks the provider: not part of what is looked at before each start."""
    try:
        provider = provider_of(settings.openid, lambda: now)
        if provider is not None:
            asyncio.run(provider.probe())
    except (OSError, ValueError):
        return  # told by `openid`
    except Unreachable:
        issuer = settings.openid.issuer
        yield Finding(
            "openid",
            f"{issuer} ne répond pas comme un fournisseur OpenID // {issuer} does not answer as an OpenID provider does",
            fatal=False,
        )


def database(settings: Settings, _now: int) -> Iterator[Finding]:
    url = settings.storage.database
    if url.startswith("sqlite") and not Path(url.removeprefix("sqlite:///")).exists():
        yield Finding("database", f"{url} does not exist: run mssante init")
        return
    try:
        db = Database(url)
    except (SQLAlchemyError, OSError) as fault:
        yield Finding("database", f"cannot be opened: {fault}")
        return
    try:
        db.read_now(lambda conn: conn.execute(text("SELECT count(*) FROM mailboxes")))
    except SQLAlchemyError as fault:
        yield Finding("database", f"cannot be read: {type(fault).__name__}; run mssante init")
    finally:
        db.close_now()


def disk(settings: Settings, _now: int) -> Iterator[Finding]:
    folder = settings.storage.blobs
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < LOW_DISK:
        yield Finding("disk", f"{free // 1024**2} MB free below {folder}", fatal=free < FULL_DISK)
    if not os.access(folder, os.W_OK):
        yield Finding("disk", f"{folder} cannot be written by this user")


def outbox(settings: Settings, _now: int) -> Iterator[Finding]:
    if settings.outbox.folder is None and not settings.outbox.relay:
        yield Finding("outbox", "neither a folder nor a relay: citizens would not be told of new messages")


def doors(settings: Settings, _now: int) -> Iterator[Finding]:
    for name, door in settings.doors.model_dump().items():
        if door and not is_free(door):
            yield Finding(
                "doors", f"{name}: {door} is in use (by the server itself? then --running) or not allowed to this user"
            )


def _private(subject: str, path: Path) -> Iterator[Finding]:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding(
            subject,
            f"{path} peut être lu par d’autres comptes : chmod 600 // {path} can be read by other users: chmod 600 it",
        )

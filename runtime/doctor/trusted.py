"""Whom others will believe, and whom we do: our certificate, revocation lists, the trust list."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from certs import crl as crl_files
from certs import trust_store
from certs.alarms import EXPIRED, threshold
from certs.chain import Purpose, Refused
from certs.names import UNREADABLE, of_name
from foundation.clock import HOUR
from runtime import met
from runtime.certificates import known
from runtime.doctor.faults import trusted as faults
from runtime.doctor.finding import Finding, private, unreadable
from runtime.settings import Settings
from runtime.trust import read_trust_list, unlisted

_ROLES = {
    "server": "notre certificat // our certificate",
    "intermediate": "l’autorité intermédiaire // the intermediate authority",
    "web": "le certificat des pages web // the certificate of the web pages",
    "anchor": "l’autorité racine // the root authority",
}
_ACTS = {Purpose.SERVER: "recevons // receive", Purpose.CLIENT: "envoyons // send"}


def certificate(settings: Settings, now: int) -> Iterator[Finding]:
    file, key_file = settings.tls.certificate, settings.tls.key
    if absent := [path for path in (file, key_file) if not path.exists()]:
        yield from (unreadable(faults.CERTIFICATE_MISSING, path) for path in absent)
        return
    yield from private(faults.CERTIFICATE_KEY_OPEN, key_file)
    try:
        leaf, *chain = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, *UNREADABLE):
        yield faults.CERTIFICATE_UNREADABLE.at(path=file)
        return
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except (OSError, TypeError, *UNREADABLE):
        yield faults.CERTIFICATE_KEY_UNREADABLE.at(path=key_file)
        return
    if leaf.public_key() != key.public_key():
        yield faults.CERTIFICATE_OTHER_KEY.at(path=key_file, certificate=file)
    yield from _own_chain(settings, now, leaf, chain)


def _own_chain(
    settings: Settings, now: int, leaf: x509.Certificate, chain: list[x509.Certificate]
) -> Iterator[Finding]:
    try:
        store = trust_store.load(settings.tls.anchors, settings.tls.crl)
    except (OSError, ValueError):
        return  # told by `revocation`
    for purpose, acts in _ACTS.items():
        verdict = store.judge_certificate(leaf, chain, now, purpose)
        if isinstance(verdict, Refused):
            yield faults.CERTIFICATE_REFUSED.at(acts=acts, why=f"{verdict.fault.fr} // {verdict.fault.en}")


def ends(settings: Settings, now: int) -> Iterator[Finding]:
    """Of every certificate that this server lives by; that ours is over is told by `certificate`."""
    if settings.web.key is not None:
        yield from private(faults.CERTIFICATE_KEY_OPEN, settings.web.key)
    for one in known(settings):
        days = threshold(one.ends_at, now)
        facts = {"whose": _ROLES[one.role], "subject": one.subject, "path": one.path}
        if days == EXPIRED and one.role != "server":
            over = faults.CERTIFICATE_OVER
            yield (over.at if one.role == "web" else over.noted)(**facts)
        elif days:
            yield faults.CERTIFICATE_ENDS.at(**facts, days=days)


def revocation(settings: Settings, now: int) -> Iterator[Finding]:
    anchors, file = settings.tls.anchors, settings.tls.crl
    try:
        x509.load_pem_x509_certificates(anchors.read_bytes())
    except OSError as fault:
        yield unreadable(faults.ANCHORS_MISSING, anchors, fault)
    except UNREADABLE:
        yield faults.ANCHORS_UNREADABLE.at(path=anchors)
    try:
        lists = crl_files.load(file.read_bytes())
    except OSError as fault:
        yield unreadable(faults.LISTS_MISSING, file, fault)
        return
    except ValueError as wrong:
        yield faults.LISTS_UNREADABLE.at(path=file, why=wrong)
        return
    for authority in met.read(settings).authorities:
        if not any(one.slot[0] == authority.subject and one.signed_by(authority) for one in lists):
            yield faults.LISTS_OF_PEERS.at(issuer=of_name(authority.subject).text, path=file)
    grace = settings.tls.crl_grace_hours
    for issuer, end in crl_files.ends(lists):
        if now > end:
            late, ended = (now - end) // HOUR, faults.LISTS_ENDED
            yield (ended.at if late >= grace else ended.noted)(issuer=of_name(issuer).text, hours=late, grace=grace)


def trust(settings: Settings, now: int) -> Iterator[Finding]:
    outcome = read_trust_list(settings)
    if isinstance(outcome, str):
        yield faults.TRUST_UNUSABLE.at(why=outcome)
        return
    file = settings.trust_list.file
    seen = file.stat().st_mtime_ns // 1_000_000
    if now - seen > settings.trust_list.stale_hours * HOUR:
        yield faults.TRUST_STALE.at(hours=(now - seen) // HOUR)
    if count := outcome.skipped:
        yield faults.TRUST_SKIPPED.at(count=count, path=file)
    try:
        ours = unlisted(settings, outcome)
    except (OSError, ValueError):
        return  # told by `certificate`
    for domain, listed in ours.items():
        yield (faults.TRUST_OTHER_CERTIFICATE if listed else faults.TRUST_WITHOUT_US).at(domain=domain)

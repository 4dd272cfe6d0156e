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
from runtime.certificates import known
from runtime.doctor.finding import Finding, missing, private, unreadable
from runtime.settings import Settings
from runtime.trust import read_trust_list

CERTIFICATE = "certificat // certificate"
LISTS = "listes de révocation // revocation lists"
TRUST = "liste de confiance // trust list"
_ROLES = {
    "server": ("notre certificat", "our certificate"),
    "intermediate": ("l’autorité intermédiaire", "the intermediate authority"),
    "web": ("le certificat des pages web", "the certificate of the web pages"),
    "anchor": ("l’autorité racine", "the root authority"),
}


def certificate(settings: Settings, now: int) -> Iterator[Finding]:
    paths = (settings.tls.certificate, settings.tls.key)
    if absent := [path for path in paths if not path.exists()]:
        yield from (missing(CERTIFICATE, path) for path in absent)
        return
    yield from private(CERTIFICATE, settings.tls.key)
    try:
        leaf, *chain = x509.load_pem_x509_certificates(paths[0].read_bytes())
    except (OSError, *UNREADABLE):
        yield Finding(CERTIFICATE, f"{paths[0]} : pas un certificat PEM // {paths[0]}: not a PEM certificate")
        return
    try:
        key = serialization.load_pem_private_key(paths[1].read_bytes(), None)
    except (OSError, TypeError, *UNREADABLE):
        text = f"{paths[1]} : pas une clé PEM sans mot de passe // {paths[1]}: not an unencrypted PEM key"
        yield Finding(CERTIFICATE, text)
        return
    if leaf.public_key() != key.public_key():
        text = f"{paths[1]} n’est pas la clé de {paths[0]} // {paths[1]} is not the key of {paths[0]}"
        yield Finding(CERTIFICATE, text)
    yield from _own_chain(settings, now, leaf, chain)


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
                CERTIFICATE,
                f"les autres opérateurs le refuseront quand nous {recevons} : {verdict.fault.fr} // "
                f"other operators will refuse it when we {receive}: {verdict.fault.en}",
            )


def ends(settings: Settings, now: int) -> Iterator[Finding]:
    """Of every certificate that this server lives by; that ours is over is told by `certificate`."""
    if settings.web.key is not None:
        yield from private(CERTIFICATE, settings.web.key)
    for one in known(settings):
        days, (fr, en) = threshold(one.ends_at, now), _ROLES[one.role]
        if days == EXPIRED and one.role != "server":
            yield Finding(
                CERTIFICATE,
                f"{fr} ({one.subject}) est périmé : remplacez {one.path} // {en} ({one.subject}) has expired: replace {one.path}",
                fatal=one.role == "web",
            )
        elif days:
            yield Finding(
                CERTIFICATE,
                f"{fr} ({one.subject}) se termine dans moins de {days} jours : renouvelez-le // "
                f"{en} ({one.subject}) ends within {days} days: renew it",
                fatal=False,
            )


def revocation(settings: Settings, now: int) -> Iterator[Finding]:
    anchors, file = settings.tls.anchors, settings.tls.crl
    try:
        x509.load_pem_x509_certificates(anchors.read_bytes())
    except OSError as fault:
        yield unreadable("autorités // anchors", anchors, fault)
    except UNREADABLE:
        text = f"{anchors} : pas de certificat PEM // {anchors}: no PEM certificate"
        yield Finding("autorités // anchors", text)
    try:
        lists = crl_files.load(file.read_bytes())
    except OSError as fault:
        yield unreadable(LISTS, file, fault)
        return
    except ValueError as wrong:
        yield Finding(LISTS, f"{file} : pas des listes de révocation : mssante certificate fetch // {file}: {wrong}")
        return
    grace = settings.tls.crl_grace_hours
    for issuer, end in crl_files.ends(lists):
        if now > end:
            late, name = (now - end) // HOUR, of_name(issuer).text
            yield Finding(
                LISTS,
                f"la liste de {name} a pris fin il y a {late} heures (refus des pairs après {grace}) : "
                f"mssante certificate fetch // the list of {name} ended {late} hours ago (peers are refused after {grace}): "
                "mssante certificate fetch",
                fatal=late >= grace,
            )


def trust(settings: Settings, now: int) -> Iterator[Finding]:
    outcome = read_trust_list(settings)
    if isinstance(outcome, str):
        yield Finding(TRUST, outcome)
        return
    seen = settings.trust_list.file.stat().st_mtime_ns // 1_000_000
    if now - seen > settings.trust_list.stale_hours * HOUR:
        hours = (now - seen) // HOUR
        yield Finding(
            TRUST,
            f"aucune bonne liste vue depuis {hours} heures : mssante trust-list fetch // "
            f"no good list was seen for {hours} hours: mssante trust-list fetch",
            fatal=False,
        )
    if count := outcome.skipped:
        yield Finding(
            TRUST,
            f"{count} lignes illisibles : leurs domaines sont fermés // "
            f"{count} entries cannot be read: their domains are closed",
            fatal=False,
        )
    try:
        leaf = x509.load_pem_x509_certificates(settings.tls.certificate.read_bytes())[0]
    except (OSError, ValueError):
        return  # told by `certificate`
    for domain in filter(None, (*settings.operator.domains, settings.operator.citizen_domain)):
        if not outcome.has(domain):
            yield Finding(
                TRUST,
                f"notre domaine {domain} n’y est pas : personne n’acceptera notre courrier // "
                f"our domain {domain} is not in it: nobody will accept our mail",
                fatal=False,
            )
        elif not outcome.allows(domain, of_name(leaf.subject)):
            yield Finding(
                TRUST,
                f"notre certificat n’est pas celui qui est inscrit pour {domain} // "
                f"our certificate is not the one listed for {domain}",
                fatal=False,
            )

"""What this server believes, from the settings' files: certificate authorities, revocation lists, the trust list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cryptography import x509

from certs import crl, trust_store
from certs.authority import write_file
from certs.chain import Checks, UsageRule
from certs.names import of_name
from certs.rotating import Rotating
from certs.trust_store import TrustStore
from foundation.clock import HOUR, Clock
from foundation.dn import parse
from foundation.wording import of_error, said
from mssante.trust_holder import TrustListHolder
from mssante.trust_list import ListFault, ListRefused, Signer, TrustList
from runtime.settings import Settings


def store_of(settings: Settings) -> TrustStore:
    """Raises OSError or ValueError."""
    own = settings.tls
    checks = Checks(own.crl_missing == "refuse", own.crl_grace_hours * HOUR, UsageRule(own.usage))
    return trust_store.load(settings.tls.anchors, settings.tls.crl, checks=checks)


def rotating_store(settings: Settings, clock: Clock) -> Rotating[TrustStore]:
    """Rereads anchors and revocation lists when their files change."""
    return Rotating((settings.tls.anchors, settings.tls.crl), lambda: store_of(settings), clock)


def known(settings: Settings) -> Path:
    """The list that was written in the audit trail last."""
    file = settings.trust_list.file
    return file.with_name(f"{file.stem}.known.xml")


def know(settings: Settings, data: bytes) -> None:
    """`data`, the list in place, stands in the audit trail now."""
    write_file(known(settings), data, 0o644)


def signer_of(settings: Settings) -> Signer:
    """Who may sign the list: whom the revocation lists of now do not name. Raises OSError or ValueError."""
    store = trust_store.load(settings.trust_list.anchors, checks=Checks(crl_required=False))

    def judge(leaf: x509.Certificate, sent: Sequence[x509.Certificate], now: int) -> str | None:
        return replace(store, crls=_lists(settings)).signer_judge()(leaf, sent, now)

    pinned = tuple(pair for rdn in parse(settings.trust_list.signer).rdns for pair in rdn)
    return Signer(judge, pinned, kept=store.signer_judge())


def _lists(settings: Settings) -> tuple[crl.Usable, ...]:
    """None where the file is missing or cannot be read, which is told elsewhere."""
    try:
        return crl.load(settings.tls.crl.read_bytes())
    except (OSError, ValueError):
        return ()


def holder_of(settings: Settings) -> TrustListHolder:
    """The trust list's holder, nothing loaded yet."""
    return TrustListHolder(settings.trust_list.file, signer_of(settings), settings.trust_list.stale_hours * HOUR)


def unlisted(settings: Settings, trust_list: TrustList) -> dict[str, bool]:
    """Our domains that our certificate may not speak for by this list -> whether they are in it, for another one. Raises OSError or
    ValueError when the certificate cannot be read.
    """
    own = of_name(x509.load_pem_x509_certificates(settings.tls.certificate.read_bytes())[0].subject)
    ours = filter(None, (*settings.operator.domains, settings.operator.citizen_domain))
    return {domain: trust_list.has(domain) for domain in ours if not trust_list.allows(domain, own)}


WHY = {  # the faults of `mssante.signed_xml` and `mssante.trust_list` for who reads French
    "TOO_LARGE": "le document est trop gros",
    "MALFORMED": "le document est tronqué, ou n’est pas du XML bien formé",
    "DOCTYPE": "le document déclare un DOCTYPE",
    "UNSIGNED": "le document n’est pas signé",
    "SHAPE": "la signature n’a pas la seule forme admise",
    "DIGEST": "le contenu n’est pas celui qui a été signé",
    "SIGNATURE": "la signature est fausse",
    "SIGNER_NAME": "elle est signée par un autre que trust_list.signer",
    "SIGNER_CHAIN": "le certificat du signataire n’est pas reconnu",
    "CONTENT": "le contenu n’est pas une liste de confiance",
    "EMPTY": "elle ne nomme aucun domaine",
    "FUTURE": "elle est datée du futur",
    "NOT_NEWER": "elle n’est pas plus récente que celle en place",
}


def why_refused(found: ListRefused) -> str:
    """« français // English »."""
    detail = f" ({said(found.detail, 'fr')})" if found.detail else ""
    return f"{WHY[found.fault.name]}{detail} // {found}"


def read_trust_list(settings: Settings) -> TrustList | str:
    """The list on disk, or what is wrong with it: « français // English »."""
    path = settings.trust_list.file
    try:
        found = holder_of(settings).load() if path.exists() else None
    except OSError as fault:
        why, name = of_error(fault), fault.filename
        return f"{name} : {said(why, 'fr')}, la liste ne peut pas être jugée // cannot be judged without {name}: {said(why, 'en')}"
    except ValueError:
        anchors = settings.trust_list.anchors
        return (
            f"{anchors} : pas de certificat PEM : liste non jugée // cannot be judged: {anchors} has no PEM certificate"
        )
    if found is None:
        return f"{path} manque : mssante trust-list fetch // {path} is missing: run mssante trust-list fetch"
    if isinstance(found, TrustList):
        return found
    why, fr, en = why_refused(found), "", ""
    if found.fault is ListFault.SIGNER_NAME:
        signer = settings.trust_list.signer
        fr, en = f" ; trust_list.signer demande {signer}", f"; trust_list.signer asks for {signer}"
    elif (copy := known(settings)).exists():
        fr = f" ; la dernière bonne : mssante trust-list fetch {copy}"
        en = f"; the last good one: mssante trust-list fetch {copy}"
    return f"{path} : {said(why, 'fr')}{fr} // {path}: {said(why, 'en')}{en}"

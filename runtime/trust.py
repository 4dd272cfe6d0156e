"""What this server believes, from the settings' files: certificate authorities, revocation lists, the trust list."""

from __future__ import annotations

from certs import trust_store
from certs.chain import Checks, UsageRule
from certs.rotating import Rotating
from certs.trust_store import TrustStore
from foundation.clock import HOUR, Clock
from foundation.dn import parse
from mssante.trust_holder import TrustListHolder
from mssante.trust_list import ListFault, Signer, TrustList
from runtime.settings import Settings


def store_of(settings: Settings) -> TrustStore:
    """Raises OSError or ValueError."""
    checks = Checks(crl_grace=settings.tls.crl_grace_hours * HOUR, usage=UsageRule.EITHER)
    return trust_store.load(settings.tls.anchors, settings.tls.crl, checks=checks)


def rotating_store(settings: Settings, clock: Clock) -> Rotating[TrustStore]:
    """Rereads anchors and revocation lists when their files change."""
    return Rotating((settings.tls.anchors, settings.tls.crl), lambda: store_of(settings), clock)


def signer_of(settings: Settings) -> Signer:
    """Who may sign the list. Raises OSError or ValueError."""
    judge = trust_store.load(settings.trust_list.anchors, checks=Checks(crl_required=False)).signer_judge()
    pinned = tuple(pair for rdn in parse(settings.trust_list.signer).rdns for pair in rdn)
    return Signer(judge, pinned)


def holder_of(settings: Settings) -> TrustListHolder:
    """The trust list's holder, nothing loaded yet."""
    return TrustListHolder(settings.trust_list.file, signer_of(settings), settings.trust_list.stale_hours * HOUR)


def read_trust_list(settings: Settings) -> TrustList | str:
    """The list on disk, or what is wrong with it, in words."""
    path = settings.trust_list.file
    try:
        found = holder_of(settings).load() if path.exists() else None
    except OSError as fault:
        return f"cannot be judged without {fault.filename}: {fault.strerror}"
    except ValueError as fault:
        return f"cannot be judged: {fault}"
    if found is None:
        return f"{path} is missing: run mssante trust-list fetch"
    if isinstance(found, TrustList):
        return found
    expected = f"; trust_list.signer asks for {settings.trust_list.signer}"
    return f"{path}: {found}{expected if found.fault is ListFault.SIGNER_NAME else ''}"

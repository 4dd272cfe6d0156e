"""Revocation, fetched where certificates say, ours and those of peers whose authority had no list here (`met`): lists (RFC 5280
4.2.1.13, 4.2.1.15) and the OCSP answer that we staple (RFC 6960).

The job `crl` does both, `mssante certificate fetch` the lists. The file of lists is the cache: each slot (issuer and key, scope,
full or delta) keeps its newest list, also when a later fetch fails. A list is taken up only when one of our authorities signed it:
over plain HTTP anybody can answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from cryptography import x509

from certs import crl
from certs.authority import write_file
from certs.contexts import fetch_context
from certs.crl import CrlError, RevocationList
from certs.ocsp_client import ask
from certs.points import responders, revocation_lists
from foundation.clock import MINUTE, Clock
from foundation.fetching import NotFetched, fetch
from foundation.jobs import Answer, Handler, Job, Retry
from runtime import met
from runtime.house import House
from runtime.settings import Settings

log = structlog.get_logger()

KIND = "crl"
LEAST = 5 * MINUTE  # between two fetches
MAX_OCTETS = 32_000_000


@dataclass(frozen=True, slots=True)
class Fetched:
    """`lists`: what the file holds now; `faults`: address -> why nothing came of it; `changed`: the file was replaced."""

    lists: tuple[RevocationList, ...]
    faults: dict[str, str]
    changed: bool


def fetching(house: House) -> Handler:
    async def run(_payload: dict[str, Any], _job: Job) -> Answer:
        try:
            fetched = await fetch_lists(house.settings)
        except (OSError, ValueError) as error:
            log.error("revocation_lists_unusable", reason=str(error))
            return Retry(LEAST, "unusable")
        for url, reason in fetched.faults.items():
            log.warning("revocation_list_not_fetched", url=url, reason=reason)
        if fetched.changed:
            log.info("revocation_lists_changed", lists=len(fetched.lists))
        await refresh_staple(house.settings, house.clock)
        return Retry(next_fetch(house.settings, fetched, house.clock()), "not_fetched" if fetched.faults else "fetched")

    return run


def next_fetch(settings: Settings, fetched: Fetched, now: int) -> int:
    """Milliseconds until the next fetch: the settings' rhythm, sooner when a list ends before or something failed."""
    every = settings.tls.crl_minutes * MINUTE
    if fetched.faults:
        return min(every, LEAST)
    ending = [end - now for _, end in crl.ends(crl.complete(fetched.lists)) if end > now]
    return max(min([every, *ending]), LEAST)


async def fetch_lists(settings: Settings, dry_run: bool = False) -> Fetched:
    """Raises OSError or ValueError when our own certificates cannot be read, or the file cannot be written."""
    own = x509.load_pem_x509_certificates(settings.tls.certificate.read_bytes())
    anchors = x509.load_pem_x509_certificates(settings.tls.anchors.read_bytes())
    others = met.read(settings)
    authorities = (*own[1:], *anchors, *others.authorities)
    kept = {one.slot: one for one in _kept(settings)}
    before, faults = dict(kept), dict[str, str]()
    urls = dict.fromkeys((*settings.tls.crl_urls, *revocation_lists((*own, *anchors)), *others.urls))
    context = fetch_context(anchors)
    answers = await asyncio.gather(*(fetch(url, MAX_OCTETS, tls=context) for url in urls))
    for url, data in zip(urls, answers, strict=True):
        try:
            newer = [] if isinstance(data, NotFetched) else await asyncio.to_thread(_judged, data, authorities)
        except CrlError as error:
            data = NotFetched(str(error))
        if isinstance(data, NotFetched):
            faults[url] = str(data)
            continue
        for one in newer:
            if one.slot not in kept or _age(one) > _age(kept[one.slot]):
                kept[one.slot] = one
    changed = kept != before
    if changed and not dry_run:
        await asyncio.to_thread(write_file, settings.tls.crl, b"".join(one.pem() for one in kept.values()), 0o644)
    return Fetched(tuple(kept.values()), faults, changed)


def staple_of(settings: Settings) -> Path:
    """Where the OCSP answer about our own certificate is kept."""
    return settings.tls.certificate.with_suffix(".ocsp")


async def refresh_staple(settings: Settings, clock: Clock) -> bool:
    """Asks about our own certificate when it names a responder; an answer replaces the one kept. False when there is none."""
    own = x509.load_pem_x509_certificates(settings.tls.certificate.read_bytes())
    urls, issuer = responders(own[0]), next((one for one in own[1:] if one.subject == own[0].issuer), None)
    if not urls or issuer is None:
        return False
    answer = await ask(own[0], issuer, urls[0], clock)
    if answer is None:
        log.warning("staple_not_fetched", url=urls[0])
        return False
    await asyncio.to_thread(write_file, staple_of(settings), answer.data, 0o644)
    return True


def _kept(settings: Settings) -> Iterable[RevocationList]:
    """What the file holds, the newest of a slot last; a file that cannot be read is replaced."""
    try:
        return sorted(crl.read(settings.tls.crl.read_bytes()), key=_age)
    except (FileNotFoundError, CrlError):
        return ()


def _judged(data: bytes, authorities: Sequence[x509.Certificate]) -> tuple[RevocationList, ...]:
    lists = crl.read(data)
    for one in lists:
        if not any(one.issuer == issuer.subject and one.signed_by(issuer) for issuer in authorities):
            raise CrlError("not signed by an authority of ours")
    return lists


def _age(one: RevocationList) -> tuple[int, int]:
    return one.this_update, one.number or 0

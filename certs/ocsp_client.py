"""Asks OCSP responders about peers, and remembers what they said (RFC 6960): one question for a certificate and hour.

Only what a trusted authority issued is asked about, at the address that the authority wrote into it: a stranger's certificate makes
us call nobody. A responder that does not answer changes nothing: revocation lists are required all the same.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence

from cryptography import x509

from certs.chain import Fault, Purpose, Refused, Trusted
from certs.names import UNREADABLE
from certs.ocsp import MEDIA_TYPE, Answer, OcspError, question
from certs.points import responders
from certs.trust_store import TrustStore
from foundation.clock import HOUR, MINUTE, Clock
from foundation.fetching import NotFetched, fetch

SECONDS = 4.0  # a peer waits meanwhile
MAX_OCTETS = 100_000
REMEMBERED = 2_000  # certificates
ASK_AGAIN = HOUR  # and never after an answer's own end
AFTER_FAILURE = 5 * MINUTE
SKEW = 5 * MINUTE
NONCE_OCTETS = 32  # RFC 9654 2.1

_OPEN = (Fault.CRL_MISSING, Fault.CRL_TOO_OLD)  # an answer can settle them
Key = tuple[x509.Name, int]
Unlisted = Callable[[x509.Certificate, tuple[x509.Certificate, ...]], None]
"""Called with a peer's certificate, and those above it up to our anchor, when there is no revocation list to judge it by."""


def _nobody(_leaf: x509.Certificate, _above: tuple[x509.Certificate, ...]) -> None:
    return None


class OcspClient:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.unlisted: Unlisted = _nobody
        self._known: OrderedDict[Key, tuple[Answer | None, int]] = OrderedDict()  # and when to ask again
        self._asking: dict[Key, asyncio.Task[Answer | None]] = {}

    async def judge(
        self,
        store: TrustStore,
        leaf: bytes | None,
        sent: Sequence[bytes],
        purpose: Purpose = Purpose.CLIENT,
        stapled: bytes = b"",
    ) -> Trusted | Refused:
        """As `TrustStore.judge`, with what the certificate's responder says: to the peer, who stapled it, else to us."""
        verdict = store.judge(leaf, sent, self._clock(), purpose)
        if leaf is None or (isinstance(verdict, Refused) and verdict.fault not in _OPEN):
            return verdict
        certificate = x509.load_der_x509_certificate(leaf)
        urls = responders(certificate)
        issuer = store.issuer_of(certificate, sent) if urls or stapled else None
        answer = shown(stapled, certificate, issuer, self._clock()) if stapled and issuer is not None else None
        if answer is None and issuer is not None and urls:
            answer = await self.answer(certificate, issuer, urls[0])
        if answer is not None:
            verdict = store.judge(leaf, sent, self._clock(), purpose, (answer,))
        unlisted = isinstance(verdict, Refused) and verdict.fault is Fault.CRL_MISSING
        if unlisted and (above := store.above(certificate, sent)):
            self.unlisted(certificate, above)
        return verdict

    async def answer(self, leaf: x509.Certificate, issuer: x509.Certificate, url: str) -> Answer | None:
        """The last good answer, while it counts; None when there is none."""
        key, now = (leaf.issuer, leaf.serial_number), self._clock()
        answer, again = self._known.get(key, (None, 0))
        if now < again:
            return answer
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(key, leaf, issuer, url))
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(task)  # one peer that goes away must not take the others' answer along

    async def _ask(self, key: Key, leaf: x509.Certificate, issuer: x509.Certificate, url: str) -> Answer | None:
        answer, now = await ask(leaf, issuer, url, self._clock), self._clock()
        if answer is None:
            kept, _ = self._known.get(key, (None, 0))
            answer = kept if kept is not None and now < kept.next_update else None
            again = now + AFTER_FAILURE
        else:
            again = min(answer.next_update, now + ASK_AGAIN)
        self._known[key] = answer, again
        self._known.move_to_end(key)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return answer


async def ask(leaf: x509.Certificate, issuer: x509.Certificate, url: str, clock: Clock) -> Answer | None:
    """A fresh answer about `leaf`, signed by its issuer or on its behalf; None when there is none.

    The question bears a nonce (RFC 9654 2.1). Responders that answer from a store leave it out, and then the dates count; one that
    does not understand it is asked again without.
    """
    for nonce in (secrets.token_bytes(NONCE_OCTETS), None):
        try:
            data = await fetch(url, MAX_OCTETS, post=(MEDIA_TYPE, question(leaf, issuer, nonce)), seconds=SECONDS)
            if isinstance(data, NotFetched):
                return None
            found = Answer(data)
        except (OcspError, *UNREADABLE):
            continue
        return found if found.nonce in (None, nonce) and _counts(found, leaf, issuer, clock()) else None
    return None


def shown(stapled: bytes, leaf: x509.Certificate, issuer: x509.Certificate, now: int) -> Answer | None:
    """What a peer stapled, if it counts; what does not is as good as nothing (RFC 6066 8)."""
    try:
        found = Answer(stapled)
        return found if _counts(found, leaf, issuer, now) else None
    except (OcspError, *UNREADABLE):
        return None


def _counts(found: Answer, leaf: x509.Certificate, issuer: x509.Certificate, now: int) -> bool:
    fresh = found.this_update <= now + SKEW and now < found.next_update
    return fresh and found.covers(leaf, False) and found.signed_by(issuer)

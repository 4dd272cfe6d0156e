"""What we believe: anchors, intermediates that peers forget, revocation lists and settings, as one value that judges.

Built from files (and so rotated, `certs.rotating`); the judgement itself is `certs.chain`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from certs import crl
from certs.chain import DEFAULT_CHECKS, MAX_DEPTH, MAX_SENT, Checks, Fault, Purpose, Refused, Trusted, judge_chain
from certs.names import UNREADABLE


@dataclass(frozen=True, slots=True)
class TrustStore:
    anchors: tuple[x509.Certificate, ...]
    crls: tuple[crl.Usable, ...] = ()
    intermediates: tuple[x509.Certificate, ...] = ()
    checks: Checks = DEFAULT_CHECKS

    def judge(
        self,
        leaf: bytes | None,
        sent: Sequence[bytes],
        now: int,
        purpose: Purpose = Purpose.CLIENT,
        also: tuple[crl.Revocations, ...] = (),
    ) -> Trusted | Refused:
        """Judges DER as read from a connection (`get_extra_info("peercert_der")`, `"peer_chain_der"`) at `now` (ms). `also`: what
        else is known of its revocation.
        """
        if leaf is None:
            return Refused(Fault.MISSING)
        try:
            certificate = x509.load_der_x509_certificate(leaf)
        except UNREADABLE:
            return Refused(Fault.UNREADABLE)
        return self.judge_certificate(certificate, _readable(sent[:MAX_SENT]), now, purpose, also)

    def judge_certificate(
        self,
        leaf: x509.Certificate,
        sent: Sequence[x509.Certificate],
        now: int,
        purpose: Purpose,
        also: tuple[crl.Revocations, ...] = (),
    ) -> Trusted | Refused:
        """Our own intermediates come first: a peer cannot crowd them out."""
        known = (*self.intermediates, *(one for one in sent[:MAX_SENT] if one not in self.intermediates))
        return judge_chain(leaf, known, self.anchors, (*self.crls, *also), now, purpose, self.checks)

    def issuer_of(self, leaf: x509.Certificate, sent: Sequence[bytes]) -> x509.Certificate | None:
        """The certificate whose key signed `leaf`, among ours and those sent with it."""
        for one in (*self.intermediates, *self.anchors, *_readable(sent[:MAX_SENT])):
            if one.subject == leaf.issuer:
                try:
                    leaf.verify_directly_issued_by(one)
                except (InvalidSignature, *UNREADABLE):
                    continue
                return one
        return None

    def above(self, leaf: x509.Certificate, sent: Sequence[bytes]) -> tuple[x509.Certificate, ...]:
        """Those who signed from `leaf` up to one of our anchors, that one last; empty when none is reached."""
        found: list[x509.Certificate] = []
        while len(found) <= MAX_DEPTH:
            issuer = self.issuer_of(found[-1] if found else leaf, sent)
            if issuer is None:
                return ()
            found.append(issuer)
            if issuer in self.anchors:
                return tuple(found)
        return ()

    def signer_judge(self) -> Callable[[x509.Certificate, Sequence[x509.Certificate], int], str | None]:
        """For `mssante.trust_list`, which may not import this package: None when the list's signer is trusted, else the
        fault, « français // English »; of an unknown one who issued it, for that may be what the anchors lack.
        """

        def judge(leaf: x509.Certificate, sent: Sequence[x509.Certificate], now: int) -> str | None:
            verdict = self.judge_certificate(leaf, sent, now, Purpose.SIGNATURE)
            if isinstance(verdict, Trusted):
                return None
            fr, en = verdict.fault.fr, verdict.fault.en
            if verdict.fault is Fault.UNTRUSTED:
                issuer = leaf.issuer.rfc4514_string()
                fr, en = f"{fr}, émis par {issuer}", f"{en}, issued by {issuer}"
            return f"{fr} // {en}"

        return judge


def load(
    anchors: Path, crls: Path | None = None, intermediates: Path | None = None, checks: Checks = DEFAULT_CHECKS
) -> TrustStore:
    """Reads PEM files (`crls`: PEM, several lists allowed, or one DER). Raises OSError or ValueError."""
    return TrustStore(
        tuple(x509.load_pem_x509_certificates(anchors.read_bytes())),
        crl.load(crls.read_bytes()) if crls else (),
        tuple(x509.load_pem_x509_certificates(intermediates.read_bytes())) if intermediates else (),
        checks,
    )


def _readable(sent: Sequence[bytes]) -> tuple[x509.Certificate, ...]:
    """What can be parsed: an unreadable intermediate is as good as absent."""
    found = []
    for der in sent:
        try:
            found.append(x509.load_der_x509_certificate(der))
        except UNREADABLE:
            continue
    return tuple(found)

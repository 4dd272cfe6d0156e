"""An OCSP responder over real HTTP, for the development authority."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.authority import Authority, Issued
from certs.profiles import Profile
from certs.times import to_datetime
from foundation.clock import HOUR, MINUTE
from tests.support.http_server import Answer

RESPONDER = Profile("responder", 30, frozenset({"digital_signature"}), (ExtendedKeyUsageOID.OCSP_SIGNING,))


def responder_of(authority: Authority, now: int, profile: Profile = RESPONDER) -> Issued:
    """Somebody whom the authority appointed to answer (with RESPONDER), or did not."""
    return authority.issue(profile, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "OCSP")]), now)


def answer(
    leaf: x509.Certificate,
    issuer: x509.Certificate,
    by: Issued,
    now: int,
    *,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    end: int | None = 12 * HOUR,
    nonce: bytes | None = None,
) -> bytes:
    """DER; `end`: ms from now, None for none."""
    revoked = status is ocsp.OCSPCertStatus.REVOKED
    built = ocsp.OCSPResponseBuilder().add_response(
        leaf, issuer, hashes.SHA1(), status, to_datetime(now - MINUTE), None if end is None else to_datetime(now + end),
        to_datetime(now - HOUR) if revoked else None, None,
    ).responder_id(ocsp.OCSPResponderEncoding.HASH, by.certificate)  # fmt: skip
    if by.certificate != issuer:
        built = built.certificates([by.certificate])
    if nonce is not None:
        built = built.add_extension(x509.OCSPNonce(nonce), critical=False)
    return built.sign(by.key, hashes.SHA256()).public_bytes(Encoding.DER)


class Responder:
    """Answers questions about `known` certificates, by serial; `asked` counts them. `nonces`: of the questions, in order; `nonce`
    makes the answer's of it.
    """

    def __init__(self, authority: Authority, now: int) -> None:
        self.known: dict[int, tuple[x509.Certificate, ocsp.OCSPCertStatus]] = {}
        self.asked = 0
        self.nonces: list[bytes | None] = []
        self.nonce: Callable[[bytes | None], bytes | None] = lambda asked: asked
        self.refuses_nonces = False
        self._authority, self._now = authority, now

    def knows(self, leaf: x509.Certificate, status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD) -> None:
        self.known[leaf.serial_number] = leaf, status

    def __call__(self, body: bytes) -> Answer:
        self.asked += 1
        question = ocsp.load_der_ocsp_request(body)
        nonce = next((one.value.nonce for one in question.extensions if isinstance(one.value, x509.OCSPNonce)), None)
        self.nonces.append(nonce)
        found = None if nonce and self.refuses_nonces else self.known.get(question.serial_number)
        headers: Mapping[str, str] = {"Content-Type": "application/ocsp-response"}
        if found is None:
            refused = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
            return 200, dict(headers), refused.public_bytes(Encoding.DER)
        ca = self._authority.intermediate
        return (
            200,
            dict(headers),
            answer(found[0], ca.certificate, ca, self._now, status=found[1], nonce=self.nonce(nonce)),
        )

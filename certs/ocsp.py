"""OCSP (RFC 6960): the question about one certificate, and its answer as a source of revocation that `certs.chain` can ask.

An answer is believed when the certificate's issuer signed it, or a responder that the issuer appointed (4.2.2.2).
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.names import UNREADABLE
from certs.times import to_ms
from foundation.clock import HOUR

MEDIA_TYPE = "application/ocsp-request"  # RFC 6960 A.1
WITHOUT_END = HOUR  # how long an answer counts that promises no next one (4.2.2.1: newer ones are always there)


class OcspError(ValueError):
    """Not an answer that may be used."""


def question(leaf: x509.Certificate, issuer: x509.Certificate, nonce: bytes | None = None) -> bytes:
    """DER. SHA-1 names the issuer here and protects nothing: it is what every responder knows (RFC 5019 2.1.1)."""
    built = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA1())  # noqa: S303
    if nonce is not None:
        built = built.add_extension(x509.OCSPNonce(nonce), critical=False)
    return built.build().public_bytes(Encoding.DER)


def _nonce(response: ocsp.OCSPResponse) -> bytes | None:
    try:
        return response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return None


class Answer:
    """What a responder says of one certificate (`certs.crl.Revocations`): good, or revoked. Times in ms. Raises OcspError."""

    __slots__ = ("_response", "data", "next_update", "nonce", "revoked", "serial", "this_update")
    replaces = None

    def __init__(self, data: bytes) -> None:
        try:
            response = ocsp.load_der_ocsp_response(data)
            status = response.certificate_status
            self.serial, ends = response.serial_number, response.next_update_utc
            self.this_update = to_ms(response.this_update_utc)
            named_by = response.hash_algorithm
            self.nonce = _nonce(response)
        except UNREADABLE as error:  # unsuccessful answers too: they hold no status
            raise OcspError("not an answer") from error
        if status is ocsp.OCSPCertStatus.UNKNOWN or not isinstance(named_by, hashes.SHA1):
            raise OcspError("the responder does not know")
        self._response, self.data = response, data
        self.next_update = to_ms(ends) if ends is not None else self.this_update + WITHOUT_END
        self.revoked = frozenset({self.serial} if status is ocsp.OCSPCertStatus.REVOKED else ())

    def covers(self, certificate: x509.Certificate, authority: bool) -> bool:
        if certificate.serial_number != self.serial:
            return False
        digest = hashes.Hash(hashes.SHA1())  # noqa: S303
        digest.update(certificate.issuer.public_bytes())
        return digest.finalize() == self._response.issuer_name_hash

    def signed_by(self, issuer: x509.Certificate) -> bool:
        key_hash = x509.SubjectKeyIdentifier.from_public_key(issuer.public_key()).digest  # SHA-1 of the key's bits
        if key_hash != self._response.issuer_key_hash:
            return False
        return any(self._by(one) for one in (issuer, *self._response.certificates) if self._appointed(one, issuer))

    def _appointed(self, responder: x509.Certificate, issuer: x509.Certificate) -> bool:
        if responder == issuer:
            return True
        try:
            responder.verify_directly_issued_by(issuer)
            usage = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
            begins, ends = responder.not_valid_before_utc, responder.not_valid_after_utc
            return ExtendedKeyUsageOID.OCSP_SIGNING in usage and to_ms(begins) <= self.this_update <= to_ms(ends)
        except (InvalidSignature, x509.ExtensionNotFound, *UNREADABLE):
            return False

    def _by(self, responder: x509.Certificate) -> bool:
        digest, key = self._response.signature_hash_algorithm, responder.public_key()
        if not isinstance(digest, hashes.SHA256 | hashes.SHA384 | hashes.SHA512):
            return False
        signature, signed = self._response.signature, self._response.tbs_response_bytes
        try:
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, signed, padding.PKCS1v15(), digest)
            elif isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, signed, ec.ECDSA(digest))
            else:
                return False
        except InvalidSignature:
            return False
        return True

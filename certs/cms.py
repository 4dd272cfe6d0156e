"""Signatures by one of our certificates (CMS, RFC 5652): a telephone's profile, the exported audit trail."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Signer:
    """Signs with a certificate, which goes along with its intermediates."""

    def __init__(self, certificates: list[x509.Certificate], key: Key) -> None:
        self._certificates, self._key = certificates, key

    @classmethod
    def load(cls, certificate: Path, key: Path) -> Signer | None:
        """From PEM files, the own certificate first; None when the key is neither RSA nor EC. Raises OSError, ValueError."""
        found = load_pem_private_key(key.read_bytes(), None)
        if not isinstance(found, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
            return None
        return cls(x509.load_pem_x509_certificates(certificate.read_bytes()), found)

    def sign(self, data: bytes) -> bytes:
        """The data in their signature, DER."""
        return self._builder(data).sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])

    def beside(self, data: bytes) -> bytes:
        """The signature alone, PEM, for a file that stays as it is."""
        options = [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.DetachedSignature]
        return self._builder(data).sign(Encoding.PEM, options)

    def _builder(self, data: bytes) -> pkcs7.PKCS7SignatureBuilder:
        own, *others = self._certificates
        builder = pkcs7.PKCS7SignatureBuilder().set_data(data).add_signer(own, self._key, hashes.SHA256())
        for one in others:
            builder = builder.add_certificate(one)
        return builder

"""Revocation lists (RFC 5280 5), read once and asked often.

A real list has thousands of entries: serial numbers go into a set, and its signature is checked once per issuer
certificate. Partial lists (delta, indirect, limited to some reasons) are refused at loading: a serial missing from one
proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID

from certs.names import UNREADABLE
from certs.times import to_ms

_PEM = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----\s*", re.DOTALL)


class CrlError(ValueError):
    """Not a revocation list that may be used."""


class RevocationList:
    """One full list. `next_update` in ms; `users_only` / `authorities_only` from IssuingDistributionPoint (5.2.5)."""

    __slots__ = ("_crl", "_signed", "authorities_only", "issuer", "next_update", "revoked", "this_update", "users_only")

    def __init__(self, crl: x509.CertificateRevocationList) -> None:
        if crl.next_update_utc is None:
            raise CrlError("list without an end date")  # RFC 5280 5.1.2.5: required
        self._crl = crl
        self._signed: dict[bytes, bool] = {}
        self.issuer = crl.issuer
        self.this_update = to_ms(crl.last_update_utc)
        self.next_update = to_ms(crl.next_update_utc)
        self.users_only, self.authorities_only = _scope(crl)
        self.revoked = frozenset(entry.serial_number for entry in crl)

    def covers(self, certificate: x509.Certificate, authority: bool) -> bool:
        """Whether this list speaks of such a certificate; the issuer's signature is `signed_by`'s matter."""
        if (self.users_only and authority) or (self.authorities_only and not authority):
            return False
        return self.issuer == certificate.issuer

    def signed_by(self, issuer: x509.Certificate) -> bool:
        fingerprint = issuer.fingerprint(hashes.SHA256())
        if fingerprint not in self._signed:
            if len(self._signed) > 16:
                self._signed.clear()
            self._signed[fingerprint] = self._check(issuer)
        return self._signed[fingerprint]

    def _check(self, issuer: x509.Certificate) -> bool:
        if not isinstance(self._crl.signature_hash_algorithm, hashes.SHA256 | hashes.SHA384 | hashes.SHA512):
            return False
        key = issuer.public_key()
        try:
            usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
            if not usage.crl_sign:
                return False
        except x509.ExtensionNotFound:
            pass
        if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            return False
        try:
            return self._crl.is_signature_valid(key)
        except (InvalidSignature, *UNREADABLE):
            return False


def load(data: bytes) -> tuple[RevocationList, ...]:
    """All lists of a file: one in DER, or any number in PEM. Raises CrlError."""
    blocks = _PEM.findall(data)
    try:
        if blocks:
            return from_x509(x509.load_pem_x509_crl(block) for block in blocks)
        return from_x509([x509.load_der_x509_crl(data)])
    except CrlError:
        raise
    except UNREADABLE as error:
        raise CrlError("not a revocation list") from error


def from_x509(crls: Iterable[x509.CertificateRevocationList]) -> tuple[RevocationList, ...]:
    return tuple(RevocationList(crl) for crl in crls)


def _scope(crl: x509.CertificateRevocationList) -> tuple[bool, bool]:
    users_only = authorities_only = False
    for extension in crl.extensions:
        value = extension.value
        if isinstance(value, x509.IssuingDistributionPoint):
            if value.indirect_crl or value.only_some_reasons or value.only_contains_attribute_certs:
                raise CrlError("partial list")
            users_only, authorities_only = value.only_contains_user_certs, value.only_contains_ca_certs
        elif extension.oid == ExtensionOID.DELTA_CRL_INDICATOR or extension.critical:
            raise CrlError("partial list or unknown critical extension")
    return users_only, authorities_only

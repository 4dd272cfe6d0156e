"""Revocation lists (RFC 5280 5), read once and asked often.

A real list has thousands of entries: serial numbers go into a set, and its signature is checked once per issuer
certificate. A delta (5.2.4) is used with the full list that it completes, never alone: a serial missing from it proves
nothing. Other partial lists (indirect, limited to some reasons) are refused at loading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from certs.names import UNREADABLE
from certs.times import to_ms

_PEM = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----\s*", re.DOTALL)


Slot = tuple[x509.Name, bool, bool, bytes, bool]  # issuer, users only, authorities only, which of its keys, delta


class CrlError(ValueError):
    """Not a revocation list that may be used."""


class Revocations(Protocol):
    """What `certs.chain` asks about revocation: a full list, a completed one, an OCSP answer."""

    @property
    def revoked(self) -> frozenset[int]: ...
    @property
    def next_update(self) -> int: ...
    @property
    def replaces(self) -> Revocations | None:
        """The older source that this one brings up to date."""

    def covers(self, certificate: x509.Certificate, authority: bool) -> bool: ...
    def signed_by(self, issuer: x509.Certificate) -> bool: ...


class RevocationList:
    """One list. `next_update` in ms; `users_only` / `authorities_only` from IssuingDistributionPoint (5.2.5); `number` is its
    CRLNumber; `key` says by which of the issuer's keys it is signed (AuthorityKeyIdentifier): an authority renewed under its
    name has two. `base`: for a delta, the number of the oldest full list that it completes; `released`: serials it takes off.
    """

    __slots__ = (
        "_crl",
        "_signed",
        "authorities_only",
        "base",
        "issuer",
        "key",
        "next_update",
        "number",
        "released",
        "revoked",
        "this_update",
        "users_only",
    )
    replaces = None

    def __init__(self, crl: x509.CertificateRevocationList) -> None:
        if crl.next_update_utc is None:
            raise CrlError("list without an end date")  # RFC 5280 5.1.2.5: required
        self._crl = crl
        self._signed: dict[bytes, bool] = {}
        self.issuer = crl.issuer
        self.this_update = to_ms(crl.last_update_utc)
        self.next_update = to_ms(crl.next_update_utc)
        self.users_only, self.authorities_only, self.number, self.base, self.key = _extensions(crl)
        self.released = frozenset(_released(crl)) if self.base is not None else frozenset[int]()
        self.revoked = frozenset(entry.serial_number for entry in crl) - self.released

    @property
    def slot(self) -> Slot:
        """Lists of one slot replace one another."""
        return self.issuer, self.users_only, self.authorities_only, self.key, self.base is not None

    def pem(self) -> bytes:
        return self._crl.public_bytes(Encoding.PEM)

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


class Completed:
    """A full list brought up to date by a delta (RFC 5280 5.2.4): as good as a full list of the delta's date."""

    __slots__ = ("_delta", "next_update", "replaces", "revoked", "slot")

    def __init__(self, full: RevocationList, delta: RevocationList) -> None:
        self.replaces, self._delta, self.slot = full, delta, full.slot
        self.revoked = (full.revoked - delta.released) | delta.revoked
        self.next_update = max(full.next_update, delta.next_update)

    def covers(self, certificate: x509.Certificate, authority: bool) -> bool:
        return self.replaces.covers(certificate, authority)

    def signed_by(self, issuer: x509.Certificate) -> bool:
        return self.replaces.signed_by(issuer) and self._delta.signed_by(issuer)


Usable = RevocationList | Completed


def load(data: bytes) -> tuple[Usable, ...]:
    """What a file of lists says: full lists, and those that its deltas complete. Raises CrlError."""
    return complete(read(data))


def read(data: bytes) -> tuple[RevocationList, ...]:
    """All lists of a file, deltas too: one in DER, or any number in PEM. Raises CrlError."""
    blocks = _PEM.findall(data)
    try:
        if blocks:
            return tuple(RevocationList(x509.load_pem_x509_crl(block)) for block in blocks)
        return (RevocationList(x509.load_der_x509_crl(data)),)
    except CrlError:
        raise
    except UNREADABLE as error:
        raise CrlError("not a revocation list") from error


def from_x509(crls: Iterable[x509.CertificateRevocationList]) -> tuple[Usable, ...]:
    return complete(RevocationList(crl) for crl in crls)


def complete(lists: Iterable[RevocationList]) -> tuple[Usable, ...]:
    """Full lists, then what deltas make of them; a delta that completes none is left out."""
    found = tuple(lists)
    full = [one for one in found if one.base is None]
    deltas = [one for one in found if one.base is not None]
    return (*full, *(Completed(one, delta) for one in full for delta in deltas if _completes(delta, one)))


def ends(lists: Iterable[Usable]) -> list[tuple[x509.Name, int]]:
    """(issuer, when what is known of its certificates ends), once for each scope: a key that is used no more makes no alarm."""
    found: dict[tuple[x509.Name, bool, bool], int] = {}
    for one in lists:
        scope = one.slot[:3]
        found[scope] = max(one.next_update, found.get(scope, 0))
    return [(scope[0], at) for scope, at in found.items()]


def _completes(delta: RevocationList, full: RevocationList) -> bool:
    """Same issuer and scope; the full list is not older than the delta's base, and older than the delta (5.2.4)."""
    if delta.slot[:4] != full.slot[:4] or full.number is None or delta.number is None or delta.base is None:
        return False
    return delta.base <= full.number < delta.number


def _released(crl: x509.CertificateRevocationList) -> Iterator[int]:
    """Serials with the reason removeFromCRL (5.3.1)."""
    for entry in crl:
        try:
            reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        except x509.ExtensionNotFound:
            continue
        if reason is x509.ReasonFlags.remove_from_crl:
            yield entry.serial_number


def _extensions(crl: x509.CertificateRevocationList) -> tuple[bool, bool, int | None, int | None, bytes]:
    """(users only, authorities only, number, number of the base when it is a delta, identifier of the key)."""
    users_only = authorities_only = False
    number = base = None
    key = b""
    for extension in crl.extensions:
        value = extension.value
        if isinstance(value, x509.IssuingDistributionPoint):
            if value.indirect_crl or value.only_some_reasons or value.only_contains_attribute_certs:
                raise CrlError("partial list")
            users_only, authorities_only = value.only_contains_user_certs, value.only_contains_ca_certs
        elif isinstance(value, x509.CRLNumber):
            number = value.crl_number
        elif isinstance(value, x509.DeltaCRLIndicator):
            base = value.crl_number
        elif isinstance(value, x509.AuthorityKeyIdentifier):
            key = value.key_identifier or b""
        elif extension.critical:
            raise CrlError("unknown critical extension")
    return users_only, authorities_only, number, base, key

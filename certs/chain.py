"""Whether a certificate may be believed: one pure function over plain values (RFC 5280 6.1, with the rules of
docs/rules.md section 1).

Our own path check rather than the web's: subjects of the trust space are judged by their DN, client certificates carry
no host name, and each fault must be told apart so that the door can name it. What is not understood is refused
(critical extensions, name constraints, weak keys). Whether the subject may speak for a domain is not decided here: that
is the trust list's matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from certs.crl import Revocations
from certs.names import UNREADABLE, DistinguishedName, of_name
from certs.times import to_ms
from foundation.clock import DAY, SECOND

MAX_DEPTH = 5  # certificates between the peer's and the anchor
MAX_SENT = 10  # certificates read from what the peer sent
MAX_CHECKS = 40  # signatures verified for one judgement: hostile chains cost little

Moment = int
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


class Purpose(Enum):
    CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH  # the peer connects to us
    SERVER = ExtendedKeyUsageOID.SERVER_AUTH  # we connect to the peer
    SIGNATURE = ExtendedKeyUsageOID.EMAIL_PROTECTION  # signer of the trust list


class UsageRule(Enum):
    """How strictly extended key usage is read; the official operator profile is not public (docs/rules.md, our
    decision).
    """

    STRICT = "strict"  # must name the purpose
    STANDARD = "standard"  # absent or anyExtendedKeyUsage means any use (RFC 5280 4.2.1.12)
    EITHER = "either"  # STANDARD, and clientAuth or serverAuth serves both ways


class Fault(Enum):
    """Each has one sentence in French and one in English, for replies and pages."""

    MISSING = ("aucun certificat n’a été présenté", "no certificate was presented")
    UNREADABLE = ("le certificat est illisible ou mal formé", "the certificate is malformed")
    UNTRUSTED = (
        "le certificat ne remonte pas à une autorité reconnue",
        "the certificate chain does not end at a trusted authority",
    )
    WEAK = (
        "le certificat utilise une clé ou une signature trop faible",
        "the certificate uses a weak key or signature",
    )
    EXPIRED = ("le certificat a expiré", "the certificate has expired")
    NOT_YET_VALID = ("le certificat n’est pas encore valable", "the certificate is not yet valid")
    REVOKED = ("le certificat est révoqué", "the certificate is revoked")
    CRL_MISSING = ("la liste de révocation de l’autorité manque", "no revocation list of the authority is available")
    CRL_TOO_OLD = (
        "la liste de révocation de l’autorité est périmée",
        "the revocation list of the authority is out of date",
    )
    WRONG_USAGE = ("le certificat n’est pas prévu pour cet usage", "the certificate is not meant for this use")

    def __init__(self, fr: str, en: str) -> None:
        self.fr = fr
        self.en = en


@dataclass(frozen=True, slots=True)
class Trusted:
    """`dn` is what the trust list is asked about; `expires_at` in ms."""

    dn: DistinguishedName
    expires_at: int


@dataclass(frozen=True, slots=True)
class Refused:
    """`subject` is the name seen in the certificate, for the reply ("" when there is none)."""

    fault: Fault
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Checks:
    """Settings. `crl_grace` ms after a list's own end date; `crl_required=False` only forgives missing or old lists,
    never a revocation.
    """

    crl_required: bool = True
    crl_grace: int = DAY
    usage: UsageRule = UsageRule.STRICT


DEFAULT_CHECKS = Checks()


def judge_chain(
    leaf: x509.Certificate | None,
    intermediates: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    crls: Sequence[Revocations],
    now: Moment,
    purpose: Purpose,
    checks: Checks = DEFAULT_CHECKS,
) -> Trusted | Refused:
    """Judges `leaf` at `now` (ms). Never raises: what cannot be read is a fault. With several paths, one good path is
    enough; otherwise the fault is that of the first path that reaches an anchor.
    """
    if leaf is None:
        return Refused(Fault.MISSING)
    subject = ""
    try:
        dn = of_name(leaf.subject)
        subject = dn.text
        fault = _best_path(leaf, intermediates[:MAX_SENT], anchors, crls, now, purpose, checks)
        return Refused(fault, subject) if fault else Trusted(dn, to_ms(leaf.not_valid_after_utc))
    except UNREADABLE:
        return Refused(Fault.UNREADABLE, subject)


def _best_path(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    crls: Sequence[Revocations],
    now: Moment,
    purpose: Purpose,
    checks: Checks,
) -> Fault | None:
    first: Fault | None = None
    for path in _paths((leaf,), intermediates, anchors, [MAX_CHECKS]):
        fault = _path_fault(path, crls, now, purpose, checks)
        if fault is None:
            return None
        first = first or fault
    return first or Fault.UNTRUSTED


def _paths(
    below: tuple[x509.Certificate, ...],
    intermediates: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    budget: list[int],
) -> Iterator[tuple[x509.Certificate, ...]]:
    """Signed paths, leaf first, anchor last."""
    lowest = below[-1]
    for anchor in anchors:
        if _issued(lowest, anchor, budget):
            yield (*below, anchor)
    if len(below) > MAX_DEPTH:
        return
    for candidate in intermediates:
        if candidate not in below and _issued(lowest, candidate, budget):
            yield from _paths((*below, candidate), intermediates, anchors, budget)


def _issued(certificate: x509.Certificate, issuer: x509.Certificate, budget: list[int]) -> bool:
    if certificate.issuer != issuer.subject or budget[0] <= 0:
        return False
    budget[0] -= 1
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _path_fault(
    path: tuple[x509.Certificate, ...], crls: Sequence[Revocations], now: Moment, purpose: Purpose, checks: Checks
) -> Fault | None:
    leaf, *above = path
    for depth, authority in enumerate(above):
        if fault := _authority_fault(authority, depth, purpose, checks):
            return fault
    for certificate in path:
        if fault := _weakness(certificate) or _date_fault(certificate, now):
            return fault
    if fault := _leaf_fault(leaf, purpose, checks):
        return fault
    for certificate, issuer in zip(path, above, strict=False):
        if fault := _revocation_fault(certificate, issuer, certificate is not leaf, crls, now, checks):
            return fault
    return None


def _date_fault(certificate: x509.Certificate, now: Moment) -> Fault | None:
    if now < to_ms(certificate.not_valid_before_utc):
        return Fault.NOT_YET_VALID
    if now >= to_ms(certificate.not_valid_after_utc) + SECOND:  # the end date is included (4.1.2.5)
        return Fault.EXPIRED
    return None


def _weakness(certificate: x509.Certificate) -> Fault | None:
    key = certificate.public_key()
    match key:
        case rsa.RSAPublicKey():
            strong = key.key_size >= 2048
        case ec.EllipticCurvePublicKey():
            strong = key.curve.key_size >= 256
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            return None
        case _:
            strong = False
    digest = certificate.signature_hash_algorithm
    if not strong or (digest is not None and not isinstance(digest, hashes.SHA256 | hashes.SHA384 | hashes.SHA512)):
        return Fault.WEAK
    return None


_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,  # critical only beside an empty subject, which is refused before
    ExtensionOID.CERTIFICATE_POLICIES,  # informative: we require none (6.1.1 d, initial-any-policy)
}


def _unknown(certificate: x509.Certificate) -> bool:
    return any(
        (extension.critical and extension.oid not in _UNDERSTOOD) or extension.oid == ExtensionOID.NAME_CONSTRAINTS
        for extension in certificate.extensions
    )


def _authority_fault(certificate: x509.Certificate, depth: int, purpose: Purpose, checks: Checks) -> Fault | None:
    """`depth` counts the authorities under this one (4.2.1.9)."""
    basic = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    if basic is None or not basic.ca or _unknown(certificate):
        return Fault.UNTRUSTED
    if basic.path_length is not None and depth > basic.path_length:
        return Fault.UNTRUSTED
    if usage is not None and not usage.key_cert_sign:
        return Fault.UNTRUSTED
    # An authority limited to some uses cannot issue for others; its silence allows all.
    lenient = UsageRule.STANDARD if checks.usage is UsageRule.STRICT else checks.usage
    return None if _purpose_allowed(certificate, purpose, lenient) else Fault.WRONG_USAGE


def _leaf_fault(leaf: x509.Certificate, purpose: Purpose, checks: Checks) -> Fault | None:
    if _unknown(leaf):
        return Fault.UNREADABLE
    basic = _extension(leaf, x509.BasicConstraints)
    usage = _extension(leaf, x509.KeyUsage)
    if basic is not None and basic.ca:
        return Fault.WRONG_USAGE
    if usage is not None and not usage.digital_signature:
        return Fault.WRONG_USAGE
    return None if _purpose_allowed(leaf, purpose, checks.usage) else Fault.WRONG_USAGE


def _purpose_allowed(certificate: x509.Certificate, purpose: Purpose, rule: UsageRule) -> bool:
    named = _extension(certificate, x509.ExtendedKeyUsage)
    if named is None:
        return rule is not UsageRule.STRICT
    if purpose.value in named:
        return True
    if rule is UsageRule.STRICT:
        return False
    if ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in named:
        return True
    either = {Purpose.CLIENT, Purpose.SERVER}
    return rule is UsageRule.EITHER and purpose in either and any(one.value in named for one in either)


def _revocation_fault(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    authority: bool,
    crls: Sequence[Revocations],
    now: Moment,
    checks: Checks,
) -> Fault | None:
    lists = [crl for crl in crls if crl.covers(certificate, authority) and crl.signed_by(issuer)]
    outdated = [crl.replaces for crl in lists]
    lists = [crl for crl in lists if crl not in outdated]
    if any(certificate.serial_number in crl.revoked for crl in lists):
        return Fault.REVOKED  # an old list is still right about whom it names
    if not checks.crl_required:
        return None
    if not lists:
        return Fault.CRL_MISSING
    newest = max(crl.next_update for crl in lists)
    return Fault.CRL_TOO_OLD if now > newest + checks.crl_grace else None


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None

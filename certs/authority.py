"""A development authority: root, intermediate, certificates from profiles, revocation lists.

For demonstrations and tests only: its keys lie unencrypted in a folder (files 0600), and it dates certificates as it is
told, so that tests can have expired ones. A real operator's certificates come from IGC-Santé; nothing here runs in that
case.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from certs.profiles import INTERMEDIATE, ROOT, Profile
from certs.times import to_datetime
from foundation.clock import DAY, HOUR

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
    "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


class KeyKind(Enum):
    EC = "ec"  # P-256
    RSA = "rsa"  # 2048 bits: what the real list's signer uses


def new_key(kind: KeyKind = KeyKind.EC) -> PrivateKey:
    if kind is KeyKind.RSA:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key and the certificates to send after it (not the root)."""

    certificate: x509.Certificate
    key: PrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    def certificate_pem(self) -> bytes:
        return b"".join(pem(one) for one in (self.certificate, *self.chain))

    def write(self, folder: Path, stem: str) -> tuple[Path, Path]:
        """Writes `stem.pem` (leaf, then chain) and `stem.key` (0600), each atomically; returns the two paths.

        Certificate first: whoever reloads between the two sees a pair that does not match, and keeps the old one.
        """
        paths = folder / f"{stem}.pem", folder / f"{stem}.key"
        write_file(paths[0], self.certificate_pem(), 0o644)
        write_file(paths[1], key_pem(self.key), 0o600)
        return paths


@dataclass(frozen=True, slots=True)
class Points:
    """Where certificates say that revocation can be asked: addresses, none when empty."""

    crl: str = ""
    delta: str = ""
    ocsp: str = ""

    def extensions(self) -> list[x509.ExtensionType]:
        found: list[x509.ExtensionType] = []
        if self.crl:
            found.append(x509.CRLDistributionPoints([_point(self.crl)]))
        if self.delta:
            found.append(x509.FreshestCRL([_point(self.delta)]))
        if self.ocsp:
            where = x509.UniformResourceIdentifier(self.ocsp)
            access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, where)
            found.append(x509.AuthorityInformationAccess([access]))
        return found


NO_POINTS = Points()


@dataclass(slots=True)
class Authority:
    """Root and intermediate with what they revoked: `revoked` maps issuer name ("root", "intermediate") to serial -> at
    (ms).
    """

    root: Issued
    intermediate: Issued
    revoked: dict[str, dict[int, int]] = field(default_factory=lambda: {"root": {}, "intermediate": {}})

    @classmethod
    def create(cls, now: int, kind: KeyKind = KeyKind.EC, label: str = "DEVELOPPEMENT") -> Authority:
        """A new authority, valid since an hour before `now` (clocks differ)."""
        root_name, name = _authority_name(f"AC RACINE {label}"), _authority_name(f"AC {label} ORGANISATIONS")
        root_key, key = new_key(kind), new_key(kind)
        start = now - HOUR
        root = _sign(ROOT, root_name, root_key, root_name, root_key, start, start + ROOT.days * DAY)
        below = _sign(INTERMEDIATE, name, key, root_name, root_key, start, start + INTERMEDIATE.days * DAY)
        return cls(Issued(root, root_key), Issued(below, key))

    def issue(
        self,
        profile: Profile,
        subject: x509.Name,
        now: int,
        *,
        start: int | None = None,
        end: int | None = None,
        kind: KeyKind = KeyKind.EC,
        also: tuple[x509.GeneralName, ...] = (),
        points: Points = NO_POINTS,
    ) -> Issued:
        """A certificate signed by the intermediate; `start` and `end` (ms) override the profile's duration, to backdate
        in tests; `also`: further names of a host; `points`: where its revocation can be asked.
        """
        key = new_key(kind)
        begins = now - HOUR if start is None else start
        ends = begins + profile.days * DAY if end is None else end
        issuer = self.intermediate
        made = _sign(profile, subject, key, issuer.certificate.subject, issuer.key, begins, ends, also, points)
        return Issued(made, key, (issuer.certificate,))

    def revoke(self, certificate: x509.Certificate, now: int) -> None:
        """Takes effect in the lists made from now on."""
        by = "root" if certificate.issuer == self.root.certificate.subject else "intermediate"
        self.revoked[by].setdefault(certificate.serial_number, now)

    def crls(self, now: int, valid_for: int = 7 * DAY) -> tuple[x509.CertificateRevocationList, ...]:
        """The intermediate's list and the root's, dated `now`, next one promised after `valid_for` ms."""
        return tuple(
            _crl(issuer, self.revoked[name], now, now + valid_for)
            for name, issuer in (("intermediate", self.intermediate), ("root", self.root))
        )

    def delta(
        self, base: x509.CertificateRevocationList, now: int, released: frozenset[int] = frozenset()
    ) -> x509.CertificateRevocationList:
        """What the intermediate revoked since `base`, one of its full lists; `released`: serials to take off it."""
        number = base.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        known = {entry.serial_number for entry in base}
        since = {serial: at for serial, at in self.revoked["intermediate"].items() if serial not in known}
        return _crl(self.intermediate, since, now, now + DAY, x509.DeltaCRLIndicator(number), released)

    def save(self, folder: Path, now: int) -> None:
        """Writes root, intermediate, `crl.pem` (both lists) and `revoked.json`; keys are 0600."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.root.write(folder, "root")
        self.intermediate.write(folder, "intermediate")
        write_file(folder / "revoked.json", json.dumps(self.revoked).encode(), 0o600)
        write_file(folder / "crl.pem", b"".join(pem(crl) for crl in self.crls(now)), 0o644)

    @classmethod
    def load(cls, folder: Path) -> Authority:
        """What `save` wrote. Raises OSError or ValueError."""
        revoked = json.loads((folder / "revoked.json").read_text())
        return cls(
            load_issued(folder, "root"),
            load_issued(folder, "intermediate"),
            {name: {int(serial): at for serial, at in serials.items()} for name, serials in revoked.items()},
        )


def load_issued(folder: Path, stem: str) -> Issued:
    """What `Issued.write` wrote. Raises OSError or ValueError."""
    leaf, *chain = x509.load_pem_x509_certificates((folder / f"{stem}.pem").read_bytes())
    key = serialization.load_pem_private_key((folder / f"{stem}.key").read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError(f"{stem}.key: kind of key not supported")
    return Issued(leaf, key, tuple(chain))


def pem(value: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    return value.public_bytes(serialization.Encoding.PEM)


def key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write_file(path: Path, data: bytes, mode: int) -> None:
    """Replaces the file whole or not at all; it never exists with wider rights than `mode`."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _authority_name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "AUTORITE DE DEVELOPPEMENT"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _sign(
    profile: Profile,
    subject: x509.Name,
    key: PrivateKey,
    issuer: x509.Name,
    issuer_key: PrivateKey,
    start: int,
    end: int,
    also: tuple[x509.GeneralName, ...] = (),
    points: Points = NO_POINTS,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(to_datetime(start))
        .not_valid_after(to_datetime(end))
        .add_extension(x509.BasicConstraints(profile.ca, profile.path_length), critical=True)
        .add_extension(x509.KeyUsage(**{name: name in profile.usages for name in _USAGES}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if profile.extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(profile.extended), critical=False)
    if profile.host:
        host = str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host), *also]), critical=False)
    for extension in points.extensions():
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _point(address: str) -> x509.DistributionPoint:
    return x509.DistributionPoint([x509.UniformResourceIdentifier(address)], None, None, None)


def _crl(
    issuer: Issued,
    revoked: dict[int, int],
    now: int,
    next_at: int,
    base: x509.DeltaCRLIndicator | None = None,
    released: frozenset[int] = frozenset(),
) -> x509.CertificateRevocationList:
    made: datetime = to_datetime(now)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(made)
        .next_update(to_datetime(next_at))
        .add_extension(x509.CRLNumber(now), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )
    for serial, at in revoked.items():
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(to_datetime(at)).build()
        builder = builder.add_revoked_certificate(entry)
    for serial in released:
        off = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(made)
        off = off.add_extension(x509.CRLReason(x509.ReasonFlags.remove_from_crl), critical=False)
        builder = builder.add_revoked_certificate(off.build())
    if base is not None:
        builder = builder.add_extension(base, critical=True)
    return builder.sign(issuer.key, hashes.SHA256())

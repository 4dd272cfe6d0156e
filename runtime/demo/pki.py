"""The demo's public key infrastructure: a development authority, an operator certificate each, a signed trust list.

Made once and kept; the revocation lists and what is near its end are renewed at every start, so that a demo left alone for a month
still starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from certs.authority import Authority, Issued, KeyKind, load_issued, write_file
from certs.names import of_name
from certs.profiles import LIST_SIGNER, OPERATOR, operator_subject, organisation_subject
from certs.times import to_ms
from foundation.clock import DAY
from mssante.trust_list import Entry, sign_list
from runtime.demo.people import Operator
from runtime.settings import Dkim
from runtime.signing import signing_keys, txt_records

SIGNER_NAME = "alb.mssante.example"
RENEW_BEFORE = 30 * DAY
BENCH_DOMAIN = "operator.example"
RSA_KEY, ED25519_KEY = "dkim-rsa.pem", "dkim-ed25519.pem"


class Pki:
    """Files below `folder` (the authority, the list's signer) and each operator's `tls` folder."""

    def __init__(self, folder: Path, now: int) -> None:
        self._folder = folder
        self._now = now
        try:
            self.authority = Authority.load(folder)
        except OSError:
            self.authority = Authority.create(now, label="DEMONSTRATION")
        self.authority.save(folder, now)  # lists dated today

    @property
    def root(self) -> Path:
        return self._folder / "root.pem"

    @property
    def crl(self) -> Path:
        return self._folder / "crl.pem"

    @property
    def dkim_zone(self) -> Path:
        """The records of all operators' keys: the demo has no DNS."""
        return self._folder / "dkim.zone"

    @property
    def trust_list(self) -> Path:
        return self._folder / "trust-list.xml"

    def operator(self, operator: Operator, tls: Path) -> Issued:
        """The operator's certificate, in `tls/server.pem` and `.key`."""
        subject = operator_subject(operator.host, operator.structure, operator.name, "Villefleur (99)")
        # Mail clients of the demo come through loopback and compare the name they were given.
        loopback = (x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1")))
        return self._kept(tls, "server", lambda: self.authority.issue(OPERATOR, subject, self._now, also=loopback))

    def dkim_keys(self, folder: Path) -> Dkim:
        """Both keys for DKIM, RSA (RFC 8301: at least 2048 bits) and Ed25519 (RFC 8463), and their settings."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        makers: dict[str, Callable[[], RSAPrivateKey | Ed25519PrivateKey]] = {
            RSA_KEY: lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
            ED25519_KEY: Ed25519PrivateKey.generate,
        }
        for name, make in makers.items():
            if not (folder / name).exists():
                form = serialization.PrivateFormat.PKCS8
                pem = make().private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
                write_file(folder / name, pem, 0o600)
        return Dkim.model_validate({"rsa_key": folder / RSA_KEY, "ed25519_key": folder / ED25519_KEY})

    def publish(self, keys: Mapping[Operator, Dkim]) -> None:
        lines = (line for each, dkim in keys.items() for line in txt_records(each.all_domains, signing_keys(dkim)))
        write_file(self.dkim_zone, "".join(f"{line}\n" for line in lines).encode(), 0o644)

    def sign_trust_list(
        self, certificates: dict[Operator, Issued], bench: bool, also: Sequence[Entry] = (), to: Path | None = None
    ) -> None:
        """Every domain of every operator with its certificate's name; the bench's sender domain when asked; `also`: of other
        operators. `to`: another file than the one in use.
        """
        subject = organisation_subject(SIGNER_NAME, "1990000003", "Agence de démonstration", "Villefleur (99)")
        signer = self._kept(
            self._folder,
            "list-signer",
            lambda: self.authority.issue(LIST_SIGNER, subject, self._now, kind=KeyKind.RSA),
        )
        key = signer.key
        assert isinstance(key, rsa.RSAPrivateKey)
        entries = [
            Entry(domain, of_name(issued.certificate.subject).text, operator.name)
            for operator, issued in certificates.items()
            for domain in operator.all_domains
        ]
        entries += also
        if bench:
            stranger = of_name(
                operator_subject("mail.operator.example", "1990000999", "Banc d'essai", "Villefleur (99)")
            )
            entries.append(Entry(BENCH_DOMAIN, stranger.text, "Banc d'essai"))
        signed = sign_list(entries, key, signer.certificate, self._now, signer.chain)
        write_file(to or self.trust_list, signed, 0o644)

    def _kept(self, folder: Path, stem: str, issue: Callable[[], Issued]) -> Issued:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            found = load_issued(folder, stem)
            if to_ms(found.certificate.not_valid_after_utc) > self._now + RENEW_BEFORE:
                return found
        except OSError:
            pass
        issued = issue()
        issued.write(folder, stem)
        return issued

"""The certificates that this operator lives by: whose end is watched, and what `mssante certificate` shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from certs.alarms import Expiring
from certs.names import UNREADABLE, of_name
from certs.times import to_ms
from runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Known:
    """`role`: server, intermediate, web or anchor."""

    role: str
    path: Path
    certificate: x509.Certificate

    @property
    def subject(self) -> str:
        return of_name(self.certificate.subject).text

    @property
    def ends_at(self) -> int:
        """ms"""
        return to_ms(self.certificate.not_valid_after_utc)

    def expiring(self) -> Expiring:
        one_only = self.role in ("server", "web")
        return Expiring(f"{self.role} certificate" if one_only else f"{self.role} {self.subject}", self.ends_at)


def known(settings: Settings) -> Iterator[Known]:
    """All that can be read; what cannot is being replaced, or told by the doctor."""
    server = list(_read(settings.tls.certificate))
    yield from (Known("server", settings.tls.certificate, one) for one in server[:1])
    yield from (Known("intermediate", settings.tls.certificate, one) for one in server[1:])
    if settings.web.certificate is not None:
        yield from (Known("web", settings.web.certificate, one) for one in list(_read(settings.web.certificate))[:1])
    for path in dict.fromkeys((settings.tls.anchors, settings.trust_list.anchors)):
        yield from (Known("anchor", path, one) for one in _read(path))


def _read(path: Path) -> Iterator[x509.Certificate]:
    try:
        yield from x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, *UNREADABLE):
        return

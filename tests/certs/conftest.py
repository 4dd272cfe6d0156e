"""One development authority for all tests of the package: keys are slow to make."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop

from certs import crl
from certs.authority import Authority, Issued, pem
from certs.chain import Checks
from certs.contexts import Identity
from certs.profiles import OPERATOR, operator_subject
from certs.trust_store import TrustStore
from foundation.clock import DAY, system_clock

NOW = system_clock()
SUBJECT = operator_subject("mx.un.example", "344368557300034", "OPÉRATEUR UN", "Bouches-du-Rhône (13)")


def pytest_asyncio_loop_factories(config: object, item: object) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Asynchronous tests of this folder run on both loops."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@dataclass(frozen=True)
class World:
    """An authority we trust, another that we do not, and the certificates of the usual peers."""

    ours: Authority
    other: Authority
    good: Issued
    expired: Issued
    future: Issued
    revoked: Issued
    stranger: Issued

    def store(self, checks: Checks | None = None) -> TrustStore:
        return TrustStore((self.ours.root.certificate,), crl.from_x509(self.ours.crls(NOW)), checks=checks or Checks())

    def identity(self, folder: Path, issued: Issued | None = None, stem: str = "server") -> Identity:
        return Identity(*(issued or self.good).write(folder, stem))

    def anchors(self, folder: Path) -> Path:
        path = folder / "anchors.pem"
        path.write_bytes(pem(self.ours.root.certificate))
        return path


@pytest.fixture(scope="session")
def world() -> World:
    ours, other = Authority.create(NOW - 400 * DAY), Authority.create(NOW - 400 * DAY)
    revoked = ours.issue(OPERATOR, SUBJECT, NOW)
    ours.revoke(revoked.certificate, NOW)
    return World(
        ours,
        other,
        ours.issue(OPERATOR, SUBJECT, NOW),
        ours.issue(OPERATOR, SUBJECT, NOW, start=NOW - 300 * DAY, end=NOW - DAY),
        ours.issue(OPERATOR, SUBJECT, NOW, start=NOW + DAY),
        revoked,
        other.issue(OPERATOR, SUBJECT, NOW),
    )

"""What senders read when their message holds malware, or when nobody can look: another operator, and a mail client."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clamd import EICAR, NAME, Clamd, clamd
from tests.support.demo import Demo, free_port_base, mssante
from tests.support.peer import Peer, certificate_of, mail

__all__ = ["clamd"]
pytestmark = pytest.mark.xdist_group("backup")  # a demo of its own
BETA = "antoine.vidal@medecins.beta.example"
GP = "camille.roche@medecins.alpha.example"


@pytest.fixture
def guarded(clamd: Clamd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    monkeypatch.setenv("MSSANTE_ANTIVIRUS__CLAMD", clamd.address)
    running = Demo(tmp_path / "demo", free_port_base(), ("--operators", "2"))
    try:
        yield running.start()
    finally:
        running.stop()


def test_refusals_are_said_to_senders(guarded: Demo, clamd: Clamd) -> None:
    certificate = certificate_of(guarded)

    def from_peer(body: str) -> tuple[int, str]:
        with Peer(guarded, certificate) as peer:
            return peer.send(BETA, GP, mail(BETA, GP, "Compte rendu", body))

    assert from_peer("Bonjour.")[0] == 250
    code, said = from_peer(EICAR.decode())
    assert code == 554
    assert said.startswith("5.7.0 ")
    assert f"malware ({NAME}." in said
    assert f"programme malveillant ({NAME}." in said

    attached = ("compte-rendu.com", EICAR, "application", "octet-stream")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        guarded.send("medecin", BETA, "Compte rendu", attachments=[attached])
    assert refused.value.smtp_code == 554

    clamd.stop()
    code, said = from_peer("Bonjour.")
    assert (code, said.split()[0]) == (451, "4.7.0")
    assert "le courrier est différé" in mssante(guarded.data / "alpha", "doctor", "--running").stdout
    clamd.start()
    assert from_peer("Bonjour.")[0] == 250
    assert "StreamMaxLength 27M" in mssante(guarded.data / "alpha", "doctor", "--running").stdout  # it has 1 MB here
    assert '"antivirus_absent"' in guarded.log()
    assert '"antivirus_back"' in guarded.log()

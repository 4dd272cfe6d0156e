"""What outside sees of the doors; the signature of a profile."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from care_desk.mail_doors import MailDoor
from certs.authority import Authority
from certs.profiles import OPERATOR, operator_subject
from foundation.clock import system_clock
from runtime.cli import app
from runtime.mail_doors import mail_doors, profile_signer
from runtime.settings import Settings, Web


def settings(**doors: str) -> Settings:
    operator = {"name": "Alpha", "host": "mail.alpha.example", "domains": ["alpha.example"]}
    return Settings.model_validate({"operator": operator, "doors": doors})


@pytest.mark.parametrize(
    ("door", "seen"),
    [
        ("0.0.0.0:8093", MailDoor(True, True, "mail.alpha.example", 993)),
        ("192.0.2.1:993", MailDoor(True, True, "mail.alpha.example", 993)),
        ("127.0.0.1:8193", MailDoor(True, True, "127.0.0.1", 8193)),
    ],
)
def test_official_ports_outside_and_the_true_ones_in_the_demo(door: str, seen: MailDoor) -> None:
    assert mail_doors(settings(imaps=door)).doors == (seen,)


def test_dns_prints_the_records(tmp_path: Path) -> None:
    path = tmp_path / "mssante.toml"
    path.write_text(
        '[operator]\nname="A"\nhost="mail.alpha.example"\ndomains=["alpha.example"]\n[doors]\nimaps="0.0.0.0:8093"\n'
    )
    found = CliRunner().invoke(app, ["dns", "--config", str(path)])
    assert found.exit_code == 0
    assert "_imaps._tcp.alpha.example. 3600 IN SRV 0 1 993 mail.alpha.example." in found.stdout.splitlines()
    assert CliRunner().invoke(app, ["dns", "--config", str(tmp_path / "none")]).exit_code == 2


def test_a_profile_is_signed_by_the_web_certificate(tmp_path: Path) -> None:
    """openssl checks the signature and gives the profile back."""
    authority = Authority.create(system_clock())
    subject = operator_subject("www.alpha.example", "1", "A", "B")
    certificate, key = authority.issue(OPERATOR, subject, system_clock()).write(tmp_path, "web")
    sign = profile_signer(Web(certificate=certificate, key=key))
    assert sign is not None
    (tmp_path / "profile").write_bytes(sign(b"<plist>\n</plist>\n"))
    command = f"openssl cms -verify -noverify -inform DER -in {tmp_path}/profile"
    found = subprocess.run(command.split(), capture_output=True, check=True)
    assert found.stdout == b"<plist>\n</plist>\n"
    assert profile_signer(Web()) is None

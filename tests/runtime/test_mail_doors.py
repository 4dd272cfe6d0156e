"""What outside sees of the doors; the signature of a profile."""

from __future__ import annotations

import subprocess
from pathlib import Path

import dns.zone
import pytest
from typer.testing import CliRunner

from care_desk.mail_doors import MailDoor
from certs.authority import Authority
from certs.profiles import OPERATOR, operator_subject
from foundation.clock import system_clock
from runtime.cli import app
from runtime.demo.pki import ED25519_KEY, RSA_KEY, Pki
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
        '[operator]\nname="A"\nhost="mail.alpha.example"\ndomains=["alpha.example"]\n'
        'citizen_domain="patient.example"\n[doors]\nmx="0.0.0.0:8025"\nimaps="0.0.0.0:8093"\n'
    )
    found = CliRunner().invoke(app, ["dns", "--config", str(path)])
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert lines[:2] == [f"{name}.example. 3600 IN MX 10 mail.alpha.example." for name in ("alpha", "patient")]
    assert "_imaps._tcp.alpha.example. 3600 IN SRV 0 1 993 mail.alpha.example." in lines
    assert "" not in lines
    assert CliRunner().invoke(app, ["dns", "--config", str(tmp_path / "none")]).exit_code == 2


def test_dns_prints_a_record_for_each_key(tmp_path: Path) -> None:
    """Joined again, the strings are the record that a verifier reads (RFC 6376 3.6.2.2)."""
    Pki(tmp_path / "pki", system_clock()).dkim_keys(tmp_path)
    path = tmp_path / "mssante.toml"
    path.write_text(
        '[operator]\nname="A"\nhost="mail.alpha.example"\ndomains=["alpha.example"]\n'
        f'[dkim]\nrsa_key="{RSA_KEY}"\ned25519_key="{ED25519_KEY}"\n'
    )
    lines = CliRunner().invoke(app, ["dns", "--config", str(path)]).stdout.splitlines()
    rsa, ed25519 = (dns.zone.from_text(line, "alpha.example", check_origin=False) for line in lines if " TXT " in line)
    for zone, name, length in ((rsa, "mss-rsa._domainkey", 410), (ed25519, "mss-ed25519._domainkey", 66)):
        [record] = zone.find_rdataset(name, "TXT")
        assert (record.strings[0].startswith(b"v=DKIM1; k="), len(b"".join(record.strings))) == (True, length)
    (tmp_path / RSA_KEY).write_bytes((tmp_path / ED25519_KEY).read_bytes())
    wrong = CliRunner().invoke(app, ["dns", "--config", str(path)])
    assert (wrong.exit_code, "pas une clé rsa en PEM" in wrong.stderr) == (1, True)


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

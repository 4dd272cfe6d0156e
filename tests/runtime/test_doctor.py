"""The doctor: a healthy operator has no finding; each thing broken has its own, in words."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from certs.authority import Authority
from certs.profiles import OPERATOR, operator_subject
from foundation.clock import DAY, system_clock
from runtime import start
from runtime.demo.operator_files import Ports, settings_text
from runtime.demo.people import BETA
from runtime.demo.pki import ED25519_KEY, Pki
from runtime.doctor import examine, openid_answers
from runtime.settings import OpenId, Settings, read
from tests.support.demo import free_port_base


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """One operator in order: certificate, lists, key, database."""
    pki = Pki(tmp_path / "pki", system_clock())
    pki.sign_trust_list({BETA: pki.operator(BETA, tmp_path / "beta" / "tls")}, bench=False)
    path = tmp_path / "beta" / "mssante.toml"
    pki.publish({BETA: pki.dkim_keys(tmp_path / "beta" / "keys")})
    path.write_text(settings_text(BETA, Ports(free_port_base(), web=False, bench=False), {}, pki, tmp_path))
    found = read(path)
    start.prepare(found)
    return found


def said(settings: Settings, now: int | None = None) -> str:
    return "\n".join(str(finding) for finding in examine(settings, now or system_clock()))


def test_a_healthy_operator_has_no_finding(settings: Settings) -> None:
    assert said(settings) == ""


def other_key(settings: Settings) -> None:
    pki = Authority.create(system_clock())
    pki.issue(OPERATOR, operator_subject("x.example", "1", "X", "Y"), system_clock()).write(
        settings.tls.key.parent, "x"
    )
    shutil.copy(settings.tls.key.parent / "x.key", settings.tls.key)


def rsa_key(settings: Settings) -> Path:
    assert settings.dkim.rsa_key is not None
    return settings.dkim.rsa_key


def zone(settings: Settings) -> Path:
    assert settings.dkim.records is not None
    return settings.dkim.records


def small_key(settings: Settings, bits: int) -> None:
    command = f"openssl genrsa -out {rsa_key(settings)} {bits}"
    subprocess.run(command.split(), check=True, capture_output=True)


BREAKAGES: dict[str, tuple[Callable[[Settings], object], str]] = {
    "key file gone": (lambda s: s.storage.master_key.unlink(), "master.key is missing"),
    "key file readable by all": (lambda s: s.storage.master_key.chmod(0o644), "can be read by other users"),
    "certificate gone": (lambda s: s.tls.certificate.unlink(), "server.pem is missing"),
    "key of another certificate": (other_key, "is not the key of"),
    "unreadable certificate": (lambda s: s.tls.certificate.write_text("x"), "certificate: cannot be read"),
    "no revocation list": (lambda s: s.tls.crl.unlink(), "crl.pem is missing"),
    "trust list cut short": (
        lambda s: s.trust_list.file.write_bytes(s.trust_list.file.read_bytes()[:-30]),
        "trust list: ",
    ),
    "trust list that waits for its anchors": (
        lambda s: s.trust_list.anchors.unlink(),
        "trust list: cannot be judged without",
    ),
    "trust list gone": (lambda s: s.trust_list.file.unlink(), "trust-list.xml is missing"),
    "no database": (lambda s: Path(s.storage.database.removeprefix("sqlite:///")).unlink(), "does not exist"),
    "DKIM key gone": (lambda s: rsa_key(s).unlink(), "dkim-rsa.pem is missing"),
    "DKIM key readable by all": (lambda s: rsa_key(s).chmod(0o640), "can be read by other users"),
    "DKIM key of the other kind": (
        lambda s: rsa_key(s).write_bytes((rsa_key(s).parent / ED25519_KEY).read_bytes()),
        "an ed25519 key, where rsa is asked for",
    ),
    "DKIM key cut short": (lambda s: rsa_key(s).write_bytes(rsa_key(s).read_bytes()[:-50]), "not an unencrypted PEM"),
    "no zone of others' keys": (lambda s: zone(s).unlink(), "dkim.zone is missing"),
    "a zone of others' keys that is none": (lambda s: zone(s).write_text("x y"), "dkim.zone: "),
    "DKIM key too small": (lambda s: small_key(s, 512), "512 bits"),
    "empty database": (
        lambda s: Path(s.storage.database.removeprefix("sqlite:///")).write_bytes(b""),
        "run mssante init",
    ),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_each_breakage_is_told(settings: Settings, name: str) -> None:
    breakage, expected = BREAKAGES[name]
    breakage(settings)
    findings = examine(settings, system_clock())
    assert any(finding.fatal and expected in str(finding) for finding in findings), findings


def test_a_weak_or_lonely_dkim_key_is_noted(settings: Settings) -> None:
    """Not fatal: the mail is still signed."""
    small_key(settings, 1024)
    [finding] = examine(settings, system_clock())
    assert str(finding) == f"note   dkim: {rsa_key(settings)}: 1024 bits, 2,048 are asked for"
    alone = settings.model_copy(update={"dkim": settings.dkim.model_copy(update={"rsa_key": None})})
    assert said(alone) == "note   dkim: without an RSA key, some operators cannot check our signatures"


def test_a_trust_list_of_another_signer_is_told(settings: Settings) -> None:
    """With whom it was signed by, and the setting that asks for somebody else."""
    other = settings.trust_list.model_copy(update={"signer": "CN=alb.mssante.fr"})
    told = said(settings.model_copy(update={"trust_list": other}))
    assert "signed by someone else (CN=alb.mssante.example," in told
    assert told.endswith("trust_list.signer asks for CN=alb.mssante.fr")


def test_health_says_which_door_is_silent(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    config = Path(settings.storage.database.removeprefix("sqlite:///")).parent / "mssante.toml"
    assert start.health(config) == start.FAILED
    assert capsys.readouterr().err == f"{settings.doors.mx} does not answer\n"
    host, port = settings.doors.mx.split(":")
    with socket.create_server((host, int(port))):
        assert start.health(config) == start.OK


def with_provider(settings: Settings, **values: object) -> Settings:
    folder = settings.tls.key.parent
    (folder / "secret").write_text("x")
    (folder / "secret").chmod(0o600)
    given = {"issuer": "http://127.0.0.1:9", "audience": "us", "client_id": "us", "client_secret": folder / "secret"}
    return settings.model_copy(update={"openid": OpenId.model_validate({**given, **values})})


def test_the_openid_provider(settings: Settings) -> None:
    found = with_provider(settings)
    assert said(found) == ""
    assert [str(one) for one in openid_answers(settings, 0)] == []  # none is set
    [silent] = openid_answers(found, system_clock())
    assert str(silent) == "note   openid: http://127.0.0.1:9 does not answer as an OpenID provider does"
    assert "however weakly" in said(with_provider(settings, acr=[]))
    assert found.openid.client_secret is not None
    found.openid.client_secret.chmod(0o644)
    assert "openid: " in said(found)
    found.openid.client_secret.unlink()
    assert "FAULT  openid: cannot be read" in said(found)


def test_a_busy_port_is_told(settings: Settings) -> None:
    host, port = settings.doors.imap.split(":")
    with socket.create_server((host, int(port))):
        assert "imap: " in said(settings)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (1080, "ends within 30 days"),
        (8, "ended 24 hours ago"),  # the revocation list, promised for 7 days
        (1200, "has expired"),
        (-2, "clock"),
    ],
)
def test_time_passing_is_told(settings: Settings, days: int, expected: str) -> None:
    assert expected in said(settings, system_clock() + days * DAY)


def test_the_exit_code_tells_a_script(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    config = Path(settings.storage.database.removeprefix("sqlite:///")).parent / "mssante.toml"
    assert start.doctor(config, ports=True) == start.OK
    assert "in order" in capsys.readouterr().out
    settings.tls.crl.unlink()
    assert start.doctor(config, ports=True) == start.FAILED
    assert start.doctor(config.with_name("nowhere.toml"), ports=True) == start.WRONG

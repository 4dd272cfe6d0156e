"""docs/operator.md followed from an empty folder, as a new operator does: each command stands in the page as it is run here."""

from __future__ import annotations

import imaplib
import os
import re
import shlex
import shutil
import smtplib
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from certs.authority import KeyKind
from certs.names import of_name
from certs.profiles import LIST_SIGNER, OPERATOR, operator_subject, organisation_subject
from foundation.clock import system_clock
from runtime.demo.pki import Pki
from tests.support.child import ends_with_us
from tests.support.demo import ROOT, compose, free_port_base, uids_of, wait_until

pytestmark = pytest.mark.xdist_group("operators")
PAGE = (ROOT / "docs" / "operator.md").read_text(encoding="utf-8")
TEAM, NADIA = "cardiologie@medecins.exemple.example", "nadia.benali@exemple"


class FirstDay:
    """`mss`: what the page calls so, in the operator's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.base = folder, free_port_base()
        self.server: subprocess.Popen[bytes] | None = None

    def mss(self, line: str, written: str = "", code: int = 0) -> str:
        """`written`: how the page writes it, where that differs."""
        assert f"mss {written or line}" in PAGE, f"the page does not say: mss {written or line}"
        command = [sys.executable, "-m", "runtime.cli", *shlex.split(line)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def serve(self) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        with (self.folder.parent / "log").open("ab") as log:
            command = ends_with_us(sys.executable, "-m", "runtime.cli", "serve")
            self.server = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=log)
        wait_until(lambda: '"ready"' in (self.folder.parent / "log").read_text()[self._read :], 40)

    _read = 0

    def stop(self) -> None:
        if self.server is not None:
            self.server.terminate()
            assert self.server.wait(40) == 0
            self.server = None
            self._read = len((self.folder.parent / "log").read_text())

    def trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / "tls" / "anchors.pem"))
        context.check_hostname = False  # by its loopback address
        return context

    def has(self, password: str, subject: str) -> bool:
        with imaplib.IMAP4_SSL("127.0.0.1", self.base + 93, ssl_context=self.trust()) as imap:
            imap.login(NADIA, password)
            return bool(uids_of(imap, subject))


@pytest.fixture
def day(tmp_path: Path) -> Iterator[FirstDay]:
    made = FirstDay(tmp_path / "mssante")
    made.folder.mkdir(mode=0o700)
    yield made
    if made.server is not None:
        made.server.kill()
        made.server.wait()


def settle(day: FirstDay) -> None:
    """Step 2: names are the first file's own; doors on free ports. A trust space for tests has another signer (step 3)."""
    path = day.folder / "mssante.toml"
    text = path.read_text(encoding="utf-8")
    for port in (8025, 8087, 8065, 8043, 8093):
        text = text.replace(f"0.0.0.0:{port}", f"127.0.0.1:{day.base + port % 1000}")
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{day.base + 80}")
    path.write_text(text.replace("[trust_list]", '[trust_list]\nsigner = "CN=alb.essai.example"'), encoding="utf-8")


def authority(day: FirstDay, folder: Path) -> None:
    """Step 3: what a trust space hands to an operator: certificate, roots, revocation lists, and the list that it signs."""
    now = system_clock()
    pki, tls = Pki(folder, now), day.folder / "tls"
    tls.mkdir()
    subject = operator_subject("mail.exemple.example", "1990000001", "Opérateur Exemple", "Villefleur (99)")
    issued = pki.authority.issue(OPERATOR, subject, now)
    issued.write(tls, "server")
    shutil.copy(pki.root, tls / "anchors.pem")
    shutil.copy(pki.crl, tls / "crl.pem")
    name = organisation_subject("alb.essai.example", "1990000003", "Agence", "Villefleur (99)")
    signer = pki.authority.issue(LIST_SIGNER, name, now, kind=KeyKind.RSA)
    assert isinstance(signer.key, rsa.RSAPrivateKey)
    signer.write(folder, "signer")
    dn = of_name(issued.certificate.subject).text
    (folder / "table.csv").write_text(f'domain;dn\nmedecins.exemple.example;"{dn}"\n', encoding="utf-8")
    day.mss(
        f"trust-list sign {folder}/table.csv --key {folder}/signer.key --certificate {folder}/signer.pem --out {folder}/list.xml",
        "trust-list sign TABLE --key K --certificate C --out F",
    )


def test_from_an_empty_folder_to_a_restored_backup(day: FirstDay, tmp_path: Path) -> None:
    day.mss("init")
    settle(day)
    assert "DÉFAUT" in day.mss("doctor", code=1)
    authority(day, tmp_path / "space")
    day.mss(f"trust-list fetch {tmp_path}/space/list.xml", "trust-list fetch [FILE]")
    told = day.mss("doctor")
    assert "DÉFAUT" not in told

    [create] = re.findall(rf"^    mss (mailbox create {re.escape(TEAM)} .*)$", PAGE, re.MULTILINE)
    found = re.search(r"mot de passe (\S+)", day.mss(create))
    assert found is not None
    password = found[1]

    day.serve()
    assert "DÉFAUT" not in day.mss("doctor --running")
    day.mss("health")
    with smtplib.SMTP_SSL("127.0.0.1", day.base + 65, context=day.trust()) as smtp:
        smtp.login(NADIA, password)
        smtp.send_message(compose(TEAM, TEAM, "Premier message", "Bonjour."))
    wait_until(lambda: day.has(password, "Premier message"))
    day.mss(f"backup {tmp_path}/backup/2026-11-12", "backup /backup/$(date +%F)")
    day.stop()

    for path in day.folder.glob("mssante.db*"):
        path.rename(tmp_path / path.name)
    assert "entière" in day.mss(
        f"restore {tmp_path}/backup/2026-11-12 --dry-run", "restore /backup/2026-11-12 --dry-run"
    )
    day.mss(f"restore {tmp_path}/backup/2026-11-12", "restore /backup/2026-11-12")
    assert "DÉFAUT" not in day.mss("doctor")
    day.serve()
    assert day.has(password, "Premier message")
    day.stop()

"""swaks and msmtp send through both doors; what is refused comes with words that their user can read."""

from __future__ import annotations

import time
from email.policy import SMTP
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.support import files
from tests.support.clients import Ran, run, swaks
from tests.support.demo import Demo, compose

DOORS = ("submission", "submissions")


def msmtp(server: Demo, person: dict[str, Any], folder: Path, door: str, auth: str, *args: str, content: bytes) -> Ran:
    """`args` are recipients and msmtp's own options; its exit codes are those of sysexits.h."""
    host, port = server.door(door)
    config = folder / "msmtprc"
    config.write_text(
        f"""account a
host {host}
port {port}
tls on
tls_starttls {"on" if door == "submission" else "off"}
tls_trust_file {server.operator()["ca"]}
tls_host_override mail.alpha.example
auth {auth}
user {person["login"]}
password {person["password"]}
from {person["address"]}
account default : a
"""
    )
    config.chmod(0o600)
    return run("msmtp", "--file", str(config), *args, input=content.replace(b"\r\n", b"\n").decode())


def letter(server: Demo, stamp: str) -> bytes:
    """From the doctor, by the name of the directory, to the heart clinic: no octet changes. CRLF line ends; lines of dots, 8-bit
    text, a document."""
    doctor = server.person("medecin")
    message = compose(
        f"{doctor['name']} <{doctor['address']}>",
        server.person("cardiologie")["address"],
        stamp,
        ".\n..\nDéjà vu.\nFrom here\n",
        headers={"Date": "Sun, 29 Nov 2026 10:00:00 +0100"},
        attachments=[("bilan.pdf", files.pdf(pages=30), "application", "pdf")],
    )
    return message.as_bytes(policy=SMTP.clone(cte_type="8bit"))


# -------------------------------------------------------------------- sent
@pytest.mark.parametrize(("door", "auth"), [*product(DOORS, ("plain", "login", "scram-sha-256", "on"))])
def test_msmtp_sends(server: Demo, door: str, auth: str, tmp_path: Path) -> None:
    doctor, nurse, stamp = server.person("medecin"), server.member("cardiologie", 1), str(time.time_ns())
    content = letter(server, stamp)
    assert msmtp(server, doctor, tmp_path, door, auth, nurse["address"], content=content) == Ran(0, "")
    assert server.wait_for(nurse, stamp).endswith(content)


@pytest.mark.parametrize(("door", "auth"), [*product(DOORS, ("PLAIN", "LOGIN"))])
def test_swaks_sends(server: Demo, door: str, auth: str, tmp_path: Path) -> None:
    doctor, nurse, stamp = server.person("medecin"), server.member("cardiologie", 1), str(time.time_ns())
    content = letter(server, stamp)
    (tmp_path / "letter").write_bytes(content.replace(b"\r\n", b"\n"))
    sent = swaks(server, doctor, nurse["address"], "--data", f"@{tmp_path}/letter", door=door, auth=auth)
    assert sent.code == 0, sent.out
    assert server.wait_for(nurse, stamp).removesuffix(b"\r\n").endswith(content)


def test_a_reader_of_the_capabilities(server: Demo, tmp_path: Path) -> None:
    said = msmtp(server, server.person("medecin"), tmp_path, "submission", "plain", "--serverinfo", content=b"")
    for capability in ("SIZE 26214400", "PIPELINING", "DSN", "STARTTLS", "SCRAM-SHA-256"):
        assert capability in said.out


# -------------------------------------------------------------------- refused, in words
REFUSALS = {  # to whom, under which address -> msmtp's and swaks' exit codes, words in both languages
    "unknown": ("personne@medecins.alpha.example", "", 65, 24, "does not exist", "n'existe pas"),
    "opposed": ("denise", "", 65, 24, "opposed", "s'est opposee"),
    "outside": ("a@inconnu.example", "", 65, 24, "outside the trust space", "hors de l'espace de confiance"),
    "not mine": ("medecin", "cardiologie", 65, 23, "not that of your mailbox", "n'est pas celle de votre boite"),
}


@pytest.mark.parametrize(
    ("to", "sender", "msmtp_code", "swaks_code", "english", "french"), REFUSALS.values(), ids=REFUSALS
)
def test_refused(
    server: Demo, tmp_path: Path, to: str, sender: str, msmtp_code: int, swaks_code: int, english: str, french: str
) -> None:
    doctor = server.person("medecin")
    to = to if "@" in to else server.person(to)["address"]
    if sender:
        doctor = doctor | {"address": server.person(sender)["address"]}
    by_msmtp = msmtp(server, doctor, tmp_path, "submission", "plain", to, content=letter(server, "refused"))
    by_swaks = swaks(server, doctor, to)
    assert (by_msmtp.code, by_swaks.code) == (msmtp_code, swaks_code)
    for said in (by_msmtp.out, by_swaks.out):
        assert english in said
        assert french in said


@pytest.mark.parametrize(("auth", "member"), [("plain", 0), ("scram-sha-256", 1)])
def test_a_wrong_password(server: Demo, auth: str, member: int, tmp_path: Path) -> None:
    person = server.member("pharmacie", member) | {"password": "faux"}
    refused = msmtp(server, person, tmp_path, "submission", auth, person["address"], content=b"")
    assert refused.code == 77
    assert "535 5.7.8 Identifiant ou mot de passe inexact." in refused.out


def test_too_large(server: Demo, tmp_path: Path) -> None:
    """It is read to its end, and answered."""
    doctor = server.person("medecin")
    content = letter(server, "large") + (b"x" * 990 + b"\r\n") * 27_000
    refused = msmtp(server, doctor, tmp_path, "submission", "plain", doctor["address"], content=content)
    assert refused.code == 69
    assert "552 5.3.4 Message trop volumineux pour ce serveur" in refused.out

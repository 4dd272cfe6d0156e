"""curl over IMAP and SMTP, the server's certificate verified under its real name: lists, searches, reads parts, puts, sends."""

from __future__ import annotations

import time
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest

from tests.clients import corpus
from tests.clients.sides import fill
from tests.support.clients import Ran, run
from tests.support.demo import Demo, compose

DOORS = {"imap": "imap", "imaps": "imaps", "smtp": "submission", "smtps": "submissions"}
REFUSED, NOT_SIGNED_IN = 55, 67  # of its exit codes


def curl(server: Demo, person: dict[str, Any], scheme: str, path: str, *options: str) -> Ran:
    """`scheme` imap and smtp by STARTTLS, imaps and smtps at once."""
    host, port = server.door(DOORS[scheme])
    command = ["curl", "--silent", "--show-error", "--cacert", server.operator()["ca"], "--ssl-reqd"]
    command += ["--connect-to", f"::{host}:{port}", "--user", f"{person['login']}:{person['password']}"]
    return run(*command, f"{scheme}://mail.alpha.example{path}", *options)


def ask(server: Demo, person: dict[str, Any], scheme: str, path: str, *options: str) -> str:
    done = curl(server, person, scheme, path, *options)
    assert done.code == 0, done.out
    return done.out


@pytest.mark.parametrize("scheme", ["imap", "imaps"])
def test_a_mailbox(server: Demo, box: dict[str, Any], scheme: str, tmp_path: Path) -> None:
    fill(server, box, range(6))
    assert '"/" "Patients/&AMk-t&AOk-"' in ask(server, box, scheme, "/")
    assert "MESSAGES 3" in ask(server, box, scheme, "/", "-X", "STATUS INBOX (MESSAGES)")
    assert ask(server, box, scheme, "/INBOX?SUBJECT%20%22rendu%201%22").strip() == "* SEARCH 2"
    assert ask(server, box, scheme, "/INBOX;UID=2;SECTION=TEXT").endswith("\n--b--\n")
    assert "Message-ID: <0." in ask(server, box, scheme, "/INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(MESSAGE-ID)")
    (tmp_path / "whole").write_bytes(corpus.message(7))
    ask(server, box, scheme, "/INBOX", "--upload-file", str(tmp_path / "whole"))
    ask(server, box, scheme, "/INBOX;UID=4", "--output", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == corpus.message(7)
    ask(server, box, scheme, "/INBOX", "-X", "STORE 4 +FLAGS (\\Deleted)")
    assert "* 4 EXPUNGE" in ask(server, box, scheme, "/INBOX", "-X", "EXPUNGE")


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_send(server: Demo, scheme: str, tmp_path: Path) -> None:
    doctor, nurse, stamp = server.person("medecin"), server.member("cardiologie", 1), str(time.time_ns())
    shown = f"{doctor['name']} <{doctor['address']}>"
    content = compose(shown, nurse["address"], stamp, "Un avis, s'il vous plaît.").as_bytes(policy=SMTP)
    assert send(server, doctor, nurse["address"], content, tmp_path, scheme).code == 0
    assert server.wait_for(nurse, stamp).endswith(content)


def send(server: Demo, person: dict[str, Any], to: str, content: bytes, folder: Path, scheme: str) -> Ran:
    (folder / "letter").write_bytes(content)
    envelope = ("--mail-from", person["address"], "--mail-rcpt", to, "--upload-file", str(folder / "letter"))
    return curl(server, person, scheme, "/client.example", *envelope, "--verbose")


def test_refused(server: Demo, tmp_path: Path) -> None:
    doctor = server.person("medecin")
    unknown = send(server, doctor, "personne@medecins.alpha.example", b"Subject: x\r\n\r\n", tmp_path, "smtps")
    assert unknown.code == REFUSED
    assert "550 5.1.1 Cette boite aux lettres n'existe pas" in unknown.out
    large = send(server, doctor, doctor["address"], b"x" * 27_000_000, tmp_path, "smtps")
    assert large.code == REFUSED
    assert "552 5.3.4 Message trop volumineux" in large.out
    assert "DATA" not in large.out  # it announces the size
    wrong = curl(server, server.person("laboratoire") | {"password": "faux"}, "imaps", "/")
    assert (wrong.code, wrong.out) == (NOT_SIGNED_IN, "curl: (67) Login denied\n")

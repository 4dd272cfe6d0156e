"""mutt and neomutt at a terminal, their keys given beforehand: open, read, flag, search, reply, file away."""

from __future__ import annotations

import email
import os
import re
import shlex
import subprocess
import time
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from imapclient import IMAPClient

from tests.clients.sides import imap
from tests.support.clients import Ran, run
from tests.support.demo import Demo

SECONDS = 60
PROGRAMS = pytest.mark.parametrize("program", ["mutt", "neomutt"])


class Mutt:
    """`program` is mutt or neomutt."""

    def __init__(self, program: str, server: Demo, person: dict[str, Any], folder: Path) -> None:
        self._program, self._folder, self._config = program, folder, folder / "muttrc"
        (host, port), submission = server.door("imaps"), server.door("submission")
        login = person["login"].replace("@", "%40")
        (folder / "editor").write_text('#!/bin/sh\nsed -i "1iMerci, bien noté." "$1"\n')
        (folder / "editor").chmod(0o700)
        self._config.write_text(
            f"""set from="{person["address"]}" realname="{person["name"]}" use_envelope_from=yes charset=utf-8
set smtp_url="smtp://{login}@{submission[0]}:{submission[1]}/" smtp_pass="{person["password"]}" ssl_force_tls=yes
set imap_user="{person["login"]}" imap_pass="{person["password"]}" folder="imaps://{login}@{host}:{port}/"
set certificate_file="{server.operator()["ca"]}" ssl_verify_host=no
set spoolfile="+INBOX" record="+Envoyés" copy=yes header_cache="{folder}/cache" imap_qresync=yes imap_idle=yes
set editor="{folder}/editor" include=yes fast_reply=yes abort_unmodified=no confirmappend=no confirmcreate=no delete=yes
set imap_condstore=yes mark_old=no wait_key=no sleep_time=0 pipe_decode=yes auto_tag=yes sort=mailbox-order
"""
        )

    def send(self, to: str, subject: str, text: str) -> Ran:
        command = [self._program, "-n", "-F", str(self._config), "-s", subject, "--", to]
        return run(*command, input=text, env=self._env)

    def press(self, keys: str) -> str:
        """What was on the screen all along."""
        screen = self._folder / "screen"
        command = [self._program, "-n", "-F", str(self._config), "-d", "3"]
        command += ["-e", f'push "{keys}"']
        terminal = ["script", "-q", "-e", "-c", shlex.join(command), str(screen)]
        running = subprocess.Popen(terminal, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=self._env)
        try:
            assert running.wait(SECONDS) == 0, screen.read_text()
        finally:
            running.kill()
        return screen.read_text()

    def log(self) -> str:
        return (self._folder / f".{self._program}debug0").read_text(errors="replace")

    @property
    def _env(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self._folder), "LANG": "C.UTF-8", "TERM": "xterm", "LINES": "40"}


def results(server: Demo, person: dict[str, Any], stamp: str, *words: str) -> None:
    for word in words:
        server.send("laboratoire", person["address"], f"{word.split()[0]} {stamp}", f"{word} mmol/L, résultat validé.")


def flags(client: IMAPClient, subject: str, folder: str = "INBOX") -> set[bytes] | None:
    """Of the one message with that subject; None when there is none."""
    client.select_folder(folder, readonly=True)
    found = client.get_flags(client.search(["SUBJECT", subject]))
    return {flag for one in found.values() for flag in one} if found else None


@PROGRAMS
def test_a_morning(program: str, server: Demo, tmp_path: Path) -> None:
    doctor, stamp = server.person("medecin"), str(time.time_ns())
    results(server, doctor, stamp, "Potassium 4,1", "Sodium 140", "Calcium 2,4")
    Mutt(program, server, doctor, tmp_path).press(
        f"<search>Potassium {stamp}<enter><display-message><exit>"
        f"<pipe-message>cat > {tmp_path}/read<enter><reply>y"
        f"<search>Sodium {stamp}<enter><flag-message>"
        "<tag-pattern>=b Calcium<enter><save-message>=Archives<enter>"
        "<sync-mailbox><quit>"
    )
    assert "Potassium 4,1 mmol/L, résultat validé." in (tmp_path / "read").read_text()
    with imap(server, doctor) as client:
        assert flags(client, f"Potassium {stamp}") == {b"\\Seen", b"\\Answered"}
        assert flags(client, f"Sodium {stamp}") == {b"\\Flagged"}
        assert flags(client, f"Calcium {stamp}") is None
        assert flags(client, f"Calcium {stamp}", "Archives") is not None
        assert flags(client, f"Re: Potassium {stamp}", "Envoyés") == {b"\\Seen"}
    answer = parsed(server.wait_for(server.person("laboratoire"), f"Re: Potassium {stamp}"))
    assert answer["In-Reply-To"]
    assert answer.get_content().startswith("Merci, bien noté.\n")
    assert "> Potassium 4,1 mmol/L" in answer.get_content()


@PROGRAMS
def test_the_next_morning(program: str, server: Demo, tmp_path: Path) -> None:
    """What changed elsewhere meanwhile comes by QRESYNC, the rest from its cache."""
    nurse, stamp = server.member("cardiologie", 1), str(time.time_ns())
    results(server, nurse, stamp, "Fer 12", "Zinc 15", "Cuivre 18", "Iode 3")
    mutt = Mutt(program, server, nurse, tmp_path)
    mutt.press("<quit>")
    with imap(server, nurse) as client:
        client.select_folder("INBOX")
        client.add_flags(client.search(["SUBJECT", f"Zinc {stamp}"]), [b"\\Flagged"])
        client.move(client.search(["SUBJECT", f"Cuivre {stamp}"]), "Archives")
    results(server, nurse, stamp, "Or 1")
    mutt.press(
        f"<tag-pattern>~F ~s {stamp}<enter><pipe-message>cat > {tmp_path}/flagged<enter><untag-pattern>~A<enter>"
        f"<tag-pattern>~s {stamp}<enter><pipe-message>cat > {tmp_path}/all<enter><quit>"
    )
    assert re.findall(r"^Subject: (.*)", (tmp_path / "flagged").read_text(), re.MULTILINE) == [f"Zinc {stamp}"]
    subjects = re.findall(r"^Subject: (\w+)", (tmp_path / "all").read_text(), re.MULTILINE)
    assert subjects == ["Fer", "Zinc", "Iode", "Or"]
    assert re.search(r"\(CHANGEDSINCE \d+ VANISHED\)", mutt.log())
    # neomutt keeps the numbers of what vanished earlier, and then asks for all flags; mutt corrected that
    assert ("QRESYNC failed" in mutt.log()) == (program == "neomutt")


def test_send_and_keep_a_copy(server: Demo, tmp_path: Path) -> None:
    """From the shell; neomutt keeps no copy then."""
    pharmacist, stamp = server.person("pharmacie"), str(time.time_ns())
    sent = Mutt("mutt", server, pharmacist, tmp_path).send(
        server.person("medecin")["address"], f"Substitution, été {stamp}", "À très bientôt.\n"
    )
    assert sent.code == 0, sent.out
    assert parsed(server.wait_for(server.person("medecin"), f"été {stamp}")).get_content() == "À très bientôt.\n"
    assert parsed(server.wait_for(pharmacist, f"été {stamp}", "Envoy&AOk-s")).get_content() == "À très bientôt.\n"


@PROGRAMS
def test_a_refusal_is_shown(program: str, server: Demo, tmp_path: Path) -> None:
    mutt = Mutt(program, server, server.person("pharmacie"), tmp_path)
    refused = mutt.send(server.person("denise")["address"], "Bonjour", "Bonjour.\n")
    assert refused.code != 0
    assert "550 5.2.1 Cette personne s'est opposee" in refused.out


def parsed(octets: bytes) -> EmailMessage:
    found = email.message_from_bytes(octets.replace(b"\r\n", b"\n"), policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found

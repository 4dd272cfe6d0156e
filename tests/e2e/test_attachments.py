"""Attachments at the real doors, opened in the server's own processes: what the sender reads, what the recipient does."""

from __future__ import annotations

import smtplib
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tests.mailserver.contents.compound_writer import attached, compound, letter
from tests.mailserver.contents.test_kinds import EXE
from tests.mailserver.contents.writers import arj, cab, rar5
from tests.support.demo import Demo

LOCKED = Path(__file__).parents[1] / "mailserver" / "contents" / "files" / "rar5-psw.rar"
DELIVERED: list[tuple[str, bytes, str | None]] = [
    ("lettre.msg", compound(letter(attached(b"%PDF-1.7", "cr.pdf"))), None),
    ("cr.rar", LOCKED.read_bytes(), "encrypted; part=2"),
    ("cr.arj", arj({"b.exe": EXE}), "unreadable; part=2"),
    ("page.html", b"<html><script>x()</script>", "active_page; part=2"),
]
REFUSED: list[tuple[str, bytes, str]] = [
    ("lettre.msg", compound(letter(attached(EXE, "cr.pdf"))), "Outlook > Windows EXE"),
    ("cr.rar", rar5({"cr.pdf": b"%PDF", "b": EXE}, locked=("cr.pdf",)), "RAR > Windows EXE"),
    ("cr.cab", cab({"b": EXE}, deflated=True), "CAB > Windows EXE"),
    ("cr.pdf", b"%PDF-1.7\n<</S/Launch/F(cmd.exe)>>", "PDF /Launch"),
]


@pytest.mark.parametrize(("name", "content", "warning"), DELIVERED, ids=[row[0] for row in DELIVERED])
def test_delivered(demo: Demo, name: str, content: bytes, warning: str | None) -> None:
    team = demo.person("cardiologie")
    demo.send("medecin", team["address"], f"Pièce {name}", attachments=[(name, content, "application", "octet-stream")])
    octets = demo.wait_for(team, f"Pièce {name}")
    assert message_from_bytes(octets, policy=policy.default)["X-MSSante-Attachment-Warning"] == warning


@pytest.mark.parametrize(("name", "content", "said"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused(demo: Demo, name: str, content: bytes, said: str) -> None:
    team = demo.person("cardiologie")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        demo.send("medecin", team["address"], "Refus", attachments=[(name, content, "application", "octet-stream")])
    assert refused.value.smtp_code == 550
    answer = refused.value.smtp_error
    assert isinstance(answer, bytes)
    assert f"({said})" in answer.decode().replace("\n5.7.1 ", " ")

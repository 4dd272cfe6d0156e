"""Pure parts of the bridge: titles, authors, dates, whom to answer."""

from __future__ import annotations

from datetime import date

import pytest

from dmp_bridge.documents import title_of
from dmp_bridge.letter import read_letter
from mailserver.mime import scan

RECEIVED = 1_778_000_000_000  # 5 May 2026


@pytest.mark.parametrize(
    ("file_name", "subject", "title"),
    [
        ("Ordonnance_2026-05-03.pdf", "Bonjour", "Ordonnance 2026-05-03"),
        ("scan0001.pdf", "Bilan sanguin", "Bilan sanguin"),
        ("IMG_1234.jpg", "", "IMG 1234"),
        ("2026-05-03.pdf", "Certificat", "Certificat"),
        ("documentation.pdf", "x", "documentation"),
        ("piece-jointe-2.pdf", "Radio du genou", "Radio du genou"),
        (".pdf", "", ".pdf"),
        ("a" * 400 + ".pdf", "", "a" * 150),
    ],
)
def test_titles(file_name: str, subject: str, title: str) -> None:
    assert title_of(file_name, subject) == title


def read(header: str) -> object:
    return read_letter(scan(header.encode() + b"\r\n\r\nbody"), RECEIVED)


@pytest.mark.parametrize(
    ("header", "field", "expected"),
    [
        ("From: Labo Nord <labo@x.example>", "author_name", "Labo Nord"),
        ("From: labo@x.example", "author_name", "labo@x.example"),
        ("Subject: none", "author_name", ""),
        ("Date: Sat, 02 May 2026 10:00:00 +0200", "sent_on", date(2026, 5, 2)),
        ("Date: Wed, 06 May 2026 10:00:00 +1100", "sent_on", date(2026, 5, 6)),  # tomorrow, further east
        ("Date: Fri, 08 May 2026 10:00:00 +0000", "sent_on", date(2026, 5, 5)),
        ("Date: Wed, 01 Jan 1800 10:00:00 +0000", "sent_on", date(2026, 5, 5)),
        ("Date: garbage", "sent_on", date(2026, 5, 5)),
        ("Subject: XDM/1.0/DDM+CR de consultation MARTIN Anne", "subject", "CR de consultation MARTIN Anne"),
        ("Subject: XDM/1.0/DDM", "subject", ""),
        ("Return-Path: <bounce@x.example>\r\nFrom: a@x.example", "answer_to", "bounce@x.example"),
        ("Return-Path: <>\r\nFrom: a@x.example", "answer_to", ""),
        ("From: a@x.example", "answer_to", "a@x.example"),
        ("Message-ID: <a@b>", "message_id", "<a@b>"),
    ],
)
def test_letter(header: str, field: str, expected: object) -> None:
    assert getattr(read(header), field) == expected


def test_a_report_is_known_by_its_type() -> None:
    report = b'Content-Type: multipart/report; boundary="x"\r\n\r\n--x\r\n\r\nEchec\r\n--x--\r\n'
    assert read_letter(scan(report), RECEIVED).report
    assert not read_letter(scan(report.replace(b"report", b"mixed")), RECEIVED).report


def test_a_message_without_an_id_is_named_by_its_content() -> None:
    one, other = (read_letter(scan(b"Subject: x\r\n\r\n" + body), RECEIVED).name for body in (b"1", b"2"))
    assert one != other

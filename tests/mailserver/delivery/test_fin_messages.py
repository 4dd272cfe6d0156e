"""docs/rules.md section 4 on whole messages: which `[FIN]` message is a command, and which has content that must be delivered."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailserver.delivery.letter import _closing
from mailserver.mime import scan
from mssante.closing import Act

MESSAGES = Path(__file__).parents[1] / "messages"


def is_command(content: bytes) -> bool:
    return _closing(scan(content)).act is Act.COMMAND


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("fin_bare_outlook", True),
        ("fin_bare_signature", True),
        ("fin_bottom_posted", False),
        ("fin_html_only", False),
        ("french_names", False),
        ("hostile_names", False),
    ],
)
def test_bare_messages(name: str, bare: bool) -> None:
    assert is_command((MESSAGES / f"{name}.eml").read_bytes()) is bare


@pytest.mark.parametrize(
    ("kind", "body", "bare"),
    [
        ("plain", "", True),
        ("plain", " \r\n\t\r\n\u00a0", True),
        ("plain", ".", False),
        ("plain", "-- \r\nDr A\r\n", True),
        ("plain", "-- \r\n" + "Une longue suite d'explications.\r\n" * 20, False),
        ("plain", "Envoyé de mon iPhone", True),
        ("plain", "Le patient a écrit :\r\nqu'il va bien", False),
        ("plain", "> cité\r\nréponse", False),
        ("plain", "-----Message d'origine-----\r\nDe : B\r\nmerci", True),
        ("html", "<p>&nbsp;</p><br>", True),
        ("html", "<style>p{color:red}</style><!-- c --><p></p>", True),
        ("html", "<blockquote>ancien</blockquote>", True),
        ("html", '<div class="gmail_quote">Le lundi, B a écrit :<blockquote>x</blockquote></div>', True),
        ("html", '<div class="gmail_quote">x</div><p>oui</p>', False),
        ("html", '<img src="data:image/png;base64,AA">', False),
    ],
)
def test_bare_bodies(kind: str, body: str, bare: bool) -> None:
    head = f"Subject: [FIN]\r\nContent-Type: text/{kind}; charset=utf-8\r\n\r\n"
    assert is_command((head + body).encode()) is bare

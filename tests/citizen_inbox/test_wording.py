"""Subjects, quotations, composing: the pure parts."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citizen_inbox import sending, wording
from citizen_inbox.contacts import Professional
from foundation.web import french
from foundation.web.forms import Upload


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Résultats", "Résultats"),
        ("Re: Résultats", "Résultats"),
        ("RE : re:Résultats", "Résultats"),
        ("TR : Fwd: Résultats", "Résultats"),
        ("Re\u00a0: Résultats", "Résultats"),
        ("XDM/1.0/DDM+CR Compte rendu", "Compte rendu"),
        ("Re: XDM/1.0/DDM Compte rendu", "Compte rendu"),
        ("Réponse : oui", "Réponse : oui"),
        ("Rendez-vous", "Rendez-vous"),
        ("", "(sans objet)"),
        ("Re:", "(sans objet)"),
    ],
)
def test_subject(sent: str, shown: str) -> None:
    assert wording.subject(sent) == shown


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Bonjour", [("Bonjour", False)]),
        ("A\n> b\n> c", [("A", False), ("> b\n> c", True)]),
        ("A\n> b\nC", [("A", False), ("> b", True), ("C", False)]),
        ("A\n\nLe 3 mai, X a écrit :\n> b", [("A", False), ("Le 3 mai, X a écrit :\n> b", True)]),
        ("Le 3 mai 2026 à 9 h, Docteur\nX a écrit :\n> b", [("Le 3 mai 2026 à 9 h, Docteur\nX a écrit :\n> b", True)]),
        ("A\n-----Message d'origine-----\nDe : X\nb", [("A", False), ("-----Message d'origine-----\nDe : X\nb", True)]),
        ("", []),
        ("Le docteur a écrit :\nrien", [("Le docteur a écrit :\nrien", False)]),
    ],
)
def test_pieces(text: str, pieces: list[tuple[str, bool]]) -> None:
    assert [(piece.text, piece.quoted) for piece in wording.pieces(text)] == pieces


@settings(deadline=None)
@given(st.text(alphabet="ab>\n Le:écrit", max_size=200))
def test_no_line_of_a_text_is_lost(text: str) -> None:
    found = "\n".join(piece.text for piece in wording.pieces(text)).split("\n")
    assert [line for line in found if line.strip()] == [line for line in text.split("\n") if line.strip()]


NAME = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=60)


@settings(deadline=None)
@given(
    name=NAME,
    subject=NAME,
    text=st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=300),
)
def test_what_is_composed_reads_back(name: str, subject: str, text: str) -> None:
    """And no value can add a header."""
    draft = sending.Draft(
        Professional("dr@cabinet.example", name), " ".join(subject.split()), text, (Upload('é"a.pdf', "x", b"%PDF"),)
    )
    raw = sending.compose(draft, name, "1@patient.example", "<a@b>", 1_794_472_800_000, "Claire").as_bytes()
    read = message_from_bytes(raw, policy=policy.default)
    assert set(read.keys()) == {"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"}
    assert read["From"].addresses[0].addr_spec == "1@patient.example"
    body = read.get_body(("plain",))
    assert body is not None
    assert "Message écrit par Claire" in body.get_content()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))


@pytest.mark.parametrize(
    ("at", "now", "words"),
    [
        (1_794_472_800_000, 1_794_472_800_000, "aujourd’hui à 9 h 40"),
        (1_794_472_800_000 - 86_400_000, 1_794_472_800_000, "hier à 9 h 40"),
        (1_794_472_800_000 - 3 * 86_400_000, 1_794_472_800_000, "lundi 9 novembre"),
        (1_794_472_800_000 - 11 * 86_400_000, 1_794_472_800_000, "dimanche 1er novembre"),
        (1_794_472_800_000 - 400 * 86_400_000, 1_794_472_800_000, "8 octobre 2025"),
    ],
)
def test_dates_in_lists(at: int, now: int, words: str) -> None:
    assert french.near_date(at, now).replace(french.NBSP, " ") == words


def test_dates_in_words() -> None:
    assert french.date_and_hour(1_794_472_800_000) == "12 novembre 2026 à 9 h 40".replace(" ", french.NBSP).replace(
        f"2026{french.NBSP}à", "2026 à"
    )
    assert french.size(4_250_000) == f"4,2{french.NBSP}Mo"
    assert french.size(2_000_000_000) == f"2{french.NBSP}Go"
    assert french.typeset("Quoi ? « Oui » : l'eau !") == "Quoi\u00a0? «\u00a0Oui\u00a0»\u00a0: l’eau\u00a0!"

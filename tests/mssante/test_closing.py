"""The decision table docs/rules/closing.tsv, row by row; emptiness of bodies, odd cases; cost on hostile input."""

from __future__ import annotations

import csv
import time
from email.header import decode_header, make_header
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssante.closing import Act, closing_of, displayed_subject, is_empty, may_close
from mssante.kinds import ClosedMeans, Party

TABLE = Path(__file__).parents[2] / "docs" / "rules" / "closing.tsv"


def table() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize("row", table(), ids=lambda row: row["why"])
def test_row(row: dict[str, str]) -> None:
    body = row["body"].replace("\\n", "\n").replace("\\t", "\t")
    header = None if row["X-MSS-MES"] == "-" else row["X-MSS-MES"]
    closing = closing_of(row["subject"], body, row["attachment"] == "yes", header)
    assert closing.act.value == row["act"]
    assert (closing.means.value if closing.means else "-") == row["means"]
    assert closing.subject == row["displayed"]
    assert closing.no_reply == (header == "NOREPLY")


@pytest.mark.parametrize(
    ("encoded", "act"),
    [
        ("=?utf-8?q?=5BFIN=5D?=", Act.COMMAND),
        ("=?iso-8859-1?b?W0ZJTl0=?=", Act.COMMAND),
        ("=?utf-8?q?R=C3=A9=3A?= =?utf-8?q?_=5BFIN=5D?=", Act.COMMAND),
        ("=?utf-8?q?=5BFI?= =?utf-8?q?N=5D?=", Act.COMMAND),
        ("=?utf-8?q?=5Bfin=5D?=", Act.NONE),
    ],
)
def test_subject_in_encoded_words(encoded: str, act: Act) -> None:
    assert closing_of(str(make_header(decode_header(encoded))), "", False, None).act is act


EMPTY = {
    "nothing": "",
    "no-break and zero-width spaces": "\u00a0\n\u200b\n\ufeff \u2060",
    "dashes without their space": "--\nDr Awa Diallo\nCardiologie",
    "quote under the signature": "-- \nDr Diallo\n\nLe 12/11/2026 à 09:40, Jacqueline a écrit :\n> Bonjour\n> Merci",
    "attribution wrapped on three lines": (
        "Le jeu. 12 nov. 2026 à 09:40,\nJacqueline Martin\n<1@patient.example> a écrit :\n> Bonjour\n>> Ancien"
    ),
    "English attribution": "On Thu, Nov 12, 2026 at 9:40 AM Jacqueline wrote:\n> Hello",
    "Outlook rule": "\n________________________________\nDe : Jacqueline\nEnvoyé : jeudi 12 novembre\nÀ : Dr\nObjet : x\n\nBonjour",
    "Outlook without rule": "De : Jacqueline\nEnvoyé : jeudi\nÀ : Dr\n\nBonjour",
    "original, typographic apostrophe": "----- Message d’origine -----\nBonjour",
    "telephone": "Envoyé depuis mon téléphone Orange",
    "Outlook for iOS": "Télécharger Outlook pour iOS<https://aka.example/o>",
    "English telephone": "Sent from my iPhone",
    "legal notice": (
        "Ce message et ses pièces jointes sont confidentiels.\nSi vous n'êtes pas le destinataire, merci de le détruire."
    ),
    "English legal notice": "This e-mail is confidential and intended only for the addressee.",
    "environment": "Pensez à l'environnement avant d'imprimer ce message",
}
NOT_EMPTY = {
    "one letter": "x",
    "text above a quote": "Venez demain.\n> Bonjour",
    "text under a quote": "> Bonjour\n\nVenez demain.",
    "text between quotes": "> Puis-je venir ?\nOui.\n> Merci",
    "text under a quote under a signature": "-- \nDr Diallo\n> Bonjour\nVenez demain.",
    "confidential but addressed to nobody": "Ce message est confidentiel : votre résultat est négatif.",
    "addressed but not confidential": "Ce message annonce au destinataire de la greffe qu'un rein est disponible.",
    "notice glued to text": "Venez demain.\nCe message est confidentiel, réservé à son destinataire.",
    "a sentence that looks like an attribution": "Le 12 novembre votre cardiologue vous a écrit : rappelez-le.",
    "dashes in a sentence": "-- prenez le traitement",
    "long text under two dashes": "--\n" + "\n".join(f"{day} : un comprimé" for day in range(1, 14)),
    "De : alone": "De : la part du docteur",
    "sent from, in a sentence": "Envoyé de la part du docteur Diallo, votre résultat est négatif.",
    "emoji": "👍",
}


@pytest.mark.parametrize("name", EMPTY)
def test_empty(name: str) -> None:
    assert is_empty(EMPTY[name])
    assert is_empty(EMPTY[name].replace("\n", "\r\n"))


@pytest.mark.parametrize("name", NOT_EMPTY)
def test_not_empty(name: str) -> None:
    assert not is_empty(NOT_EMPTY[name])


def test_only_from_professional_to_citizen() -> None:
    allowed = {(a, b) for a in Party for b in Party if may_close(a, b)}
    assert allowed == {(Party.PROFESSIONAL, Party.CITIZEN)}


@pytest.mark.parametrize("subject", ["[fin]", "[Fin] merci", "[ FIN ]"])
def test_near_miss_closes_nothing_and_says_so(subject: str) -> None:
    closing = closing_of(subject, "", False, None)
    assert (closing.act, closing.near_miss, closing.subject) == (Act.NONE, True, subject)


def test_ordinary_subject_is_no_near_miss() -> None:
    assert not closing_of("Fin de traitement", "x", False, None).near_miss


def test_several_tokens_all_go() -> None:
    assert displayed_subject("[FIN] Bilan [FIN][FIN]") == "Bilan"


@given(st.text(), st.text(), st.booleans())
def test_content_is_never_swallowed(subject: str, body: str, attachment: bool) -> None:
    """A body with a plain sentence on its own first line, or an attachment, is always delivered."""
    assert closing_of(subject + "[FIN]", "Venez demain.\n" + body, attachment, None).act is Act.DELIVER_THEN_CLOSE
    assert closing_of(subject + "[FIN]", body, True, None).act is Act.DELIVER_THEN_CLOSE


@given(st.text(), st.text())
def test_without_token_or_header_nothing_closes(subject: str, body: str) -> None:
    closing = closing_of(subject.replace("[FIN]", ""), body, False, None)
    assert "[FIN]" in subject.replace("[FIN]", "") or (closing.act is Act.NONE and closing.means is None)


@pytest.mark.parametrize(
    "line", ["Le 1", "Le " + "1" * 900, ">" * 900, "De :", "--", "Le 1 a écrit", "Ce message " + "confidenti" * 80]
)
def test_hostile_body_costs_little(line: str) -> None:
    body = "\n".join([line] * (190_000 // (len(line) + 1)))
    start = time.process_time()
    is_empty(body)
    assert time.process_time() - start < 2.0
    assert not is_empty("\n" * 300_000)


def test_means_of_the_record() -> None:
    assert closing_of("Bilan", "texte", False, " FIN ").means is ClosedMeans.HEADER

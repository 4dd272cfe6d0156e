"""The nine categories of documents, the official types, and a guess for files that arrive without a type.

Pure. Labels are those of the public space (DOC-12); types and their categories come from `data/document_types.csv` (sources
beside it). A guess only sorts the citizen's own list; it never sets a type code, because rights depend on the type.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib import resources

PRESCRIPTIONS = "ORD_SOIN"
OTHER = "AUTR_DOC"

LABELS: dict[str, str] = {  # in the order they are shown
    "SYNTHESE": "Ma santé en résumé",
    PRESCRIPTIONS: "Ordonnances et soins",
    "RADIO_SC": "Radio, écho, scanner, IRM",
    "BIOLOGIE": "Résultats de biologie",
    "CPT_REND": "Comptes rendus",
    "DEPISTAG": "Prévention et dépistages",
    "CERT_MED": "Certificats médicaux",
    OTHER: "Autres documents",
    "DOC_ADM": "Pièces administratives",
}

PATIENT_TYPES: dict[
    str, str
] = {  # type code of what the citizen adds, by category (TRE_A05, « déposé par le patient »)
    "SYNTHESE": "DOCPAT01",
    PRESCRIPTIONS: "DOCPAT02",
    "RADIO_SC": "DOCPAT04",
    "BIOLOGIE": "DOCPAT05",
    "CPT_REND": "DOCPAT03",
    "DEPISTAG": "DOCPAT06",
    "CERT_MED": "DOCPAT07",
    OTHER: "EXPPAT_2",
    "DOC_ADM": "DOCPAT09",
}


@dataclass(frozen=True, slots=True)
class DocumentType:
    code: str
    system: str
    label: str
    class_code: str
    category: str


@cache
def types() -> dict[str, DocumentType]:
    """Type code -> type, as published by the ANS."""
    file = resources.files("health_space.dossier").joinpath("data/document_types.csv")
    rows = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8")))
    return {
        row["type_code"]: DocumentType(
            row["type_code"], row["code_system"], row["label"], row["class_code"], row["category"]
        )
        for row in rows
    }


# First that matches decides: what a document prescribes or certifies comes before what it is about.
_WORDS: tuple[tuple[str, str], ...] = (
    (PRESCRIPTIONS, r"ordonnances?|ordo|prescriptions?"),
    ("CERT_MED", r"certificats?"),
    ("RADIO_SC", r"radio(graphie)?s?|echo(graphie)?s?|scanners?|irm|tdm|doppler|mammographies?|imagerie"),
    ("BIOLOGIE", r"biologi(e|ques?)|analyses?|bilan sanguin|prise de sang|hba1c|nfs|laboratoire|labo"),
    ("DEPISTAG", r"vaccin\w*|depistages?|prevention"),
    ("SYNTHESE", r"syntheses?|vsm|resume"),
    ("CPT_REND", r"comptes? rendus?|crh?|crop?|lettre de liaison|consultation|hospitalisation|courrier"),
    ("DOC_ADM", r"factures?|devis|attestations?|mutuelle|bulletin de situation"),
)
_RULES = tuple((category, re.compile(rf"\b(?:{words})\b")) for category, words in _WORDS)


def guess(file_name: str, subject: str) -> str:
    """Category of an attachment from its file name, else from the message's subject; `AUTR_DOC` when neither speaks."""
    for text in (file_name, subject):
        folded = fold(text)
        for category, words in _RULES:
            if words.search(folded):
                return category
    return OTHER


def fold(text: str) -> str:
    """Lower case without accents; everything that is no letter or digit becomes a space."""
    plain = unicodedata.normalize("NFKD", text[:300]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", " ", plain)

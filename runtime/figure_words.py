"""The figures of the month in a person's words; programs (`--json`, `--csv`, `/metrics`) have the names of docs/figures.md.

The words of a label are read by what they are words of (`runtime.figures.LABELS`): doors, kinds of mailboxes, codes of documents
and X-MSS headers are names, the same for everybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from foundation.wording import Lang, said
from runtime.figures import LABELS, OF_THE_MONTH

FIGURES = {
    "mailboxes_open": "boîtes ouvertes // open mailboxes",
    "mailboxes_active": "boîtes actives // active mailboxes",
    "connections": "connexions // connections",
    "messages": "destinataires // recipients",
    "kinds": "messages acceptés // accepted messages",
    "headers": "en-têtes X-MSS // X-MSS headers",
    "documents": "documents annoncés // announced documents",
    "refusals": "refus // refusals",
    "relayed": "prises par un autre opérateur // taken by another operator",
    "relayed_seconds": "secondes jusqu’à cette prise // seconds until taken",
    "relay_problems": "essais manqués chez un autre opérateur // failed tries at another operator",
    "antivirus": "vus par l’antivirus // seen by the antivirus",
    "attachments": "messages avec telle pièce jointe // messages with such an attachment",
    "clock_set": "mises à l’heure d’une machine // clocks set",
}

_PARTY = {
    "professional": "professionnel",
    "citizen": "usager",
    "system": "le service",
    "unknown": "inconnu",
}
_REASONS = {
    "tls_required": "sans chiffrement",
    "certificate_missing": "aucun certificat présenté",
    "certificate_untrusted": "certificat d’une autorité inconnue",
    "certificate_expired": "certificat expiré",
    "certificate_not_yet_valid": "certificat pas encore valable",
    "certificate_revoked": "certificat révoqué",
    "certificate_wrong_usage": "certificat prévu pour un autre usage",
    "revocation_unknown": "révocation invérifiable",
    "certificate_not_for_domain": "certificat non inscrit pour le domaine",
    "sender_domain_not_trusted": "domaine de l’expéditeur hors de l’espace",
    "recipient_domain_not_trusted": "domaine du destinataire hors de l’espace",
    "relay_denied": "adresse qui n’est pas gérée ici",
    "null_path_not_allowed": "avis sans expéditeur, non admis",
    "from_not_sender": "From d’une autre boîte",
    "reader_does_not_send": "lecteur de la boîte, sans droit d’écrire",
    "from_domain_not_served": "From d’un domaine que son opérateur ne sert pas",
    "sign_in_required": "sans identification",
    "wrong_password": "identifiant ou mot de passe inexact",
    "sender_box_inactive": "boîte d’envoi suspendue ou fermée",
    "sender_lost_right": "droit d’écrire retiré",
    "sender_box_full": "boîte d’envoi pleine",
    "box_full": "boîte pleine",
    "bad_address": "adresse mal écrite",
    "ins_key_wrong": "matricule INS inexact",
    "box_unknown": "boîte inconnue",
    "box_closed": "boîte fermée",
    "box_suspended": "boîte suspendue",
    "citizen_unknown": "usager inconnu",
    "citizen_opposed": "usager opposé à son espace",
    "citizen_closed": "espace de l’usager fermé",
    "citizen_to_citizen": "d’un usager à un autre",
    "pharmacy_needs_prescription": "pharmacie, sans ordonnance",
    "exchange_closed": "conversation close",
    "blocked_by_citizen": "professionnel bloqué par l’usager",
    "no_reply_message": "message sans réponse possible",
    "no_reply_box": "boîte d’envois automatiques",
    "reply_window_over": "délai de réponse passé",
    "never_wrote": "professionnel qui n’a pas encore écrit",
    "campaign_not_authorised": "campagne non autorisée",
    "no_rule": "aucune règle ne le permet",
    "message_too_large": "message trop volumineux",
    "too_many_recipients": "trop de destinataires",
    "peer_too_fast": "opérateur trop rapide",
    "account_too_fast": "boîte d’envoi trop rapide",
    "pair_too_fast": "trop de messages d’un même expéditeur",
    "recipient_too_fast": "trop de messages pour un destinataire",
    "message_malformed": "en-tête From sans adresse valable",
    "header_too_long": "en-tête trop long",
    "no_route": "serveur introuvable",
    "peer_unreachable": "serveur injoignable",
    "peer_not_trusted": "serveur non reconnu",
    "peer_refused": "refusé par l’autre opérateur",
    "too_many_held": "trop d’envois différés",
    "not_delivered_in_time": "non remis à temps",
    "virus_found": "virus",
    "attachment_refused": "pièce jointe interdite",
    "antivirus_absent": "antivirus absent",
}
_PROBLEMS = {
    "peer_untrusted": "serveur non reconnu",
    "tls_failed": "chiffrement impossible",
    "tls_not_offered": "chiffrement non proposé",
    "unreachable": "pas de réponse",
    "connection_lost": "liaison interrompue",
    "no_route": "serveur introuvable",
    "no_such_domain": "domaine sans courrier",
    "too_large": "message trop volumineux",
    "deadline_passed": "délai de l’expéditeur passé",
    "deliverby_not_supported": "délai non garanti (DELIVERBY)",
    "requiretls_not_supported": "chiffrement non garanti (REQUIRETLS)",
    "utf8_not_supported": "adresses accentuées non admises",
    "utf8_header_not_supported": "en-têtes en UTF-8 non admis",
    "8bit_not_supported": "messages sur 8 bits non admis",
    "called_off": "annulé par l’exploitant",
}
WORDS: Mapping[str, Mapping[str, str]] = {
    "from": _PARTY,
    "to": _PARTY,
    "fate": {
        "delivered": "remis",
        "relayed": "confié à un autre opérateur",
        "held": "retenu jusqu’à son heure",
        "closed": "obéi, non remis",
        "refused": "refusé",
    },
    "kind": {
        "message": "message",
        "xdm": "XDM",
        "prescription": "ordonnance",
        "no_reply": "sans réponse possible",
        "closing": "clôture",
        "command": "clôture seule",
        "receipt": "accusé de lecture",
        "report": "avis de remise",
        "notice": "avis du service",
        "executable": "programme",
        "script": "script",
        "disk_image": "image de disque",
        "macros": "macros",
        "encrypted": "fichier chiffré",
        "unreadable": "illisible",
        "active_page": "page à scripts",
        "other_archive": "autre archive",
    },
    "reason": _REASONS,
    "problem": _PROBLEMS,
    "within": {"more": "plus"},
    "share": {"p50": "la moitié", "p95": "95 %"},
    "verdict": {"clean": "sain", "infected": "virus", "absent": "sans réponse"},
    "action": {"warned": "signalée", "refused": "refusée"},
    "direction": {"forth": "en avant", "back": "en arrière"},
    "value": {"present": "présent"},
}
_ANSWERED = re.compile(r"answered_(\d{3})")


def figure(name: str, lang: Lang) -> str:
    return said(FIGURES[name], lang)


def labels(name: str, values: str, lang: Lang) -> str:
    """Those of the figure `name`, separated by commas."""
    places = (LABELS | OF_THE_MONTH)[name]
    return ", ".join(_word(place, value, lang) for place, value in zip(places, values.split(" "), strict=True))


def _word(place: str, value: str, lang: Lang) -> str:
    if answered := _ANSWERED.fullmatch(value):
        return said(f"réponse {answered[1]} // answered {answered[1]}", lang)
    if lang == "en":
        return value.replace("_", " ")
    return WORDS.get(place, {}).get(value, value)

"""Mails to a mailbox about who signs in to it: that something changed, never what was typed, who did it or from where."""

from __future__ import annotations

from mailserver.outbound.compose import RULER, Office, notice, paragraphs

_WHAT = {
    "password": ("un mot de passe a été changé", "a password was changed"),
    "application": ("une application de codes a été enregistrée", "an application of codes was enrolled"),
    "passkey": ("une clé d’accès a été ajoutée", "a passkey was added"),
    "passkey_removed": ("une clé d’accès a été supprimée", "a passkey was removed"),
    "recovered": (
        "une nouvelle seconde vérification a été enregistrée, avec l’accord de deux opérateurs",
        "a new second factor was enrolled, as two operators had agreed",
    ),
    "password_recovered": (
        "un nouveau mot de passe a été choisi, avec le code de deux opérateurs",
        "a new password was chosen, by the code of two operators",
    ),
    "recovery_over": ("le code de secours demandé n’est plus valable", "the code that was asked for is good no more"),
    "everywhere": ("tous les appareils ont été déconnectés", "all devices were signed out"),
    "passkey_blocked": (
        "une clé d’accès a été bloquée : une copie a peut-être servi",
        "a passkey was blocked: a copy of it may have been used",
    ),
}
_LOST = {
    "factor": ("une seconde vérification perdue", "a second factor that was lost"),
    "password": ("un mot de passe oublié", "a password that was forgotten"),
    "both": (
        "un mot de passe oublié et une seconde vérification perdue",
        "a forgotten password and a lost second factor",
    ),
}
for _name, (_fr, _en) in _LOST.items():
    _WHAT[f"recovery_asked_{_name}"] = (f"un opérateur demande à remplacer {_fr}", f"an operator asks to replace {_en}")
    _WHAT[f"recovery_agreed_{_name}"] = (
        f"deux opérateurs ont donné un code de secours pour {_fr}",
        f"two operators gave a code for {_en}",
    )
for _name in (
    "recovery_asked",
    "recovery_agreed",
):  # promised when a second factor alone could be lost, told after an upgrade
    _WHAT[_name] = _WHAT[f"{_name}_factor"]
CHANGES = frozenset(_WHAT)
_TITLE = "La connexion à votre messagerie a changé"


def account_changed(office: Office, to: str, what: str, *, token: str, now: int) -> bytes:
    """`what`: one of `CHANGES`."""
    french, english = _WHAT[what]
    text = paragraphs(
        "Bonjour,",
        f"Pour cette boîte aux lettres, {french}.",
        "C’est vous, ou un membre de votre équipe ? Il n’y a rien à faire.",
        "Sinon, quelqu’un d’autre entre peut-être à votre place. Changez votre mot de passe sur la page « Mon compte »,"
        f" déconnectez tous les appareils, et prévenez votre opérateur : {office.address}",
        "Ce message ne contient aucun lien. Nous ne vous demanderons jamais votre mot de passe.",
        RULER,
        f"For this mailbox, {english}. If it was neither you nor your team, change your password on the page “Mon compte”, sign out"
        f" everywhere, and tell your operator: {office.address}",
    )
    return notice(office, to, _TITLE, text, token=token, now=now).as_bytes()

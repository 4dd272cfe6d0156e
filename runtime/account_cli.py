"""`mssante account …`: a person who lost their second factor, or forgot their password, gets in again, when two operators agree."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from runtime.command import Desk, acts, lists, plain
from runtime.operator_cli import Secret

account = typer.Typer(
    no_args_is_help=True,
    help="Mot de passe oublié, seconde vérification perdue : deux opérateurs. // "
    "A password forgotten, a second factor lost: two operators.",
)

Me = Annotated[
    str,
    typer.Option(
        "--operator",
        metavar="NAME",
        help="Qui vous êtes (mssante operator list) ; sinon le nom de votre compte. // Who you are; else your account's name.",
    ),
]
Number = Annotated[int, typer.Argument(help="Numéro de la demande. // Number of the request.")]


class What(StrEnum):
    FACTOR = "factor"
    PASSWORD = "password"  # noqa: S105
    BOTH = "both"


_COLUMNS = {
    "recovery": "n° // no.",
    "login": "identifiant // login",
    "lost": "perdu // lost",
    "state": "état // state",
    "asked_by": "demandée par // asked by",
    "asked_at": "le // on",
    "reason": "motif // reason",
    "agreed_by": "approuvée par // agreed by",
    "until": "jusqu’au // until",
}
_LOST = {
    "factor": "seconde vérification // second factor",
    "password": "mot de passe // password",
    "both": "les deux // both",
}
_STATES = {
    "asked": "attend un autre opérateur // waits for another operator",
    "agreed": "code donné // code given",
    "used": "faite // done",
    "over": "terminée // over",
}


@account.command()
@acts
def recover(
    at: Desk,
    login: Annotated[str, typer.Argument(help="Identifiant de la personne. // Login of the person.")],
    reason: Annotated[
        str, typer.Option("--reason", help="Pourquoi, et comment vous l’avez reconnue. // Why, and how you knew them.")
    ],
    lost: Annotated[
        What, typer.Option("--lost", help="Ce qui est perdu ou oublié. // What is lost or forgotten.")
    ] = What.FACTOR,
    operator: Me = "",
    secret_file: Secret = None,
) -> None:
    """Demander qu’une personne puisse choisir un nouveau mot de passe, ou enregistrer une nouvelle seconde vérification. Un AUTRE
    opérateur doit approuver.

    // Ask that a person may choose a new password, or enrol a new second factor. ANOTHER operator must approve.
    """
    from mssante.recovery import Lost
    from runtime.account_acts import asking, with_key

    at.one(asking(with_key(at, operator, secret_file), login, Lost(lost.value), reason))


@account.command()
@acts
def approve(at: Desk, number: Number, operator: Me = "", secret_file: Secret = None) -> None:
    """Approuver la demande d’un autre opérateur : un code est montré une fois, à donner à la personne ; il vaut 24 heures.

    // Approve another operator's request: a code is shown once, to be given to the person; it is good for 24 hours.
    """
    from runtime.account_acts import agreeing, with_key

    at.one(agreeing(with_key(at, operator, secret_file), number))


@account.command()
@acts
def cancel(at: Desk, number: Number) -> None:
    """Retirer une demande, approuvée ou non.

    // Take a request back, approved or not.
    """
    from runtime.account_acts import taking_back

    at.one(taking_back(at, number))


@account.command("list")
@lists
def list_(at: Desk) -> None:
    """Les demandes, la plus récente d’abord.

    // The requests, newest first.
    """
    from runtime.account_acts import listed

    words = {"state": _STATES, "lost": _LOST}
    at.listed(
        listed(at),
        _COLUMNS,
        "Aucune demande. // No request.",
        lambda key, value: at.said(words[key][value]) if key in words else plain(value, at.lang),
    )

"""`mssante operator …`: the people whose passphrases a recovery takes, two of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runtime.command import Desk, acts, lists, plain

operator = typer.Typer(
    no_args_is_help=True,
    help="Les personnes qui approuvent les récupérations, par leur phrase secrète. "
    "// The people who approve recoveries, by their passphrase.",
)

Who = Annotated[
    str, typer.Argument(metavar="NAME", help="Son nom : lettres sans accent. // Their name: plain letters.")
]
By = Annotated[
    str,
    typer.Option(
        "--by",
        help="Opérateur déjà enregistré qui en répond. // Registered operator who vouches for it.",
        metavar="NAME",
    ),
]
BySecret = Annotated[
    Path | None,
    typer.Option(
        "--by-file",
        help="Fichier de sa phrase secrète ; sinon elle est demandée. // File of their passphrase; else asked for.",
    ),
]
Secret = Annotated[
    Path | None,
    typer.Option(
        "--secret-file",
        help="Fichier de la phrase secrète ; sinon elle est demandée. // File of the passphrase; else it is asked for.",
    ),
]
_COLUMNS = {
    "operator": "nom // name",
    "since": "depuis // since",
    "counts": "approuve // approves",
    "vouched_by": "présenté par // vouched for by",
    "removed": "parti // left",
}


@operator.command()
@acts
def add(at: Desk, name: Who, by: By = "", by_file: BySecret = None, secret_file: Secret = None) -> None:
    """Enregistrer une personne, qui tape sa phrase secrète. Après le premier jour : une autre en répond, et elle compte à J+3.

    // Register a person, who types their passphrase. After the first day another one vouches, and they count three days later.
    """
    from runtime.operator_acts import adding

    at.one(adding(at, name, by, by_file, secret_file))


@operator.command()
@acts
def remove(at: Desk, name: Who, by: By = "", by_file: BySecret = None) -> None:
    """Retirer une personne, aussitôt. Une autre en répond, s’il y en a une.

    // Take a person away, at once. Another one vouches for it, where there is one.
    """
    from runtime.operator_acts import removing

    at.one(removing(at, name, by, by_file))


@operator.command("list")
@lists
def list_(at: Desk) -> None:
    """Les personnes enregistrées, et celles qui l’ont été.

    // The people who are registered, and those who were.
    """
    from runtime.operator_acts import listed

    at.listed(listed(at), _COLUMNS, "Personne. // Nobody.", lambda key, value: plain(value, at.lang))

"""`mssante stats month 2026-11`: the operator's figures of one month (docs/operator.md)."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from runtime.command import Desk, lists

stats = typer.Typer(no_args_is_help=True, help="Les indicateurs de l’opérateur. // The operator’s figures.")

Month = Annotated[str, typer.Argument(help="Le mois, 2026-11 ; en UTC. // The month, 2026-11; in UTC.")]


@stats.callback()
def _stats() -> None:
    """So that `month` stays a verb of its own."""


@stats.command()
@lists
def month(at: Desk, which: Month) -> None:
    """Boîtes, messages, refus, délais, connexions d’un mois. // Mailboxes, messages, refusals, delays of a month."""
    from runtime.figure_words import figure, labels
    from runtime.figures import month as figures

    found = re.fullmatch(r"(20\d\d)-(0[1-9]|1[0-2])", which)
    if found is None:
        at.wrong("Donnez un mois : 2026-11. // Give a month: 2026-11.")
    rows = at.read(figures, int(found[1]), int(found[2]))
    if not (at.as_json or at.as_csv):
        names = [(row["figure"], row["labels"]) for row in rows]
        words = [{"figure": figure(name, at.lang), "labels": labels(name, said, at.lang)} for name, said in names]
        rows = [row | one for row, one in zip(rows, words, strict=True)]
    columns = {"figure": "indicateur // figure", "labels": "détail // detail", "count": "nombre // count"}
    at.listed(rows, columns, "Rien ce mois-là. // Nothing in that month.")

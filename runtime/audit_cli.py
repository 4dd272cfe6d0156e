"""`mssante audit verify|export`: who did what, shown to be whole (docs/operator.md)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.command import FAILED, Desk, Done, Refused, looks, moment

if TYPE_CHECKING:
    from foundation.audit import Fault
    from foundation.database import Transaction

audit = typer.Typer(
    no_args_is_help=True, help="Le journal d’audit : qui a fait quoi. // The audit trail: who did what."
)

Before = Annotated[
    Path | None,
    typer.Option(
        "--against",
        help="Un export d’avant : tout doit encore y être. // An export of before: all of it must still be there.",
        exists=True,
        file_okay=False,
    ),
]
Folder = Annotated[Path, typer.Argument(help="Dossier neuf. // New folder.", file_okay=False)]
First = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Premier jour, UTC. // First day, UTC.")
]
Last = Annotated[
    datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Dernier jour, UTC. // Last day, UTC.")
]

_WRONG = {
    "MISSING": "chaîne {chain} : la ligne {row} manque // chain {chain}: row {row} is missing",
    "ALTERED": "chaîne {chain} : la ligne {row} a été modifiée // chain {chain}: row {row} was altered",
    "CLOCK": "chaîne {chain} : la ligne {row} est de {seconds} s avant ce qui était déjà écrit : l’horloge a reculé "
    "// chain {chain}: row {row} is {seconds} s earlier than what was written before: the clock was set back",
}
_WHOLE = (
    "lignes : {rows} ; chaînes : {chains} ; du {first_at} au {last_at} : rien n’a été retiré ni modifié. "
    "// rows: {rows}; chains: {chains}; {first_at} to {last_at}: nothing was removed or altered."
)
_EXPORTED = (
    "{rows} lignes exportées dans {folder}, signées par le certificat de l’opérateur ; pour vérifier, docs/operator.md. "
    "// {rows} rows exported to {folder}, signed by the operator’s certificate; to verify, see docs/operator.md."
)


@audit.command()
@looks
def verify(at: Desk, against: Before = None) -> None:
    """Vérifier que rien n’a été retiré ni modifié. // Check that nothing was removed or altered."""
    from runtime.trail import compare, look

    seen = at.read(look)
    try:
        faults = [*seen.faults, *(at.read(lambda conn: [*compare(conn, against)]) if against else [])]
    except (OSError, ValueError):
        at.wrong("{folder} : pas un export du journal. // {folder}: no export of the trail.", folder=against)
    facts = {"rows": seen.rows, "chains": seen.chains} | _span(seen.first_at, seen.last_at)
    at.shown(facts | {"faults": [str(fault) for fault in faults]}, _told(at, faults) or at.said(_WHOLE, facts))
    if faults:
        raise typer.Exit(FAILED)


@audit.command()
@looks
def export(at: Desk, folder: Folder, first: First = None, last: Last = None) -> None:
    """Écrire le journal dans un dossier, signé. // Write the trail to a folder, signed."""
    from certs.cms import Signer
    from foundation.clock import DAY
    from runtime import trail

    if folder.exists():
        raise Refused("{folder} existe déjà. // {folder} is there already.", folder=folder)
    own, tls = at.house.settings.operator, at.house.settings.tls
    try:
        signer = Signer.load(tls.certificate, tls.key)
    except (OSError, ValueError):
        signer = None
    if signer is None:
        raise Refused(
            "{file} : pas de clé RSA ou EC pour signer. // {file}: no RSA or EC key to sign with.", file=tls.key
        )
    since, until = _at(first, 0), _at(last, at.now) + DAY
    about = {"operator": own.host, "made_at": moment(at.now), "from": moment(since), "until": moment(until)}
    seen = at.read(trail.export, signer, folder, about, since, until)
    facts = {"folder": str(folder), "rows": seen.rows, "chains": seen.chains}

    def record(tx: Transaction) -> Done:
        at.record(tx, "audit:export", {"rows": seen.rows, "from": since, "until": until})
        return Done(_EXPORTED, facts | {"faults": [str(fault) for fault in seen.faults]})

    at.one(record)
    if seen.faults:
        at.say("{faults}", faults=_told(at, seen.faults))
        raise typer.Exit(FAILED)


def _told(at: Desk, faults: list[Fault]) -> str:
    return "\n".join(
        at.said(_WRONG[one.wrong.name], {"chain": one.chain, "row": one.row, "seconds": one.seconds}) for one in faults
    )


def _span(first_at: int | None, last_at: int | None) -> dict[str, Any]:
    return {"first_at": moment(first_at), "last_at": moment(last_at)}


def _at(day: datetime | None, otherwise: int) -> int:
    from datetime import UTC

    return otherwise if day is None else int(day.replace(tzinfo=UTC).timestamp() * 1000)

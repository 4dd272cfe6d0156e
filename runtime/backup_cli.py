"""`mssante backup FOLDER` and `mssante restore FOLDER`: what `runtime.backup` does, in words (docs/operator.md)."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foundation.wording import said
from runtime.command import (
    DEFAULT,
    FAILED,
    REHEARSED,
    WRONG,
    AsJson,
    Config,
    Desk,
    Done,
    DryRun,
    Language,
    Refused,
    desk,
    looks,
    moment,
)

if TYPE_CHECKING:
    from foundation.database import Transaction
    from runtime.backup import Manifest

_WHY = {
    "not_empty": "{where} : le dossier n’est pas vide, une sauvegarde en veut un neuf. "
    "// {where}: the folder is not empty, a backup wants a new one.",
    "not_a_backup": "{where} : ce dossier n’est pas une sauvegarde, ou elle a été interrompue. "
    "// {where}: this folder is no backup, or one that was cut short.",
    "other_format": "{where} : sauvegarde d’une autre version de ce logiciel. "
    "// {where}: made by another version of this software.",
    "other_database": "La sauvegarde vient d’une base {where}, les réglages en nomment une autre. "
    "// The backup is of a {where} database, the settings name another kind.",
    "newer": "La sauvegarde est au schéma {where}, que cette version ne connaît pas : mettez le logiciel à jour. "
    "// The backup has schema {where}, unknown to this version: update the software.",
    "no_key": "{where} : la clé maîtresse manque. Remettez-la en place : elle n’est jamais dans une sauvegarde. "
    "// {where}: the master key is missing. Put it in place: it is never part of a backup.",
    "other_key": "{where} : ce n’est pas la clé maîtresse de cette sauvegarde, rien ne pourrait être lu. "
    "Remettez celle qui servait ce jour-là. "
    "// {where}: not the master key of this backup, nothing could be read. Put the one of that day in place.",
    "damaged": "{where} : abîmé. // {where}: damaged.",
    "missing": "{where} : manque. // {where}: missing.",
    "in_use": "{where} : il y a déjà une base ici. Arrêtez le serveur et mettez-la de côté. "
    "// {where}: there is a database here. Stop the server and move it away.",
    "tool": "L’outil de la base a échoué : {where} // The database's tool failed: {where}",
}
_MADE = (
    "Sauvegarde du {made_at} dans {folder} : la base et {blobs} fichiers ({octets} octets). "
    "La clé maîtresse n’y est pas : gardez-la ailleurs. "
    "// Backup of {made_at} in {folder}: the database and {blobs} files ({octets} octets). "
    "The master key is not in it: keep it elsewhere."
)
_SOUND = (
    "Sauvegarde du {made_at}, entière, lisible par cette clé, et la place est libre. "
    "// Backup of {made_at}: whole, readable by this key, and the place is free."
)
_BACK = (
    "Tout est revenu à l’état du {made_at} : la base et {blobs} fichiers. Lancez mssante doctor, puis le serveur. "
    "// All is back as of {made_at}: the database and {blobs} files. Run mssante doctor, then the server."
)

Folder = Annotated[Path, typer.Argument(help="Dossier de la sauvegarde. // Folder of the backup.", file_okay=False)]


@looks
def backup(at: Desk, folder: Folder) -> None:
    """Copier tout ce qui est gardé, sauf la clé maîtresse. // Copy all that is stored but the master key."""
    from runtime import backup as work

    made = work.make(at.house, folder)
    if isinstance(made, work.Fault):
        raise Refused(_WHY[made.wrong.value], where=made.where)
    facts = _facts(folder, made)

    def record(tx: Transaction) -> Done:
        at.record(tx, "backup:make", {"blobs": made.blobs, "sha256": made.sha256})
        return Done(_MADE, facts)

    at.one(record)


def restore(
    folder: Folder,
    config: Config = DEFAULT,
    lang: Language = "fr",
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Remettre une sauvegarde là où il n’y a pas de base. // Bring a backup back, where there is no database."""
    from foundation.settings import BadSettings
    from runtime import backup as work
    from runtime.settings import read

    try:
        settings = read(config.absolute())
    except BadSettings as bad:
        typer.echo("\n".join(said(fault, lang) for fault in bad.faults), err=True)
        raise typer.Exit(WRONG) from None
    manifest, faults = work.examine(settings, folder)
    if manifest is not None and not faults and not dry_run:
        faults = [fault] if (fault := work.restore(settings, folder, manifest)) else []
    if manifest is None or faults:
        for fault in faults:
            typer.echo(said(_WHY[fault.wrong.value], lang).format(where=fault.where), err=True)
        raise typer.Exit(FAILED)
    facts, whole = _facts(folder, manifest), manifest
    if dry_run:
        typer.echo(_json(facts) if as_json else f"{said(_SOUND, lang).format_map(facts)}\n{said(REHEARSED, lang)}")
        return
    with desk(config, lang, as_json) as at:

        def record(tx: Transaction) -> Done:
            at.record(tx, "backup:restore", {"made_at": whole.made_at, "sha256": whole.sha256})
            return Done(_BACK, facts)

        at.one(record)


def _facts(folder: Path, manifest: Manifest) -> dict[str, Any]:
    return {"folder": str(folder)} | asdict(manifest) | {"made_at": moment(manifest.made_at)}


def _json(facts: dict[str, Any]) -> str:
    import json

    return json.dumps(facts, indent=1, ensure_ascii=False)

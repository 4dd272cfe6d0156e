"""`mssante directory …`: the directory of professional mailboxes (docs/operator.md): filled from the registers, searched, shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.command import (
    FAILED,
    Desk,
    Refused,
    acts,
    lists,
    looks,
    plain,
    table,
)

if TYPE_CHECKING:
    from mssante.registers.syncing import Synced

directory = typer.Typer(
    no_args_is_help=True, help="Annuaire des professionnels : import, recherche. // Directory: import, search."
)

_DONE = {
    "insert": "ajoutée // added",
    "replace": "remplacée // replaced",
    "delete": "retirée // taken away",
    "nothing": "rien à faire // nothing to do",
    "refused": "REFUSÉE // REFUSED",
}


@directory.command("import")
@acts
def import_(
    at: Desk,
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="Extraction_Correspondance_MSSante ou PS_LibreAcces_…, en texte ou zip. // A register’s public file, text or zip.",
        ),
    ],
) -> None:
    """Importer un fichier public des registres : boîtes, ou activités, savoir-faire et diplômes des professionnels.

    Interrompu, l’import reprend où il en était. Une boîte en liste rouge n’entre jamais.

    // Import a register's public file: mailboxes, or professionals' activities, skills and diplomas.

    An import that was interrupted goes on. A mailbox on the red list never enters.
    """
    from mssante.registers import importing
    from mssante.registers.extraction import NotAnExtraction
    from runtime import directory_import

    try:
        report = importing.looked_over(file) if at.dry_run else directory_import.run(at, file)
    except NotAnExtraction:
        raise Refused(
            "{file} : pas une extraction de l’annuaire (ni « Adresse BAL », ni « Identification nationale PP ») // "
            "{file}: not an extraction of the directory (neither « Adresse BAL » nor « Identification nationale PP »)",
            file=file,
        ) from None
    facts = directory_import.facts_of(report)
    at.shown(facts, "\n".join(directory_import.sentences(at, report, facts)))
    if report.gone is None:
        raise typer.Exit(FAILED)


@directory.command()
@acts
def sync(
    at: Desk,
    everything: Annotated[
        bool, typer.Option("--full", help="Tout, pas seulement ce qui a changé. // Everything, not only what changed.")
    ] = False,
) -> None:
    """Suivre l’Annuaire Santé par son serveur FHIR (réglage [annuaire]) : tout la première fois, puis ce qui a changé.

    // Follow the Annuaire Santé by its FHIR server (setting [annuaire]): everything the first time, then what changed.
    """
    import asyncio
    from dataclasses import asdict

    from mssante.registers import syncing
    from mssante.registers.annuaire import Unanswered
    from runtime.annuaire import server_of

    house = at.house
    if not house.settings.annuaire.url:
        at.wrong("Aucun serveur : réglage [annuaire] url. // No server: setting [annuaire] url.")
    run = syncing.rehearse if at.dry_run else syncing.sync
    try:
        found = asyncio.run(run(house.db, house.keys, server_of(house), house.clock, everything, _counter(at)))
    except (OSError, ValueError, Unanswered) as fault:
        raise Refused("Annuaire Santé : {why} // Annuaire Santé: {why}", why=at.said(str(fault))) from None
    facts = asdict(found)
    at.change(lambda tx: at.record(tx, "directory:sync", facts))
    at.shown(facts, "\n".join(at.said(text, facts) for name, text in _SYNCED.items() if not name or facts[name]))


_SYNCED = {  # "": always said; else when there are some
    "": "{resources} ressources, {entries} boîtes reprises, {gone} retirées, {kept_out} d’ici laissées dehors. // "
    "{resources} resources, {entries} mailboxes taken, {gone} removed, {kept_out} of ours left out.",
    "roles": "{roles} boîtes suivent ce qui a changé de leur titulaire ou de leur lieu. // "
    "{roles} mailboxes follow what changed of their holder or place.",
    "doubtful": "{doubtful} boîtes ne sont plus dites par le serveur : c’est trop, elles sont restées. // "
    "{doubtful} mailboxes are no longer told of by the server: too many, they were left.",
}


def _counter(at: Desk) -> Callable[[Synced], None]:
    """How far it is, where somebody looks: nobody knows how many there will be."""
    if at.as_json or not sys.stderr.isatty():
        return lambda so_far: None
    text = at.said("{resources} ressources, {entries} boîtes // {resources} resources, {entries} mailboxes")
    return lambda so_far: typer.echo(f"\r{text.format(**vars(so_far))}\033[K\r", err=True, nl=False)


@directory.command()
@looks
def status(at: Desk) -> None:
    """D’où vient l’annuaire et de quand : dernier fichier, dernier suivi du serveur, dernière publication, prochaines fois.

    // Where the directory comes from, and from when: last file, last look at the server, last publication, next times.
    """
    from runtime import annuaire_jobs as jobs
    from runtime.directory_status import facts_of, sentences

    facts = facts_of(at)
    at.shown(facts, "\n".join(sentences(at, facts)))
    if any(facts[kind] and (facts[kind]["stale"] or facts[kind]["why"]) for kind in (jobs.FOLLOW, jobs.PUBLISH)):
        raise typer.Exit(FAILED)


@directory.command()
@acts
def publish(
    at: Desk,
    addresses: Annotated[
        list[str] | None,
        typer.Argument(help="Boîtes d’ici ; aucune : ce qui a changé. // Mailboxes of ours; none: what changed."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Toutes, changées ou non. // All of them, changed or not.")
    ] = False,
) -> None:
    """Publier dans l’Annuaire Santé (PATCH FHIR) ce qui a changé de nos boîtes depuis la dernière fois, ou celles données.

    Une boîte en liste rouge ou close n’est jamais envoyée, et retirée.

    // Publish in the Annuaire Santé (FHIR PATCH) what changed of our mailboxes since the last time, or those given.

    One on the red list or closed is never sent, and is taken away.
    """
    import asyncio

    from runtime.annuaire import publishing

    if addresses and every:
        at.wrong("Des adresses ou --all, pas les deux. // Addresses or --all, not both.")
    if not at.house.settings.annuaire.url:
        at.wrong("Aucun serveur : réglage [annuaire] url. // No server: setting [annuaire] url.")
    try:
        report = asyncio.run(publishing(at, addresses or (), every))
    except (OSError, ValueError) as fault:
        raise Refused("Annuaire Santé : {why} // Annuaire Santé: {why}", why=at.said(str(fault))) from None
    columns = {"address": "adresse // address", "done": "acte // act", "why": "motif // reason"}
    at.listed(
        report,
        columns,
        "Rien à publier. // Nothing to publish.",
        lambda key, value: at.said(_DONE[value]) if key == "done" else plain(value, at.lang),
    )
    if any(one["done"] == "refused" for one in report):
        raise typer.Exit(FAILED)


@directory.command()
@lists
def search(
    at: Desk,
    words: Annotated[
        list[str] | None,
        typer.Argument(help="Nom, profession, commune, dans l’ordre voulu. // Name, profession, town, in any order."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Dans le nom seul. // In the name only.")] = "",
    profession: Annotated[
        str, typer.Option("--profession", help="Profession ou spécialité. // Profession or speciality.")
    ] = "",
    town: Annotated[str, typer.Option("--town", help="Commune ou code postal. // Town or postcode.")] = "",
    sector: Annotated[
        list[str] | None, typer.Option("--sector", help="Secteur d’activité (TRE_R02). // Activity sector (TRE_R02).")
    ] = None,
    near: Annotated[
        str,
        typer.Option(
            "--near",
            help="Code postal : s’il y en a trop, ceux du département d’abord. // Postcode: the nearest first.",
        ),
    ] = "",
    limit: Annotated[int, typer.Option("--limit", help="Au plus. // At most.", min=1, max=200)] = 25,
) -> None:
    """Chercher : sans accents, par débuts de mots, malgré une faute de frappe.

    // Search: without accents, by beginnings of words, despite a typing error.
    """
    from mssante import directory as entries
    from mssante.directory_search import Search
    from mssante.registers.nomenclatures import sectors
    from runtime.directory_facts import COLUMNS, facts_of

    asked = Search(
        " ".join(words or ()), name, profession, town, frozenset(code.upper() for code in sector or ()), near=near
    )
    if asked == Search(near=near):
        at.wrong("Donnez au moins un mot. // Give at least one word.")
    if unknown := sorted(asked.sectors - sectors().keys()):
        at.wrong("Secteurs inconnus : {codes} // Unknown sectors: {codes}", codes=unknown)
    found = [facts_of(entry) for entry in at.read(entries.search, asked, limit)]
    at.listed(found, COLUMNS, "Personne. // Nobody.")
    if not found:
        raise typer.Exit(FAILED)


@directory.command()
@looks
def show(
    at: Desk, address: Annotated[str, typer.Argument(help="Adresse de la boîte. // Address of the mailbox.")]
) -> None:
    """Une entrée, avec tout ce que l’annuaire en dit.

    // One entry, with all that the directory says of it.
    """
    from mssante import directory as entries
    from mssante.address import Address, parse_address
    from mssante.registers.facts import of_person
    from runtime.directory_facts import all_of, lines

    parsed = parse_address(address)
    entry = at.read(entries.get, parsed) if isinstance(parsed, Address) else None
    if entry is None:
        raise Refused("{address} : pas dans l’annuaire // {address}: not in the directory", address=address)
    register = at.read(of_person, entry.person_id) if entry.person_id else []
    facts = all_of(entry, register)
    at.shown(facts, table(lines(at, facts, register)))

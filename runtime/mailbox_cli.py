"""`mssante mailbox …`: the life of mailboxes (docs/operator.md, docs/rules.md section 2).

Addresses of citizens hold their INS: they are never listed.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from foundation.wording import of_error
from runtime.command import Desk, Lines, Refused, acts, lists, looks, table
from runtime.mailbox_facts import COLUMNS, MORE, all_boxes, cell, facts_of
from runtime.members_cli import members

mailbox = typer.Typer(
    no_args_is_help=True, help="Boîtes aux lettres : création, vie, membres. // Mailboxes: creation, life, members."
)
mailbox.add_typer(members, name="members")

_EXPORTED = "{file} : messages en clair : {messages} // {file}: messages, in the clear: {messages}"

Address = Annotated[str, typer.Argument(help="Adresse de la boîte. // Address of the mailbox.")]
MaybeAddress = Annotated[
    str, typer.Argument(help="Adresse de la boîte, ou --file. // Address of the mailbox, or --file.")
]


class Kind(StrEnum):
    PER = "PER"
    CAB = "CAB"
    ORG = "ORG"
    APP = "APP"


class NewKind(StrEnum):
    PER = "PER"
    CAB = "CAB"
    ORG = "ORG"
    APP = "APP"
    CIT = "CIT"


class Switch(StrEnum):
    ON = "on"
    OFF = "off"


def _option(*names: str, help: str) -> Any:
    return typer.Option(*names, help=help)


@mailbox.command()
@acts
def create(
    at: Desk,
    address: MaybeAddress = "",
    kind: Annotated[
        NewKind | None,
        _option("--kind", help="PER, CAB, ORG, APP, ou CIT (usager). // PER, CAB, ORG, APP, or CIT (citizen)."),
    ] = None,
    name: Annotated[str, _option("--name", help="Nom affiché du titulaire. // Displayed name of the holder.")] = "",
    holder_id: Annotated[
        str, _option("--holder-id", help="RPPS, ADELI, FINESS ou SIRET. // RPPS, ADELI, FINESS or SIRET.")
    ] = "",
    profession: Annotated[str, _option("--profession", help="Profession ou service. // Profession or service.")] = "",
    town: Annotated[str, _option("--town", help="Commune. // Town.")] = "",
    phone: Annotated[str, _option("--phone", help="Téléphone. // Telephone.")] = "",
    sector: Annotated[
        str, _option("--sector", help="Secteur d’activité (TRE_R02). // Activity sector (TRE_R02).")
    ] = "",
    red_list: Annotated[bool, _option("--red-list", help="Jamais publiée. // Never published.")] = False,
    quota: Annotated[str, _option("--quota", help="Par exemple 2G. // For example 2G.")] = "",
    certificate: Annotated[
        str, _option("--certificate", help="APP : nom (DN) de son certificat. // APP: name (DN) of its certificate.")
    ] = "",
    login: Annotated[
        str, _option("--login", help="Identifiant du premier titulaire. // Login of the first holder.")
    ] = "",
    person: Annotated[str, _option("--person", help="Son nom. // Their name.")] = "",
    private_email: Annotated[str, _option("--private-email", help="Adresse personnelle. // Private address.")] = "",
    birth_date: Annotated[
        str, _option("--birth-date", help="Naissance d’un usager, AAAA-MM-JJ. // Birth of a citizen, YYYY-MM-DD.")
    ] = "",
    file: Lines = None,
) -> None:
    """Créer une boîte : ses dossiers, son entrée d’annuaire, l’accès de son premier titulaire (mot de passe montré une fois).

    // Create a mailbox: folders, entry of the directory, its first holder's sign-in (password shown once).
    """
    from runtime.mailbox_create import OPTIONAL, REQUIRED, creating

    given = {
        "address": address, "kind": kind.value if kind else "", "name": name, "holder_id": holder_id, "profession": profession,
        "town": town, "phone": phone, "sector": sector, "red_list": "oui" if red_list else "", "quota": quota,
        "certificate": certificate, "login": login, "person": person, "private_email": private_email, "birth_date": birth_date,
    }  # fmt: skip
    at.one_or_each(file, given, REQUIRED, creating(at), OPTIONAL)


@mailbox.command("list")
@lists
def list_(
    at: Desk,
    kind: Annotated[Kind | None, _option("--kind", help="De ce type. // Of this kind.")] = None,
    state: Annotated[str, _option("--state", help="active, suspended, closed, erased")] = "",
    domain: Annotated[str, _option("--domain", help="De ce domaine. // Of this domain.")] = "",
) -> None:
    """Les boîtes des professionnels ; celles des usagers ne sont pas listées (leur adresse est un INS).

    // Professionals' mailboxes; citizens' are not listed (their address is an INS).
    """
    from mssante.kinds import BoxKind

    boxes = [box for box in all_boxes(at) if box.kind is not BoxKind.CIT]
    chosen = [
        facts
        for facts in (facts_of(at, box) for box in boxes)
        if (not kind or facts["kind"] == kind.value)
        and (not state or facts["state"] == state)
        and (not domain or facts["address"].endswith("@" + domain.lower()))
    ]
    at.listed(chosen, COLUMNS, "Aucune boîte. // No mailbox.", lambda key, value: cell(at, key, value))


@mailbox.command()
@looks
def show(at: Desk, address: Address) -> None:
    """Une boîte : titulaire, état, place, échéances.

    // One mailbox: holder, state, room, dates.
    """
    from mssante.address import masked
    from runtime.mailbox_acts import found

    box = at.read(lambda conn: found(at, conn, address))
    at.change(lambda tx: at.record(tx, "mailbox:show", {"box": box.id}))
    facts = facts_of(at, box) | {
        name: getattr(box.holder, name) for name in ("holder_id", "profession", "phone", "town")
    }
    facts["private_email"] = masked(box.holder.private_email)
    facts["members"] = sum(one.active for one in at.read(at.house.credentials.members, box.id))
    names = COLUMNS | MORE
    rows = [(at.said(names[key]), cell(at, key, facts[key])) for key in names]
    at.shown(facts, table(rows))


@mailbox.command()
@acts
def holder(
    at: Desk,
    address: MaybeAddress = "",
    name: Annotated[str | None, _option("--name", help="Nom affiché. // Displayed name.")] = None,
    holder_id: Annotated[
        str | None, _option("--holder-id", help="RPPS, ADELI, FINESS ou SIRET. // RPPS, ADELI, FINESS or SIRET.")
    ] = None,
    profession: Annotated[
        str | None, _option("--profession", help="Profession ou service. // Profession or service.")
    ] = None,
    town: Annotated[str | None, _option("--town", help="Commune. // Town.")] = None,
    phone: Annotated[str | None, _option("--phone", help="Téléphone. // Telephone.")] = None,
    file: Lines = None,
) -> None:
    """Changer ce qui est dit du titulaire ; une boîte PER ne passe jamais à une autre personne. Case vide : inchangé.

    // Change what is said of the holder; a PER mailbox never passes to another person. An empty cell: unchanged.
    """
    from runtime.mailbox_acts import SAID_OF_HOLDER, changing_holder, changing_holders

    given = dict(zip(SAID_OF_HOLDER, (name, holder_id, profession, town, phone), strict=True))
    changes = {SAID_OF_HOLDER[word]: value for word, value in given.items() if value is not None}
    if file is not None or not address:
        typed = {word: value or "" for word, value in given.items()}
        at.one_or_each(file, {"address": address} | typed, ("address",), changing_holders(at), tuple(SAID_OF_HOLDER))
    elif changes:
        at.one(changing_holder(at, address, changes))
    else:
        at.wrong("Rien à changer. // Nothing to change.")


@mailbox.command("private-email")
@acts
def private_email(
    at: Desk,
    address: Address,
    email: Annotated[str, typer.Argument(help="Nouvelle adresse ; vide : aucune. // New address; empty: none.")] = "",
) -> None:
    """Changer l’adresse personnelle d’un usager, ou du titulaire d’une boîte PER : codes de connexion et avis y vont.

    // Change the private address of a citizen, or of a PER mailbox's holder: codes and notices go there.
    """
    from runtime.mailbox_acts import telling_elsewhere

    at.one(telling_elsewhere(at, address, email.strip()))


@mailbox.command()
@acts
def suspend(
    at: Desk,
    address: MaybeAddress = "",
    refuse: Annotated[
        bool, _option("--refuse", help="Refuser le courrier entre-temps. // Refuse mail meanwhile.")
    ] = False,
    file: Lines = None,
) -> None:
    """Suspendre : la boîte n’envoie plus ; elle reçoit encore, ou refuse (--refuse).

    // Suspend: the mailbox sends no more; it still receives, or refuses (--refuse).
    """
    from runtime.mailbox_acts import suspending

    at.one_or_each(file, {"address": address}, ("address",), suspending(at, refuse))


@mailbox.command()
@acts
def resume(at: Desk, address: MaybeAddress = "", file: Lines = None) -> None:
    """Réactiver une boîte suspendue, ou fermée tant que sa clé existe.

    // Make a suspended mailbox active again, or a closed one while its key exists.
    """
    from runtime.mailbox_acts import resuming

    at.one_or_each(file, {"address": address}, ("address",), resuming(at))


@mailbox.command()
@acts
def close(
    at: Desk,
    address: MaybeAddress = "",
    keep_days: Annotated[
        int | None,
        _option(
            "--keep-days", help="Jours de conservation (sinon le réglage). // Days of retention (else the setting's)."
        ),
    ] = None,
    export_to: Annotated[
        Path | None,
        _option(
            "--export",
            help="Copier d’abord tout le courrier dans ce fichier ZIP. // First copy all mail to this ZIP file.",
        ),
    ] = None,
    file: Lines = None,
) -> None:
    """Fermer : plus rien n’entre ni ne sort ; le courrier est gardé scellé, puis sa clé est détruite.

    // Close: nothing comes in or goes out; mail is kept sealed, then its key is destroyed.
    """
    from runtime.mailbox_acts import closing

    days = at.house.settings.limits.retention_days if keep_days is None else keep_days
    if days < 0:
        at.wrong("--keep-days : zéro ou plus // --keep-days: zero or more")
    if export_to is not None:
        if file is not None:
            at.wrong("--export : une seule boîte // --export: one mailbox only")
        _export(at, address, export_to)
    at.one_or_each(file, {"address": address}, ("address",), closing(at, days))


@mailbox.command()
@looks
def export(
    at: Desk, address: Address, to: Annotated[Path, typer.Argument(help="Fichier ZIP à créer. // ZIP file to create.")]
) -> None:
    """Copier tout le courrier d’une boîte, en clair, dans un fichier ZIP (.eml par dossier) : à remettre à son titulaire.

    // Copy all mail of a mailbox, in the clear, to a ZIP file (.eml by folder): to be handed to its holder.
    """
    count = _export(at, address, to)
    at.shown(
        {"address": address, "messages": count, "file": str(to)},
        at.said(_EXPORTED, {"file": to, "messages": count}),
    )


@mailbox.command("red-list")
@acts
def red_list(
    at: Desk,
    address: MaybeAddress = "",
    switch: Annotated[
        Switch, typer.Argument(help="on : jamais publiée ; off : publiée. // on: never published; off: published.")
    ] = Switch.ON,
    file: Lines = None,
) -> None:
    """Mettre en liste rouge, ou en retirer : la boîte quitte l’annuaire au même instant.

    // Put on the red list, or take off it: the mailbox leaves the directory at the same moment.
    """
    from runtime.mailbox_acts import red_listing

    at.one_or_each(file, {"address": address}, ("address",), red_listing(at, switch is Switch.ON))


@mailbox.command()
@acts
def quota(
    at: Desk,
    address: MaybeAddress = "",
    size: Annotated[str, typer.Argument(help="Par exemple 2G. // For example 2G.")] = "",
    file: Lines = None,
) -> None:
    """Changer la place d’une boîte ; jamais moins que ce qu’elle contient.

    // Change a mailbox's room; never less than it holds.
    """
    from runtime.mailbox_acts import setting_quota

    at.one_or_each(file, {"address": address, "quota": size}, ("address", "quota"), setting_quota(at))


@mailbox.command()
@acts
def certificate(
    at: Desk,
    address: Address,
    name: Annotated[
        str, typer.Argument(help="Nom (DN) du certificat ; vide : aucun. // Name (DN) of the certificate; empty: none.")
    ] = "",
) -> None:
    """Lier une boîte APP au certificat de son organisation, ou l’en délier.

    // Bind an APP mailbox to its organisation's certificate, or free it.
    """
    from runtime.mailbox_acts import binding

    at.one(binding(at, address, name))


def _export(at: Desk, address: str, to: Path) -> int:
    from runtime.mailbox_acts import found
    from runtime.mailbox_export import write_zip

    box = at.read(lambda conn: found(at, conn, address))
    if box.erased:
        raise Refused("{address} : sa clé est détruite // {address}: its key was destroyed", address=address)
    if at.dry_run:
        return 0
    try:
        count = write_zip(at.house, box, to)
    except OSError as fault:
        french, english = of_error(fault).split(" // ")
        raise Refused("{to} : {french} // {to}: {english}", to=to, french=french, english=english) from None
    at.change(lambda tx: at.record(tx, "mailbox:export", {"box": box.id, "messages": count}))
    return count

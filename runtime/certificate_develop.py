"""`mssante certificate develop`: a development authority, and certificates of the trust space's profiles by it (`certs.profiles`).

For rehearsals: whoever takes this authority for an anchor believes its folder's owner. No real operator does.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foundation.wording import of_error
from runtime.command import FAILED, AsJson, Language, Refused, worded

if TYPE_CHECKING:
    from cryptography import x509

    from certs.authority import Authority, Issued


class Kind(StrEnum):
    OPERATOR = "operator"
    ORGANISATION = "organisation"
    PERSON = "person"
    LIST_SIGNER = "list-signer"


def develop(
    kind: Annotated[Kind, typer.Argument(help="Profil du certificat. // Profile of the certificate.")],
    name: Annotated[
        str,
        typer.Argument(
            help="Hôte d’un opérateur, nom d’un logiciel, identifiant d’une personne (8 et le RPPS). "
            "// An operator’s host, a program’s name, a person’s identifier (8 and the RPPS)."
        ),
    ],
    authority: Annotated[
        Path,
        typer.Option(
            help="Dossier de l’autorité ; créé s’il n’existe pas. // The authority’s folder; made when it is not there."
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="Fichiers à écrire, sans .pem ni .key. // Files to write, without .pem and .key.")
    ],
    structure: Annotated[
        str, typer.Option(help="1 et le FINESS, ou 3 et le SIRET. // 1 and FINESS, or 3 and SIRET.")
    ] = ("1990000001"),
    organisation: Annotated[str, typer.Option(help="Nom de la structure. // The structure’s name.")] = "Développement",
    place: Annotated[str, typer.Option(help="Ville et département. // Town and département.")] = "Villefleur (99)",
    surname: Annotated[str, typer.Option(help="D’une personne. // Of a person.")] = "",
    given_name: Annotated[str, typer.Option(help="D’une personne. // Of a person.")] = "",
    also: Annotated[
        list[str] | None, typer.Option(help="Autre nom d’un hôte. // Another name of a host.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    lang: Language = "fr",
) -> None:
    """Faire un certificat de développement, et son autorité au premier. Aucun opérateur réel ne le croit.

    // Make a certificate for development, and its authority with the first one. No real operator believes it.
    """
    from certs.names import of_name
    from foundation.clock import system_clock

    subject = _subject(kind, name, structure, organisation, place, surname, given_name)
    try:
        if subject is None:
            raise Refused("Une personne a --surname et --given-name. // A person has --surname and --given-name.")
        if taken := [end for end in (".pem", ".key") if Path(f"{out}{end}").exists()]:
            raise Refused("{file} existe déjà. // {file} is there already.", file=f"{out}{taken[0]}")
        if not out.parent.is_dir():
            raise Refused("{folder} : fichier ou dossier absent // {folder}: no such folder", folder=out.parent)
        now = system_clock()
        by = _authority(authority, now)
        issued = _issued(by, kind, subject, now, also or [])
        certificate, key = issued.write(out.parent, out.name)
        by.save(authority, now)  # its revocation lists last a week
    except Refused as refused:
        typer.echo(worded(refused.text, lang, refused.facts), err=True)
        raise typer.Exit(FAILED) from None
    except (OSError, ValueError) as fault:
        why = of_error(fault) if isinstance(fault, OSError) else str(fault)
        typer.echo(
            f"{getattr(fault, 'filename', None) or authority}{worded(' : // :', lang)} {worded(why, lang)}", err=True
        )
        raise typer.Exit(FAILED) from None
    facts = {
        "dn": of_name(issued.certificate.subject).text,
        "certificate": str(certificate),
        "key": str(key),
        "anchor": str(authority / "root.pem"),
        "crl": str(authority / "crl.pem"),
    }
    typer.echo(json.dumps(facts, ensure_ascii=False, indent=1) if as_json else worded(_SAID, lang, facts))


_SAID = (
    "{dn}\n{certificate} et {key} : écrits. Racine : {anchor} ; listes de révocation, pour une semaine : {crl}. "
    "// {dn}\n{certificate} and {key}: written. Root: {anchor}; revocation lists, for a week: {crl}."
)


def _subject(
    kind: Kind, name: str, structure: str, organisation: str, place: str, surname: str, given_name: str
) -> x509.Name | None:
    """None: what a person's needs is missing."""
    from certs.profiles import operator_subject, organisation_subject, person_subject

    if kind is Kind.PERSON:
        return person_subject(name, surname, given_name) if surname and given_name else None
    if kind is Kind.OPERATOR:
        return operator_subject(name, structure, organisation, place)
    return organisation_subject(name, structure, organisation, place)


def _authority(folder: Path, now: int) -> Authority:
    """That of the folder; a new one in an empty or new folder."""
    from certs.authority import Authority

    if (folder / "root.pem").exists():
        return Authority.load(folder)
    if folder.exists() and any(folder.iterdir()):
        raise Refused(
            "{folder} n’est ni vide ni le dossier d’une autorité. // {folder} is neither empty nor an authority’s folder.",
            folder=folder,
        )
    made = Authority.create(now)
    made.save(folder, now)
    return made


def _issued(by: Authority, kind: Kind, subject: x509.Name, now: int, also: list[str]) -> Issued:
    """A list's signer has an RSA key, as the real one."""
    from cryptography import x509

    from certs.authority import KeyKind
    from certs.profiles import PROFILES

    signs = KeyKind.RSA if kind is Kind.LIST_SIGNER else KeyKind.EC
    names = tuple(x509.DNSName(host) for host in also)
    return by.issue(PROFILES[kind.value], subject, now, kind=signs, also=names)

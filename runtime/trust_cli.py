"""`mssante trust-list fetch|verify|show|diff|sign`: the signed list of the operators of the trust space (docs/operator.md)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foundation.wording import said
from runtime.command import (
    FAILED,
    Desk,
    Done,
    Language,
    Refused,
    acts,
    looks,
    moment,
    worded,
)

if TYPE_CHECKING:
    from mssante.trust_holder import TrustListHolder
    from mssante.trust_list import ListRefused, TrustList
    from runtime.settings import Settings

trust_list = typer.Typer(
    no_args_is_help=True,
    help="La liste de confiance : qui peut parler pour quel domaine. // The trust list: who may speak for which domain.",
)

Given = Annotated[Path, typer.Argument(help="Fichier XML signé. // Signed XML file.", exists=True, dir_okay=False)]
Instead = Annotated[
    Path | None,
    typer.Argument(
        help="Ce fichier, au lieu de l’adresse des réglages. // This file, instead of the settings’ address.",
        exists=True,
        dir_okay=False,
    ),
]
Compared = Annotated[
    list[Path] | None,
    typer.Argument(help="Une liste (à côté de celle en place) ou deux, l’ancienne d’abord. "
                   "// One list (beside the one in use) or two, the older first.", exists=True, dir_okay=False),
]  # fmt: skip
Domain = Annotated[
    str | None, typer.Option("--domain", help="Les certificats d’un domaine. // Certificates of a domain.")
]
Name = Annotated[str | None, typer.Option("--dn", help="Les domaines d’un certificat. // Domains of a certificate.")]
Number = Annotated[int, typer.Option("--last", min=1, help="Nombre de changements. // How many changes.")]

_ACCEPTED = (
    "Liste du {generated_at} : domaines : {domains} ; ajoutés {added}, retirés {removed}, modifiés {changed}. // "
    "List of {generated_at}: domains: {domains}; added {added}, removed {removed}, changed {changed}."
)
_REFUSED = "Liste refusée : {why} // List refused: {reason}"
_NONE = (
    "Aucune liste utilisable n’est en place : mssante trust-list fetch. // "
    "No usable list is in place: mssante trust-list fetch."
)


@trust_list.command()
@acts
def fetch(at: Desk, file: Instead = None) -> None:
    """Prendre la liste à son adresse (ou dans un fichier), la vérifier, la mettre en place. Le serveur la suit sans redémarrage.

    // Get the list from its address (or a file), verify it, put it in place. The server follows without a restart.
    """
    from mssante.trust_holder import difference
    from mssante.trust_list import ListRefused
    from runtime.trust import know
    from runtime.trust_fetch import recorder

    data = file.read_bytes() if file else _fetched(at)
    holder = _holder(at.house.settings)
    if at.dry_run:
        judged = _good(holder.judge(data, at.now))
        at.one(lambda tx: _done(judged, difference(holder.current, judged)))
        return
    accepted = holder.offer(data, at.now)
    if isinstance(accepted, ListRefused):
        raise _refused(accepted)

    def act(tx: Any) -> Done:
        if accepted.diff:
            recorder(at.house, accepted, at.author)(tx)
        return _done(accepted.trust_list, accepted.diff)

    at.one(act)
    if accepted.diff:
        know(at.house.settings, data)


@trust_list.command()
@looks
def verify(at: Desk, file: Given) -> None:
    """Dire si ce fichier serait pris maintenant : signature, signataire, date. Ne change rien.

    // Say whether this file would be taken now: signature, signer, date. Changes nothing.
    """
    from mssante.trust_holder import difference

    holder = _holder(at.house.settings)
    judged = _good(holder.judge(file.read_bytes(), at.now))
    done = _done(judged, difference(holder.current, judged))
    at.shown(done.facts, at.said(done.text, done.facts))


@trust_list.command()
@looks
def show(at: Desk, domain: Domain = None, dn: Name = None) -> None:
    """La liste en place : sa date, quand elle a été confirmée, sa taille ; ou ce qu’elle dit d’un domaine, d’un certificat.

    // The list in use: its date, when it was confirmed, its size; or what it says of a domain, of a certificate.
    """
    if domain is not None and dn is not None:
        at.wrong("--domain ou --dn, pas les deux. // --domain or --dn, not both.")
    holder = _holder(at.house.settings)
    current = holder.current
    if current is None:
        raise Refused(_NONE)
    if domain is not None or dn is not None:
        found = _certificates(current, domain) if domain is not None else _domains(at, current, dn or "")
        if not found:
            raise Refused("{what} n’y est pas. // {what} is not in it.", what=domain or dn)
        at.shown(found, "\n".join(found))
        return
    facts = _state(at, holder, current)
    at.shown(
        facts,
        at.said(
            "Liste du {generated_at}, confirmée le {confirmed_at} (périmée : {stale})\n"
            "domaines : {domains} ; certificats : {certificates} ; lignes illisibles : {skipped} // "
            "List of {generated_at}, confirmed {confirmed_at} (stale: {stale})\n"
            "domains: {domains}; certificates: {certificates}; unreadable entries: {skipped}",
            facts,
        ),
    )


@trust_list.command()
@looks
def diff(at: Desk, files: Compared = None, last: Number = 1) -> None:
    """Ce qui a changé : les derniers changements inscrits au journal d’audit, ou d’un fichier à l’autre.

    // What changed: the last changes written in the audit trail, or from one file to the other.
    """
    from mssante.trust_holder import difference
    from runtime.trust_fetch import changes, recorded

    if not files:
        found = at.read(recorded, last)
    else:
        if len(files) > 2:
            at.wrong("Deux fichiers au plus. // Two files at most.")
        lists = [_read(at.house.settings, path) for path in files]
        old, new = lists if len(lists) == 2 else (_holder(at.house.settings).current, lists[0])
        found = [{"generated_at": moment(new.generated_at)} | changes(difference(old, new))]
    at.shown(
        found,
        "\n".join(line for one in found for line in _lines(one)) or at.said("Rien n’a changé. // Nothing changed."),
    )


@trust_list.command()
def sign(
    entries: Annotated[
        Path,
        typer.Argument(
            help="Table CSV : domain, dn ; au choix description, contact, support. "
            "// CSV table: domain, dn; optionally description, contact, support.",
            exists=True,
            dir_okay=False,
        ),
    ],
    key: Annotated[Path, typer.Option(help="Clé RSA, PEM. // RSA key, PEM.", exists=True, dir_okay=False)],
    certificate: Annotated[
        Path,
        typer.Option(
            help="Certificat du signataire puis sa chaîne, PEM. // Signer’s certificate, then its chain, PEM.",
            exists=True,
            dir_okay=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Fichier à écrire ; sinon la sortie. // File to write; else standard output."),
    ] = None,
    lang: Language = "fr",
) -> None:
    """Signer une liste de développement, de même forme que la vraie. Aucun serveur réel ne la croit.

    // Sign a list for development, in the shape of the real one. No real server believes it.
    """
    from certs.authority import write_file
    from foundation.clock import system_clock
    from mssante.trust_list import sign_list
    from runtime.trust_sign import entries_of, signer_of

    try:
        rsa_key, chain = signer_of(key, certificate)
        found = entries_of(entries.read_text(encoding="utf-8-sig"))
    except Refused as refused:
        typer.echo(worded(refused.text, lang, refused.facts), err=True)
        raise typer.Exit(FAILED) from None
    signed = sign_list(found, rsa_key, chain[0], system_clock(), chain[1:])
    if out is None:
        typer.echo(signed)
    else:
        write_file(out, signed, 0o644)


# -------------------------------------------------------------------- parts
def _holder(settings: Settings) -> TrustListHolder:
    from runtime.trust import holder_of

    holder = holder_of(settings)
    holder.load()
    return holder


def _fetched(at: Desk) -> bytes:
    import asyncio

    from foundation.fetching import NotFetched
    from runtime.trust_fetch import fetch_list

    if not at.house.settings.trust_list.url:
        at.wrong("Aucune adresse dans [trust_list] : donnez un fichier. // No url in [trust_list]: give a file.")
    data = asyncio.run(fetch_list(at.house.settings))
    if isinstance(data, NotFetched):
        raise Refused("La liste n’a pas pu être prise : {reason} // The list could not be had: {reason}", reason=data)
    return data


def _read(settings: Settings, path: Path) -> TrustList:
    """A list judged at its own date."""
    from mssante.trust_list import read_list
    from runtime.trust import signer_of

    return _good(read_list(path.read_bytes(), signer_of(settings), None))


def _good(found: TrustList | ListRefused) -> TrustList:
    from mssante.trust_list import ListRefused

    if isinstance(found, ListRefused):
        raise _refused(found)
    return found


def _refused(found: ListRefused) -> Refused:
    from runtime.trust import why_refused

    return Refused(_REFUSED, why=said(why_refused(found), "fr"), reason=found)


def _done(found: TrustList, diff: Any) -> Done:
    from mssante.trust_holder import Accepted
    from runtime.trust_fetch import changes, counts

    accepted = Accepted(found, diff)
    return Done(_ACCEPTED, {"generated_at": moment(found.generated_at)} | counts(accepted) | changes(diff))


def _state(at: Desk, holder: TrustListHolder, current: TrustList) -> dict[str, Any]:
    names = {name for found in current.entries.values() for name in found}
    return {
        "generated_at": moment(current.generated_at),
        "confirmed_at": moment(holder.confirmed_at),
        "stale": holder.stale(at.now),
        "domains": len(current.entries),
        "certificates": len(names),
        "skipped": current.skipped,
        "url": at.house.settings.trust_list.url or None,
    }


def _certificates(current: TrustList, domain: str) -> list[str]:
    return sorted(map(str, current.names_of(domain)))


def _domains(at: Desk, current: TrustList, dn: str) -> list[str]:
    from foundation.dn import DnError, parse

    try:
        return sorted(current.domains_of(parse(dn)))
    except DnError as fault:
        at.wrong("--dn : {fault} // --dn: {fault}", fault=fault)


def _lines(one: dict[str, Any]) -> list[str]:
    moved = [
        (domain, sign, name)
        for sign, names in (("-", one["names_removed"]), ("+", one["names_added"]))
        for domain, found in names.items()
        for name in found
    ]
    return [one["generated_at"], *(f"{sign} {domain}  {name}" for domain, sign, name in sorted(moved))]

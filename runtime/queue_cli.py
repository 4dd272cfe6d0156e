"""`mssante queue list|show|retry|cancel`: messages that wait to leave for other operators, or for their hour (docs/operator.md).

Addresses are printed by `show` only. Each act leaves a row in the audit trail with the account that did it. Exit codes: 0 done,
1 nothing was found, 2 wrong usage or settings.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

if TYPE_CHECKING:
    from foundation.database import Transaction
    from mailserver.outbound.errand import Errand
    from mailserver.outbound.queue import Chosen, Waiting
    from runtime.house import House

Lang = Literal["fr", "en"]

queue = typer.Typer(no_args_is_help=True, help="Messages that wait to leave for other operators.")

Config = Annotated[Path, typer.Option("--config", "-c", help="Settings file (docs/settings.md).")]
Language = Annotated[Lang, typer.Option("--lang", help="Language of what is printed.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON value on standard output.")]
Domain = Annotated[str | None, typer.Option("--domain", help="Those for this domain.")]
Numbers = Annotated[list[int] | None, typer.Argument(help="Numbers of messages, as `queue list` prints them.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]
DEFAULT = Path("mssante.toml")

_COLUMNS = {
    "fr": ("N°", "domaine", "état", "âge", "essais", "prochain essai", "dernier motif"),
    "en": ("No.", "domain", "state", "age", "attempts", "next try", "last reason"),
}
_STATES = {
    "fr": {"waiting": "en attente", "held": "retenu", "running": "en cours", "failed": "abandonné"},
    "en": {"waiting": "waiting", "held": "held", "running": "being tried", "failed": "given up"},
}
_WORDS = {
    "fr": {
        "empty": "Rien n’attend.",
        "unknown": "Aucun message en attente ne correspond (ou un essai est en cours).",
        "retry": "Essai demandé : {numbers}",
        "cancel": "Annulé : {numbers}",
        "which": "Donnez des numéros, ou --domain, ou --all.",
        "from": "Expéditeur",
        "to": "Destinataire",
        "size": "Taille",
        "octets": "octets",
        "note": "Ces adresses sont des données personnelles : ne les copiez ni dans un ticket ni dans un courriel. "
        "Cette consultation est inscrite au journal d’audit.",
    },
    "en": {
        "empty": "Nothing waits.",
        "unknown": "No waiting message matches (or one is being tried now).",
        "retry": "Due now: {numbers}",
        "cancel": "Called off: {numbers}",
        "which": "Give numbers, or --domain, or --all.",
        "from": "Sender",
        "to": "Recipient",
        "size": "Size",
        "octets": "octets",
        "note": "These addresses are personal data: copy them neither into a ticket nor into a mail. "
        "This look is written in the audit trail.",
    },
}


@queue.command("list")
def list_(config: Config = DEFAULT, domain: Domain = None, lang: Language = "fr", as_json: AsJson = False) -> None:
    """What waits: number, domain, state, age, attempts, next try, last reason. No addresses."""
    from mailserver.outbound.queue import Chosen, listed

    with _house(config) as house:
        now = house.clock()
        found = house.db.read_now(listed, Chosen(domain=domain), now)
    if as_json:
        typer.echo(json.dumps([_facts(one, now) for one in found], indent=1))
    elif not found:
        typer.echo(_WORDS[lang]["empty"])
    else:
        typer.echo(_table([_COLUMNS[lang], *(_row(one, now, lang) for one in found)]))


@queue.command()
def show(number: int, config: Config = DEFAULT, lang: Language = "fr", as_json: AsJson = False) -> None:
    """One message, with the addresses of its sender and recipients."""
    from mailserver.outbound.queue import shown

    with _house(config) as house:
        found, now = house.db.read_now(shown, house.jobs, number), house.clock()
        if found is None:
            _nothing(lang)
        house.db.write_now(_record, house, "show", [number], {})
    waiting, errand = found
    if as_json:
        typer.echo(json.dumps(_facts(waiting, now) | _addresses(errand), indent=1, ensure_ascii=False))
        return
    words = _WORDS[lang]
    lines = [
        (f"{name} :" if lang == "fr" else f"{name}:", value)
        for name, value in zip(_COLUMNS[lang], _row(waiting, now, lang), strict=True)
    ]
    lines.append((words["from"], errand.reverse_path or "<>"))
    lines += [(words["to"], one.address) for one in errand.recipients]
    lines.append((words["size"], f"{errand.blob.size} {words['octets']}"))
    typer.echo(_table(lines))
    typer.echo(f"\n{words['note']}")


@queue.command()
def retry(
    numbers: Numbers = None,
    config: Config = DEFAULT,
    domain: Domain = None,
    every: All = False,
    lang: Language = "fr",
    as_json: AsJson = False,
) -> None:
    """Try now: some, those of a domain, or all; also what was given up."""
    from mailserver.outbound import queue as desk

    chosen = _chosen(numbers, domain, every, lang)
    with _house(config) as house:

        def act(tx: Transaction) -> list[int]:
            found = desk.retry(tx, chosen, house.clock())
            _record(tx, house, "retry", found, {})
            return found

        _acted("retry", house.db.write_now(act), lang, as_json)


@queue.command()
def cancel(
    numbers: Numbers = None,
    config: Config = DEFAULT,
    domain: Domain = None,
    every: All = False,
    silent: Annotated[bool, typer.Option("--silent", help="Do not tell the senders.")] = False,
    lang: Language = "fr",
    as_json: AsJson = False,
) -> None:
    """Call off: never tried again, and the sender gets a report of failure."""
    from mailserver.outbound import queue as desk

    chosen = _chosen(numbers, domain, every, lang)
    with _house(config) as house:

        def act(tx: Transaction) -> list[int]:
            found = desk.cancel(tx, house.jobs, chosen, house.clock(), silent)
            _record(tx, house, "cancel", found, {"silent": silent})
            return found

        _acted("cancel", house.db.write_now(act), lang, as_json)


# -------------------------------------------------------------------- parts
@contextmanager
def _house(config: Path) -> Iterator[House]:
    from foundation.settings import BadSettings
    from runtime.house import House
    from runtime.settings import read

    try:
        house = House(read(config.absolute()))
    except BadSettings as bad:
        typer.echo("\n".join(bad.faults), err=True)
        raise typer.Exit(2) from None
    try:
        yield house
    finally:
        house.db.close_now()


def _chosen(numbers: list[int] | None, domain: str | None, every: bool, lang: Lang) -> Chosen:
    from mailserver.outbound.queue import Chosen

    if [bool(numbers), domain is not None, every].count(True) != 1:
        typer.echo(_WORDS[lang]["which"], err=True)
        raise typer.Exit(2)
    return Chosen(tuple(numbers) if numbers else None, domain)


def _record(tx: Transaction, house: House, act: str, numbers: list[int], details: dict[str, Any]) -> None:
    """The author is the account at the keyboard, also behind sudo."""
    if numbers:
        author = f"operator {os.environ.get('SUDO_USER') or getuser()}"[:32]
        house.audit.record(tx, f"operator:queue:{act}", author, {"jobs": numbers} | details)


def _acted(act: str, numbers: list[int], lang: Lang, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(numbers))
    elif numbers:
        typer.echo(_WORDS[lang][act].format(numbers=", ".join(map(str, numbers))))
    if not numbers:
        _nothing(lang)


def _nothing(lang: Lang) -> NoReturn:
    typer.echo(_WORDS[lang]["unknown"], err=True)
    raise typer.Exit(1)


def _facts(one: Waiting, now: int) -> dict[str, Any]:
    return {
        "id": one.id,
        "domain": one.domain,
        "state": one.state.value,
        "created_at": _moment(one.created_at),
        "age_seconds": (now - one.created_at) // 1000,
        "attempts": one.attempts,
        "next_try": _moment(one.next_try),
        "priority": one.priority,
        "last_reason": one.last_reason,
    }


def _addresses(errand: Errand) -> dict[str, Any]:
    recipients = [one.address for one in errand.recipients]
    return {"sender": errand.reverse_path, "recipients": recipients, "octets": errand.blob.size}


def _row(one: Waiting, now: int, lang: Lang) -> tuple[str, ...]:
    return (
        str(one.id),
        one.domain or "-",
        _STATES[lang][one.state.value],
        _age(now - one.created_at),
        str(one.attempts),
        _moment(one.next_try) if one.state.value in ("waiting", "held") else "-",
        one.last_reason or "-",
    )


def _age(span: int) -> str:
    minutes = span // 60_000
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )

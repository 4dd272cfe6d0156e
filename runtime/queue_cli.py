"""`mssante queue list|show|retry|cancel`: messages that wait to leave for other operators, or for their hour (docs/operator.md).

Addresses are printed by `show` only. Exit code 1 also says that nothing was found.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.command import Act, Desk, Done, Refused, acts, lists, looks, moment, plain, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from foundation.database import Transaction
    from mailserver.outbound.errand import Errand
    from mailserver.outbound.queue import Chosen, Waiting

queue = typer.Typer(
    no_args_is_help=True,
    help="Messages en attente de départ vers d’autres opérateurs. // Messages that wait to leave for other operators.",
)

Domain = Annotated[str | None, typer.Option("--domain", help="Ceux de ce domaine. // Those for this domain.")]
Numbers = Annotated[
    list[int] | None,
    typer.Argument(help="Numéros donnés par `queue list`. // Numbers of messages, as `queue list` prints them."),
]
All = Annotated[bool, typer.Option("--all", help="Tous. // All of them.")]

_COLUMNS = {
    "id": "N° // No.",
    "domain": "domaine // domain",
    "state": "état // state",
    "age_seconds": "âge // age",
    "attempts": "essais // attempts",
    "next_try": "prochain essai // next try",
    "last_reason": "dernier motif // last reason",
}
_STATES = {
    "waiting": "en attente // waiting",
    "held": "retenu // held",
    "running": "en cours // being tried",
    "failed": "abandonné // given up",
}
_NOTHING = (
    "Aucun message en attente ne correspond (ou un essai est en cours). // "
    "No waiting message matches (or one is being tried now)."
)
_PERSONAL = (
    "Ces adresses sont des données personnelles : ne les copiez ni dans un ticket ni dans un courriel. "
    "Cette consultation est inscrite au journal d’audit. // "
    "These addresses are personal data: copy them neither into a ticket nor into a mail. "
    "This look is written in the audit trail."
)


@queue.command("list")
@lists
def list_(at: Desk, domain: Domain = None) -> None:
    """Ce qui attend : numéro, domaine, état, âge, essais, prochain essai, dernier motif. Aucune adresse.

    // What waits: number, domain, state, age, attempts, next try, last reason. No addresses.
    """
    from mailserver.outbound.queue import Chosen, listed

    found = [_facts(one, at.now) for one in at.read(listed, Chosen(domain=domain), at.now)]
    at.listed(found, _COLUMNS, "Rien n’attend. // Nothing waits.", lambda key, value: _cell(at, key, value))


@queue.command()
@looks
def show(at: Desk, number: int) -> None:
    """Un message, avec les adresses de son expéditeur et de ses destinataires.

    // One message, with the addresses of its sender and recipients.
    """
    from mailserver.outbound.queue import shown

    found = at.read(shown, at.house.jobs, number)
    if found is None:
        raise Refused(_NOTHING)
    at.change(lambda tx: at.record(tx, "queue:show", {"jobs": [number]}))
    waiting, errand = found
    facts = _facts(waiting, at.now)
    at.shown(facts | _addresses(errand), _page(at, facts, errand))


@queue.command()
@acts
def retry(at: Desk, numbers: Numbers = None, domain: Domain = None, every: All = False) -> None:
    """Essayer maintenant : certains, ceux d’un domaine, ou tous ; aussi ce qui a été abandonné.

    // Try now: some, those of a domain, or all; also what was given up.
    """
    from mailserver.outbound import queue as waiting

    chosen = _chosen(at, numbers, domain, every)
    text = "Essai demandé : {jobs} // Due now: {jobs}"
    at.one(acting(at, "queue:retry", text, _NOTHING, lambda tx: waiting.retry(tx, chosen, at.now)))


@queue.command()
@acts
def cancel(
    at: Desk,
    numbers: Numbers = None,
    domain: Domain = None,
    every: All = False,
    silent: Annotated[
        bool, typer.Option("--silent", help="Ne pas avertir les expéditeurs. // Do not tell the senders.")
    ] = False,
) -> None:
    """Annuler : plus jamais essayé, et l’expéditeur reçoit un avis d’échec.

    // Call off: never tried again, and the sender gets a report of failure.
    """
    from mailserver.delivery.traces import Traces
    from mailserver.outbound import queue as waiting

    chosen = _chosen(at, numbers, domain, every)
    text, told = "Annulé : {jobs} // Called off: {jobs}", {"silent": silent}
    traces = Traces(at.house.keys)
    work = partial(waiting.cancel, work=at.house.jobs, traces=traces, chosen=chosen, now=at.now, silent=silent)
    at.one(acting(at, "queue:cancel", text, _NOTHING, work, told))


# -------------------------------------------------------------------- parts
def _chosen(at: Desk, numbers: list[int] | None, domain: str | None, every: bool) -> Chosen:
    from mailserver.outbound.queue import Chosen

    if [bool(numbers), domain is not None, every].count(True) != 1:
        at.wrong("Donnez des numéros, ou --domain, ou --all. // Give numbers, or --domain, or --all.")
    return Chosen(tuple(numbers) if numbers else None, domain)


def acting(
    at: Desk,
    event: str,
    text: str,
    nothing: str,
    work: Callable[[Transaction], list[int]],
    details: dict[str, Any] | None = None,
) -> Act:
    """On jobs, whose numbers `work` returns; `nothing`: said when there are none."""

    def act(tx: Transaction) -> Done:
        found = work(tx)
        if not found:
            raise Refused(nothing)
        at.record(tx, event, {"jobs": found} | (details or {}))
        return Done(text, {"jobs": found})

    return act


def _facts(one: Waiting, now: int) -> dict[str, Any]:
    return {
        "id": one.id,
        "domain": one.domain,
        "state": one.state.value,
        "created_at": moment(one.created_at),
        "age_seconds": (now - one.created_at) // 1000,
        "attempts": one.attempts,
        "next_try": moment(one.next_try) if one.state.value in ("waiting", "held") else None,
        "priority": one.priority,
        "last_reason": one.last_reason,
    }


def _addresses(errand: Errand) -> dict[str, Any]:
    recipients = [one.address for one in errand.recipients]
    return {"sender": errand.reverse_path, "recipients": recipients, "octets": errand.blob.size}


def _page(at: Desk, facts: dict[str, Any], errand: Errand) -> str:
    lines = [(at.said(name) + at.said(" : // :"), _cell(at, key, facts[key])) for key, name in _COLUMNS.items()]
    lines.append((at.said("Expéditeur // Sender"), errand.reverse_path or "<>"))
    lines += [(at.said("Destinataire // Recipient"), one.address) for one in errand.recipients]
    lines.append((at.said("Taille // Size"), f"{errand.blob.size} octets"))
    return f"{table(lines)}\n\n{at.said(_PERSONAL)}"


def _cell(at: Desk, key: str, value: Any) -> str:
    if key == "state":
        return at.said(_STATES[value])
    return age(value) if key == "age_seconds" else plain(value, at.lang)


def age(seconds: int) -> str:
    minutes = seconds // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"

"""`mssante job sum|list|show|retry|cancel`: what is owed inside this server, whatever it is (docs/operator.md, « Other jobs »).

Messages on their way have `mssante queue`, which knows their senders. No address is printed but by `show`, which is in the trail.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.command import Desk, Refused, acts, lists, looks, moment, plain, table
from runtime.queue_cli import acting, age

if TYPE_CHECKING:
    from foundation.job_acts import Chosen, Owed

job = typer.Typer(
    no_args_is_help=True,
    help="Travaux du serveur, ce qui a été abandonné surtout. // The server's jobs, above all what was given up.",
)


class StateName(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    FAILED = "failed"


Kind = Annotated[
    str | None, typer.Option("--kind", help="Ceux d’un genre (voir `job sum`). // Those of a kind, as `job sum` says.")
]
Numbers = Annotated[
    list[int] | None, typer.Argument(help="Numéros donnés par `job list`. // Numbers, as `job list` prints them.")
]
Failed = Annotated[bool, typer.Option("--failed", help="Tous ceux qui ont été abandonnés. // All that were given up.")]
_SUMS = {
    "kind": "genre // kind",
    "owes": "ce qui est dû // what is owed",
    "state": "état // state",
    "count": "nombre // number",
    "age_seconds": "plus ancien // oldest",
    "next_try": "prochain essai // next try",
    "last_reason": "dernier motif // last reason",
}
_COLUMNS = {
    "id": "n° // no.",
    "kind": "genre // kind",
    "lane": "vers // to",
    "state": "état // state",
    "age_seconds": "âge // age",
    "attempts": "essais // attempts",
    "next_try": "prochain essai // next try",
    "last_reason": "dernier motif // last reason",
}
_NOTHING = "Aucun travail ne correspond (ou il est en cours). // No job matches (or it is being done now)."
_MESSAGE = (
    "{jobs} : un message ; son expéditeur serait prévenu par : mssante queue // "
    "{jobs}: a message; its sender is told by: mssante queue"
)
_RECURRING = "{jobs} : revient toujours ; il ne s’annule pas // {jobs}: comes again and again, and is not called off"
_PERSONAL = (
    "Cette adresse est une donnée personnelle : ne la copiez ni dans un ticket ni dans un courriel. "
    "Cette consultation est inscrite au journal d’audit. // "
    "This address is personal data: copy it neither into a ticket nor into a mail. This look is written in the audit trail."
)


@job.command("sum")
@lists
def sum_(at: Desk) -> None:
    """Combien, par genre, état et motif ; ce qui a été abandonné d’abord.

    // How many by kind, state and reason; what was given up first.
    """
    from foundation.job_acts import summed
    from runtime.job_words import KINDS

    found = [
        {
            "kind": one.kind,
            "owes": at.said(KINDS.get(one.kind, "")),
            "state": one.state,
            "count": one.count,
            "age_seconds": (at.now - one.oldest) // 1000,
            "next_try": _next(one.state, one.due_at),
            "last_reason": one.last_reason,
        }
        for one in at.read(summed)
    ]
    at.listed(found, _SUMS, "Rien n’est dû. // Nothing is owed.", lambda key, value: _cell(at, key, value))


@job.command("list")
@lists
def list_(
    at: Desk,
    kind: Kind = None,
    state: Annotated[
        StateName | None, typer.Option("--state", help="Ceux dans cet état. // Those in this state.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Au plus tant, les plus anciens. // At most so many, the oldest.")
    ] = 100,
) -> None:
    """Un par un, le plus ancien d’abord : numéro, genre, état, âge, essais, dernier motif. Aucune adresse.

    // One by one, the oldest first: number, kind, state, age, attempts, last reason. No address.
    """
    from foundation.job_acts import Chosen, listed

    chosen = Chosen(kind=kind, state=state.value if state else None)
    found = [_facts(one, at.now) for one in at.read(listed, chosen, limit)]
    at.listed(found, _COLUMNS, "Aucun travail. // No job.", lambda key, value: _cell(at, key, value))


@job.command()
@looks
def show(at: Desk, number: int) -> None:
    """Un travail, et la boîte aux lettres qu’il concerne.

    // One job, and the mailbox that it is about.
    """
    from foundation.job_acts import opened
    from runtime.job_words import KINDS, MESSAGES

    found = at.read(opened, at.house.jobs, number)
    if found is None:
        raise Refused(_NOTHING)
    one, payload = found
    if one.kind in MESSAGES:
        raise Refused("{jobs} : un message : mssante queue show // {jobs}: a message: mssante queue show", jobs=number)
    box = at.read(at.house.mailboxes.get, payload.get("box", payload.get("box_id", 0)))
    at.change(lambda tx: at.record(tx, "job:show", {"jobs": [number]}))
    facts = _facts(one, at.now) | {"mailbox": box.address.text if box else None}
    lines = [(at.said(name) + at.said(" : // :"), _cell(at, key, facts[key])) for key, name in _COLUMNS.items()]
    lines.append((at.said("Dû : // Owed:"), at.said(KINDS.get(one.kind, "-"))))
    lines.append((at.said("Boîte : // Mailbox:"), plain(facts["mailbox"], at.lang)))
    at.shown(facts, table(lines) + (f"\n\n{at.said(_PERSONAL)}" if box else ""))


@job.command()
@acts
def retry(at: Desk, numbers: Numbers = None, kind: Kind = None, failed: Failed = False) -> None:
    """Essayer maintenant, essais remis à zéro : certains, ceux d’un genre, ou tout ce qui a été abandonné.

    // Try now, counting tries anew: some, those of a kind, or all that was given up.
    """
    from foundation import job_acts
    from mailserver.delivery.hold import KIND as HELD

    chosen = _chosen(at, numbers, kind, failed, (HELD,))
    text = "Essai demandé : {jobs} // Due now: {jobs}"
    at.one(acting(at, "job:retry", text, _NOTHING, lambda tx: job_acts.retry(tx, chosen, at.now)))


@job.command()
@acts
def cancel(at: Desk, numbers: Numbers = None, kind: Kind = None, failed: Failed = False) -> None:
    """Abandonner pour de bon : ce qui était dû ne sera pas fait, et personne n’en est prévenu.

    // Call off for good: what was owed is not done, and nobody is told.
    """
    from foundation import job_acts
    from runtime.job_words import MESSAGES, RECURRING

    for text, aside in ((_MESSAGE, MESSAGES), (_RECURRING, RECURRING)):
        named = [] if numbers is None else at.read(job_acts.listed, job_acts.Chosen(tuple(numbers)), len(numbers))
        if there := [one.id for one in named if one.kind in aside]:
            raise Refused(text, jobs=there)
        if kind in aside:
            raise Refused(text, jobs=kind)
    chosen = _chosen(at, numbers, kind, failed, (*MESSAGES, *RECURRING))
    text = "Abandonné pour de bon : {jobs} // Called off for good: {jobs}"
    at.one(acting(at, "job:cancel", text, _NOTHING, lambda tx: job_acts.drop(tx, chosen, at.now)))


# -------------------------------------------------------------------- parts
def _chosen(at: Desk, numbers: list[int] | None, kind: str | None, failed: bool, aside: tuple[str, ...]) -> Chosen:
    from foundation.job_acts import Chosen

    if not (numbers or kind or failed) or (numbers and (kind or failed)):
        at.wrong("Donnez des numéros, ou --kind, ou --failed. // Give numbers, or --kind, or --failed.")
    return Chosen(tuple(numbers) if numbers else None, kind, "failed" if failed else None, aside)


def _facts(one: Owed, now: int) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "lane": one.lane,
        "state": one.state,
        "created_at": moment(one.created_at),
        "age_seconds": (now - one.created_at) // 1000,
        "attempts": one.attempts,
        "next_try": _next(one.state, one.due_at),
        "last_reason": one.last_reason,
    }


def _next(state: str, due_at: int) -> str | None:
    return moment(due_at) if state == "waiting" else None


def _cell(at: Desk, key: str, value: Any) -> str:
    from runtime.job_words import STATES

    if key == "state":
        return at.said(STATES[value])
    return age(value) if key == "age_seconds" else plain(value, at.lang)

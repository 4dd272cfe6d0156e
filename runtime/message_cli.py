"""`mssante message trace`: what became of a message, for whoever asks the operator (docs/operator.md)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.command import Desk, Refused, looks, moment

if TYPE_CHECKING:
    from foundation.database import Transaction
    from mailserver.delivery.traces import Step, Trace

message = typer.Typer(no_args_is_help=True, help="Les messages passés par ce serveur. // Messages that went through.")

Ident = Annotated[str | None, typer.Option("--id", help="Son Message-ID. // Its Message-ID.")]
Of = Annotated[
    str | None, typer.Option("--address", help="Expéditeur ou destinataire. // Of its sender, or of a recipient.")
]
Day = Annotated[datetime | None, typer.Option("--day", formats=["%Y-%m-%d"], help="Ce jour, UTC. // That day, UTC.")]
Most = Annotated[int, typer.Option("--limit", min=1, help="Les plus récents. // The newest ones.")]

_STATES = {
    "delivered": "remis // delivered",
    "relayed": "en attente d’envoi // waiting to leave",
    "held": "retenu jusqu’à l’heure choisie // held until its hour",
    "closed": "obéi, non remis ([FIN]) // obeyed, not delivered ([FIN])",
    "refused": "refusé // refused",
    "accepted": "accepté par l’autre opérateur // accepted by the other operator",
    "deferred": "reporté // put off",
    "failed": "échec // failed",
    "called_off": "annulé par l’exploitant // called off by the operator",
    "notified": "le citoyen a été prévenu // the citizen was told",
    "opened": "ouvert // opened",
    "filed": "rangé dans le dossier // filed in the dossier",
}
_NOTE = (
    "Ces adresses sont des données personnelles : ne les copiez ni dans un ticket ni dans un courriel. "
    "Cette consultation est inscrite au journal d’audit. "
    "// These addresses are personal data: copy them neither into a ticket nor into a mail. "
    "This look is written in the audit trail."
)


@message.command()
@looks
def trace(at: Desk, ident: Ident = None, address: Of = None, day: Day = None, limit: Most = 20) -> None:
    """Dire ce qu’est devenu un message, par Message-ID, adresse ou jour. // Say what became of a message."""
    from foundation.clock import DAY
    from foundation.retention import found as found_retention
    from mailserver.delivery.traces import Traces

    if ident is None and address is None and day is None:
        at.wrong("Donnez --id, --address ou --day. // Give --id, --address or --day.")
    kept = at.read(found_retention, "trace_days")
    days = at.house.settings.limits.trace_days if kept is None else kept.days  # a lower setting acts after some days
    since, until = at.now - days * DAY, at.now + DAY
    if day is not None:
        since = int(day.replace(tzinfo=UTC).timestamp() * 1000)
        until = since + DAY
    found = at.read(Traces(at.house.keys).find, ident, address, since, until, limit)

    def record(tx: Transaction) -> None:
        by = [name for name, value in (("id", ident), ("address", address), ("day", day)) if value is not None]
        at.record(tx, "message:trace", {"by": by, "found": len(found)})

    at.change(record)
    if not found:
        raise Refused(
            "Aucune trace. Elles sont gardées {days} jours (limits.trace_days). "
            "// No trace. They are kept for {days} days (limits.trace_days).",
            days=days,
        )
    at.shown([_facts(one) for one in found], "\n\n".join(_told(at, one) for one in found))
    at.say(f"\n{_NOTE}")


def _facts(one: Trace) -> dict[str, Any]:
    """For a program: with the verdict of each recipient."""
    recipients = [
        {"address": address, "verdict": one.verdict(address), "reason": reason}
        | {"marks": {mark: moment(at) for mark, at in one.marks(address).items()}}
        for address, _, reason in one.recipients
    ]
    steps = [asdict(step) | {"at": moment(step.at)} for step in one.steps]
    facts = asdict(one) | {"at": moment(one.at), "recipients": recipients, "steps": steps}
    del facts["blobs"]  # names of the store, of no use elsewhere
    return facts


def _told(at: Desk, one: Trace) -> str:
    sender = one.reverse_path or "<>"
    lines = [
        f"{moment(one.at)}  {one.message_id or '-'}  {one.reference}".rstrip(),
        at.said("  de {sender}, porte {door}, {size} octets // from {sender}, door {door}, {size} octets",
                {"sender": sender, "door": one.door, "size": one.size}),
    ]  # fmt: skip
    for address, _, reason in one.recipients:
        lines.append(f"  {address} : {at.said(_STATES[one.verdict(address)])}{_because(at, reason)}")
        lines += [f"    {_step(at, step)}" for step in one.steps if step.recipient == address]
    return "\n".join(lines)


def _because(at: Desk, reason: str | None) -> str:
    from mssante.reasons import REASONS

    if reason is None:
        return ""
    known = REASONS[reason]
    return f" ({reason} : {known.in_english() if at.lang == 'en' else known.in_french()})"


def _step(at: Desk, step: Step) -> str:
    parts = [moment(step.at), at.said(_STATES[step.state]), step.host, step.reason, step.status, step.said]
    return "  ".join(part for part in parts if part)

"""The relay job's payload as a value: what is still to be sent, to whom, and what the sender must still be told.

Written by `mailserver.delivery.promises` (kind "relay"); what has a default here is ours, added on retries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from foundation.blobs import BlobRef
from mailserver.delivery.api import Recipient, Terms
from mailserver.outbound.peer import Problem
from mailserver.outbound.report import Action, Told

REPORTED = ("FAILURE", "DELAY")  # what a sender is told without having asked (RFC 3461 4.1)


@dataclass(frozen=True, slots=True)
class Errand:
    """`recipients`: those without a final verdict; `reports`: verdicts that the sender has not been told yet.

    Patience begins at the release when the sender asked for a later one. `told`: the delay notice is out, `overdue_told`: that
    of the deadline; `letters`: reports already written; `due_at`: next try, while reports go first.
    """

    blob: BlobRef
    reverse_path: str
    recipients: tuple[Recipient, ...]
    domain: str
    envid: str | None
    ret: str | None
    created_at: int
    tries: int = 0
    urgent: bool = False
    told: bool = False
    overdue_told: bool = False
    letters: int = 0
    due_at: int = 0
    terms: Terms = field(default_factory=Terms)
    reports: tuple[Told, ...] = ()
    smtp_utf8: bool = False

    @classmethod
    def read(cls, payload: dict[str, Any]) -> Errand:
        name, key, size = payload["blob"]
        return cls(
            blob=BlobRef(name, bytes.fromhex(key), size),
            reverse_path=payload["reverse_path"],
            recipients=tuple(
                Recipient(one["address"], frozenset(one["notify"]), one["orcpt"]) for one in payload["recipients"]
            ),
            domain=payload["domain"],
            envid=payload["envid"],
            ret=payload["ret"],
            created_at=payload["created_at"],
            tries=payload.get("tries", 0),
            urgent=payload.get("urgent", False),
            told=payload.get("told", False),
            overdue_told=payload.get("overdue_told", False),
            letters=payload.get("letters", 0),
            due_at=payload.get("due_at", 0),
            terms=Terms(**payload.get("terms", {})),
            smtp_utf8=payload.get("smtp_utf8", False),
            reports=tuple(Told(**{**one, "action": Action(one["action"])}) for one in payload.get("reports", ())),
        )

    @property
    def begun_at(self) -> int:
        return max(self.created_at, self.terms.hold_until)

    @property
    def notice_due(self) -> int:
        """When the sender is owed word that the deadline passed (RFC 2852 4.1.3); 0: never, or told. One that had passed before
        the message came was told by who had it then.
        """
        terms = self.terms
        return terms.deadline if not terms.returns and not self.overdue_told and terms.deadline > self.created_at else 0

    def payload(self) -> dict[str, Any]:
        return {
            "blob": [self.blob.name, self.blob.key.hex(), self.blob.size],
            "reverse_path": self.reverse_path,
            "recipients": [
                {"address": one.address, "notify": sorted(one.notify), "orcpt": one.orcpt} for one in self.recipients
            ],
            "domain": self.domain,
            "envid": self.envid,
            "ret": self.ret,
            "created_at": self.created_at,
            "tries": self.tries,
            "urgent": self.urgent,
            "told": self.told,
            "overdue_told": self.overdue_told,
            "letters": self.letters,
            "due_at": self.due_at,
            "terms": asdict(self.terms),
            "smtp_utf8": self.smtp_utf8,
            "reports": [_told(one) for one in self.reports],
        }


def _told(one: Told) -> dict[str, Any]:
    return {
        "address": one.address,
        "action": one.action.value,
        "status": one.status,
        "fr": one.fr,
        "en": one.en,
        "orcpt": one.orcpt,
        "remote_host": one.remote_host,
        "diagnostic": one.diagnostic,
        "retry_until": one.retry_until,
    }


def wants(recipient: Recipient, event: str) -> bool:
    """Whether the sender wants to hear of `event`: FAILURE, DELAY or SUCCESS."""
    return event in recipient.notify if recipient.notify else event in REPORTED


def failed(recipient: Recipient, problem: Problem) -> Told:
    status = problem.status if problem.permanent else f"5{problem.status[1:]}"  # given up: permanent now
    return Told(
        recipient.address,
        Action.FAILED,
        status,
        problem.fr,
        problem.en,
        recipient.orcpt,
        problem.host,
        problem.diagnostic,
    )


def delayed(recipient: Recipient, problem: Problem, until: int) -> Told:
    return Told(
        recipient.address,
        Action.DELAYED,
        problem.status,
        problem.fr,
        problem.en,
        recipient.orcpt,
        problem.host,
        problem.diagnostic,
        until,
    )


def relayed(recipient: Recipient, host: str, reports: bool) -> Told:
    """`reports`: the next server will tell of the delivery itself, when that was wished; 2.1.9 says that it will not."""
    fr, en = ("", "") if reports else ("cet opérateur n’envoie pas d’avis de remise.", "it sends no delivery report.")
    return Told(recipient.address, Action.RELAYED, "2.0.0" if reports else "2.1.9", fr, en, recipient.orcpt, host)


def first_name(problems: Sequence[Problem]) -> str:
    """The name kept with the job for the operator."""
    return problems[0].name if problems else "report"

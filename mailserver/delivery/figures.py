"""What one message adds to the monthly figures, in its own transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foundation.database import Transaction
from mailserver.contents.kinds import Kind
from mailserver.delivery.api import Envelope, Fate, Verdict
from mailserver.delivery.counting import NIL, documents, kind_of, product
from mailserver.delivery.decide import Decision
from mailserver.delivery.letter import Letter
from mailserver.delivery.space import Author, Space
from mssante import reasons


@dataclass(frozen=True, slots=True)
class Told:
    """A message and what was said of it. `fresh`: not one that was held, whose attachments were counted when it came."""

    envelope: Envelope
    letter: Letter
    author: Author
    decided: Sequence[Decision]
    verdicts: Sequence[Verdict]
    fresh: bool


def count(tx: Transaction, space: Space, told: Told) -> None:
    """Each recipient's verdict; accepted messages by their X-MSS headers (docs/rules.md section 6)."""
    tally, letter, door = space.tally, told.letter, told.envelope.sender.door.value
    for decision, verdict in zip(told.decided, told.verdicts, strict=True):
        to = decision.to.facts.party.value if decision.to else "unknown"
        tally.count_in(tx, "messages", told.author.facts.party.value, to, verdict.fate.value)
        if verdict.reason is not None:
            tally.count_in(tx, "refusals", door, verdict.reason.name)
    for kind, action in _attached(told) if told.fresh else ():
        tally.count_in(tx, "attachments", kind.value, action)
    if any(verdict.fate not in (Fate.REFUSED, Fate.HELD) for verdict in told.verdicts):
        tally.count_in(tx, "kinds", door, kind_of(letter, told.envelope))
        for name, value in letter.x_mss.items():
            tally.count_in(tx, "headers", name, product(letter.product, space.products) if name == NIL else value)
        for code in documents(letter.documents) if letter.documents else ():
            tally.count_in(tx, "documents", code)
    if told.envelope.sender.box_id is not None:
        space.activity.seen(told.envelope.sender.box_id)


def _attached(told: Told) -> set[tuple[Kind, str]]:
    """What was refused, and what was warned of; each once a message."""
    found: set[tuple[Kind, str]] = set()
    judged = told.letter.judged
    for decision, verdict in zip(told.decided, told.verdicts, strict=True):
        box = decision.to.box if decision.to else None
        for judgement in (judged.sent, judged.of(box.kind if box else None)):
            if verdict.reason is reasons.ATTACHMENT_REFUSED and judgement.refused and judgement.first:
                found.add((judgement.first, "refused"))
            elif verdict.fate is not Fate.REFUSED and judgement.first:
                found.add((judgement.first, "warned"))
    return found

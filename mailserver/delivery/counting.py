"""What kind of message it was, for the monthly figures: words of closed lists, never anything a sender chose freely."""

from __future__ import annotations

import re
from collections.abc import Collection

from mailserver.delivery.api import Door, Envelope
from mailserver.delivery.letter import Letter
from mssante.closing import Act

CODECDA, NIL = "X-MSS-CODECDA", "X-MSS-NIL"
_XDM = re.compile(r"^\s*(re\s*:\s*)?XDM/1\.0/DDM", re.IGNORECASE)  # docs/rules.md section 6
_LOINC = re.compile(r"\d{1,5}-\d")
CODES = 5  # of one message: more is no list of documents


def kind_of(letter: Letter, envelope: Envelope) -> str:
    """receipt (MDN), report (DSN), notice (our own), command ([FIN] alone), closing, no_reply, prescription, xdm or message."""
    if letter.report:
        return "receipt" if letter.report == "disposition-notification" else "report"
    if envelope.sender.door is Door.SYSTEM:
        return "notice"
    if letter.closing.act is not Act.NONE:
        return "command" if letter.closing.act is Act.COMMAND else "closing"
    if letter.closing.no_reply:
        return "no_reply"
    if envelope.prescription:
        return "prescription"
    return "xdm" if _XDM.match(letter.closing.subject) else "message"


def documents(value: str) -> list[str]:
    """Codes of CDA documents in X-MSS-CODECDA: LOINC codes whose check digit is right, each once; "?" for anything else."""
    found = [code.strip() for code in value.split(",")[:CODES]]
    return sorted({code if _is_loinc(code) else "?" for code in found if code})


def product(value: str, known: Collection[str]) -> str:
    """X-MSS-NIL: the product's number when it is one of the `known` (in capitals), else "?": the list of all is published nowhere,
    and a number that nobody here knows may be anything that a sender chose."""
    number = value.strip().upper()
    return number if number in known else "?"


def _is_loinc(code: str) -> bool:
    """Check digit: Luhn's, over the digits before the hyphen."""
    if _LOINC.fullmatch(code) is None:
        return False
    number, _, check = code.partition("-")
    total = 0
    for place, sign in enumerate(reversed(number)):
        digit = int(sign) * (2 if place % 2 == 0 else 1)
        total += digit - 9 if digit > 9 else digit
    return (10 - total % 10) % 10 == int(check)

"""How a message is worded for the reader: subject without its prefixes, the sender's name, the text with what it quotes apart.

Pure. The text itself is never changed; only its pieces are told apart so that the page can fold what was quoted.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from mailserver.mime.addresses import Address

# « Re : », « RE: », « TR : », « Fwd: », any number of them, and the prefix of IHE XDM mails (rules.md section 6)
_PREFIX = re.compile(r"^\s*(?:(?:re|tr|fw|fwd|rép)\s*(?:\[\d+\])?\s*[:\u00a0]+\s*|XDM/1\.0/DDM\+?\S*\s*)+", re.I)
_QUOTED = re.compile(r"^[ \t]{0,3}>")
_ATTRIBUTION = re.compile(r"^(?:Le|On) .{5,200}(?:a écrit|wrote)[ \u00a0]?:\s*$", re.S)
_EARLIER = re.compile(
    r"^[ \t]*(?:-{3,}[ \t]*(?:Message d[’']origine|Message transféré|Original Message|Forwarded message)[ \t]*-{3,}|_{20,})[ \t]*$",
    re.I,
)
NO_SUBJECT = "(sans objet)"
LONGEST_SUBJECT = 2_000  # characters


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    quoted: bool


def subject(text: str) -> str:
    """« Résultats » for « RE : Re: Résultats »; « (sans objet) » when nothing is left."""
    text = " ".join(text[:LONGEST_SUBJECT].split())  # single spaces: the pattern must not try their every division
    return " ".join(_PREFIX.sub("", text).split()) or NO_SUBJECT


def name_of(address: Address | None) -> str:
    """The name shown; the address when the sender gave no name."""
    if address is None:
        return "Expéditeur inconnu"
    return " ".join(address.display.split()) or str(address)


def profession(text: str) -> str:
    """As inside a sentence: « médecin généraliste », but « ORL »."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def pieces(text: str) -> list[Piece]:
    """The text in order, cut where quotation starts and ends; text after a quotation stays visible."""
    runs: list[tuple[bool, list[str]]] = []
    lines = text.strip("\n").split("\n")
    for number, line in enumerate(lines):
        if _EARLIER.match(line) and number:
            runs.append((True, lines[number:]))
            break
        quoted = bool(_QUOTED.match(line))
        if not line.strip() and runs:
            quoted = runs[-1][0]
        if not runs or runs[-1][0] is not quoted:
            runs.append((quoted, []))
        runs[-1][1].append(line)
    _move_attributions(runs)
    found = [Piece("\n".join(run).strip("\n"), quoted) for quoted, run in runs]
    return [piece for piece in found if piece.text.strip()]


def _move_attributions(runs: list[tuple[bool, list[str]]]) -> None:
    """« Le 3 mai, X a écrit : » (one or two lines) goes with the quotation it announces."""
    for (before_quoted, before), (after_quoted, after) in itertools.pairwise(runs):
        if before_quoted or not after_quoted:
            continue
        kept = len(before)
        while kept and not before[kept - 1].strip():
            kept -= 1
        for size in (1, 2):
            if kept >= size and _ATTRIBUTION.match("\n".join(before[kept - size : kept])):
                after[:0] = before[kept - size :]
                del before[kept - size :]
                break


def quote(text: str) -> str:
    """The previous message below a reply (business software often shows single messages)."""
    return "\n".join(">" if not line else f"> {line}" for line in text.split("\n"))

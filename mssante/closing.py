"""What a professional's message to a citizen says about the exchange: docs/rules.md section 4, pure.

Two public devices: a subject with the token `[FIN]`, and the header `X-MSS-MES: FIN` (ECO.2.2.8); one of ours, `X-MSS-MES:
NOREPLY`. An empty `[FIN]` message is a command and is not delivered, so every doubt about emptiness says « not empty »: a real
message is never lost. Only for professional to citizen: the caller asks `may_close` first, elsewhere `[FIN]` is ordinary text.
"""

from __future__ import annotations

import re
from enum import Enum

from foundation.values import value
from mssante.kinds import ClosedMeans, Party


class Act(Enum):
    NONE = "none"
    COMMAND = "command"  # not delivered, the exchange is closed
    DELIVER_THEN_CLOSE = "deliver_then_close"


@value
class Closing:
    """`subject` is the one to display (without token, possibly empty); `no_reply`: this message cannot be answered.

    `near_miss`: the subject holds `[fin]` or `[ FIN ]`: nothing is closed, and the sender deserves to be told how to close.
    """

    act: Act
    subject: str
    means: ClosedMeans | None = None
    no_reply: bool = False
    near_miss: bool = False


def may_close(sender: Party, recipient: Party) -> bool:
    return sender is Party.PROFESSIONAL and recipient is Party.CITIZEN


def closing_of(subject: str, body_text: str, has_attachment: bool, x_mss_mes: str | None) -> Closing:
    """`subject` decoded (RFC 2047), `body_text` the text of the message (HTML turned to text), `x_mss_mes` the header's value.

    `has_attachment` counts inline images too: they may be the content.
    """
    wish = (x_mss_mes or "").strip().upper()
    shown = displayed_subject(subject) if TOKEN in subject else subject
    if TOKEN in subject and not has_attachment and is_empty(body_text):
        return Closing(Act.COMMAND, shown, ClosedMeans.COMMAND)
    if wish == HEADER_CLOSE:
        return Closing(Act.DELIVER_THEN_CLOSE, shown, ClosedMeans.HEADER)
    if TOKEN in subject:
        return Closing(Act.DELIVER_THEN_CLOSE, shown, ClosedMeans.SUBJECT)
    return Closing(Act.NONE, shown, no_reply=wish == HEADER_NO_REPLY, near_miss=_NEAR_MISS.search(subject) is not None)


def displayed_subject(subject: str) -> str:
    """The subject without its tokens; reply marks left alone (`RE:`) go too."""
    rest = " ".join(subject.replace(TOKEN, " ").split())
    return "" if _ONLY_REPLY_MARKS.fullmatch(rest) else rest


def is_empty(body_text: str) -> bool:
    """True when nothing is left once white space, quoted text and signature are taken away.

    Costs at most `_MOST` characters: a longer body is not empty.
    """
    if len(body_text) > _MOST:
        return False
    lines = [_INVISIBLE.sub("", line).strip() for line in body_text.splitlines()]
    return not any(_without_footers(_without_quotes(_without_signature(lines))))


TOKEN = "[FIN]"  # noqa: S105 - exact case, as the public rule says
HEADER_CLOSE = "FIN"
HEADER_NO_REPLY = "NOREPLY"

_MOST = 200_000
_SIGNATURE_LINES = 12  # a longer « signature » is text that happens to stand under two dashes

_NEAR_MISS = re.compile(r"\[\s*fin\s*\]", re.IGNORECASE)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_ONLY_REPLY_MARKS = re.compile(r"(?:(?:re|ré|rép|fw|fwd|tr|aw)\s*:\s*)*", re.IGNORECASE)
_ATTRIBUTION = re.compile(r"(?:Le|On) .{0,200}\b(?:a écrit|wrote)\s*:", re.IGNORECASE)
_ATTRIBUTION_START = re.compile(r"(?:Le|On) .{0,160}\d", re.IGNORECASE)
_ORIGINAL = re.compile(
    r"-{2,}\s*(?:Message d['’]origine|Message original|Message transféré|Original Message|Forwarded message)\s*-{2,}",
    re.IGNORECASE,
)
_OUTLOOK_RULE = re.compile(r"_{20,}")
_OUTLOOK_FIELD = re.compile(r"\*?(?:De|From|Expéditeur)\s*:", re.IGNORECASE)
_OUTLOOK_NEXT = re.compile(r"\*?(?:Envoyé|Envoyé le|Date|Sent|À|A|To|Objet|Subject|Cc)\s*:", re.IGNORECASE)
_MOBILE = re.compile(
    r"(?:Envoyé (?:de|depuis|à partir de) (?:mon|ma|l['’]|Outlook|Yahoo|Proton|Mail\b).{0,80}"
    r"|Sent from (?:my|Outlook|Yahoo|Proton|Mail\b).{0,80}"
    r"|(?:Obtenir|Télécharger|Télécharge[rz]|Get) Outlook (?:pour|for) .{0,60})",
    re.IGNORECASE,
)
_GREEN = re.compile(
    r"(?:Pensez à l['’]environnement|N['’]imprimez ce (?:message|mail|courriel)|Please consider the environment).{0,160}",
    re.IGNORECASE,
)
_LEGAL_START = re.compile(
    r"(?:\W{0,4})(?:(?:Ce|Cet|Le présent) (?:message|mail|e-?mail|courriel|courrier)"
    r"|Les informations contenues|This (?:message|e-?mail)|The information contained)\b",
    re.IGNORECASE,
)


def _without_signature(lines: list[str]) -> list[str]:
    """Take out what stands between `-- ` (RFC 3676 4.3; many clients lose the space) and a quote or the end, unless it is long."""
    if "--" not in lines:
        return lines
    start = lines.index("--")
    end = next((index for index in range(start + 1, len(lines)) if _begins_quote(lines, index)), len(lines))
    is_signature = sum(1 for line in lines[start + 1 : end] if line) <= _SIGNATURE_LINES
    return lines[:start] + lines[end:] if is_signature else lines


def _begins_quote(lines: list[str], index: int) -> bool:
    line = lines[index]
    return bool(
        line.startswith(">") or _ORIGINAL.fullmatch(line) or _attribution(lines, index) or _outlook_header(lines, index)
    )


def _without_quotes(lines: list[str]) -> list[str]:
    kept: list[str] = []
    index = 0
    while index < len(lines):
        if _ORIGINAL.fullmatch(lines[index]) or _outlook_header(lines, index):
            return kept
        width = _attribution(lines, index)
        if width:
            index += width
        else:
            if not lines[index].startswith(">"):
                kept.append(lines[index])
            index += 1
    return kept


def _attribution(lines: list[str], index: int) -> int:
    """How many lines « Le … a écrit : » takes here (clients wrap it over two or three); 0 when it is something else."""
    if not _ATTRIBUTION_START.match(lines[index]):
        return 0
    for width in (1, 2, 3):
        if _ATTRIBUTION.fullmatch(" ".join(lines[index : index + width])):
            return width
    return 0


def _outlook_header(lines: list[str], index: int) -> bool:
    """Outlook's own quoting: a rule of underscores or nothing, then « De : », « Envoyé : » on the next lines."""
    if _OUTLOOK_RULE.fullmatch(lines[index]):
        index += 1
    following = [line for line in lines[index : index + 4] if line]
    return len(following) >= 2 and bool(_OUTLOOK_FIELD.match(following[0]) and _OUTLOOK_NEXT.match(following[1]))


def _without_footers(lines: list[str]) -> list[str]:
    kept = [line for line in lines if not (_MOBILE.fullmatch(line) or _GREEN.fullmatch(line))]
    return [line for paragraph in _paragraphs(kept) if not _is_legal(" ".join(paragraph)) for line in paragraph]


def _paragraphs(lines: list[str]) -> list[list[str]]:
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if line:
            paragraphs[-1].append(line)
        elif paragraphs[-1]:
            paragraphs.append([])
    return paragraphs


def _is_legal(paragraph: str) -> bool:
    """A confidentiality notice names both the secret and the addressee; a sentence of care hardly does both."""
    words = paragraph.casefold()
    return (
        len(words) <= 1500
        and _LEGAL_START.match(paragraph) is not None
        and "confidenti" in words
        and any(word in words for word in ("destinataire", "recipient", "addressee"))
    )

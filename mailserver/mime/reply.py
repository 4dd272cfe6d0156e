"""What a sender wrote, apart from what the mail program quoted and signed (rules.md section 4: is a `[FIN]` message empty?).

Careful on one side: a line is dropped only when a known mark says that it is a quotation or a signature. A doubt counts as content,
because a message with content is delivered and a bare one is not.
"""

from __future__ import annotations

import re

# « -- » starts a signature (RFC 3676 4.3); longer than this, it is a text that somebody wrote.
MAX_SIGNATURE_LINES = 12
MAX_SIGNATURE = 800  # characters

_SIGNATURE = re.compile(r"^-- ?$", re.MULTILINE)
_QUOTED_LINE = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
# « Le 3 mai, X a écrit : » stands on one line or two; what it quotes carries « > », so only the line itself goes.
_WROTE = re.compile(r"\b(?:a écrit|wrote)[ \u00a0]?:[ \t]*$", re.MULTILINE)
_WROTE_START = ("Le ", "On ")
# From here to the end is the earlier message, as Outlook and others write it without marking the lines.
_EARLIER = re.compile(
    r"^[ \t]*(?:-{3,}[ \t]*(?:Message d[’']origine|Message transféré|Original Message|Forwarded message)[ \t]*-{3,}"
    r"|_{20,}[ \t]*\n+(?:De|From)[ \u00a0]?:"
    r"|(?:De|From)[ \u00a0]?:[^\n]*\n(?:Envoyé|Sent|Date)[ \u00a0]?:[^\n]*$)",
    re.MULTILINE,
)
_MOBILE = re.compile(
    r"^[ \t]*(?:Envoyé (?:de|depuis|à partir de) |Sent from |Obtenez Outlook pour |Get Outlook for |Télécharger Outlook)"
    r"[^\n]{0,80}$",
    re.MULTILINE,
)


def own_text(text: str) -> str:
    """`text` without quotation and signature, stripped."""
    found = _EARLIER.search(text)
    if found:
        text = text[: found.start()]
    text = _QUOTED_LINE.sub("", _without_attributions(text))
    mark = _SIGNATURE.search(text)
    if mark:
        signature = text[mark.end() :].strip()
        if len(signature) <= MAX_SIGNATURE and signature.count("\n") < MAX_SIGNATURE_LINES:
            text = text[: mark.start()]
    return _MOBILE.sub("", text).strip(" \t\r\n\u00a0\u200b\ufeff")


def _without_attributions(text: str) -> str:
    kept, at = [], 0
    for found in _WROTE.finditer(text):
        line = text.rfind("\n", at, found.start()) + 1 or at
        for start in (line, text.rfind("\n", at, max(at, line - 1)) + 1 or at):
            if text.startswith(_WROTE_START, start):
                kept.append(text[at:start])
                at = found.end()
                break
    kept.append(text[at:])
    return "".join(kept)

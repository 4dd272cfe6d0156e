"""Facts in a person's words, in both languages; as a table; as CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from foundation.wording import Lang, said

# Controls but for ends of lines and tabs, what turns a line round (Unicode TR 36 2.10), half a character.
_UNSEEN = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]|\r(?!\n)")


def worded(text: str, lang: Lang, facts: Mapping[str, Any] | None = None) -> str:
    words = said(text, lang)
    return words.format_map({name: plain(value, lang) for name, value in facts.items()}) if facts else words


def plain(value: Any, lang: Lang = "fr") -> str:
    """A fact in a table for people."""
    if value in (None, "", [], ()):
        return "-"
    if isinstance(value, bool):
        return said("oui // yes" if value else "non // no", lang)
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def moment(at: int | None) -> str | None:
    """Milliseconds since the epoch as ISO 8601 in UTC."""
    from datetime import UTC, datetime

    return None if at is None else datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def printable(text: str) -> str:
    """What strangers say (a peer's reply, a name) goes to a terminal as text: it moves no cursor, and hides nothing."""
    return _UNSEEN.sub("\ufffd", text)


def table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


_FORMULA = re.compile(r"[=@\t\r]|[+-](?![\d .]*$)")  # numbers, with their sign, are none


def csv_text(columns: Mapping[str, str] | Sequence[str], found: Sequence[Mapping[str, Any]]) -> str:
    """RFC 4180, with the facts' own keys as header."""
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_harmless(one[key]) for key in columns] for one in found)
    return out.getvalue()


def _harmless(value: Any) -> Any:
    """A spreadsheet takes no text for a formula: behind an apostrophe it is text, whoever wrote it. `true` as in JSON, which
    `--file` reads too.
    """
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value

"""French as the reader expects it: dates and sizes in words, no-break spaces, apostrophes.

U+00A0 everywhere, never the narrow U+202F: our font lacks it and a fallback glyph jumps out of the line.
"""

from __future__ import annotations

import re
from datetime import date as Date
from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_decimal

NBSP = "\u00a0"
PARIS = ZoneInfo("Europe/Paris")

_BEFORE = re.compile(r"(?:(?<=\S)|^) (?=[:;!?»])")  # ^: a template cuts the text at each value
_AFTER = re.compile(r"« ")
_APOSTROPHE = re.compile(r"(?<=[^\W\d_])'(?=[^\W\d_])")


def typeset(text: str) -> str:
    """No-break spaces before : ; ! ? » and after «, curly apostrophes. For our own sentences, never for a user's text."""
    return _APOSTROPHE.sub("’", _AFTER.sub("«" + NBSP, _BEFORE.sub(NBSP, text)))


def moment(at: int) -> datetime:
    """Milliseconds since the epoch as Paris time."""
    return datetime.fromtimestamp(at / 1000, PARIS)


def date(at: int) -> str:
    """« 12 novembre 2026 »; the first of a month is « 1er »."""
    return calendar_date(moment(at).date())


def calendar_date(day: Date) -> str:
    text = format_date(day, "d MMMM y", locale="fr")
    return ("1er" + text[1:] if day.day == 1 else text).replace(" ", NBSP)


def hour(at: int) -> str:
    """« 9 h 40 », « 9 h » on the hour."""
    time = moment(at)
    return f"{time.hour}{NBSP}h" + (f"{NBSP}{time.minute:02d}" if time.minute else "")


def date_and_hour(at: int) -> str:
    """« 12 novembre 2026 à 9 h 40 »."""
    return f"{date(at)} à{NBSP}{hour(at)}"


def near_date(at: int, now: int) -> str:
    """For lists: « aujourd'hui à 9 h 40 », « hier à 18 h », « lundi 9 novembre », then the whole date."""
    day, today = moment(at), moment(now)
    age = (today.date() - day.date()).days
    if age == 0:
        return f"aujourd’hui à{NBSP}{hour(at)}"
    if age == 1:
        return f"hier à{NBSP}{hour(at)}"
    if 1 < age < 180:
        text = format_date(day, "EEEE d MMMM", locale="fr")
        return text.replace(" 1 ", " 1er ").replace(" ", NBSP)
    return date(at)


def size(octets: int) -> str:
    """« 340 Ko », « 4,2 Mo », « 2 Go »: decimal units, as document limits are written."""
    if octets < 1000:
        return f"{octets}{NBSP}octet" + ("s" if octets > 1 else "")
    if octets < 1_000_000:
        return f"{round(octets / 1000)}{NBSP}Ko"
    unit, name = (1_000_000, "Mo") if octets < 1_000_000_000 else (1_000_000_000, "Go")
    return f"{format_decimal(octets / unit, '0.#', locale='fr')}{NBSP}{name}"


def count(number: int, one: str, many: str) -> str:
    """« aucun message »-style callers handle zero themselves; 0 and 1 are singular in French."""
    return f"{format_decimal(number, locale='fr')}{NBSP}{one if number < 2 else many}".replace("\u202f", NBSP)


def join(items: list[str]) -> str:
    """« A, B et C »."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " et " + items[-1] if items else ""

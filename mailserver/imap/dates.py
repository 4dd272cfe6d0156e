"""The Date header as SEARCH, SORT and THREAD read it: whatever can be used of it is (RFC 5256 2.2, RFC 5322 3.3 and 4.3). Pure."""

from __future__ import annotations

import re
from datetime import date
from email.utils import parsedate_tz
from typing import NamedTuple

_DAY = 86400
_EPOCH = date(1970, 1, 1).toordinal()
_MONTHS = {name: number for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_ZONES = {
    b"est": -5,
    b"edt": -4,
    b"cst": -6,
    b"cdt": -5,
    b"mst": -7,
    b"mdt": -6,
    b"pst": -8,
    b"pdt": -7,
}  # the others: UTC
_DATE = re.compile(rb"\s*+(?:[a-z]++\s*+,)?\s*+(\d{1,2})[\s-]++([a-z]{3})[a-z]*+[\s-]++(\d{2,4})(?!\d)")
_TIME = re.compile(rb"\s*+(\d{1,2})\s*+:\s*+(\d{1,2})(?:\s*+:\s*+(\d{1,2})(?:\.\d++)?)?(?![\d:])")
_ZONE = re.compile(rb"\s*+(?:([+-]\d\d):?([0-5]\d)(?!\d)|([a-z]{3})\b)")
LONGEST = 200  # octets that are looked at
_COMMENT = re.compile(rb"\([^()]*+\)")


class Sent(NamedTuple):
    """Seconds since the epoch."""

    day: int  # midnight of the day written, zone disregarded
    at: int  # in UTC


def sent(value: bytes) -> Sent | None:
    """Of a Date field's text, case-folded. A zone that cannot be read is UTC, a time is midnight, a date is None."""
    value = value[:LONGEST]
    if b"(" in value:
        value = _COMMENT.sub(b" ", value)
    written = _DATE.match(value)
    if written is None:
        return _other(value)
    day = _day(_year(written[3]), _MONTHS.get(written[2], 0), int(written[1]))
    if day is None:
        return None
    time = _TIME.match(value, written.end())
    if time is None or not (int(time[1]) < 24 and int(time[2]) < 60 and int(time[3] or 0) <= 60):
        return Sent(day, day)
    seconds = int(time[1]) * 3600 + int(time[2]) * 60 + int(time[3] or 0)
    return Sent(day, day + seconds - _offset(value, time.end()))


def _offset(value: bytes, start: int) -> int:
    """Seconds east of UTC."""
    zone = _ZONE.match(value, start)
    if zone is None:
        return 0
    if zone[3]:
        return _ZONES.get(zone[3], 0) * 3600
    hours, minutes = int(zone[1]), int(zone[2])
    return hours * 3600 + (-minutes if zone[1].startswith(b"-") else minutes) * 60


def _year(digits: bytes) -> int:
    """RFC 5322 4.3: 49 is 2049, 50 is 1950, 126 is 2026."""
    year = int(digits)
    if len(digits) == 2 and year < 50:
        return year + 2000
    return year + 1900 if len(digits) < 4 else year


def _day(year: int, month: int, day: int) -> int | None:
    try:
        return (date(year, month, day).toordinal() - _EPOCH) * _DAY
    except ValueError:
        return None


def _other(value: bytes) -> Sent | None:
    """What is none of RFC 5322's forms but is met (asctime's)."""
    try:
        parsed = parsedate_tz(value.decode("ascii", "replace"))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if parsed is None or (day := _day(*parsed[:3])) is None:
        return None
    hours, minutes, seconds = parsed[3:6]
    return Sent(day, day + hours * 3600 + minutes * 60 + seconds - (parsed[9] or 0))

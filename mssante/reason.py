"""One reason for a refusal: its name, the clause it enforces, its SMTP reply, a sentence per language; all of them: `reasons`.

A sentence holds no personal data but what the verdict's detail gives. In a detail, an entry named `*_at` is a moment in
milliseconds since the epoch, as text: each language writes its own date.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

_PARIS = ZoneInfo("Europe/Paris")
# fmt: off
_MONTHS_FR = (
    "janvier", "février", "mars", "avril", "mai", "juin",
    "juillet", "août", "septembre", "octobre", "novembre", "décembre",
)
_MONTHS_EN = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Reason:
    """`code` and `enhanced` are the SMTP reply (RFC 5321 4.2, RFC 3463); sentences are templates over the verdict's detail."""

    name: str
    clause: str  # "rules 3.4": section and row of docs/rules.md
    code: int
    enhanced: str
    fr: str
    en: str

    @property
    def permanent(self) -> bool:
        return self.code >= 500

    def in_french(self, detail: Mapping[str, str] | None = None) -> str:
        return self.fr.format_map(_Said(detail or {}, french_moment, "non précisé"))

    def in_english(self, detail: Mapping[str, str] | None = None) -> str:
        return self.en.format_map(_Said(detail or {}, english_moment, "not given"))


def french_moment(at: int) -> str:
    """« 12 novembre 2026 à 9 h 40 », Paris time; `at` in ms since the epoch."""
    when = datetime.fromtimestamp(at / 1000, _PARIS)
    day = "1er" if when.day == 1 else str(when.day)
    return f"{day}\u00a0{_MONTHS_FR[when.month - 1]} {when.year} à {when.hour}\u00a0h\u00a0{when.minute:02d}"


def english_moment(at: int) -> str:
    """`12 November 2026 at 09:40`, Paris time; `at` in ms since the epoch."""
    when = datetime.fromtimestamp(at / 1000, _PARIS)
    return f"{when.day} {_MONTHS_EN[when.month - 1]} {when.year} at {when:%H:%M}"


class _Said(dict[str, str]):
    """Detail as a sentence prints it; an entry that nobody gave is said to be missing rather than failing the reply."""

    def __init__(self, detail: Mapping[str, str], moment: Callable[[int], str], missing: str) -> None:
        super().__init__(
            {name: moment(int(value)) if name.endswith("_at") else value for name, value in detail.items()}
        )
        self._missing = missing

    def __missing__(self, name: str) -> str:
        return self._missing

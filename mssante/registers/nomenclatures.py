"""Professions, specialities and activity sectors, as dated tables (`data/`: each row with its source and the days it is valid).

A code that ended stays: what was said with it then is still read. An empty date: not known, taken as always.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Concept:
    code: str
    label: str
    valid_from: date | None
    valid_to: date | None  # the first day on which it is no longer used

    def valid(self, on: date) -> bool:
        begun = self.valid_from is None or self.valid_from <= on
        return begun and (self.valid_to is None or on < self.valid_to)


@cache
def _table(name: str) -> Mapping[str, Concept]:
    lines = (files(__package__) / "data" / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    return {row["code"]: _concept(row) for row in csv.DictReader(lines, strict=True)}


def _concept(row: Mapping[str, str]) -> Concept:
    since, until = (date.fromisoformat(row[name]) if row[name] else None for name in ("valid_from", "valid_to"))
    return Concept(row["code"], row["label"], since, until)


def sectors() -> Mapping[str, Concept]:
    """TRE_R02, by code."""
    return _table("activity_sectors")


def professions() -> Mapping[str, Concept]:
    """TRE_G15, by code: those that may read a dossier."""
    return _table("professions")


def specialities() -> Mapping[str, Concept]:
    """TRE_R38, by code: physicians, dental surgeons, nurses."""
    return _table("specialities")

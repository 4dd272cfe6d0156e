"""Sets of UIDs as SQL conditions: a few ranges as BETWEEN, scattered ones as IN lists that every database takes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement

FEW_SPANS = 8  # what clients send most: "1:*", "7", "3,5,9:12"
IN_LIST = 500  # far below SQLite's 32,766 and PostgreSQL's 65,535 parameters; long lists do not plan faster


@dataclass(frozen=True, slots=True)
class Chunk:
    """Part of a set of UIDs: [first, last], or the `listed` ones only."""

    first: int
    last: int
    listed: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        return len(self.listed) or self.last - self.first + 1

    def pages(self, bits: int) -> Chunk:
        """The UIDs' upper bits, without the `bits` lower ones."""
        return Chunk(self.first >> bits, self.last >> bits, tuple({uid >> bits for uid in self.listed}))

    def holds(self, column: Column[Any]) -> ColumnElement[bool]:
        return column.in_(self.listed) if self.listed else column.between(self.first, self.last)


def spans(uids: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending inclusive ranges: [3, 1, 2, 7] -> [(1, 3), (7, 7)]."""
    found: list[tuple[int, int]] = []
    for uid in sorted(set(uids)):
        if found and uid == found[-1][1] + 1:
            found[-1] = (found[-1][0], uid)
        else:
            found.append((uid, uid))
    return found


def chunks(uids: Iterable[int]) -> Iterator[Chunk]:
    """The set cut into ascending parts, each UID in exactly one."""
    found = spans(uids)
    if len(found) <= FEW_SPANS:
        for first, last in found:
            yield Chunk(first, last)
        return
    scattered = [uid for first, last in found for uid in range(first, last + 1)]
    for start in range(0, len(scattered), IN_LIST):
        part = tuple(scattered[start : start + IN_LIST])
        yield Chunk(part[0], part[-1], part)

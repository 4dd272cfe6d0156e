"""Acts of an operator: functions of a transaction that record themselves and return `Done`, or raise `Refused`; and many of them,
from the lines of a CSV file, each with its own fate.

A plan makes the act of a line outside of any transaction, where what is slow (a password's hash) belongs; it may refuse too.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Future

    from foundation.database import Database, Transaction

Row = Mapping[str, str]
Act = Callable[["Transaction"], "Done"]
Plan = Callable[[Row], Act]
Line = tuple[int, "Row | Refused"]  # its number in the file, what it says

TOGETHER = 200  # lines of a file that wait for one another's commit


@dataclass(frozen=True, slots=True)
class Done:
    """What an act did: `text` for a person, filled from `facts`; `facts` for a program."""

    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Refused(Exception):
    """What was asked cannot be done; nothing was changed. `text` is filled from `facts`."""

    def __init__(self, text: str, /, **facts: Any) -> None:
        super().__init__(text)
        self.text = text
        self.facts = facts


class WrongFile(Refused):
    """Not a file of the lines asked for."""


def lines_of(path: Path, columns: Sequence[str], others: Sequence[str]) -> list[Line]:
    """Spreadsheets write `;` or `,`, and a mark of UTF-8 before the first name; names are those of the options, with `-` or `_`.
    Raises `WrongFile`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise WrongFile(
            "{path} : illisible, ou pas en UTF-8. // {path}: unreadable, or not UTF-8.", path=path
        ) from None
    header = text.partition("\n")[0]
    reader = csv.DictReader(StringIO(text, newline=""), delimiter=";" if ";" in header else ",", strict=True)
    try:
        names = reader.fieldnames = [name.strip().lower().replace("-", "_") for name in reader.fieldnames or ()]
        if missing := [name for name in columns if name not in names]:
            raise WrongFile("Colonne absente : {names} // Missing column: {names}", names=missing)
        if unknown := [name for name in names if name not in (*columns, *others)]:  # a typing error must not be silent
            text = "Colonne inconnue : {names} (possibles : {known}) // Unknown column: {names} (possible: {known})"
            raise WrongFile(text, names=unknown, known=[*columns, *others])
        return [(reader.line_num, _fields(row)) for row in reader]
    except csv.Error as fault:
        text = "{path} : pas un fichier CSV : {fault} // {path}: not a CSV file: {fault}"
        raise WrongFile(text, path=path, fault=fault) from None


def all_done(db: Database, lines: Sequence[Line], plan: Plan) -> list[Done | Refused]:
    """Many lines share a commit, each with its own fate (`foundation.group_commit`)."""
    outcomes: list[Done | Refused] = []
    for start in range(0, len(lines), TOGETHER):
        acts = [_planned(row, plan) for _, row in lines[start : start + TOGETHER]]
        waiting = [act if isinstance(act, Refused) else db.submit(act) for act in acts]
        outcomes += [one if isinstance(one, Refused) else _outcome(one) for one in waiting]
    return outcomes


def rehearsal(lines: Sequence[Line], plan: Plan) -> Callable[[Transaction], list[Done | Refused]]:
    """All lines in one transaction, so that the later ones meet what the earlier ones would have done."""
    acts = [_planned(row, plan) for _, row in lines]
    return lambda tx: [act if isinstance(act, Refused) else _tried(tx, act) for act in acts]


def _fields(row: Mapping[str | None, Any]) -> Row | Refused:
    if None in row or None in row.values():
        return Refused("pas le même nombre de champs que l’en-tête // not as many fields as the header")
    return {str(name): value.strip() for name, value in row.items()}


def _planned(row: Row | Refused, plan: Plan) -> Act | Refused:
    if isinstance(row, Refused):
        return row
    try:
        return plan(row)
    except Refused as refused:
        return refused


def _outcome(waiting: Future[Done]) -> Done | Refused:
    try:
        return waiting.result()
    except Refused as refused:
        return refused


def _tried(tx: Transaction, act: Act) -> Done | Refused:
    savepoint = tx.conn.begin_nested()
    try:
        done = act(tx)
    except Refused as refused:
        savepoint.rollback()
        return refused
    savepoint.commit()
    return done

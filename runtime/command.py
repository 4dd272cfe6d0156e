"""What the commands `mssante noun verb` share: the operator's desk, where an author acts on the house and is told what came of it.

A command opens its desk, then either looks (`read`, `listed`, `shown`) or acts: an act is a function of a transaction that records
itself (`record`) and returns `Done`, or raises `Refused`. `one` does one act, `each` one for every line of a CSV file. In a
rehearsal (`--dry-run`) the acts really run, and are then undone. Texts are « français // English ».

Exit codes: 0 done, 1 refused or failed, 2 wrong use. What is said of a fault goes to standard error; with `--json` standard output
holds one JSON value and nothing else.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from getpass import getuser
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from runtime.help_in import Lang, said

if TYPE_CHECKING:
    from concurrent.futures import Future

    from foundation.database import Transaction
    from runtime.house import House

T = TypeVar("T")
Row = Mapping[str, str]
Act = Callable[["Transaction"], "Done"]

OK, FAILED, WRONG = 0, 1, 2
DEFAULT = Path("mssante.toml")
TOGETHER = 200  # lines of a file that wait for one another's commit

Config = Annotated[
    Path,
    typer.Option(
        "--config", "-c", help="Fichier des réglages (docs/settings.md). // Settings file (docs/settings.md)."
    ),
]
Language = Annotated[
    Lang, typer.Option("--lang", help="Langue de l’aide et des réponses. // Language of help and answers.")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Une seule valeur JSON sur la sortie. // One JSON value on standard output.")
]
AsCsv = Annotated[bool, typer.Option("--csv", help="Une table CSV sur la sortie. // A CSV table on standard output.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Vérifier sans rien changer. // Check everything and change nothing."),
]
Lines = Annotated[
    Path | None,
    typer.Option("--file", "-f", help="Fichier CSV, un acte par ligne. // CSV file, one act a line.", dir_okay=False),
]


@dataclass(frozen=True, slots=True)
class Done:
    """What an act did: `text` for a person, filled from `facts`; `facts` for a program."""

    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Refused(Exception):
    """What was asked cannot be done; nothing was changed."""

    def __init__(self, text: str, /, **facts: Any) -> None:
        super().__init__(text)
        self.text = text
        self.facts = facts


class _Rehearsed(Exception):
    """Carries the results out of the transaction that it undoes."""

    def __init__(self, results: Any) -> None:
        super().__init__()
        self.results = results


@dataclass(frozen=True, slots=True)
class Desk:
    """One run of one command."""

    house: House
    lang: Lang = "fr"
    as_json: bool = False
    dry_run: bool = False
    as_csv: bool = False
    author: str = field(default_factory=lambda: f"operator {os.environ.get('SUDO_USER') or getuser()}"[:32])

    @property
    def now(self) -> int:
        return self.house.clock()

    def read(self, look: Callable[..., T], *args: Any) -> T:
        return self.house.db.read_now(look, *args)

    # ---------------------------------------------------------------- acting
    def record(self, tx: Transaction, event: str, details: Mapping[str, Any]) -> None:
        """`event` is noun:verb; `details` hold ids, never a name or an address. The author is the account at the keyboard,
        also behind sudo.
        """
        self.house.audit.record(tx, f"operator:{event}", self.author, dict(details))

    def change(self, work: Callable[[Transaction], T]) -> T:
        """One transaction; a rehearsal of it, with `--dry-run`."""
        if not self.dry_run:
            return self.house.db.write_now(work)

        def rehearse(tx: Transaction) -> NoReturn:
            raise _Rehearsed(work(tx))

        try:
            self.house.db.write_now(rehearse)
        except _Rehearsed as done:
            results: T = done.results
            return results
        raise AssertionError

    def one(self, act: Act) -> None:
        """Does it and says so."""
        done = self.change(act)
        self.shown(done.facts, self.said(done.text, done.facts))
        self._say_rehearsed()

    def each(self, path: Path, columns: Sequence[str], plan: Callable[[Row], Act], others: Sequence[str] = ()) -> None:
        """One act for every line of a CSV file, and a line of report for each; ends with FAILED when one was refused.

        The file has these columns, and of `others` those it likes. A line refused changes nothing, the others are done. `plan`
        may raise `Refused` too.
        """
        rows = self._rows(path, columns, others)
        outcomes = self.change(_rehearsal(rows, plan)) if self.dry_run else self._all(rows, plan)
        report = [
            {"line": line, "done": isinstance(outcome, Done), "text": self.said(outcome.text, outcome.facts)}
            | dict(outcome.facts)
            for (line, _), outcome in zip(rows, outcomes, strict=True)
        ]
        refused = sum(not entry["done"] for entry in report)
        if self.as_json:
            typer.echo(json.dumps(report, indent=1, ensure_ascii=False))
        else:
            word = self.said("ligne {line} : {mark}{text} // line {line}: {mark}{text}")
            for entry in report:
                mark = "" if entry["done"] else self.said("REFUSÉE : // REFUSED: ") + (" " if self.lang == "fr" else "")
                typer.echo(word.format(line=entry["line"], mark=mark, text=entry["text"]))
            total = {"done": len(report) - refused, "refused": refused}
            self.say("Faites : {done} ; refusées : {refused}. // Done: {done}; refused: {refused}.", **total)
        self._say_rehearsed()
        if refused:
            raise typer.Exit(FAILED)

    def one_or_each(
        self,
        file: Path | None,
        given: Mapping[str, str],
        columns: Sequence[str],
        plan: Callable[[Row], Act],
        others: Sequence[str] = (),
    ) -> None:
        """What was `given` on the line, or each line of a file, which has the same words as columns: one or the other."""
        if file is None:
            if missing := [name for name in columns if not given.get(name)]:
                self.wrong("Il manque : {names}, ou --file. // Missing: {names}, or --file.", names=missing)
            self.one(plan(dict.fromkeys(others, "") | dict(given)))
        elif any(given.values()):
            self.wrong("Donnez --file ou les valeurs, pas les deux. // Give --file or the values, not both.")
        else:
            self.each(file, columns, lambda row: plan(dict.fromkeys(others, "") | dict(row)), others)

    def _all(self, rows: Sequence[tuple[int, Row | Refused]], plan: Callable[[Row], Act]) -> list[Done | Refused]:
        """Many lines share a commit, each with its own fate (`foundation.group_commit`)."""
        outcomes: list[Done | Refused] = []
        for start in range(0, len(rows), TOGETHER):
            waiting: list[Future[Done] | Refused] = []
            for _, row in rows[start : start + TOGETHER]:
                act = _planned(row, plan)
                waiting.append(act if isinstance(act, Refused) else self.house.db.submit(act))
            outcomes += [_outcome(one) for one in waiting]
        return outcomes

    def _rows(self, path: Path, columns: Sequence[str], others: Sequence[str]) -> list[tuple[int, Row | Refused]]:
        """(number of the line, its fields): spreadsheets write `;` or `,`, and a mark of UTF-8 before the first name."""
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            self.wrong("{path} : illisible, ou pas en UTF-8. // {path}: unreadable, or not UTF-8.", path=path)
        header = text.partition("\n")[0]
        reader = csv.DictReader(StringIO(text, newline=""), delimiter=";" if ";" in header else ",", strict=True)
        try:
            names = list(reader.fieldnames or ())
            if missing := [name for name in columns if name not in names]:
                self.wrong("Colonne absente : {names} // Missing column: {names}", names=missing)
            if unknown := [
                name for name in names if name not in (*columns, *others)
            ]:  # a typing error must not be silent
                self.wrong("Colonne inconnue : {names} // Unknown column: {names}", names=unknown)
            return [(reader.line_num, _fields(row)) for row in reader]
        except csv.Error as fault:
            self.wrong(
                "{path} : pas un fichier CSV : {fault} // {path}: not a CSV file: {fault}", path=path, fault=fault
            )

    def _say_rehearsed(self) -> None:
        if self.dry_run:
            self.say("Essai : rien n’a été changé. // Rehearsal: nothing was changed.")

    # ---------------------------------------------------------------- answering
    def said(self, text: str, facts: Mapping[str, Any] | None = None) -> str:
        return worded(text, self.lang, facts)

    def say(self, text: str, /, **facts: Any) -> None:
        """A sentence for a person; nothing with `--json` or `--csv`."""
        if not (self.as_json or self.as_csv):
            typer.echo(self.said(text, facts))

    def shown(self, facts: Any, text: str) -> None:
        """One thing: `facts` for a program, `text` (in the right language already) for a person."""
        typer.echo(json.dumps(facts, indent=1, ensure_ascii=False) if self.as_json else text)

    def listed(
        self,
        found: Sequence[Mapping[str, Any]],
        columns: Mapping[str, str],
        empty: str,
        cell: Callable[[str, Any], str] | None = None,
    ) -> None:
        """Many things. `columns`: key of the facts -> heading; `cell(key, value)`: a value in a person's words; `empty`: said when
        there are none. CSV has the keys as its header.
        """
        if self.as_json:
            typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
        elif self.as_csv:
            typer.echo(csv_text(columns, found), nl=False)
        elif not found:
            typer.echo(self.said(empty))
        else:
            words = cell or (lambda _, value: plain(value, self.lang))
            rows = [[words(key, one[key]) for key in columns] for one in found]
            typer.echo(table([[self.said(heading) for heading in columns.values()], *rows]))

    def wrong(self, text: str, /, **facts: Any) -> NoReturn:
        """Wrong use of a command: nothing was tried."""
        typer.echo(self.said(text, facts), err=True)
        raise typer.Exit(WRONG)


@contextmanager
def desk(
    config: Path, lang: Lang = "fr", as_json: bool = False, dry_run: bool = False, as_csv: bool = False
) -> Iterator[Desk]:
    """The house that the settings describe, open while the command runs; `Refused` ends the command with a sentence."""
    from foundation.settings import BadSettings
    from runtime.house import House
    from runtime.settings import read

    try:
        house = House(read(config.absolute()))
    except BadSettings as bad:
        typer.echo("\n".join(bad.faults), err=True)
        raise typer.Exit(WRONG) from None
    except OSError as fault:  # the master key: before `mssante init`, or of another account
        typer.echo(f"{fault.filename}: {fault.strerror}", err=True)
        raise typer.Exit(WRONG) from None
    try:
        house.db.speak()  # what is changed holds at once in the server's processes
        yield Desk(house, lang, as_json, dry_run, as_csv)
    except Refused as refused:
        typer.echo(worded(refused.text, lang, refused.facts), err=True)
        raise typer.Exit(FAILED) from None
    finally:
        house.db.close_now()
        house.pool.shutdown(wait=False)


# -------------------------------------------------------------------- words
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


def table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def csv_text(columns: Mapping[str, str] | Sequence[str], found: Sequence[Mapping[str, Any]]) -> str:
    """RFC 4180, with the facts' own keys as header."""
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([one[key] for key in columns] for one in found)
    return out.getvalue()


# -------------------------------------------------------------------- lines of a file
_MISSHAPEN = "pas le même nombre de champs que l’en-tête // not as many fields as the header"


def _fields(row: Mapping[str | None, Any]) -> Row | Refused:
    if None in row or None in row.values():
        return Refused(_MISSHAPEN)
    return {str(name): value.strip() for name, value in row.items()}


def _planned(row: Row | Refused, plan: Callable[[Row], Act]) -> Act | Refused:
    if isinstance(row, Refused):
        return row
    try:
        return plan(row)
    except Refused as refused:
        return refused


def _outcome(waiting: Future[Done] | Refused) -> Done | Refused:
    if isinstance(waiting, Refused):
        return waiting
    try:
        return waiting.result()
    except Refused as refused:
        return refused


def _rehearsal(
    rows: Sequence[tuple[int, Row | Refused]], plan: Callable[[Row], Act]
) -> Callable[[Transaction], list[Done | Refused]]:
    """All lines in one transaction, so that the later ones meet what the earlier ones would have done."""

    def one(tx: Transaction, row: Row | Refused) -> Done | Refused:
        act = _planned(row, plan)
        if isinstance(act, Refused):
            return act
        savepoint = tx.conn.begin_nested()
        try:
            done = act(tx)
        except Refused as refused:
            savepoint.rollback()
            return refused
        savepoint.commit()
        return done

    return lambda tx: [one(tx, row) for _, row in rows]

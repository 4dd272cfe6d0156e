"""The operator's desk, where an author acts on the house and is told what came of it.

A command looks (`read`, `listed`, `shown`) or acts (`runtime.acts`): `one` does one act, `each` one for every line of a CSV file.
In a rehearsal (`--dry-run`) the acts really run, and are then undone. Texts are « français // English ».

Exit codes: 0 done, 1 refused or failed, 2 wrong use. What is said of a fault goes to standard error; with `--json` standard output
holds one JSON value and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer

from foundation.wording import Lang, of_error
from runtime.acts import Act, Done, Refused, Row, WrongFile, all_done, lines_of, rehearsal
from runtime.author import Author, By, author_now
from runtime.command_words import csv_text, plain, printable, table, worded

if TYPE_CHECKING:
    from foundation.database import Transaction
    from runtime.house import House
    from runtime.settings import Settings

T = TypeVar("T")

OK, FAILED, WRONG = 0, 1, 2
_REFUSES = (
    "La base a refusé : {why}. La commande n’a rien fait : mssante doctor --running, puis recommencez. // "
    "The database refused: {why}. The command did nothing: mssante doctor --running, then try again."
)
REHEARSED = "Essai : rien n’a été changé. // Rehearsal: nothing was changed."


def _print(text: str, err: bool = False, nl: bool = True) -> None:
    typer.echo(printable(text), err=err, nl=nl)


class _Rehearsed(Exception):
    """Carries the results out of the transaction that it undoes."""

    def __init__(self, results: Any) -> None:
        super().__init__()
        self.results = results


@dataclass(frozen=True, slots=True)
class Desk:
    """One run of one command. `typed`: parameter -> how it is given on the line."""

    house: House
    lang: Lang = "fr"
    as_json: bool = False
    dry_run: bool = False
    as_csv: bool = False
    typed: Mapping[str, str] = field(default_factory=dict)
    whose: Author = field(default_factory=author_now)

    @property
    def author(self) -> str:
        return self.whose.text

    @property
    def author_by(self) -> By:
        return self.whose.by

    @property
    def now(self) -> int:
        return self.house.clock()

    def read(self, look: Callable[..., T], *args: Any) -> T:
        return self.house.db.read_now(look, *args)

    # ---------------------------------------------------------------- acting
    def record(self, tx: Transaction, event: str, details: Mapping[str, Any]) -> None:
        """`event` is noun:verb; `details` hold ids, never a name or an address. The author is the account at the keyboard
        (`runtime.author`).
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

    def each(self, path: Path, columns: Sequence[str], plan: Callable[[Row], Act], others: Sequence[str] = ()) -> None:
        """One act for every line of a CSV file, and a line of report for each; ends with FAILED when one was refused.

        The file has these columns, and of `others` those it likes. A line refused changes nothing, the others are done. `plan`
        may raise `Refused` too.
        """
        try:
            lines = lines_of(path, columns, others)
        except WrongFile as wrong:
            self.wrong(wrong.text, **wrong.facts)
        outcomes = self.change(rehearsal(lines, plan)) if self.dry_run else all_done(self.house.db, lines, plan)
        report = [
            {"line": line, "done": isinstance(outcome, Done), "text": self.said(outcome.text, outcome.facts)}
            | dict(outcome.facts)
            for (line, _), outcome in zip(lines, outcomes, strict=True)
        ]
        refused = sum(not entry["done"] for entry in report)
        if self.as_json:
            _print(json.dumps(report, indent=1, ensure_ascii=False))
        else:
            word = self.said("ligne {line} : {mark}{text} // line {line}: {mark}{text}")
            for entry in report:
                mark = "" if entry["done"] else self.said("REFUSÉE : // REFUSED: ") + (" " if self.lang == "fr" else "")
                _print(word.format(line=entry["line"], mark=mark, text=entry["text"]))
            total = {"done": len(report) - refused, "refused": refused}
            self.say("Faites : {done} ; refusées : {refused}. // Done: {done}; refused: {refused}.", **total)
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
            if missing := [self.said(self.typed.get(name, name)) for name in columns if not given.get(name)]:
                text = "Il manque : {names} (ou un fichier de lignes : --file). // Missing: {names} (or a file of lines: --file)."
                self.wrong(text, names=missing)
            self.one(plan(dict.fromkeys(others, "") | dict(given)))
        elif any(given.values()):
            self.wrong("Donnez --file ou les valeurs, pas les deux. // Give --file or the values, not both.")
        else:
            self.each(file, columns, lambda row: plan(dict.fromkeys(others, "") | dict(row)), others)

    def say_rehearsed(self) -> None:
        """Last, whatever the command did."""
        if self.dry_run:
            self.say(REHEARSED)

    # ---------------------------------------------------------------- answering
    def said(self, text: str, facts: Mapping[str, Any] | None = None) -> str:
        return worded(text, self.lang, facts)

    def say(self, text: str, /, **facts: Any) -> None:
        """A sentence for a person; nothing with `--json` or `--csv`."""
        if not (self.as_json or self.as_csv):
            _print(self.said(text, facts))

    def shown(self, facts: Any, text: str) -> None:
        """One thing: `facts` for a program, `text` (in the right language already) for a person."""
        _print(json.dumps(facts, indent=1, ensure_ascii=False) if self.as_json else text)

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
            _print(json.dumps(found, indent=1, ensure_ascii=False))
        elif self.as_csv:
            _print(csv_text(columns, found), nl=False)
        elif not found:
            _print(self.said(empty))
        else:
            words = cell or (lambda _, value: plain(value, self.lang))
            rows = [[words(key, one[key]) for key in columns] for one in found]
            _print(table([[self.said(heading) for heading in columns.values()], *rows]))

    def wrong(self, text: str, /, **facts: Any) -> NoReturn:
        """Wrong use of a command: nothing was tried."""
        _print(self.said(text, facts), err=True)
        raise typer.Exit(WRONG)


@contextmanager
def desk(
    config: Path,
    lang: Lang = "fr",
    as_json: bool = False,
    dry_run: bool = False,
    as_csv: bool = False,
    typed: Mapping[str, str] | None = None,
) -> Iterator[Desk]:
    """The house that the settings describe, open while the command runs; `Refused` ends the command with a sentence, and so does a
    file that cannot be had, and a database that is not there, does not answer, or waits for its next schema (in the
    doctor's words).
    """
    from sqlalchemy.exc import OperationalError, SQLAlchemyError

    from foundation.settings import BadSettings
    from runtime.house import House
    from runtime.settings import read

    try:
        settings = read(config.absolute())
        _there(settings, lang)
        house = House(settings)
    except BadSettings as bad:
        _print("\n".join(worded(fault, lang) for fault in bad.faults), err=True)
        raise typer.Exit(WRONG) from None
    except OSError as fault:  # the master key: before `mssante init`, or of another account
        _file_wrong(fault, lang)
        raise typer.Exit(WRONG) from None
    try:
        house.db.speak()  # what is changed holds at once in the server's processes
        at = Desk(house, lang, as_json, dry_run, as_csv, typed or {})
        try:
            yield at
        except typer.Exit as ended:
            if ended.exit_code == FAILED:  # some lines were refused: the others were rehearsed
                at.say_rehearsed()
            raise
        at.say_rehearsed()
    except Refused as refused:
        _print(worded(refused.text, lang, refused.facts), err=True)
        raise typer.Exit(FAILED) from None
    except OSError as fault:  # certificates that are not there yet, a folder where nobody may write
        if fault.filename is None:
            raise
        _file_wrong(fault, lang)
        raise typer.Exit(FAILED) from None
    except SQLAlchemyError as fault:
        _database_wrong(settings, lang)
        if not isinstance(fault, OperationalError):
            raise  # a defect
        _print(worded(_REFUSES, lang, {"why": fault.orig}), err=True)
        raise typer.Exit(FAILED) from None
    finally:
        house.db.close_now()
        house.pool.shutdown(wait=False)


def _file_wrong(fault: OSError, lang: Lang) -> None:
    _print(f"{fault.filename}{worded(' : // :', lang)} {worded(of_error(fault), lang)}", err=True)


def _there(settings: Settings, lang: Lang) -> None:
    """SQLite would make an empty one by being asked."""
    from sqlalchemy import make_url

    url = make_url(settings.storage.database)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        _database_wrong(settings, lang)


def _database_wrong(settings: Settings, lang: Lang) -> None:
    """Ends the command when the doctor knows what is wrong with the database."""
    from runtime.doctor.database import unusable

    if found := unusable(settings):
        _print("\n".join(one.line(lang) for one in found), err=True)
        raise typer.Exit(WRONG) from None

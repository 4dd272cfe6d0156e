"""Help and usage errors in French or English: `Bilingual` is the class of the root command, so that every noun below it follows.

A help text is written « français // English ». The language is that of `--lang`, wherever it stands on the line; French without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any

import typer
from typer import Context
from typer.core import TyperArgument, TyperCommand, TyperGroup
from typer.exceptions import TyperException

from foundation.wording import Lang, said
from runtime.usage_words import ARGUMENTS, HEADINGS, VALUES, cell, fault, usage

_FORMATTER: Any = Context.formatter_class


class Bilingual(TyperGroup):
    """Commands are made anew for each run, so what is chosen here holds for this run only."""

    _lang: Lang = "fr"

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        self._lang = language_of(args)
        _speak(self, self._lang)
        args = _without_language(args)
        with _in_words(self._lang):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        with _in_words(self._lang):
            return super().invoke(ctx)


def language_of(words: Sequence[str]) -> Lang:
    return "en" if "en" in _languages(words) else "fr"


def _languages(words: Sequence[str]) -> list[str]:
    pairs = zip(words, [*words[1:], ""], strict=False)
    return [
        value
        for word, next_ in pairs
        for value in ("fr", "en")
        if word == f"--lang={value}" or (word, next_) == ("--lang", value)
    ]


def _without_language(words: list[str]) -> list[str]:
    """Nouns and help have no `--lang` of their own; a language that there is not is left for the command to refuse."""
    spoken = [
        word in ("--lang=fr", "--lang=en")
        or (word == "--lang" and after in ("fr", "en"))
        or (before == "--lang" and word in ("fr", "en"))
        for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False)
    ]
    return [word for word, is_language in zip(words, spoken, strict=True) if not is_language]


@contextmanager
def _in_words(lang: Lang) -> Iterator[None]:
    """What is wrong with the line is said here, not by the library; its exit code stays."""
    try:
        yield
    except TyperException as wrong:
        told = StringIO()
        said_by: Any = wrong
        said_by.show(told)
        text = told.getvalue()
        typer.echo("\n".join(map(fault, text.split("\n"))) if lang == "fr" else text, err=True, nl=False)
        raise typer.Exit(wrong.exit_code) from None


def _speak(command: Any, lang: Lang) -> None:
    for one in (command, *command.params):
        if isinstance(getattr(one, "help", None), str):
            one.help = _unbroken(said(one.help, lang))
        if one.name == "lang":
            one.default = lang
    command.short_help = _first_sentence(command.help or "")
    if lang == "fr":
        command.context_class = _FrenchContext
        command.options_metavar = usage(command.options_metavar)
        if isinstance(command, TyperGroup):
            command.subcommand_metavar = usage(command.subcommand_metavar)
        for one in command.params:
            if isinstance(one, TyperArgument):
                one.metavar = ARGUMENTS.get(one.name, one.name)
            else:
                one.metavar = VALUES.get(one.metavar, one.metavar)
    children: Iterable[TyperCommand] = getattr(command, "commands", {}).values()
    for child in children:
        _speak(child, lang)


def _unbroken(text: str) -> str:
    """No line of the help begins with a colon: French has a space before it."""
    return re.sub(r" (?=[:;?!»])|(?<=«) ", "\N{NO-BREAK SPACE}", text)


def _first_sentence(text: str) -> str:
    """What the list of commands says of one: whole, where the library would cut it at the end of the line."""
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]


class _FrenchFormatter(_FORMATTER):  # type: ignore[misc]
    """The library's own few words."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix or "Usage : ")

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{HEADINGS.get(heading, heading)} :\n")

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(cell(name), cell(text)) for name, text in rows], col_max, col_spacing)


class _FrenchContext(Context):
    formatter_class = _FrenchFormatter

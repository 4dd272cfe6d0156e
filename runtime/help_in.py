"""Help in French or English: `Bilingual` is the class of the root command, so that every noun below it follows.

A help text is written « français // English ». The language is that of `--lang`, wherever it stands on the line; French without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from typer import Context
from typer.core import TyperCommand, TyperGroup

Lang = Literal["fr", "en"]

_BETWEEN = re.compile(r"\s+//\s+")
_FORMATTER: Any = Context.formatter_class
_HEADINGS = {"Commands": "Commandes"}
_OWN_WORDS = {
    "[default: ": "[défaut : ",
    "; required]": " ; obligatoire]",
    "[required]": "[obligatoire]",
    "Show this message and exit.": "Affiche cette aide.",
}


def said(text: str, lang: Lang) -> str:
    """The half of « français // English » for this language; a text without a second half serves both."""
    french, *english = _BETWEEN.split(text, maxsplit=1)
    return english[0] if lang == "en" and english else french


class Bilingual(TyperGroup):
    """Commands are made anew for each run, so what is chosen here holds for this run only."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        _speak(self, language_of(args))
        if "--help" in args:  # a noun alone has no --lang of its own
            args = [word for word, before in zip(args, ["", *args], strict=False) if "--lang" not in (word[:6], before)]
        return super().make_context(info_name, args, parent, **extra)


def language_of(words: Sequence[str]) -> Lang:
    pairs = zip(words, [*words[1:], ""], strict=True)
    return "en" if any(word == "--lang=en" or (word == "--lang" and value == "en") for word, value in pairs) else "fr"


def _speak(command: Any, lang: Lang) -> None:
    for one in (command, *command.params):
        if isinstance(getattr(one, "help", None), str):
            one.help = said(one.help, lang)
    if lang == "fr":
        command.context_class = _FrenchContext
    children: Iterable[TyperCommand] = getattr(command, "commands", {}).values()
    for child in children:
        _speak(child, lang)


class _FrenchFormatter(_FORMATTER):  # type: ignore[misc]
    """The library's own few words."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix or "Usage : ")

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{_HEADINGS.get(heading, heading)} :\n")

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(name, _french(text)) for name, text in rows], col_max, col_spacing)


class _FrenchContext(Context):
    formatter_class = _FrenchFormatter


def _french(text: str) -> str:
    for english, french in _OWN_WORDS.items():
        text = text.replace(english, french)
    return text

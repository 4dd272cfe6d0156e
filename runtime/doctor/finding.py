"""What a check of the doctor says: a fault of `runtime.doctor.faults`, and what it was found of."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foundation.wording import Lang, of_error, said
from runtime.settings import Settings

NO_START = (
    "le serveur ne démarre pas : aucun courrier n’entre ni ne sort // "
    "the server does not start: no mail comes in or goes out"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, what it means for those whose mail it is, what to do: « français // English », filled from facts.

    `fatal`: the server must not start like this.
    """

    subject: str
    text: str
    means: str
    remedy: str
    fatal: bool = True

    def at(self, **facts: object) -> Finding:
        return Finding(self, facts, self.fatal)

    def fatally(self, **facts: object) -> Finding:
        """Where it is worse than elsewhere."""
        return Finding(self, facts, True)

    def noted(self, **facts: object) -> Finding:
        """Where it is not as bad as elsewhere."""
        return Finding(self, facts, False)


@dataclass(frozen=True, slots=True)
class Finding:
    fault: Fault
    facts_of: Mapping[str, object]
    fatal: bool

    def head(self, lang: Lang) -> str:
        """What is wrong."""
        grade = said("DÉFAUT // FAULT " if self.fatal else "note   // note  ", lang)
        return f"{grade:<6}  {self._after(self.fault.subject, lang)} {self.said(self.fault.text, lang)}"

    def help(self, lang: Lang) -> str:
        """What that means, and what to do: two lines."""
        means = f"{self._after('conséquence // meaning', lang)} {self.said(self.fault.means, lang)}"
        remedy = f"{self._after('à faire // to do', lang)} {self.said(self.fault.remedy, lang)}"
        return f"        {means}\n        {remedy}"

    def line(self, lang: Lang) -> str:
        return f"{self.head(lang)}\n{self.help(lang)}"

    def _after(self, text: str, lang: Lang) -> str:
        return self.said(text, lang) + (" :" if lang == "fr" else ":")

    def said(self, text: str, lang: Lang) -> str:
        facts = {name: said(str(value), lang) for name, value in self.facts_of.items()}
        return said(text, lang).format_map(facts)

    def facts(self, lang: Lang) -> dict[str, Any]:
        """For a program."""
        names = ("subject", "text", "means", "remedy")
        return {name: self.said(getattr(self.fault, name), lang) for name in names} | {"fatal": self.fatal}


Check = Callable[[Settings, int], Iterator[Finding]]
"""(settings, now in ms) -> what is wrong."""


def unreadable(fault: Fault, path: Path, why: OSError | None = None) -> Finding:
    """`fault` has `path` and `why` in its text: absent, unless the system says something else."""
    absent = why is None or isinstance(why, FileNotFoundError)
    return fault.at(path=path, why="absent // missing" if absent or why is None else of_error(why))


def private(fault: Fault, path: Path) -> Iterator[Finding]:
    """A secret that other accounts of this machine could read."""
    if path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield fault.at(path=path)


def as_note(finding: Finding) -> Finding:
    return replace(finding, fatal=False)

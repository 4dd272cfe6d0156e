"""What a check of the doctor says."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundation.wording import Lang, of_error, said
from runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """`fatal`: the server must not start like this. `subject` and `text` are « français // English », or one for both."""

    subject: str
    text: str
    fatal: bool = True

    def line(self, lang: Lang) -> str:
        grade = said("DÉFAUT // FAULT " if self.fatal else "note   // note  ", lang)
        return f"{grade:<6}  {said(self.subject, lang)}{' :' if lang == 'fr' else ':'} {said(self.text, lang)}"

    def facts(self, lang: Lang) -> dict[str, Any]:
        """For a program."""
        return {"subject": said(self.subject, lang), "text": said(self.text, lang), "fatal": self.fatal}


Check = Callable[[Settings, int], Iterator[Finding]]
"""(settings, now in ms) -> what is wrong."""


def missing(subject: str, path: Path) -> Finding:
    return Finding(subject, f"{path} manque // {path} is missing")


def unreadable(subject: str, path: Path, fault: OSError) -> Finding:
    if isinstance(fault, FileNotFoundError):
        return missing(subject, path)
    why = of_error(fault)
    return Finding(subject, f"{path} : {said(why, 'fr')} // {path}: {said(why, 'en')}")


def private(subject: str, path: Path) -> Iterator[Finding]:
    """A secret that other accounts of this machine could read."""
    if path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        text = (
            f"{path} peut être lu par d’autres comptes : chmod 600 // {path} can be read by other users: chmod 600 it"
        )
        yield Finding(subject, text)

"""Texts in two languages, « français // English », and the sentences of libraries that reach an operator, in French."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from typing import Literal

Lang = Literal["fr", "en"]

_BETWEEN = re.compile(r"\s+//\s+")


def said(text: str, lang: Lang) -> str:
    """The half of « français // English » for this language; a text without a second half serves both."""
    french, *english = _BETWEEN.split(text, maxsplit=1)
    return english[0] if lang == "en" and english else french


# -------------------------------------------------------------------- values (pydantic)
_KINDS = {
    "integer": "un nombre entier",
    "number": "un nombre",
    "string": "un texte",
    "boolean": "true ou false",
    "list": "une liste",
    "dictionary": "une table",
    "datetime": "une date",
}
_VALUES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(english), french)
    for english, french in (
        (r"Input should be a valid (\w+)\b.*", lambda found: f"{_KINDS.get(found[1], 'autre chose')} est attendu ici"),
        (r"Input should be greater than or equal to (.+)", r"\1 au moins"),
        (r"Input should be less than or equal to (.+)", r"\1 au plus"),
        (r"Input should be greater than (.+)", r"plus de \1"),
        (r"Input should be less than (.+)", r"moins de \1"),
        (r"Input should be ('.+)", lambda found: f"une de ces valeurs : {found[1].replace(' or ', ' ou ')}"),
        (r"Input is not a valid path.*", "un nom de fichier est attendu ici"),
        (r"List should have at least (\d+) items? .*", r"\1 au moins dans la liste"),
        (r"'?(.*?)'? is not one of (.+)\.", r"« \1 » n’est pas une de ces valeurs : \2"),
        (r"'?(.*?)'? does not match the formats? (.+)\.", r"« \1 » n’a pas la forme attendue : \2"),
    )
)  # fmt: skip


def about_value(english: str) -> str:
    """What pydantic says of a value, « français // English »; what it does not know stays in English alone."""
    for pattern, french in _VALUES:
        if found := pattern.fullmatch(english):
            return f"{found.expand(french) if isinstance(french, str) else french(found)} // {english}"
    return english


# -------------------------------------------------------------------- files (the system's errors)
_ERRORS = {
    errno.ENOENT: "fichier ou dossier absent",
    errno.EACCES: "accès refusé",
    errno.EPERM: "opération interdite",
    errno.EISDIR: "c’est un dossier",
    errno.ENOTDIR: "ce n’est pas un dossier",
    errno.EEXIST: "existe déjà",
    errno.ENOSPC: "disque plein",
    errno.EROFS: "système de fichiers en lecture seule",
    errno.EADDRINUSE: "déjà utilisé",
    errno.EADDRNOTAVAIL: "cette adresse n’est pas à cette machine",
    errno.ECONNREFUSED: "connexion refusée",
    errno.ETIMEDOUT: "pas de réponse",
    errno.EHOSTUNREACH: "machine inaccessible",
    errno.ENETUNREACH: "réseau inaccessible",
}


def of_error(fault: OSError) -> str:
    """« français // English » of what the system says, without the file's name."""
    english = fault.strerror or type(fault).__name__
    return f"{_ERRORS.get(fault.errno or 0, english)} // {english}"

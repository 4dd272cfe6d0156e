"""Settings: one TOML file, environment variables over it, every fault told at once in words.

A package declares its settings as a pydantic model; `load` reads them. Environment names are `MSSANTE_` and the path joined by
two underscores: `MSSANTE_DOORS__IMAPS=0.0.0.0:993` sets `imaps` in `[doors]`. Unknown names are faults: a typing error in a
setting must never be silence.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from foundation.wording import about_value, of_error, said

PREFIX = "MSSANTE_"
_PLACE = re.compile(r"at line (\d+), column (\d+)")


class Section(BaseModel):
    """Base of every settings model: frozen, no unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


M = TypeVar("M", bound=Section)


class BadSettings(Exception):
    """Every fault of the settings, a line each: « français // English »."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load(model: type[M], path: Path, environment: dict[str, str] | None = None) -> M:
    """The settings in `path` with the environment over them; raises `BadSettings`."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        fault = f"{path} : ce fichier n’existe pas (mssante init en écrit un) // {path}: no such file (make one with: mssante init)"
        raise BadSettings([fault]) from None
    except OSError as error:
        why = of_error(error)
        raise BadSettings([f"{path} : {said(why, 'fr')} // {path}: {said(why, 'en')}", _remedy(path)]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        at = _PLACE.search(str(error))
        where = f", ligne {at[1]}, colonne {at[2]}" if at else ""
        raise BadSettings(
            [f"{path} : pas du TOML valable{where} // {path}: not valid TOML: {error}", _remedy(path)]
        ) from None
    for name, value in (os.environ if environment is None else environment).items():
        if name.startswith(PREFIX):
            _put(values, name.removeprefix(PREFIX).lower().split("__"), value)
    try:
        return model.model_validate(values, context={"folder": path.parent})
    except ValidationError as fault:
        raise BadSettings([*map(_in_words, fault.errors()), _remedy(path)]) from None


def _remedy(path: Path) -> str:
    """Last, below all faults."""
    return (
        f"Rien ne démarre ainsi ; ce qui tourne garde les réglages d’avant. À faire : corrigez {path} "
        "(docs/settings.md explique chaque réglage), puis mssante doctor // "
        f"Nothing starts like this; what runs keeps the settings of before. To do: mend {path} "
        "(docs/settings.md explains each setting), then mssante doctor"
    )


def _put(values: dict[str, Any], names: list[str], value: str) -> None:
    for name in names[:-1]:
        inner = values.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        values = inner
    values[names[-1]] = value


def _in_words(error: Any) -> str:
    """A section's own checks raise ValueError with « français // English »; what pydantic says is translated."""
    where = ".".join(str(part) for part in error["loc"])
    french, english = where or "réglages", where or "settings"
    match error["type"]:
        case "missing":
            return f"{french} : manque // {english}: is missing"
        case "extra_forbidden":
            return f"{french} : ce réglage n’existe pas // {english}: no such setting"
    message, here = error["msg"], f"{error['input']!r}"
    message = message.removeprefix("Value error, ") if error["type"] == "value_error" else about_value(message)
    fr, en = said(message, "fr"), said(message, "en")
    return f"{french} : {fr} (ici : {here}) // {english}: {en[0].lower()}{en[1:]} (here: {here})"

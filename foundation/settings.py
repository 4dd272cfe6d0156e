"""Settings: one TOML file, environment variables over it, every fault told at once in words.

A package declares its settings as a pydantic model; `load` reads them. Environment names are `MSSANTE_` and the path joined by
two underscores: `MSSANTE_DOORS__IMAPS=0.0.0.0:993` sets `imaps` in `[doors]`. Unknown names are faults: a typing error in a
setting must never be silence.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

PREFIX = "MSSANTE_"


class Section(BaseModel):
    """Base of every settings model: frozen, no unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


M = TypeVar("M", bound=Section)


class BadSettings(Exception):
    """Every fault of the settings, a line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load(model: type[M], path: Path, environment: dict[str, str] | None = None) -> M:
    """The settings in `path` with the environment over them; raises `BadSettings`."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadSettings([f"{path}: no such file (make one with: mssante init)"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise BadSettings([f"{path}: not valid TOML: {fault}"]) from None
    for name, value in (os.environ if environment is None else environment).items():
        if name.startswith(PREFIX):
            _put(values, name.removeprefix(PREFIX).lower().split("__"), value)
    try:
        return model.model_validate(values, context={"folder": path.parent})
    except ValidationError as fault:
        raise BadSettings([_in_words(error) for error in fault.errors()]) from None


def _put(values: dict[str, Any], names: list[str], value: str) -> None:
    for name in names[:-1]:
        inner = values.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        values = inner
    values[names[-1]] = value


def _in_words(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "settings"
    match error["type"]:
        case "missing":
            return f"{where}: is missing"
        case "extra_forbidden":
            return f"{where}: no such setting"
    message = error["msg"].removeprefix("Value error, ")
    return f"{where}: {message[0].lower()}{message[1:]} (here: {error['input']!r})"

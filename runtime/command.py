"""What the commands `mssante noun verb` share: options, and the desk (`runtime.desk`) that is opened for each run.

A command is decorated (`looks`, `lists`, `acts`), or opens its desk itself (`desk`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.models import OptionInfo

from foundation.wording import Lang
from runtime.acts import Act, Done, Refused, Row
from runtime.command_words import csv_text, moment, plain, table, worded
from runtime.desk import FAILED, OK, REHEARSED, WRONG, Desk, desk
from runtime.usage_words import ARGUMENTS

__all__ = [
    "FAILED",
    "OK",
    "REHEARSED",
    "WRONG",
    "Act",
    "Desk",
    "Done",
    "Refused",
    "Row",
    "csv_text",
    "desk",
    "moment",
    "plain",
    "table",
    "worded",
]  # what commands need beside

DEFAULT = Path("mssante.toml")
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


_OPTIONS: Mapping[str, tuple[Any, Any]] = {
    "config": (Config, DEFAULT),
    "lang": (Language, "fr"),
    "as_json": (AsJson, False),
    "as_csv": (AsCsv, False),
    "dry_run": (DryRun, False),
}


def _typed(parameter: Parameter) -> tuple[str, str]:
    """Its name, and how it is given: an option, or what the help calls the argument."""
    name = parameter.name
    for info in getattr(parameter.annotation, "__metadata__", ()):
        if isinstance(info, OptionInfo):
            return name, (info.param_decls or (f"--{name}",))[0]
    return name, f"{ARGUMENTS.get(name, name)} // {name}"


def _at_desk(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """For a command whose first parameter is its desk: it is opened for each run, from the options of these names."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(signature(command, eval_str=True).parameters.values())[1:]
        asked = [Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
                 for name, (annotation, default) in _OPTIONS.items() if name in names]  # fmt: skip

        def run(**given: Any) -> None:
            with desk(**{name: given.pop(name) for name in names}, typed=dict(map(_typed, own))) as at:
                command(at, **given)

        parameters = [*(one.replace(kind=Parameter.KEYWORD_ONLY) for one in own), *asked]
        run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        return run

    return decorate


looks = _at_desk("config", "lang", "as_json")
lists = _at_desk("config", "lang", "as_json", "as_csv")
acts = _at_desk("config", "lang", "as_json", "dry_run")

"""All that the command line says is French unless English is asked for: help, usage errors, faults of the settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperArgument
from typer.main import get_command
from typer.testing import CliRunner

from foundation.settings import BadSettings, load
from foundation.wording import about_value, said
from runtime.cli import app
from runtime.settings import Settings
from runtime.usage_words import ARGUMENTS
from tests.support.languages import english_in


def commands(one: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, one
    for name, inner in getattr(one, "commands", {}).items():
        yield from commands(inner, (*path, name))


ALL = dict(commands(get_command(app)))
VERBS = [path for path, one in ALL.items() if not hasattr(one, "commands")]


def run(*line: str) -> tuple[int, str]:
    ended = CliRunner().invoke(app, list(line))
    return ended.exit_code, ended.output


def test_the_list_of_commands_is_not_empty() -> None:
    assert len(VERBS) > 40
    assert ("mailbox", "members", "add") in VERBS


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help(path: tuple[str, ...]) -> None:
    code, french = run(*path, "--help")
    assert code == 0
    assert not re.search(r"(?m)^\s*[:;?!»]", french)
    assert english_in(french, *path, *(f"\n  {name} " for name in getattr(ALL[path], "commands", ()))) == []
    code, english = run(*path, "--help", "--lang", "en")
    assert code == 0
    assert "Usage: " in english
    assert "Show this message" in english
    assert "Affiche" not in english


@pytest.mark.parametrize("path", [path for path in ALL if path not in VERBS], ids=" ".join)
@pytest.mark.parametrize("lang", ["fr", "en"])
def test_the_list_of_commands_cuts_no_sentence(path: tuple[str, ...], lang: str) -> None:
    _, told = run(*path, "--help", "--lang", lang)
    assert not re.search(r"\w\.\.\.", told)


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_an_option_that_there_is_not(path: tuple[str, ...]) -> None:
    code, french = run(*path, "--colour")
    assert code == 2
    assert "Erreur : option inconnue : --colour" in french
    assert english_in(french, *path, "--colour") == []
    code, english = run(*path, "--colour", "--lang", "en")
    assert code == 2
    assert "Error: No such option: --colour" in english


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_too_many_and_too_few(path: tuple[str, ...]) -> None:
    arguments = [one for one in ALL[path].params if isinstance(one, TyperArgument)]
    if not any(one.nargs == -1 for one in arguments):
        code, told = run(*path, *(["1"] * len(arguments)), "surplus")
        assert code == 2
        assert english_in(told, *path, "surplus") == []
    if needed := [one for one in arguments if one.required]:
        code, told = run(*path)
        assert code == 2
        assert f"Erreur : il manque : {ARGUMENTS[needed[0].name]}" in told
        assert english_in(told, *path) == []


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_each_option_with_a_value_that_is_none(path: tuple[str, ...]) -> None:
    """Numbers, days, choices: their faults are the library's; and an option whose value was forgotten."""
    for one in ALL[path].params:
        if isinstance(one, TyperArgument) or one.is_flag or one.hidden:
            continue
        code, told = run(*path, one.opts[0])
        assert code == 2, told
        assert f"Erreur : l’option {one.opts[0]} demande une valeur" in told
        if "str" not in (kind := str(one.type_descriptor)) and "Path" not in kind:
            code, told = run(*path, one.opts[0], "zzz")
            assert code == 2
            assert english_in(told, *path, "zzz") == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nul", "Erreur : commande inconnue : nul"),
        ("mailbox creat", "Erreur : commande inconnue : creat (peut-être : create)"),
        ("queue nul", "Erreur : commande inconnue : nul"),
        ("queue list --doma x", "Erreur : option inconnue : --doma (peut-être : --domain)"),
        ("queue list --json=1", "Erreur : l’option --json ne prend pas de valeur"),
        ("queue show x", "Erreur : numéro : un nombre entier est attendu ici"),
        ("serve --workers 0", "Erreur : --workers : 1 au moins"),
        ("mailbox create --kind X", "Erreur : --kind : « X » n’est pas une de ces valeurs : 'PER', 'CAB', 'ORG', 'APP'"),
        ("message trace --day hier", "Erreur : --day : « hier » n’a pas la forme attendue : '%Y-%m-%d'"),
        ("certificate show /nul", "Erreur : fichier : /nul n’existe pas"),
        ("trust-list verify /", "Erreur : fichier : / est un dossier"),
        ("backup /etc/passwd", "Erreur : dossier : /etc/passwd est un fichier"),
        ("queue list --lang de", "Erreur : --lang : « de » n’est pas une de ces valeurs : 'fr', 'en'"),
        ("--lang en queue nul", "Error: No such command 'nul'."),
        ("queue --lang=en list --nul", "Error: No such option: --nul"),
    ],
)  # fmt: skip
def test_each_kind_of_fault(line: str, expected: str) -> None:
    code, told = run(*line.split())
    assert code == 2
    assert expected in told


@pytest.mark.parametrize("line", [[], ["queue"], ["--lang", "en"]])
def test_nothing_asked_is_help(line: list[str]) -> None:
    code, told = run(*line)
    assert code == 2
    assert ("Commands:" if "en" in line else "Commandes :") in told


# -------------------------------------------------------------------- settings
@pytest.mark.parametrize(
    "verb", [path for path in VERBS if "config" in {one.name for one in ALL[path].params}], ids=" ".join
)
def test_settings_that_there_are_not(verb: tuple[str, ...], tmp_path: Path) -> None:
    needed = {"number": "1", "which": "2026-11", "numbers": "1", "switch": "on"} | (
        {"to": "member"} if "role" in verb else {}
    )
    arguments = [
        needed.get(one.name, str(Path(__file__))) for one in ALL[verb].params if isinstance(one, TyperArgument)
    ]
    if verb in (("init",), ("backup",), ("restore",), ("audit", "export")):
        arguments = [str(tmp_path / "new")] if verb != ("init",) else []
    for one in ALL[verb].params:
        if one.required and not isinstance(one, TyperArgument):
            arguments += [one.opts[0], "une raison"]
    where = str(tmp_path / ("none.toml" if verb != ("init",) else "a/mssante.toml"))
    options = ["--reason", "perdue"] if verb == ("account", "recover") else []
    code, told = run(*verb, *arguments, *options, "--config", where)
    if verb == ("init",):
        assert code == 0
        assert english_in(told, where) == []
        assert english_in(told.replace(str(tmp_path), "")) == []
    else:
        assert code == 2
        assert told == f"{where} : ce fichier n’existe pas (mssante init en écrit un)\n"


OPERATOR = {"name": "Essai", "host": "mail.essai.example", "domains": ["medecins.essai.example"]}
WRONG: dict[str, Any] = {"text": "zz zz", "minus": -1, "float": 1.5, "list": [[]], "table": {"x": {}}, "large": 10**30}


def faults(values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (tmp_path / "mssante.toml").write_text("")
    monkeypatch.setattr("foundation.settings.tomllib.loads", lambda _: values)
    try:
        load(Settings, tmp_path / "mssante.toml", {})
    except BadSettings as bad:
        return bad.faults
    return []


@pytest.mark.parametrize("wrong", WRONG.values(), ids=list(WRONG))
def test_every_setting_with_every_kind_of_wrong_value(
    wrong: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    for name, field in Settings.model_fields.items():
        inner = getattr(field.annotation, "model_fields", {})
        for value in ({name: wrong}, *({name: {key: wrong}} for key in inner)):
            if name == "operator" and isinstance(value[name], dict):
                value = {name: OPERATOR | value[name]}
            told += faults({"operator": OPERATOR} | value, tmp_path, monkeypatch)
    assert len(told) > 50
    for fault in told:
        assert " // " in fault, fault
        words, _, _ = said(fault, "fr").partition("(ici : ")
        assert english_in(words.partition(" : ")[2]) == [], fault
        assert said(fault, "en") != said(fault, "fr")


def test_what_is_not_known_stays_as_it_was() -> None:
    assert about_value("Some new sentence") == "Some new sentence"

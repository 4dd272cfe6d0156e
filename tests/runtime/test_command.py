"""What all nouns of the command line share: languages, rehearsals, files of many lines, exit codes."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import typer
from sqlalchemy import select
from typer.testing import CliRunner

from foundation.database import Transaction
from foundation.tables import audit
from foundation.wording import Lang, said
from mssante.kinds import BoxKind
from mssante.mailbox import AddressTaken, NewMailbox
from runtime.cli import app
from runtime.command import Act, Desk, Done, Refused, Row, csv_text, desk, worded
from runtime.help_in import language_of

TABLES = ("audit", "jobs", "mailboxes", "recoveries")


def test_a_text_in_two_languages() -> None:
    assert said("Boîte // Mailbox", "fr") == "Boîte"
    assert said("Boîte // Mailbox", "en") == "Mailbox"
    assert said("INBOX", "en") == "INBOX"
    assert worded("{who} : {none} // {who}: {none}", "en", {"who": ["a", "b"], "none": None}) == "a, b: -"


@pytest.mark.parametrize(
    ("words", "lang"),
    [
        ("queue list", "fr"), ("queue list --lang en", "en"), ("queue --lang=en list", "en"), ("queue list --lang fr", "fr"),
        ("queue list en --lang", "fr"),
    ],
)  # fmt: skip
def test_the_language_asked_for(words: str, lang: str) -> None:
    assert language_of(words.split()) == lang


@pytest.mark.parametrize("line", ["mailbox list", "queue list", "job sum", "account list", "audit verify"])
@pytest.mark.parametrize(
    ("breakage", "said"),
    [
        ("UPDATE alembic_version SET version_num = '0005'", "will be migrated"),
        ("UPDATE alembic_version SET version_num = '9999'", "newer version"),
        ("DROP TABLE alembic_version", "it is empty"),
    ],
)
def test_a_database_that_is_not_of_this_version_is_told_in_words(
    operator: Path, line: str, breakage: str, said: str
) -> None:
    """The first commands after an upgrade, before the restart: no traceback of SQL."""
    with closing(sqlite3.connect(operator.parent / "mssante.db")) as conn:
        conn.execute("DROP TRIGGER audit_no_update")
        conn.executescript("".join(f"{one};" for one in (breakage, *map("DROP TABLE {}".format, TABLES))))
    done = CliRunner().invoke(app, [*line.split(), "--config", str(operator), "--lang", "en"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert "to do: " in done.stderr


def test_a_database_that_is_not_there_is_told_and_not_made(operator: Path) -> None:
    (operator.parent / "mssante.db").unlink()
    done = CliRunner().invoke(app, ["mailbox", "list", "--config", str(operator), "--lang", "en"])
    assert done.exit_code == 2
    assert "does not exist" in done.stderr
    assert not (operator.parent / "mssante.db").exists()


def test_a_postgresql_that_does_not_answer_is_told(operator: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = operator.read_text(encoding="utf-8")
    url = f'database = "postgresql+psycopg://nobody@127.0.0.1:{port}/none"'
    operator.write_text(re.sub(r"(?m)^database = .*$", url, text), encoding="utf-8")
    done = CliRunner().invoke(app, ["mailbox", "list", "--config", str(operator), "--lang", "en"])
    assert done.exit_code == 2
    assert "cannot be read" in done.stderr
    assert "systemctl status postgresql" in done.stderr


@pytest.mark.parametrize("line", [[], ["queue"], ["queue", "cancel"]])
def test_help_is_french_unless_english_is_asked_for(line: list[str]) -> None:
    french = CliRunner().invoke(app, [*line, "--help"]).stdout
    english = CliRunner().invoke(app, [*line, "--help", "--lang", "en"]).stdout
    assert "Usage : " in french
    assert "Affiche cette aide" in french
    assert "Show this message and exit" in english
    for text in (french, english):
        assert "//" not in text


@pytest.mark.parametrize(
    ("line", "french", "english"),
    [
        ("mailbox create", "adresse, --kind, --name", "address, --kind, --name"),
        ("mailbox create a@b.example --kind PER", "--name", "--name"),
        ("mailbox suspend", "adresse", "address"),
        ("mailbox members add a@b.example", "identifiant", "login"),
    ],
)
def test_what_is_missing_is_told_as_it_is_typed(tmp_path: Path, line: str, french: str, english: str) -> None:
    config = str(tmp_path / "mssante.toml")
    CliRunner().invoke(app, ["init", "--config", config])
    for lang, said_ in (
        ("fr", f"Il manque : {french} (ou un fichier de lignes : --file).\n"),
        ("en", f"Missing: {english} (or a file of lines: --file).\n"),
    ):
        done = CliRunner().invoke(app, [*line.split(), "--config", config, "--lang", lang])
        assert (done.exit_code, done.output) == (2, said_)


# -------------------------------------------------------------------- acts
def creating(at: Desk) -> Callable[[Row], Act]:
    def plan(row: Row) -> Act:
        if not row["address"]:
            raise Refused("adresse vide // empty address")

        def act(tx: Transaction) -> Done:
            try:
                box = at.house.mailboxes.create(tx, NewMailbox(row["address"], BoxKind(row["kind"])), at.now)
            except AddressTaken:
                raise Refused("{address} : déjà prise // {address}: taken", address=row["address"]) from None
            at.record(tx, "mailbox:create", {"box": box.id})
            return Done("créée : {address} // created: {address}", {"address": row["address"]})

        return act

    return plan


def run_file(operator: Path, file: Path, lang: Lang = "fr", as_json: bool = False, dry_run: bool = False) -> int:
    try:
        with desk(operator, lang, as_json, dry_run) as at:
            at.each(file, ("address", "kind"), creating(at))
    except typer.Exit as ended:
        return ended.exit_code
    return 0


FILE = "\ufeffaddress;kind\na@beta.example;PER\nA@BETA.example;PER\n;PER\nb@beta.example\nc@beta.example;ORG\n"
REPORT = """\
ligne 2 : créée : a@beta.example
ligne 3 : REFUSÉE : A@BETA.example : déjà prise
ligne 4 : REFUSÉE : adresse vide
ligne 5 : REFUSÉE : pas le même nombre de champs que l’en-tête
ligne 6 : créée : c@beta.example
Faites : 2 ; refusées : 3.
"""


def test_each_line_has_its_own_fate_and_its_line_of_report(
    operator: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "nadia")
    file = tmp_path / "boxes.csv"
    file.write_text(FILE, encoding="utf-8")
    assert run_file(operator, file, dry_run=True) == 1
    assert capsys.readouterr().out == REPORT + "Essai : rien n’a été changé.\n"
    assert run_file(operator, file) == 1  # the rehearsal left nothing: the same again
    assert capsys.readouterr().out == REPORT
    assert run_file(operator, file, "en", as_json=True) == 1
    first = json.loads(capsys.readouterr().out)[0]
    assert first == {"line": 2, "done": False, "text": "a@beta.example: taken", "address": "a@beta.example"}
    with desk(operator) as at:
        acts = at.read(lambda conn: conn.execute(select(audit.c.event, audit.c.actor)).all())
    assert [tuple(row) for row in acts] == [("operator:mailbox:create", "operator nadia")] * 2


@pytest.mark.parametrize("content", [b"address;kin\n", b"", b"address;kind\n\xff;PER\n", b'address,kind\n"a,PER\n'])
def test_what_is_no_such_file_is_refused_whole(operator: Path, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "boxes.csv"
    file.write_bytes(content)
    assert run_file(operator, file) == 2
    assert run_file(operator, tmp_path / "none.csv") == 2


WILD = "550 \x1b[2J\x1b]0;moi\x07 non\rFait.\x9b1A \u202eoui \udcff \x00"
TAME = "550 �[2J�]0;moi� non�Fait.�1A �oui � �"


@pytest.mark.parametrize("as_json", [False, True])
def test_what_a_stranger_says_moves_nothing_on_the_screen(
    operator: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    with desk(operator, as_json=as_json) as at:
        at.shown({"said": WILD}, f"{WILD}\nune autre ligne")
        at.listed([{"said": WILD}], {"said": "réponse // reply"}, "rien // nothing")
    with pytest.raises(typer.Exit), desk(operator):
        raise Refused("{said} // {said}", said=WILD)
    out, err = capsys.readouterr()
    assert err == TAME + "\n"
    if as_json:
        assert "\x1b" not in out
        assert "\u202e" not in out
    else:
        assert out == f"{TAME}\nune autre ligne\nréponse\n{TAME}\n"


def test_refused_is_a_sentence_and_exit_code_one(operator: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, desk(operator, "en"):
        raise Refused("{n} fautes // {n} faults", n=3)
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == "3 faults\n"


def test_before_init_says_which_file_is_missing(operator: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with desk(operator) as at:
        key = at.house.settings.storage.master_key
    key.unlink()
    with pytest.raises(typer.Exit) as ended, desk(operator):
        pass
    assert ended.value.exit_code == 2
    assert str(key) in capsys.readouterr().err


@pytest.mark.parametrize(
    "line", ["trust-list show", "trust-list verify mssante.toml", "certificate fetch", "backup mssante.toml/x"]
)
def test_a_file_that_cannot_be_had_is_told_not_thrown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """Right after `mssante init`: neither certificates nor roots are there."""
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(app, ["init"])
    for lang, said_ in (
        ("fr", r"\S+ : (fichier ou dossier absent|ce n’est pas un dossier)\n"),
        ("en", r"\S+: (No such|Not a) .+\n"),
    ):
        done = CliRunner().invoke(app, [*line.split(), "--lang", lang])
        assert done.exit_code == 1
        assert re.fullmatch(said_, done.output)


def test_csv() -> None:
    assert csv_text(("a", "b"), [{"a": 'x,"y', "b": 1}]) == 'a,b\r\n"x,""y",1\r\n'


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=HYPERLINK(A1)", "'=HYPERLINK(A1)"),
        ("@SUM(1)", "'@SUM(1)"),
        ("-cmd", "'-cmd"),
        ("+A1", "'+A1"),
        ("+33 1 44 00 00 00", "+33 1 44 00 00 00"),
        ("-5", "-5"),
        (-5, "-5"),
        ("dr.martin@cabinet.example", "dr.martin@cabinet.example"),
    ],
)
def test_csv_starts_no_formula_in_a_spreadsheet(value: object, written: str) -> None:
    assert csv_text(("a",), [{"a": value}]) == f"a\r\n{written}\r\n"

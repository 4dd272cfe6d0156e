"""`mssante init`: makes what is missing, leaves alone what is there, and says which is which."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from runtime.cli import app


def init(config: Path, *words: str) -> list[str]:
    done = CliRunner().invoke(app, ["init", "--config", str(config), *words])
    assert done.exit_code == 0, done.output
    return done.output.replace(f"{config.parent}/", "").splitlines()


def test_called_again_it_changes_nothing_and_says_so(tmp_path: Path) -> None:
    config = tmp_path / "mssante.toml"
    first = init(config)
    assert first[0].startswith("mssante.toml : écrit ;")
    assert first[1].startswith("keys/master.key : la clé maîtresse. Sans elle,")
    before = {path: path.read_bytes() for path in (config, tmp_path / "keys" / "master.key")}
    assert init(config) == [
        "mssante.toml : déjà là, inchangé",
        "keys/master.key : la clé maîtresse, déjà là, inchangée",
        "sqlite:///mssante.db : la base est prête",
    ]
    assert init(config, "--lang", "en")[0] == "mssante.toml: there already, unchanged"
    assert {path: path.read_bytes() for path in before} == before


def test_a_database_whose_key_is_gone_gets_no_new_one(tmp_path: Path) -> None:
    config = tmp_path / "mssante.toml"
    init(config)
    key = tmp_path / "keys" / "master.key"
    key.unlink()
    done = CliRunner().invoke(app, ["init", "--config", str(config)])
    assert done.exit_code == 2
    assert "une nouvelle clé n’en lirait rien" in done.output
    assert not key.exists()

"""Backup and restore of a PostgreSQL store, by its own tools on one snapshot; numbers never come twice."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner, Result

from foundation.blob_chunks import CHUNK
from foundation.tables import blobs
from runtime import start
from runtime.backup import sealed_size
from runtime.cli import app
from runtime.dump import JUMP
from runtime.house import House
from runtime.settings import read
from tests.support.postgres import other_database


def test_there_and_back(postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = {name: other_database(postgres_server, name) for name in ("kept", "empty")}
    config, copy = tmp_path / "mssante.toml", tmp_path / "copy"

    def settle(database: str, blobs_folder: str) -> None:
        monkeypatch.setenv("MSSANTE_STORAGE__DATABASE", urls[database])
        monkeypatch.setenv("MSSANTE_STORAGE__BLOBS", blobs_folder)

    def mssante(*words: str) -> Result:
        return CliRunner().invoke(app, [*words, "--config", str(config)])

    settle("kept", "blobs")
    assert start.init(config) == start.OK
    assert tomllib.loads(config.read_text())["operator"]["host"]
    house = House(read(config))
    small, large = (house.blobs.prepare(b"z" * size) for size in (100, 3 * CHUNK + 1))
    ids = house.db.write_now(lambda tx: house.blobs.insert_all(tx, [small, large]))
    house.db.close_now()

    made = mssante("backup", str(copy), "--json")
    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout)["blobs"] == 1
    assert "il y a déjà une base" in mssante("restore", str(copy)).stderr
    settle("empty", "new-blobs")
    back = mssante("restore", str(copy), "--json")
    assert back.exit_code == 0, back.stderr

    house = House(read(config))
    assert house.db.read_now(house.blobs.read, large.ref) == b"z" * (3 * CHUNK + 1)
    assert house.db.read_now(house.blobs.read, small.ref) == b"z" * 100
    assert house.files.path(large.ref.name).stat().st_size == sealed_size(large.ref.size)
    new = house.db.write_now(house.blobs.insert, house.blobs.prepare(b"new"))
    assert new > max(ids) + JUMP - 1
    assert house.db.read_now(lambda conn: conn.execute(select(func.count()).select_from(blobs)).scalar_one()) == 3
    house.db.close_now()

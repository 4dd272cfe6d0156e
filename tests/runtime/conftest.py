"""An operator as the command line meets one: settings, certificates, keys, an empty store."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from foundation.clock import system_clock
from runtime import start
from runtime.demo.operator_files import Ports, settings_text
from runtime.demo.people import BETA
from runtime.demo.pki import Pki
from runtime.settings import read


@pytest.fixture(scope="session")
def first_operator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one that is made once; `operator` is its copy."""
    folder = tmp_path_factory.mktemp("first")
    pki = Pki(folder / "pki", system_clock())
    pki.operator(BETA, folder / "beta" / "tls")
    path = folder / "beta" / "mssante.toml"
    path.write_text(settings_text(BETA, Ports(20_000, web=False, bench=False), {}, pki, folder))
    start.prepare(read(path))
    return folder


@pytest.fixture
def operator(first_operator: Path, tmp_path: Path) -> Path:
    """The settings file."""
    shutil.copytree(first_operator, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "beta" / "mssante.toml"
    path.write_text(path.read_text().replace(str(first_operator), str(tmp_path)))
    return path

"""An operator as the command line meets one: settings, certificates, keys, an empty store."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.clock import system_clock
from runtime import start
from runtime.demo.operator_files import Ports, settings_text
from runtime.demo.people import BETA
from runtime.demo.pki import Pki
from runtime.settings import read


@pytest.fixture
def operator(tmp_path: Path) -> Path:
    """The settings file."""
    pki = Pki(tmp_path / "pki", system_clock())
    pki.operator(BETA, tmp_path / "beta" / "tls")
    path = tmp_path / "beta" / "mssante.toml"
    path.write_text(settings_text(BETA, Ports(20_000, web=False, bench=False), {}, pki, tmp_path))
    start.prepare(read(path))
    return path

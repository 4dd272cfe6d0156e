"""The unit files: systemd reads them without a word, and finds little that they leave open."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "runtime" / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
MOST = {"mssante": 2.2, "mssante-backup": 1.4, "mssante-doctor": 1.8}  # of 10: what systemd calls exposure


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """With a program that exists here."""
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8")
        (tmp_path / unit.name).write_text(text.replace("/opt/mssante/.venv/bin/mssante", "/bin/true"), encoding="utf-8")
    return tmp_path


def test_systemd_has_nothing_to_say_against_them(units: Path) -> None:
    files = [str(units / unit.name) for unit in UNITS]
    found = subprocess.run(["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_little_is_left_open(unit: Path, units: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(units / unit.name)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", found)
    assert level is not None
    assert float(level[1]) <= MOST[unit.stem], found


def test_each_timer_has_its_service() -> None:
    timers = [unit for unit in UNITS if unit.suffix == ".timer"]
    assert timers
    assert all(timer.with_suffix(".service") in SERVICES for timer in timers)


# prctl(2), PR_SET_MDWE: what MemoryDenyWriteExecute= asks for, on kernels since 6.3.
DENIED = "import ctypes, runpy; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0); runpy.run_module('runtime.cli', run_name='__main__')"


def test_backup_and_doctor_run_without_memory_that_is_written_and_executed(operator: Path, tmp_path: Path) -> None:
    for command in (["backup", str(tmp_path / "backup")], ["doctor", "--json"]):
        done = subprocess.run(
            [sys.executable, "-c", DENIED, *command, "--config", str(operator)],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in done.stderr
        assert done.stdout.startswith(("Sauvegarde du", "["))

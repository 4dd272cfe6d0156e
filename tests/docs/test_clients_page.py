"""docs/clients.md: each bug names a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    line.strip("|").split("|")
    for line in (ROOT / "docs" / "clients.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| what")
]


def test_each_bug_has_its_test() -> None:
    assert len(ROWS) > 10
    for what, who, tests in ROWS:
        assert what.strip()
        assert who.strip()
        for one in tests.split(","):
            name, _, function = one.strip().partition("::")
            path = ROOT / "tests" / "mailserver" / name
            assert path.is_file(), name
            if path.suffix == ".py":
                assert re.search(rf"^(async )?def {function}\(", path.read_text(encoding="utf-8"), re.M), one

"""CHANGELOG.md is merged line by line (.gitattributes): an entry that two people changed would be there twice."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = re.split(r"^- ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]


def test_each_entry_is_told_once() -> None:
    assert len(ENTRIES) > 50
    begins = Counter(entry[:30] for entry in ENTRIES)
    assert [begin for begin, times in begins.items() if times > 1] == []

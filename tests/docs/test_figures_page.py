"""The page and the schema of the monthly figures know every figure that is counted, with its labels."""

from __future__ import annotations

import json
import re
from pathlib import Path

from runtime.figures import LABELS, OF_THE_MONTH

DOCS = Path(__file__).resolve().parents[2] / "docs"
ROW = re.compile(r"^\| `([a-z_]+)` \| ([^|]+) \|", re.MULTILINE)
ROOT = DOCS.parent


def test_the_page_has_each_figure_with_its_labels() -> None:
    rows = dict(ROW.findall((DOCS / "figures.md").read_text(encoding="utf-8")))
    expected = LABELS | OF_THE_MONTH
    assert set(rows) == set(expected)
    for name, labels in expected.items():
        said = rows[name].partition(":")[0].partition(" of ")[0]
        assert tuple(word.strip() for word in said.split(",")) == labels, name


def test_the_schema_has_each_figure() -> None:
    schema = json.loads((DOCS / "figures.schema.json").read_text(encoding="utf-8"))
    assert set(schema["items"]["properties"]["figure"]["enum"]) == set(LABELS | OF_THE_MONTH)
    labels = re.compile(schema["items"]["properties"]["labels"]["pattern"])
    for good in ("PER", "professional citizen delivered", "X-MSS-INS O", "11488-4", "?"):
        assert labels.match(good)
    for bad in ("", "a  b", "a@b", "a, b"):
        assert not labels.match(bad)


def test_whatever_is_counted_is_declared() -> None:
    """Else Prometheus would never see it."""
    counting = re.compile(r"\bcount(?:_in)?\(\s*(?:(?:self\.)?tx, )?\"([a-z_]+)\"")
    counted = {
        name
        for package in ("foundation", "mailserver", "mssante", "citizen_inbox", "care_desk", "runtime", "dmp_bridge")
        for path in (ROOT / package).rglob("*.py")
        for name in counting.findall(path.read_text(encoding="utf-8"))
    }
    assert counted == set(LABELS)

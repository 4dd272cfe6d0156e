"""docs/standards.tsv: every RFC that the code cites is there, with a status and a file that cites it."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "foundation",
    "mssante",
    "certs",
    "mailserver",
    "health_space",
    "citizen_inbox",
    "care_desk",
    "dmp_bridge",
    "runtime",
)
CITED = re.compile(r"RFC (\d{3,5})")

with (ROOT / "docs" / "standards.tsv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True))


def test_every_rfc_cited_in_the_code_is_listed() -> None:
    listed = {row["specification"] for row in ROWS}
    cited = {
        f"RFC {number}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for number in CITED.findall(path.read_text(encoding="utf-8"))
    }
    assert cited
    assert cited <= listed, f"add to docs/standards.tsv: {sorted(cited - listed)}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['specification']} {row['section']}")
def test_a_row_is_complete_and_its_file_cites_the_specification(row: dict[str, str]) -> None:
    assert row["status"] in ("Yes", "Partial", "No")
    assert re.fullmatch(r"\d+(\.\d+)*((, | to )\d+(\.\d+)*)*", row["section"])
    assert row["note"]
    if row["status"] == "No":
        assert not row["file"]
    else:
        assert row["specification"] in (ROOT / row["file"]).read_text(encoding="utf-8")


def test_rows_are_in_order_and_told_once() -> None:
    keys = [(int(row["specification"].removeprefix("RFC ")), row["section"]) for row in ROWS]
    assert keys == sorted(set(keys))

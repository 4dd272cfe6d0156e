"""Puts the decision tables and the reasons into docs/rules.md, between their markers: `python docs/rules/render.py`.

The tables (*.tsv) are what the tests run; a test checks that the page shows them as they are.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "rules.md"


def rows(name: str) -> list[dict[str, str]]:
    """The rows of one decision table, by column name."""
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def markdown(name: str) -> str:
    """A table as the page shows it."""
    table = reasons() if name == "reasons" else rows(name)
    head = list(table[0])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(row[column]) for column in head) + " |" for row in table]
    return "\n".join(lines)


def reasons() -> list[dict[str, str]]:
    from mssante.reasons import REASONS

    return [
        {"name": r.name, "clause": r.clause, "reply": f"{r.code} {r.enhanced}", "French": r.fr, "English": r.en}
        for r in REASONS.values()
    ]


def rendered(page: str) -> str:
    """The page with each `<!-- table: name -->` … `<!-- end -->` filled anew."""
    return re.sub(
        r"<!-- table: (\S+) -->.*?<!-- end -->",
        lambda mark: f"<!-- table: {mark[1]} -->\n{markdown(mark[1])}\n<!-- end -->",
        page,
        flags=re.DOTALL,
    )


def _cell(text: str) -> str:
    # A pipe ends a cell; `>` and `_` would be taken for markup.
    return text.replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;").replace("_", "\\_")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[1]))
    PAGE.write_text(rendered(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

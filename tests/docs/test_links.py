"""Every link of our own pages to our own files leads somewhere, headings included."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
LINKS = [
    (page, target)
    for page in PAGES
    for target in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8")))
    if not re.match(r"[a-z]+:", target)
]


def test_pages_have_links() -> None:
    assert len(PAGES) > 5
    assert len(LINKS) > 10


@pytest.mark.parametrize(("page", "target"), LINKS, ids=lambda value: str(value).removeprefix(f"{ROOT}/"))
def test_link(page: Path, target: str) -> None:
    name, _, anchor = target.partition("#")
    path = (page.parent / name).resolve() if name else page
    assert path.exists(), f"{page.relative_to(ROOT)} links to {target}"
    assert path.is_relative_to(ROOT)
    if anchor:
        assert anchor in anchors(path), f"{page.relative_to(ROOT)} links to {target}"


@cache
def anchors(page: Path) -> set[str]:
    """As the forges make them: lower case, punctuation out, spaces to hyphens."""
    titles = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}

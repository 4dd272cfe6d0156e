"""Every reason speaks both languages, with correct French typography, and no two say the same; the docs show them all."""

from __future__ import annotations

import importlib.util
import re
import string
from pathlib import Path
from types import ModuleType

import pytest

from mssante.reason import Reason, english_moment, french_moment
from mssante.reasons import REASONS

RENDER = Path(__file__).parents[2] / "docs" / "rules" / "render.py"
FIELDS = {
    "domain",
    "dn",
    "list_at",
    "closed_at",
    "closed_by",
    "until_at",
    "limit",
    "fault",
    "reply",
    "deadline_at",
    "minutes",
    "virus",
    "type",
}


def render() -> ModuleType:
    spec = importlib.util.spec_from_file_location("render_rules", RENDER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("reason", REASONS.values(), ids=lambda reason: reason.name)
def test_reason(reason: Reason) -> None:
    assert 400 <= reason.code < 600
    assert reason.enhanced.split(".")[0] == str(reason.code)[0]  # RFC 3463 section 2: same class
    assert fields(reason.fr) == fields(reason.en) <= FIELDS
    assert re.search(r"(?<=«) | (?=[»:;!?])", reason.fr) is None
    assert reason.fr[0].isupper()
    assert reason.fr[-1] in ".}"
    assert reason.en.isascii()


def test_sentences_are_distinct() -> None:
    assert len({reason.fr for reason in REASONS.values()}) == len(REASONS)
    assert len({reason.en for reason in REASONS.values()}) == len(REASONS)


def test_a_missing_detail_is_said_and_never_fails() -> None:
    assert "non précisé" in REASONS["exchange_closed"].in_french()
    assert "not given" in REASONS["exchange_closed"].in_english({"other": "x"})


@pytest.mark.parametrize(
    ("at", "fr", "en"),
    [
        (1_794_472_800_000, "12 novembre 2026 à 9 h 40", "12 November 2026 at 09:40"),
        (1_782_864_300_000, "1er juillet 2026 à 2 h 05", "1 July 2026 at 02:05"),  # summer time
    ],
)
def test_moments(at: int, fr: str, en: str) -> None:
    assert french_moment(at).replace("\u00a0", " ") == fr
    assert english_moment(at) == en


def test_the_page_shows_the_tables_as_the_tests_run_them() -> None:
    page = (RENDER.parent.parent / "rules.md").read_text(encoding="utf-8")
    assert page.count("<!-- table: ") == 4
    assert render().rendered(page) == page

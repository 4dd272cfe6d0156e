"""The tokens' contrast, computed from the stylesheet (WCAG 2.2, 1.4.3 and 1.4.11), light and dark; and its size."""

from __future__ import annotations

import gzip
import re

import pytest

from foundation.web.static import FOLDER

CSS = (FOLDER / "kit.css").read_text()
_LIGHT, _DARK = re.findall(r":root \{\n?\s*(?:color-scheme: light dark;)?(.*?)\}", CSS, re.S)[:2]


def tokens(text: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", text))


THEMES = {"light": tokens(_LIGHT), "dark": tokens(_LIGHT) | tokens(_DARK)}
PAIRS = [  # (foreground, background, least ratio)
    ("ink", "paper", 7.0),
    ("ink", "surface", 7.0),
    ("primary", "paper", 7.0),
    ("primary", "surface", 7.0),
    ("primary", "primary-soft", 7.0),
    ("primary-hover", "paper", 7.0),
    ("on-primary", "primary", 7.0),
    ("visited", "paper", 7.0),
    ("muted", "paper", 5.5),
    ("muted", "surface", 5.5),
    ("muted", "primary-soft", 5.5),
    ("warning", "warning-soft", 5.5),
    ("error", "error-soft", 5.5),
    ("error", "paper", 5.5),
    ("success", "success-soft", 5.5),
    ("info", "info-soft", 5.5),
    ("ink", "info-soft", 7.0),
    ("ink", "warning-soft", 7.0),
    ("ink", "primary-soft", 7.0),
    ("border", "paper", 3.0),
    ("border", "surface", 3.0),
    ("focus", "paper", 3.0),
    ("focus", "surface", 3.0),
]


def ratio(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
def test_contrast(theme: str, front: str, back: str, least: float) -> None:
    found = THEMES[theme]
    assert ratio(found[front], found[back]) >= least


def test_first_visit_is_light() -> None:
    """Budget of the stylesheet: 15 KB; with both fonts, 45 KB."""
    css = len(gzip.compress(CSS.encode(), 9))
    assert css <= 15_000
    assert css + sum(path.stat().st_size for path in FOLDER.glob("*.woff2")) <= 45_000

"""docs/settings.md says what `runtime.settings` says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("settings_page", ROOT / "docs" / "settings_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date() -> None:
    script = _script()
    assert script.PAGE.read_text(encoding="utf-8") == script.page(), "run: python docs/settings_page.py"


def test_every_setting_is_explained() -> None:
    silent = [
        f"{section}.{name}"
        for section, field in Settings.model_fields.items()
        for name, inner in getattr(field.annotation, "model_fields", {section: field}).items()
        if not inner.description
    ]
    assert not silent

"""Writes docs/settings.md from `runtime.settings`: `python docs/settings_page.py`. A test checks that the page is up to date."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "settings.md"

HEAD = """# Settings

Made from `runtime/settings.py` by `docs/settings_page.py`: change the descriptions there, then run the script.

One file, `mssante.toml` (another with `--config`); `mssante init` writes a first one. Paths are relative to its
folder. An unknown name is a fault. Environment variables stand over the file: `MSSANTE_` and the path joined by two
underscores, as in `MSSANTE_DOORS__IMAPS=0.0.0.0:993`. They cannot set lists. `mssante doctor` says every fault at once.
"""


def page() -> str:
    from runtime.settings import Settings

    top, sections = [], []
    for name, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and hasattr(model, "model_fields"):
            rows = [_row(each, inner) for each, inner in model.model_fields.items()]
            sections.append(f"## [{name}]\n{inspect.getdoc(model)}\n\n{_table(rows)}")
        else:
            top.append(_row(name, field))
    first = f"## Above all sections\n`routes` is a section of its own, `[routes]`.\n\n{_table(top)}"
    return "\n".join([HEAD, first, *sections]).rstrip() + "\n"


def _table(rows: list[str]) -> str:
    return "\n".join(["| name | default | meaning |", "|---|---|---|", *rows, ""])


def _row(name: str, field: FieldInfo) -> str:
    return f"| `{name}` | {_default(field)} | {field.description} |"


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True)
    if hasattr(field.annotation, "model_fields"):
        value = field.annotation().model_dump(exclude_none=True)
    if value is PydanticUndefined:
        return "**required**"
    if value is None or value in ("", {}):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Path):
        value = str(value)
    return f"`{value:_}`" if isinstance(value, int) else "`" + repr(value).replace("'", '"') + "`"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.write_text(page(), encoding="utf-8")

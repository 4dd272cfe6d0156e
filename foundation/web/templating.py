"""Jinja2 with autoescape always on, and French typography applied to the templates' own text when they are loaded.

The typesetting touches what we wrote (text and quoted strings of the template), never the values put into it: a user's words are
shown as typed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from jinja2.ext import Extension

from foundation.web import french

_CODE = re.compile(r"(\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\})", re.S)
_STRING = re.compile(r'"[^"]*"')


class FrenchText(Extension):
    """Preprocesses a template's source with `french.typeset`."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        pieces = _CODE.split(source)
        pieces[::2] = [french.typeset(text) for text in pieces[::2]]
        pieces[1::2] = [_STRING.sub(lambda m: french.typeset(m[0]), code) for code in pieces[1::2]]
        return "".join(pieces)


def environment(folders: Mapping[str, Path]) -> Environment:
    """Templates are named "<prefix>/<path>": "web/layout.html", "citizen_inbox/messagerie/list.html"."""
    own = {"web": Path(__file__).parent / "templates"}
    loader = PrefixLoader({name: FileSystemLoader(path) for name, path in {**own, **folders}.items()})
    env = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[FrenchText],
        auto_reload=False,
    )
    env.filters.update(
        date=french.date,
        calendar_date=french.calendar_date,
        date_and_hour=french.date_and_hour,
        near_date=french.near_date,
        size=french.size,
        count=french.count,
        typeset=french.typeset,
    )
    return env

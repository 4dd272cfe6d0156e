"""Pages that run scripts in the browser that opens them: HTML, SVG and their kin, by their names or their first words."""

from __future__ import annotations

import re

from mailserver.contents import names
from mailserver.contents.kinds import Found, Kind

_FOUND = Found(Kind.ACTIVE_PAGE, "HTML + scripts")
# Nothing is given back once it is taken (`*+`): a page may be made to be slow.
_BEGINS = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*+(?:<\?xml[^>]*+>\s*+)?+(?:<!--.*?-->\s*+)*+<(?:!doctype\s++(?:html|svg)|html|svg|head|body|script|meta)\b",
    re.IGNORECASE | re.DOTALL,
)
_FIRST = 4 * 1024  # octets in which a page says what it is
_SCRIPT = rb"<(?:[\w-]{1,40}:)?script[\s>/]"
_WORD = rb"(?:j\s*+a\s*+v\s*+a|v\s*+b)\s*+s\s*+c\s*+r\s*+i\s*+p\s*+t\s*+:"
_IS = rb"\s*+=\s*+[\"']?+\s*+"
# What runs, what fetches another page that may, and a link whose first letters are hidden (HTML 13.5)
_RUNS = re.compile(
    _SCRIPT + rb"|[\s/\"']on[a-z]{3,24}\s*+=|" + _WORD + rb"|<(?:iframe|object|embed|applet)[\s>/]|data:text/html"
    rb"|http-equiv" + _IS + rb"refresh|(?:href|src|action)" + _IS + rb"&(?:\#|tab|newline)",
    re.IGNORECASE,
)
_RUNS_IN_XML = re.compile(_SCRIPT, re.IGNORECASE)  # beside data of any kind


def is_page(head: bytes, name: str) -> bool:
    return names.ending(name) in names.PAGES or _BEGINS.match(_plain(head[:_FIRST])) is not None


def active(data: bytes, name: str) -> list[Found]:
    """Of a page, as it stands: a script that its own words hide is a script."""
    runs = _RUNS_IN_XML if names.ending(name) == "xml" else _RUNS
    return [_FOUND] if runs.search(_plain(data)) else []


def _plain(data: bytes) -> bytes:
    """UTF-16 and UTF-32, in which browsers read pages too."""
    return data.replace(b"\0", b"") if b"\0" in data[:64] else data

"""QR codes as inline SVG (ISO/IEC 18004): no file, no other site, and nothing for the Content-Security-Policy to allow."""

from __future__ import annotations

import segno
from markupsafe import Markup

QUIET = 4  # modules of light around the code (ISO/IEC 18004 9.1)


def svg(text: str, scale: int = 5) -> Markup:
    """Black on white in every theme: many readers do not know the reverse. `scale`: CSS pixels of a module."""
    code = segno.make(text, error="m", micro=False)
    return Markup(code.svg_inline(scale=scale, border=QUIET, dark="#000", light="#fff", svgclass=None, lineclass=None))  # noqa: S704  made of numbers

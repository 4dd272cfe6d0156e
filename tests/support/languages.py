"""Whether a text meant to be French still has English in it."""

from __future__ import annotations

import re

_ENGLISH = (
    "the|of|is|are|was|be|it|its|not|no|none|for|with|without|should|must|missing|error|invalid|try|usage:|unknown|default|required"
    "|show|this|and|from|to|given|takes|argument|value|expected|valid|such|file|folder|path|text|int|does|exist|got|extra|directory"
)
_WORD = re.compile(rf"(?<![\w/.«-])(?:{_ENGLISH})(?![\w/=.-])", re.IGNORECASE)


def english_in(text: str, *allowed: str) -> list[str]:
    """The English words found, without those `allowed` (what was typed, names of files)."""
    for word in allowed:
        text = text.replace(word, "")
    return _WORD.findall(text)

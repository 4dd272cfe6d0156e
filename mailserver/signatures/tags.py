"""Tag lists (RFC 6376 3.2): how signatures say what they claim, and how keys are published."""

from __future__ import annotations

import re

Tags = dict[bytes, bytes]

_NAME = re.compile(rb"[A-Za-z]")


def read_tags(text: bytes) -> Tags | None:
    """Names and values without the blanks around them; None for what is no list of tags, or has one twice."""
    specs = text.strip().split(b";")
    if not specs[-1]:
        specs.pop()
    try:
        tags = {name.strip(): value.strip() for name, value in [spec.split(b"=", 1) for spec in specs]}
    except ValueError:  # one has no "="
        return None
    return tags if len(tags) == len(specs) and all(map(_NAME.match, tags)) else None

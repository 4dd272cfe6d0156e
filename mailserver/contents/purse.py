"""What may still be looked at in the archives of one message."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mailserver.contents.kinds import Found

OF_MESSAGE, IMAGES = 4_000, 20  # entries of all archives of one message; disc images among them


@dataclass(slots=True)
class Purse:
    """`within(name, whole)` looks into a container in an archive; where there is none, `shut` tells that something was met which
    only opening shows."""

    entries: int = OF_MESSAGE
    images: int = IMAGES
    within: Callable[[str, bytes], Iterable[Found]] | None = None
    shut: bool = False

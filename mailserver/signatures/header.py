"""Header fields in the way dkimpy keeps them: name, and all behind the colon with its line ends (RFC 6376 3.4.1).

Its own reader needs a time that grows with the square of a folded field, and gives up at a line that is no field; such a line says
nothing to anybody else here, so it is skipped.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from mailserver.mime.fields import FIELD, MAX_HEADER

Field = tuple[bytes, bytes]


class Header:
    """The fields at the beginning of a message, none beyond `MAX_HEADER`; `body` is where the body begins."""

    def __init__(self, content: bytes) -> None:
        end = content.find(b"\r\n\r\n")
        end, self.body = (len(content), len(content)) if end < 0 else (end + 2, end + 4)
        found = FIELD.findall(content, 0, min(end, MAX_HEADER))
        self.fields: list[Field] = [(name, value + b"\n") for name, value in found]
        self._by_name = defaultdict[bytes, list[Field]](list)
        for field in self.fields:
            self._by_name[field[0].lower()].append(field)

    def named(self, name: bytes) -> list[Field]:
        """From the top; `name` in lower case."""
        return self._by_name.get(name, [])

    def signed(self, names: Iterable[bytes]) -> list[Field]:
        """What a signature over `names` covers: for each the next field from the bottom, if one is left (RFC 6376 5.4.2)."""
        taken = Counter[bytes]()
        chosen = []
        for name in names:
            taken[name] += 1
            rows = self.named(name)
            if taken[name] <= len(rows):
                chosen.append(rows[-taken[name]])
        return chosen

"""An HTML page as its reader has it."""

from __future__ import annotations

from selectolax.lexbor import LexborHTMLParser, LexborNode

from tests.support.there import there


class Html:
    """Of `body`, what an answer of a server holds."""

    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def tree(self) -> LexborHTMLParser:
        return LexborHTMLParser(self.body)

    @property
    def words(self) -> str:
        """What a reader sees, with plain spaces and apostrophes."""
        return plain(there(self.tree.body).text(separator=" "))

    def first(self, selector: str) -> LexborNode:
        """The first element that a CSS selector finds; there must be one."""
        return there(self.tree.css_first(selector))


def plain(text: str) -> str:
    return " ".join(text.replace("’", "'").split())

"""An HTML page as its reader has it."""

from __future__ import annotations

from selectolax.lexbor import LexborHTMLParser, LexborNode


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


def there(node: LexborNode | None) -> LexborNode:
    assert node is not None
    return node


def plain(text: str) -> str:
    return " ".join(text.replace("’", "'").split())

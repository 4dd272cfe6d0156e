"""HTML to readable text, for previews, search, plain display and the rule « is this body empty? » (rules.md section 4).

A walk over the tree of selectolax (lexbor) with our block rules, without recursion: nesting cannot exhaust the stack.
Not a sanitiser: pages show HTML through nh3 only.
"""

from __future__ import annotations

import re
from html import unescape

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

MAX_HTML = 1_000_000  # characters: a letter's HTML is under 200 KB; pictures are not in it but in parts of their own
# HTML's own algorithm walks up the open elements at each tag: quadratic on deep nesting (browsers stop at 512 too).
MAX_NESTING = 500

_SKIPPED = frozenset(("head", "script", "style", "title", "template", "noscript", "object", "svg", "-comment"))
_LINES = frozenset(
    "address article aside caption center dd div dl dt fieldset figcaption figure footer form header hr legend li main nav section"
    " tbody tfoot thead tr".split()
)
_PARAGRAPHS = frozenset("blockquote h1 h2 h3 h4 h5 h6 ol p pre table ul".split())
_CELLS = frozenset(("td", "th"))

# Taken out before parsing: they say nothing about the text, and unclosed ones are reopened in every later block.
_FORMATTING = re.compile(
    r"""</?(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/>])(?:[^<>"']|"[^"<]{0,4096}"|'[^'<]{0,4096}')*+>""",
    re.IGNORECASE,
)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_ANY_TAG = re.compile(r"<[^<>]*+>")
_SELF_CLOSING = frozenset(
    "area base br col embed hr img input link meta param source track wbr p li dt dd tr td th option".split()
)
_SPACES = re.compile(r"[ \t\r\n\f]+")
_AROUND_LINES = re.compile(r"[ \t]*\n[ \t]*")
_BLANK_LINES = re.compile(r"\n{3,}")

# What mail programs put around the text they quote, and around signatures.
_QUOTE_CLASSES = frozenset(
    (
        "gmail_quote",
        "gmail_quote_container",
        "moz-cite-prefix",
        "moz-signature",
        "gmail_signature",
        "yahoo_quoted",
        "protonmail_quote",
    )
)
_QUOTE_IDS = frozenset(("appendonsend", "divrplyfwdmsg", "mail-editor-reference-message-container", "signature"))


def html_to_text(html: str, own_only: bool = False) -> str:
    """Readable text; with `own_only`, without what the sender quotes (blockquote, quotation and signature blocks)."""
    html = _FORMATTING.sub("", html[:MAX_HTML])
    if _nests_deeply(html):
        text = unescape(_ANY_TAG.sub("\n", html))
    else:
        text = _parsed(html, own_only)
    text = _AROUND_LINES.sub("\n", text).replace("\u00ad", "").replace("\u200b", "")
    return _BLANK_LINES.sub("\n\n", text).strip()


def _nests_deeply(html: str) -> bool:
    if html.count("<") <= MAX_NESTING:
        return False
    opened: dict[str, int] = {}
    depth = 0
    for slash, tag in _TAG.findall(html):
        if tag in _SELF_CLOSING:
            continue
        step = -1 if slash else 1
        count = opened.get(tag, 0) + step
        if count >= 0:
            opened[tag] = count
            depth += step
            if depth > MAX_NESTING:
                return True
    return False


def _parsed(html: str, own_only: bool) -> str:
    try:
        tree = LexborHTMLParser(html)
    except (SelectolaxError, ValueError):
        return ""
    root = tree.body or tree.root
    return "" if root is None else "".join(_pieces(root, own_only))


def _pieces(root: LexborNode, own_only: bool) -> list[str]:
    pieces: list[str] = []
    node: LexborNode | None = root
    preformatted = 0
    while node is not None:
        tag = node.tag or ""
        child = None
        if tag == "-text":
            text = node.text_content or ""
            pieces.append(text if preformatted else _SPACES.sub(" ", text))
        elif tag not in _SKIPPED and not (own_only and _quoted(node, tag)):
            pieces.append(_opening(node, tag))
            preformatted += tag == "pre"
            child = node.first_child
            if child is None:
                preformatted -= _close(tag, pieces)
        if child is not None:
            node = child
            continue
        while node is not None and node.mem_id != root.mem_id and node.next is None:
            node = node.parent
            if node is not None:
                preformatted -= _close(node.tag or "", pieces)
        node = None if node is None or node.mem_id == root.mem_id else node.next
    return pieces


def _opening(node: LexborNode, tag: str) -> str:
    if tag == "br":
        return "\n"
    if tag == "li":
        return "\n- "
    if tag == "img":
        alt = node.attributes.get("alt")
        return f"[{_SPACES.sub(' ', alt)}]" if alt and alt.strip() else ""
    return _break(tag)


def _close(tag: str, pieces: list[str]) -> int:
    """Ends a block; 1 when it was preformatted."""
    pieces.append("\t" if tag in _CELLS else _break(tag))
    return tag == "pre"


def _break(tag: str) -> str:
    if tag in _PARAGRAPHS:
        return "\n\n"
    return "\n" if tag in _LINES else ""


def _quoted(node: LexborNode, tag: str) -> bool:
    if tag == "blockquote":
        return True
    if tag not in ("div", "pre", "span", "table", "hr"):
        return False
    attributes = node.attributes
    if (attributes.get("id") or "").lower() in _QUOTE_IDS:
        return True
    return not _QUOTE_CLASSES.isdisjoint((attributes.get("class") or "").split())

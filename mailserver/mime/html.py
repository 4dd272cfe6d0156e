"""HTML to readable text, for previews, search, plain display and the rule « is this body empty? » (rules.md section 4).

A walk over the tree of selectolax (lexbor) with our block rules, without recursion: nesting cannot exhaust the stack.
Not a sanitiser: pages show HTML through nh3 only.
"""

from __future__ import annotations

import re
from html import unescape

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

MAX_HTML = 500_000  # characters: a letter's HTML is under 200 KB; pictures are not in it but in parts of their own
# HTML's own algorithm walks up the open elements at each tag: quadratic on deep nesting. Twenty replies in tables reach 150.
MAX_NESTING = 250
MAX_TAG = (
    4_000  # characters: the parser compares each attribute of a tag with all before it (measured: 140,000 take 17 s)
)

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
_DATA = re.compile(r"data:[\w/+.-]{1,100};base64,[A-Za-z0-9+/=]*+")
_LONG_TAG = re.compile(rf"</?[a-zA-Z][^>]{{{MAX_TAG}}}")
_QUOTED_END = re.compile(r"""=[ \t\r\n\f]*+(?:"[^">]*+>|'[^'>]*+>)""")
_OPENING_QUOTE = re.compile(r"""=[ \t\r\n\f]*+["']++""")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_ANY_TAG = re.compile(r"<[^<>]*+>")
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_IMPLIED_END = frozenset("p li dt dd tr td th option".split())
_SCOPES = frozenset("table caption td th".split())
_TABLE = frozenset("table caption td th tr tbody thead tfoot".split())
_LOOK_BACK = 50  # open elements an end tag is compared with
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
_QUOTE_IDS = frozenset(("mail-editor-reference-message-container", "signature"))
_QUOTE_STARTS = frozenset(("appendonsend", "divrplyfwdmsg"))  # Outlook: the earlier message is all that follows


def html_to_text(html: str, own_only: bool = False) -> str:
    """Readable text; with `own_only`, without what the sender quotes (blockquote, quotation and signature blocks)."""
    html = _FORMATTING.sub("", _short_tags(without_pictures(html)[:MAX_HTML]))
    text = unescape(_ANY_TAG.sub("\n", html)) if is_tangled(html) else _parsed(html, own_only)
    text = "\n".join(line.strip(" \t") for line in text.split("\n")).replace("\u00ad", "").replace("\u200b", "")
    return (_BLANK_LINES.sub("\n\n", text) if "\n\n\n" in text else text).strip()


def is_tangled(html: str) -> bool:
    """Whether a parser's work on it could grow with the square of its size: elements nested too deep, tags too long."""
    return _nests_deeply(html) or _LONG_TAG.search(html) is not None


def without_pictures(html: str) -> str:
    """Without pictures written as data: megabytes that say nothing."""
    return _DATA.sub("", html)


def _short_tags(html: str) -> str:
    """Where a quoted value could hide the end of its tag, without those quotes.

    So each tag ends at its first `>`, whatever stands around it (comment, script, another tag), and `_LONG_TAG` sees the long ones.
    """
    return _OPENING_QUOTE.sub("=", html) if _LONG_TAG.search(html) or _QUOTED_END.search(html) else html


def _nests_deeply(html: str) -> bool:
    """Whether more than `MAX_NESTING` elements are open at once; where HTML's rules are subtle, it errs towards yes."""
    if html.count("<") <= MAX_NESTING:
        return False
    opened: list[str] = []
    for slash, tag in _TAG.findall(html):
        tag = tag.lower()
        if slash:
            _close_tag(opened, tag)
        elif tag not in _VOID and not (tag in _IMPLIED_END and opened and opened[-1] == tag):
            opened.append(tag)
            if len(opened) > MAX_NESTING:
                return True
    return False


def _close_tag(opened: list[str], tag: str) -> None:
    """An end tag inside a table cell closes nothing outside of it (HTML 13.2.4.2, scopes)."""
    for depth, name in enumerate(reversed(opened[-_LOOK_BACK:]), 1):
        if name == tag:
            del opened[-depth:]
            return
        if name in _SCOPES and tag not in _TABLE:
            return


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
            pieces.append(text if preformatted else _spaced(text))
        elif own_only and (node.id or "").lower() in _QUOTE_STARTS:
            break
        elif tag not in _SKIPPED and not (own_only and _quoted(node, tag)):
            pieces.append(_opening(node, tag, pieces))
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


def _spaced(text: str) -> str:
    """White space as HTML shows it: one blank, however long. Ten times faster than a pattern that finds every blank."""
    for other in "\t\r\n\f":
        text = text.replace(other, " ")
    while "  " in text:
        text = text.replace("  ", " ")
    return text


def _opening(node: LexborNode, tag: str, pieces: list[str]) -> str:
    if tag == "br":
        return "\n"
    if tag == "li":
        return "- " if pieces and pieces[-1].endswith("\n") else "\n- "
    if tag == "img":
        alt = node.attributes.get("alt")
        return f"[{_spaced(alt)}]" if alt and alt.strip() else ""
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

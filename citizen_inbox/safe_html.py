"""A mail's own formatting, made harmless: an allowlist (nh3), inline images as data, no other address followed, and a sandbox.

The result is served from its own address with a policy that forbids scripts, forms and any request, in a frame without rights.
The policy would be enough; the cleaning is the second wall, and the other way round.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape

import nh3

from mailserver.mime.html import html_to_text, is_tangled

POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-frame-options": "SAMEORIGIN",
    "cross-origin-resource-policy": "same-origin",
}
MAX_INLINE = 5_000_000  # octets of all inline images
MAX_HTML = 500_000  # characters
_PICTURES = ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
# fmt: off
TAGS = set(
    "a abbr address b bdi bdo big blockquote br caption center cite code col colgroup dd del dfn div dl dt em figcaption figure"
    " font h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strike strong sub sup table tbody td tfoot"
    " th thead time tr tt u ul var wbr".split()
)
# fmt: on
_LAYOUT = {"align", "valign", "bgcolor", "color", "width", "height", "style", "dir", "lang", "title"}
ATTRIBUTES = {
    "*": _LAYOUT,
    "a": {"href"},
    "img": {"src", "alt"},
    "font": {"face", "size"},
    "table": {"border", "cellpadding", "cellspacing"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "ol": {"start", "type"},
    "col": {"span"},
}
# no `url(…)`-bearing property, no position: nothing that draws outside its place or asks for something
STYLES = set(
    "color background-color font-family font-size font-style font-weight text-align text-decoration line-height vertical-align"
    " margin margin-left margin-right margin-top margin-bottom padding padding-left padding-right padding-top padding-bottom"
    " border border-color border-style border-width border-collapse width max-width height white-space list-style-type".split()
)
_SHEET = "body{font:18px/1.5 system-ui,sans-serif;color:#1b2a2f;background:#fff;margin:1rem;overflow-wrap:break-word}"
_SHEET += "img{max-width:100%;height:auto}table{max-width:100%}"


def page(html: str, picture: Callable[[str], bytes | None]) -> str:
    """A whole document, safe to serve with `HEADERS`; `picture(content_id)` gives an inline image's octets.

    Takes up to a second: call it in a thread. HTML too tangled to be cleaned in bounded time is shown as its text.
    """
    html = html[:MAX_HTML]
    clean = f"<pre>{escape(html_to_text(html))}</pre>" if is_tangled(html) else _cleaned(html, picture)
    return (
        '<!doctype html><html lang="fr"><head><meta charset="utf-8"><meta name="color-scheme" content="light">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Message mis en forme</title><style>{_SHEET}</style></head><body>{clean}</body></html>"
    )


def _cleaned(html: str, picture: Callable[[str], bytes | None]) -> str:
    left = MAX_INLINE

    def attribute(tag: str, name: str, value: str) -> str | None:
        nonlocal left
        if tag == "img" and name == "src":
            source = _inline(value, picture, left)
            left -= len(source or "")
            return source
        if name == "href" and not value.startswith(("https://", "http://", "mailto:", "tel:")):
            return None
        if name in ("style", "bgcolor", "color") and (
            "url" in value.lower() or "\\" in value or "expression" in value.lower()
        ):
            return None
        return value

    return nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        clean_content_tags={"script", "style", "title", "noscript", "template", "iframe", "object", "svg", "math"},
        attribute_filter=attribute,
        url_schemes={"https", "http", "mailto", "tel", "cid", "data"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        filter_style_properties=STYLES,
        strip_comments=True,
    )


def _inline(source: str, picture: Callable[[str], bytes | None], left: int) -> str | None:
    """A `cid:` image as data; every other source is dropped: nothing is fetched."""
    if not source.lower().startswith("cid:"):
        return None
    data = picture(source[4:].strip("<> "))
    kind = next((kind for mark, kind in _PICTURES if data is not None and data.startswith(mark)), None)
    if data is None or kind is None or len(data) > left:
        return None
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"

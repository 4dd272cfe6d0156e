"""Finds the entities of a message and their offsets (RFC 2046), outermost first.

A parent's boundary wins over its children's, so a missing end marker costs one part only. Work is bounded: each nesting level is
searched once by `bytes.find`, levels, parts and false boundary lines are counted, and beyond a limit the rest stays one leaf.
What cannot be a multipart (no boundary, no delimiter line) is read as text/plain, so that its text is not lost.
"""

from __future__ import annotations

import re

from mailserver.mime.fields import Fields, header_end
from mailserver.mime.params import Params, media_type, split

MAX_DEPTH = 32  # honest mail nests under 10 levels (forwards of forwards); each level may read the whole message again
MAX_PARTS = 1_000  # a BODYSTRUCTURE of a thousand parts is already 100 KB that clients must hold
MAX_CANDIDATES = (
    20_000  # lines that look like a boundary and are not: bounds Python steps on hostile bodies to some 10 ms
)

_DELIMITER_TAIL = re.compile(rb"(--)?[ \t]*+\r?(?:\n|\Z)")
IDENTITY = frozenset((b"7bit", b"8bit", b"binary"))  # RFC 2046 5.2.1: no other encoding on message/rfc822
_DEFAULT = b"text/plain; charset=us-ascii"  # RFC 2045 5.2


class Part:
    """One entity: header [start, body), content [body, end). `children` of a multipart; `nested` of a message/rfc822."""

    __slots__ = (
        "body",
        "children",
        "encoding",
        "end",
        "fields",
        "nested",
        "params",
        "section",
        "start",
        "subtype",
        "type",
    )

    def __init__(self, start: int, body: int, end: int, fields: Fields) -> None:
        self.start, self.body, self.end, self.fields = start, body, end, fields
        self.section = ""  # IMAP part number (RFC 9051 6.4.5.1); "" for the message itself when it is multipart
        self.type, self.subtype = b"text", b"plain"
        self.params: Params = []
        self.encoding = b"7bit"
        self.children: list[Part] = []
        self.nested: Part | None = None

    @property
    def media_type(self) -> str:
        return f"{self.type.decode()}/{self.subtype.decode()}"


class Scanner:
    """State of one scan: the octets and the budgets left. `cut`: beyond a limit, or encoded where nothing may be (RFC 2046 5.2.1),
    something is one leaf in which others may find more.
    """

    __slots__ = ("candidates", "content", "cut", "parts")

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.parts = MAX_PARTS
        self.candidates = MAX_CANDIDATES
        self.cut = False

    def message(self, start: int, end: int, prefix: str = "", depth: int = 0) -> Part:
        """A message (top or nested) in [start, end); `prefix` numbers its parts: "" or "2."."""
        root = self._entity(start, end, depth, default=_DEFAULT)
        if root.children:
            self._number(root, prefix, depth)
        else:
            root.section = f"{prefix}1"
            self._open_nested(root, depth)
        return root

    def _number(self, multipart: Part, prefix: str, depth: int) -> None:
        for index, child in enumerate(multipart.children, 1):
            child.section = f"{prefix}{index}"
            if child.children:
                self._number(child, f"{child.section}.", depth + 1)
            else:
                self._open_nested(child, depth + 1)

    def _entity(self, start: int, end: int, depth: int, default: bytes) -> Part:
        body = header_end(self.content, start, end)
        part = Part(start, body, end, Fields(self.content, start, body))
        _read_type(part, default)
        if part.type == b"multipart":
            self._open_multipart(part, depth)
        return part

    def _open_multipart(self, part: Part, depth: int) -> None:
        boundary = next((value for name, value in part.params if name == b"boundary"), b"").rstrip()
        allowed = depth < MAX_DEPTH and self.parts > 0
        spans = self._split(boundary, part.body, part.end) if boundary and allowed else []
        if not spans:
            self.cut = self.cut or not allowed
            part.type, part.subtype = (b"text", b"plain") if allowed else (b"application", b"octet-stream")
            part.params = [pair for pair in part.params if pair[0] != b"boundary"]
            return
        default = b"message/rfc822" if part.subtype == b"digest" else _DEFAULT  # RFC 2046 5.1.5
        for start, end in spans:
            part.children.append(self._entity(start, end, depth + 1, default))

    def _open_nested(self, part: Part, depth: int) -> None:
        """Fills `nested` of a message part; its numbers start with the part's own, so that comes first."""
        if part.type != b"message" or part.subtype not in (b"rfc822", b"global"):
            return
        if part.encoding in IDENTITY and depth < MAX_DEPTH and self.parts > 0:
            self.parts -= 1
            part.nested = self.message(part.body, part.end, f"{part.section}.", depth + 1)
        else:
            self.cut = True
            part.type, part.subtype = (
                b"application",
                b"octet-stream",
            )  # opaque: a BODYSTRUCTURE must not promise its inside

    def _split(self, boundary: bytes, start: int, end: int) -> list[tuple[int, int]]:
        """Spans between the delimiter lines of `boundary` in [start, end); preamble and epilogue are left out."""
        content, needle = self.content, b"\n--" + boundary
        spans: list[tuple[int, int]] = []
        opened = -1
        at = start - 1  # the blank line's own LF may precede the first delimiter
        while (at := content.find(needle, max(at, 0), end)) >= 0:
            tail = _DELIMITER_TAIL.match(content, at + len(needle), end)
            if tail is None:
                self.candidates -= 1
                if self.candidates <= 0:
                    self.cut = True
                    break
                at += 1
                continue
            if opened >= 0:
                spans.append((opened, max(opened, at - 1 if content[at - 1] == 13 else at)))
            opened = tail.end()
            if tail[1] is not None:
                opened = -1
                break
            if len(spans) + 1 >= self.parts:
                self.cut = True
                break
            at = opened - 1
        if opened >= 0:
            spans.append((opened, end))
        self.parts -= len(spans)
        return spans


def _read_type(part: Part, default: bytes) -> None:
    head, part.params = split(part.fields.value(b"content-type") or default)
    part.type, part.subtype = media_type(head) or (b"text", b"plain")  # RFC 2045 5.2
    encoding = part.fields.value(b"content-transfer-encoding")
    if encoding:
        part.encoding = split(encoding)[0] or b"7bit"

"""`scan(content)`: a message as its readers want it; decoding happens on demand and never fails.

Numbers of sections ("1", "2.1") are those of IMAP (RFC 9051 6.4.5.1) everywhere: attachments, `decoded`, `Card.parts`.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property, lru_cache

from mailserver.mime import card as wire
from mailserver.mime import uuencode
from mailserver.mime.addresses import Address, addresses, decoded
from mailserver.mime.bodies import all_parts, body_parts, default_name, default_names, disposition, is_body_text, leaves
from mailserver.mime.doubts import is_doubtful
from mailserver.mime.fields import message_ids
from mailserver.mime.html import MAX_HTML, html_to_text, without_pictures
from mailserver.mime.params import file_name, file_names, parameter, safe_name
from mailserver.mime.scanner import Part, Scanner
from mailserver.mime.words import CONTROLS, base64_bytes, comparable, decode_words, to_text
from mailserver.store.api import Card

PREVIEW = 200  # characters: RFC 8970 section 3.1
PREVIEW_SOURCE = 8_192  # octets of a body looked at for a preview
ADDRESS_FIELDS = frozenset((b"bcc", b"cc", b"from", b"reply-to", b"sender", b"to"))
MAX_SEARCH = 256 * 1024  # characters kept for SEARCH: a 100-page letter; the search index stays a fraction of the mail


@dataclass(frozen=True, slots=True)
class Attachment:
    """`filename` is safe to show and never empty; `size` counts decoded octets; `inline` = shown inside the text."""

    section: str
    filename: str
    media_type: str
    size: int
    inline: bool
    content_id: str | None  # without < >


def scan(content: bytes) -> Message:
    """Reads the structure of any octets; never raises."""
    scanner = Scanner(content)
    root = scanner.message(0, len(content))
    return Message(content, root, scanner.cut)


class Message:
    """One scanned message. `root` is the tree of parts with their offsets; `cut`: not all of it (`Scanner.cut`)."""

    def __init__(self, content: bytes, root: Part, cut: bool = False) -> None:
        self.content = content
        self.root = root
        self.cut = cut
        self._short_texts: dict[str, str] = {}  # by section: asked by the preview, by SEARCH, by the rules

    # ---------------------------------------------------------------- header
    def raw_headers(self, name: str) -> list[bytes]:
        """Unfolded octets of each field `name`, in order."""
        return self.root.fields.values(_key(name))

    def header(self, name: str) -> str | None:
        """The first field `name`: unfolded, encoded words decoded."""
        value = self.root.fields.value(_key(name))
        return None if value is None else decode_words(value)

    def addresses(self, name: str) -> list[Address]:
        return addresses(self.root.fields.addresses(_key(name)))

    @property
    def subject(self) -> str:
        return self.header("subject") or ""

    @property
    def message_id(self) -> str | None:
        """With its brackets; None when absent or malformed."""
        return next(iter(message_ids(self.root.fields.value(b"message-id"))), None)

    @property
    def in_reply_to(self) -> list[str]:
        return message_ids(self.root.fields.value(b"in-reply-to"))

    @property
    def references(self) -> list[str]:
        return message_ids(self.root.fields.value(b"references"))

    @property
    def date(self) -> datetime | None:
        """Date field with the sender's own offset (SENTSINCE needs it, RFC 9051 6.4.4); None when absent or malformed."""
        value = self.root.fields.value(b"date")
        if not value or len(value) > 200:
            return None
        try:
            date = parsedate_to_datetime(value.decode("latin-1"))
            return date if date.tzinfo else date.replace(tzinfo=UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None

    # ---------------------------------------------------------------- parts
    def decoded(self, section: str, limit: int | None = None) -> bytes:
        """Content of a part with its transfer encoding undone; b"" when there is no such part. `limit`: octets before that."""
        part = self._leaf_by_section.get(section)
        return b"" if part is None else self._decode(part, limit)

    def attachments(self) -> list[Attachment]:
        """Every leaf that is not the text itself, in order; an attached message is one attachment."""
        return [self._attachment(part) for part in leaves(self.root) if not is_body_text(part)]

    def files(self) -> Iterator[tuple[str, list[str]]]:
        """(section, names) of the same, and of those of attached messages: an attached message is what it holds."""
        for part in all_parts(self.root):
            if not part.children and part.nested is None and not is_body_text(part):
                names = file_names(disposition(part)[1], part.params)
                yield part.section, names if any("." in name for name in names) else [*names, *default_names(part)]

    def doubtful(self) -> Iterator[str]:
        """Sections that other readers may read otherwise (`doubts`)."""
        return (part.section for part in all_parts(self.root) if is_doubtful(part, self.content))

    def uuencoded(self) -> Iterator[tuple[str, str, bytes]]:
        """(section, name, content) of files that stand within texts, as before MIME: some mail clients show them as attachments."""
        for part in all_parts(self.root):
            if part.subtype == b"plain" and not part.children and is_body_text(part):
                for name, content in uuencode.files(self._decode(part)):
                    yield part.section, safe_name(name), content

    @property
    def has_attachments(self) -> bool:
        """Without a look at their octets."""
        return not all(map(is_body_text, leaves(self.root)))

    def text(self) -> str:
        """What a person reads: text/plain, or HTML turned into text when there is no plain text."""
        return self._text

    def html(self) -> str | None:
        """The HTML body as sent (to be sanitised before it is shown), None when there is none."""
        found = [part for part in body_parts(self.root, b"html") if part.subtype == b"html"]
        return "\n".join(self._part_text(part) for part in found) if found else None

    def written_texts(self) -> list[str]:
        """Each body's text; of HTML only what the sender wrote, its quotation and signature blocks left out.

        What the marks of plain text quote is `mssante.closing`'s to tell.
        """
        found, left = [], MAX_HTML
        for part in filter(is_body_text, leaves(self.root)):
            text = self._part_text(part)
            if part.subtype == b"html":
                html = without_pictures(text)
                text = html_to_text(html[:left], own_only=True) or (
                    "…" if len(html) > left else ""
                )  # unread: not empty
                left = max(0, left - len(html))
            found.append(text)
        return found

    # ---------------------------------------------------------------- rendered once at delivery
    def card(self) -> Card:
        """Wire bytes of ENVELOPE, BODY, BODYSTRUCTURE, the header block, offsets and preview."""
        body, body_structure = wire.structures(self.root, self.content)
        return Card(
            envelope=wire.envelope(self.root.fields),
            body=body,
            body_structure=body_structure,
            header=self.content[: self.root.body],
            preview=self.preview(),
            parts=wire.offsets(self.root),
        )

    def preview(self) -> str:
        """The beginning of the text on one line, at most 200 characters."""
        for prefer in (b"plain", b"html"):
            for part in body_parts(self.root, prefer):
                text = self._part_text(part, PREVIEW_SOURCE)
                text = html_to_text(text) if part.subtype == b"html" else text
                line = " ".join(text[: 2 * PREVIEW].split())
                if len(line) < PREVIEW:  # many blanks
                    line = " ".join(text[: 10 * PREVIEW].split())
                if line:
                    return line[:PREVIEW]
        return ""

    def search_headers(self) -> str:
        """One line `name: value` per field, decoded and `comparable`, at most `MAX_SEARCH` characters."""
        return _header_lines(self.root)[:MAX_SEARCH]

    def search_text(self) -> str:
        """All text of the message, attached texts and messages included, `comparable`, at most `MAX_SEARCH` characters."""
        pieces, left, html_left = [], MAX_SEARCH, MAX_HTML
        for part in all_parts(self.root):
            if left <= 0:
                break
            if part.nested is not None:
                piece = _header_lines(part.nested)
            elif part.type == b"text":
                piece = self._part_text(part, 4 * MAX_SEARCH)
                if part.subtype == b"html":
                    html = without_pictures(piece)[:html_left]
                    html_left -= len(html)
                    piece = html_to_text(html)
            else:
                continue
            pieces.append(piece[:left])
            left -= len(piece) + 1
        return comparable("\n".join(pieces))[:MAX_SEARCH]

    # ---------------------------------------------------------------- inside
    @cached_property
    def _leaf_by_section(self) -> dict[str, Part]:
        return {part.section: part for part in all_parts(self.root) if part.section}

    @cached_property
    def _text(self) -> str:
        for prefer in (b"plain", b"html"):
            pieces, html_left = [], MAX_HTML
            for part in body_parts(self.root, prefer):
                text = self._part_text(part)
                if part.subtype == b"html":
                    html = without_pictures(text)[:html_left]
                    html_left -= len(html)
                    text = html_to_text(html)
                pieces.append(text.strip())
            text = "\n\n".join(piece for piece in pieces if piece)
            if text:
                return text
        return ""

    def _part_text(self, part: Part, limit: int | None = None) -> str:
        cut = limit is not None and part.body + limit < part.end
        short = part.end - part.body <= PREVIEW_SOURCE  # so never cut
        if short and part.section in self._short_texts:
            return self._short_texts[part.section]
        text = to_text(self._decode(part, limit), parameter(part.params, b"charset"), cut)
        text = text.replace("\r\n", "\n").replace("\0", "")
        if short:
            self._short_texts[part.section] = text
        return text

    def _decode(self, part: Part, limit: int | None = None) -> bytes:
        end = part.end if limit is None else min(part.end, part.body + limit)
        data = self.content[part.body : end]
        if part.encoding == b"base64":
            return base64_bytes(data)
        if part.encoding == b"quoted-printable":
            return binascii.a2b_qp(data)
        return data

    def _attachment(self, part: Part) -> Attachment:
        kind = disposition(part)[0]
        content_id = (part.fields.value(b"content-id") or b"").strip(b"<> ").decode("utf-8", "replace")
        return Attachment(
            section=part.section,
            filename=self._file_name(part),
            media_type=part.media_type,
            size=self._decoded_size(part),
            inline=kind == b"inline" or (bool(content_id) and kind != b"attachment"),
            content_id=content_id or None,
        )

    def _file_name(self, part: Part) -> str:
        return file_name(disposition(part)[1], part.params) or default_name(part)

    def _decoded_size(self, part: Part) -> int:
        """Without decoding the usual base64 of whole lines."""
        if part.encoding != b"base64":
            return len(self._decode(part)) if part.encoding == b"quoted-printable" else part.end - part.body
        content, body, end = self.content, part.body, part.end
        signs = end - body - content.count(b"\n", body, end) - content.count(b"\r", body, end)
        padding = content.count(b"=", max(body, end - 8), end)
        return max(0, signs - padding) * 3 // 4


@lru_cache(maxsize=64)  # the same twenty names, message after message
def _key(name: str) -> bytes:
    return name.lower().encode("utf-8", "replace")


def _header_lines(part: Part) -> str:
    fields = part.fields.all
    plain = b"\n".join([b"%b: %b" % field for field in fields])
    if plain.isascii() and b"=?" not in plain:
        return plain.translate(None, CONTROLS).lower().decode()
    return "\n".join([_header_line(name, value) for name, value in fields])


def _header_line(name: bytes, value: bytes) -> str:
    text = decoded(value) if name in ADDRESS_FIELDS else decode_words(value)
    text = text.replace("\n", " ")  # out of an encoded word: what follows would read as another field
    return f"{name.decode()}: {comparable(text)}"

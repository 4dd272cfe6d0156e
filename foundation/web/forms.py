"""Forms: what a browser sends, read within hard limits, as plain values.

`application/x-www-form-urlencoded` and `multipart/form-data` (RFC 7578). Files stay in memory, bounded: nothing a citizen
uploads touches the disk in the clear. A body over the limit is read to its end (within reason) and dropped, so that the browser
gets our page with both figures instead of a broken connection.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

MAX_TEXT = 1_000_000  # octets of all text fields together
MAX_FIELDS = 200


@dataclass(frozen=True, slots=True)
class Upload:
    """One file: `name` without any path, `content` its octets."""

    name: str
    media_type: str
    content: bytes

    def __repr__(self) -> str:
        return f"Upload({len(self.content)} octets)"


@dataclass(frozen=True, slots=True)
class Form:
    """`values` as typed (line ends \\n, outer spaces kept); `too_large` = octets sent when over the limit, and then no files."""

    values: dict[str, str] = field(default_factory=dict)
    files: dict[str, list[Upload]] = field(default_factory=dict)
    too_large: int = 0

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name, default).strip()

    def uploads(self, name: str) -> list[Upload]:
        return self.files.get(name, [])

    def texts(self) -> dict[str, str]:
        """What is worth keeping: everything typed, without the technical fields."""
        return {name: value for name, value in self.values.items() if not name.startswith("_")}


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of a form: the field's id and one sentence in French."""

    field: str
    sentence: str


class BadForm(Exception):
    """The body is not a form."""


async def read_form(request: Request, max_octets: int = MAX_TEXT) -> Form:
    """The whole form; raises `BadForm`. `max_octets` bounds the body, files included."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind == b"multipart/form-data" and options.get(b"boundary"):
        return await _read_multipart(request, options[b"boundary"], max_octets)
    if kind not in (b"application/x-www-form-urlencoded", b""):
        raise BadForm(kind.decode("latin-1"))
    body, total = await _body(request, MAX_TEXT)
    if total > MAX_TEXT:
        return Form(too_large=total)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except (UnicodeDecodeError, ValueError) as cause:
        raise BadForm("urlencoded") from cause
    return Form({name: _lines(value) for name, value in pairs})


async def _read_multipart(request: Request, boundary: bytes, max_octets: int) -> Form:
    collector = _Collector()
    parser = MultipartParser(boundary, collector.callbacks())  # type: ignore[arg-type]
    total = 0
    try:
        async for chunk in request.stream():
            total += len(chunk)
            if total <= max_octets:
                parser.write(chunk)
            elif total > 20 * max_octets:
                break
            else:
                collector.drop_files()
        if total <= max_octets:
            parser.finalize()
        return collector.form(total if total > max_octets else 0)
    except (FormParserError, UnicodeDecodeError) as cause:
        raise BadForm("multipart") from cause


async def _body(request: Request, limit: int) -> tuple[bytes, int]:
    body, total = bytearray(), 0
    async for chunk in request.stream():
        total += len(chunk)
        if total <= limit:
            body += chunk
        elif total > 20 * limit:
            break
    return bytes(body), total


class _Collector:
    """Receives the parser's callbacks: one header at a time, one part at a time."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._files: dict[str, list[Upload]] = {}
        self._parts = 0
        self._text = 0
        self._header = bytearray()
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._data = bytearray()

    def callbacks(self) -> dict[str, Any]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_part_data": lambda data, start, end: self._data.extend(data[start:end]),
            "on_part_end": self._end,
        }

    def drop_files(self) -> None:
        self._files.clear()
        self._data.clear()

    def form(self, too_large: int) -> Form:
        return Form(self._values, {} if too_large else self._files, too_large)

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_FIELDS:
            raise FormParserError("too many parts")
        self._headers, self._data = {}, bytearray()

    def _header_end(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode()
        if b"filename" not in options:
            self._text += len(self._data)
            if self._text > MAX_TEXT:
                raise FormParserError("too much text")
            self._values[name] = _lines(self._data.decode())
            return
        file_name = _bare_name(options[b"filename"].decode())
        if file_name or self._data:  # a file field left empty sends an empty name
            media_type = self._headers.get(b"content-type", b"application/octet-stream").decode("latin-1")
            self._files.setdefault(name, []).append(Upload(file_name or "sans nom", media_type, bytes(self._data)))


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _bare_name(name: str) -> str:
    bare = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in bare if c.isprintable()).strip()[:150]

"""Values with parameters: Content-Type, Content-Disposition (RFC 2045 5.1, RFC 2183) and long file names (RFC 2231).

`split` keeps parameters as on the wire (BODYSTRUCTURE wants them so); `parameter` gives one as text.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from mailserver.mime.words import decode_words, to_text

# Senders write fewer than ten; continuations of RFC 2231 rarely pass twenty.
MAX_PARAMS = 100
MAX_FILE_NAME = 150  # characters: fits every file system with room for a suffix

Params = list[tuple[bytes, bytes]]

# The last two alternatives skip what is no parameter, as far as the first one looked: no octet is read twice.
_PARAM = re.compile(
    rb"""[;\s]*+([^\s=;"]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"?|([^;]*+))|[;\s]*+[^;\s][^;]*+|[;\s]++""", re.DOTALL
)
_TOKEN = re.compile(rb"[!#-'*+\-.0-9A-Z^-~]++")
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_CONTINUED = re.compile(rb"(.*?)\*(\d{1,3})(\*?)$", re.DOTALL)
# Bidirectional overrides would let « ordonnance‮fdp.exe » pass for a PDF; signs that nobody sees, one name for another.
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
_BLANKS = re.compile(r"\s{2,}")  # a run of them would push the ending out of sight


def split(value: bytes) -> tuple[bytes, Params]:
    """(lower-case value before the first `;`, parameters with lower-case names and unquoted raw values)."""
    head, semicolon, rest = value.partition(b";")
    head = head.strip().lower()
    return _without_comment(head), _params(rest) if semicolon else []


def _without_comment(value: bytes) -> bytes:
    """`text/plain (as said)` -> `text/plain`."""
    return value[: value.rfind(b"(")].rstrip() if value.endswith(b")") and b"(" in value else value


def _params(rest: bytes) -> Params:
    found: Params = []
    for match in _PARAM.finditer(rest):
        name, quoted, plain = match.groups()
        if name is None:
            continue
        if quoted is not None:
            found.append((name.lower(), _ESCAPE.sub(rb"\1", quoted) if b"\\" in quoted else quoted))
        else:
            found.append((name.lower(), _without_comment(plain.strip())))
        if len(found) == MAX_PARAMS:
            break
    return found


def media_type(head: bytes) -> tuple[bytes, bytes] | None:
    """`type/subtype` as two tokens, None when malformed."""
    kind, slash, subtype = head.partition(b"/")
    if slash and _TOKEN.fullmatch(kind) and _TOKEN.fullmatch(subtype):
        return kind, subtype
    return None


def parameter(params: Params, name: bytes) -> str | None:
    """One parameter as text: RFC 2231 (charset and continuations) first, then RFC 2047 words, which senders put there too."""
    extended = plain = None
    pieces: dict[int, tuple[bytes, bool]] = {}
    for key, value in params:
        if key == name and plain is None:
            plain = value
        elif key == name + b"*" and extended is None:
            extended = value
        elif key.startswith(name) and (found := _CONTINUED.match(key)) and found[1] == name:
            pieces.setdefault(int(found[2]), (value, bool(found[3])))
    if extended is not None:
        return _extended([(extended, True)])
    if 0 in pieces:
        ordered: list[tuple[bytes, bool]] = []
        while len(ordered) in pieces:
            ordered.append(pieces[len(ordered)])
        return _extended(ordered)
    return None if plain is None else decode_words(plain)


def _extended(pieces: list[tuple[bytes, bool]]) -> str:
    """RFC 2231 section 4.1: `charset'language'` stands in the first piece only, when that piece is marked with `*`."""
    first, marked = pieces[0]
    charset: str | None = None
    if marked and first.count(b"'") >= 2:
        name, _, first = first.split(b"'", 2)
        charset = name.decode("latin-1")
    data = b"".join(unquote_to_bytes(piece) if coded else piece for piece, coded in [(first, marked), *pieces[1:]])
    return to_text(data, charset) if charset or not data.isascii() else decode_words(data)


def file_name(params: Params, type_params: Params) -> str:
    """The file name of a part (`filename`, else `name`), safe to show and to save; "" when there is none."""
    name = parameter(params, b"filename") or parameter(type_params, b"name") or ""
    return safe_name(name)


def file_names(params: Params, type_params: Params) -> list[str]:
    """All names that some reader may take, the one of `file_name` first: where there are several, each takes its own."""
    plain = [value for key, value in (*params, *type_params) if key in (b"filename", b"name")]
    found = [file_name(params, type_params), *map(decode_words, plain)]
    found += [parameter(params, b"filename") or "", parameter(type_params, b"name") or ""]
    found += [_by_number(params, b"filename"), _by_number(type_params, b"name")]
    found += [name.partition("\0")[0] for name in found]
    return list(dict.fromkeys(filter(None, map(safe_name, found))))


def _by_number(params: Params, name: bytes) -> str:
    """Pieces in the order of their numbers (RFC 2231 3), of which the first may be any."""
    pieces = {
        int(found[2]): (value, bool(found[3]))
        for key, value in reversed(params)
        if (found := _CONTINUED.match(key)) and found[1] == name
    }
    return _extended([pieces[number] for number in sorted(pieces)]) if pieces else ""


def safe_name(name: str) -> str:
    """Last path part only, no control, direction or unseen characters, no leading dot, at most `MAX_FILE_NAME` characters."""
    name = _UNSAFE.sub("", name.replace("\\", "/")).rstrip("/ ").rsplit("/", 1)[-1].strip(" .\u00a0")
    name = _BLANKS.sub(" ", name)
    if len(name) <= MAX_FILE_NAME:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix) > 10:
        return name[:MAX_FILE_NAME]
    return f"{stem[: MAX_FILE_NAME - len(suffix) - 1]}.{suffix}"

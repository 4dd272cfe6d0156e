"""Octets to text: charsets and encoded words (RFC 2047).

Charset policy, deterministic, no guessing: the declared one, then UTF-8, then Windows-1252 (legacy French mail is one of these).
Only codecs known to run in linear time and to give valid text are used: a sender cannot choose `idna`, `punycode` or `utf-7`
(which makes lone surrogates, and hides markup).
"""

from __future__ import annotations

import binascii
import codecs
import re
import unicodedata
from functools import lru_cache

_SAFE_CODEC = re.compile(
    r"utf-(?:8|16|32)|ascii$|iso8859-|iso2022_|cp\d+$|koi8|mac-|gb|big5|euc_|shift_jis|hz$|johab$|tis-620$|ptcp154$|kz1048$"
)
_WORD = re.compile(rb"=\?([^?*\s]++)(?:\*[^?\s]*+)?\?([bBqQ])\?([^?]*+)\?=")
CONTROLS = bytes((*range(9), 11, 12, *range(14, 32), 127))  # that no reader wants
_CONTROLS = dict.fromkeys(CONTROLS)


def comparable(text: str) -> str:
    """As SEARCH compares texts: without case, each accent in one spelling (a Mac's is another), every space an ordinary one: French
    has hard ones within what people look for.
    """
    folded = text.casefold()
    if folded.isascii():
        return folded
    return unicodedata.normalize("NFC", folded.replace("\u00a0", " ").replace("\u202f", " "))


@lru_cache(maxsize=256)
def codec_for(charset: str) -> str | None:
    """Python's codec for a declared charset, or None when unknown or not safe."""
    try:
        name = codecs.lookup(charset.strip(" \"'")).name
    except (LookupError, ValueError):
        return None
    if name in ("iso8859-1", "ascii"):
        return "cp1252"  # what senders mean by it (WHATWG Encoding): « ’ » and « œ » live in 0x80-0x9F
    return name if _SAFE_CODEC.match(name) and _shows_markup(name) else None


def _shows_markup(codec: str) -> bool:
    """In the codes of mainframes a tag is written with other octets."""
    return b"<" in "<".encode(codec)


def to_text(data: bytes, charset: str | None, cut: bool = False) -> str:
    """`data` as text; never fails. `cut`: the end is missing, a last incomplete character is dropped."""
    for codec in (codec_for(charset) if charset else None, "utf-8"):
        if codec is None or (codec == "cp1252" and _is_utf8(data, cut)):
            continue
        try:
            return codecs.getincrementaldecoder(codec)().decode(data) if cut else data.decode(codec)
        except ValueError:
            continue
    return data.decode("cp1252", "replace")


def _is_utf8(data: bytes, cut: bool) -> bool:
    """Declared Latin-1 but valid multi-byte UTF-8: no French text looks so by chance."""
    if data.isascii():
        return False
    try:
        codecs.utf_8_decode(data, "strict", not cut)
    except ValueError:
        return False
    return True


def clean(text: str) -> str:
    """Without the control characters that no reader wants (tab and line ends stay)."""
    return text if text.isprintable() else text.translate(_CONTROLS)


def decode_words(value: bytes) -> str:
    """An unfolded header value as text: encoded words decoded, white space between two of them dropped (RFC 2047 6.2).

    Neighbours in one charset are joined before decoding: many senders split a character between two words.
    """
    if b"=?" not in value:
        return clean(value.decode() if value.isascii() else to_text(value, None))
    pieces: list[tuple[str | None, list[bytes]]] = []  # (charset or None for plain text, octets)
    at = 0
    for found in _WORD.finditer(value):
        between = value[at : found.start()]
        if between.strip() or (between and (not pieces or pieces[-1][0] is None)):
            pieces.append((None, [between]))
        charset = found[1].decode("latin-1").lower()
        if not pieces or pieces[-1][0] != charset:
            pieces.append((charset, []))
        pieces[-1][1].append(_word_bytes(found[2], found[3]))
        at = found.end()
    pieces.append((None, [value[at:]]))
    return clean("".join(to_text(b"".join(data), charset) for charset, data in pieces))


def _word_bytes(encoding: bytes, data: bytes) -> bytes:
    if encoding in b"qQ":
        return binascii.a2b_qp(data, header=True)
    return base64_bytes(data)


NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))


def base64_bytes(data: bytes) -> bytes:
    """Base64 as found in real mail: foreign characters ignored, padding repaired, an odd last character dropped."""
    try:
        return binascii.a2b_base64(data)
    except (binascii.Error, ValueError):
        body = data.split(b"=", 1)[0].translate(None, NOT_BASE64)
        if len(body) % 4 == 1:
            body = body[:-1]
        return binascii.a2b_base64(body + b"=" * (-len(body) % 4))

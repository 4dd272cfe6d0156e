"""Content-Transfer-Encodings (RFC 2045 6) taken off piece by piece: a large part never stands in memory whole."""

from __future__ import annotations

import binascii
from typing import Protocol

from mailserver.mime.words import NOT_BASE64, base64_bytes


class Decoder(Protocol):
    """`feed` gives what is sure so far, `end` the rest; together the same however the octets were cut. Never raises."""

    def feed(self, octets: bytes) -> bytes: ...
    def end(self) -> bytes: ...


class Identity:
    def feed(self, octets: bytes) -> bytes:
        return octets

    def end(self) -> bytes:
        return b""


class Base64:
    """As real mail has it: foreign characters are ignored, the first padding ends it, an odd last character is dropped."""

    def __init__(self) -> None:
        self._held = b""
        self._ended = False

    def feed(self, octets: bytes) -> bytes:
        if self._ended:
            return b""
        body, padding, _ = octets.partition(b"=")
        signs = self._held + body.translate(None, NOT_BASE64)
        if padding:
            self._held, self._ended = b"", True
            return base64_bytes(signs)
        whole = len(signs) & ~3
        self._held = signs[whole:]
        return binascii.a2b_base64(signs[:whole])

    def end(self) -> bytes:
        return base64_bytes(self._held)


class QuotedPrintable:
    def __init__(self) -> None:
        self._held = b""

    def feed(self, octets: bytes) -> bytes:
        octets = self._held + octets
        cut = self._sure(octets)
        self._held = octets[cut:]
        return binascii.a2b_qp(octets[:cut])

    def end(self) -> bytes:
        return binascii.a2b_qp(self._held)

    @staticmethod
    def _sure(octets: bytes) -> int:
        """Before a `=` whose two characters, or whose line end, may still come."""
        at = octets.find(b"=\r", octets.rfind(b"\n") + 1)  # all up to the next LF goes with it
        if at < 0:
            at = octets.rfind(b"=")
            if at < 0 or len(octets) - at > 2:
                return len(octets)
        return len(octets[: at + 1].rstrip(b"="))  # `==` stands for one: where their row begins decides


DECODERS: dict[str, type[Decoder]] = {
    "7bit": Identity,
    "8bit": Identity,
    "binary": Identity,
    "base64": Base64,
    "quoted-printable": QuotedPrintable,
}


def decoded(octets: bytes, encoding: str) -> bytes:
    """All of a part; `encoding` is one of `DECODERS`."""
    decoder = DECODERS[encoding]()
    return decoder.feed(octets) + decoder.end()

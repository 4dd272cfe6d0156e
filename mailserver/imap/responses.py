"""What the server says (RFC 3501 7): typed values, each with one `__bytes__`, CRLF included.

`Ok`, `No` and `Bad` are completions: the session puts the tag before them. `No` (a wish refused) and `Bad` (the client's
fault) are raised wherever they are found; each knows its response code (RFC 3501 7.1, RFC 5530). Our own faults have no
value here: the session answers them with one fixed sentence.
What is said of folders is in `responses_folders`, of messages in `responses_messages`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import SupportsBytes

from mailserver.imap.wire import string


def _status(kind: bytes, text: str, code: str | None) -> bytes:
    return kind + (b" [%b] " % code.encode("ascii") if code else b" ") + text.encode("ascii") + b"\r\n"


@dataclass(frozen=True, slots=True)
class Ok:
    """A command done: yielded last by its handler."""

    text: str
    code: str | None = None

    def __bytes__(self) -> bytes:
        return _status(b"OK", self.text, self.code)


class No(Exception):
    """A wish refused."""

    def __init__(self, text: str, code: str | None = None) -> None:
        super().__init__(text)
        self.text, self.code = text, code

    def __bytes__(self) -> bytes:
        return _status(b"NO", self.text, self.code)


class Bad(Exception):
    """The client's fault: syntax, wrong state, impossible number."""

    def __init__(self, text: str, code: str | None = None) -> None:
        super().__init__(text)
        self.text, self.code = text, code

    def __bytes__(self) -> bytes:
        return _status(b"BAD", self.text, self.code)


Completion = Ok | No | Bad


@dataclass(frozen=True, slots=True)
class Untagged:
    """`* OK`, `* NO`, `* BAD`."""

    status: Completion

    def __bytes__(self) -> bytes:
        return b"* " + bytes(self.status)


@dataclass(frozen=True, slots=True)
class Tagged:
    tag: bytes
    status: Completion

    def __bytes__(self) -> bytes:
        return self.tag + b" " + bytes(self.status)


@dataclass(frozen=True, slots=True)
class Bye:
    """The server is about to close (RFC 3501 7.1.5)."""

    text: str
    code: str | None = None

    def __bytes__(self) -> bytes:
        return _status(b"* BYE", self.text, self.code)


@dataclass(frozen=True, slots=True)
class Continue:
    """`+`: the client may go on (RFC 3501 7.5); everything waiting is sent with it."""

    text: bytes = b"OK"

    def __bytes__(self) -> bytes:
        return b"+ %b\r\n" % self.text


@dataclass(frozen=True, slots=True)
class Capability:
    names: Sequence[str]

    def __bytes__(self) -> bytes:
        return b"* CAPABILITY %b\r\n" % " ".join(self.names).encode("ascii")


@dataclass(frozen=True, slots=True)
class Enabled:
    names: Sequence[str]

    def __bytes__(self) -> bytes:
        return b"* " + " ".join(("ENABLED", *self.names)).encode("ascii") + b"\r\n"


@dataclass(frozen=True, slots=True)
class Id:
    """RFC 2971 3.2."""

    fields: Sequence[tuple[str, str]]

    def __bytes__(self) -> bytes:
        pairs = b" ".join(string(name.encode()) + b" " + string(value.encode()) for name, value in self.fields)
        return b"* ID (%b)\r\n" % pairs if pairs else b"* ID NIL\r\n"


Response = SupportsBytes  # untagged, as it goes on the wire

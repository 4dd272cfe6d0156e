"""The messages of SCRAM (RFC 5802 5, 7) on the server's side, without transport, randomness or passwords.

    first = read_first(message, plus, bind)             client-first
    challenge(first, salt, nonce)                       server-first
    read_final(message, first, challenge)               client-final: the proof to be checked
    verdict(signature)                                  server-final

A wrong message is a `Fault`. Optional extensions pass unread, mandatory ones (`m=`) are none of ours: a fault.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from mssante.scram import Proof, Salt

# Name of a kind of channel binding (RFC 5929, RFC 9266) -> its data for this connection; None for a kind that it has not.
Bind = Callable[[str], bytes | None]


class Fault(Enum):
    """Why an exchange ends before anybody's password is asked; the value says it to the client."""

    CANCELLED = "given up by the client"
    UNREADABLE = "the response is not base64"
    MALFORMED = "not a message of this mechanism"
    ANOTHER = "acting for somebody else is not possible here"
    UNNAMED = "the token names no mailbox by itself: give the login of the one to open"
    DOWNGRADED = "somebody hid from the client that channel binding is offered here"
    UNBOUND = "this channel binding is not possible here"
    OTHER_CHANNEL = "the client speaks through another TLS channel than ours"


@dataclass(frozen=True, slots=True)
class First:
    """`header` is what channel binding protects (gs2-header), `binding` the data of the channel, `bare` the rest."""

    login: str
    nonce: str
    header: str
    bare: str
    binding: bytes


def read_first(message: bytes, plus: bool, bind: Bind | None) -> First | Fault:
    """`plus`: the mechanism is the one with channel binding. `bind`: None when this connection offers none."""
    found = _FIRST.fullmatch(text_of(message))
    if found is None:
        return Fault.MALFORMED
    binding = _binding(found["flag"], plus, bind)
    if isinstance(binding, Fault):
        return binding
    login = name_of(found["login"])
    if found["authzid"] and name_of(found["authzid"]) != login:
        return Fault.ANOTHER
    return First(login, found["nonce"], found["header"], found["bare"], binding)


def _binding(flag: str, plus: bool, bind: Bind | None) -> bytes | Fault:
    """RFC 5802 6: "n", the client cannot; "y", it could and believes that we cannot; "p=kind", it does."""
    kind = flag.removeprefix("p=")
    if plus != (kind != flag):
        return Fault.MALFORMED
    if not plus:
        return Fault.DOWNGRADED if flag == "y" and bind is not None else b""
    data = None if bind is None else bind(kind)
    return Fault.UNBOUND if data is None else data


def challenge(first: First, salt: Salt, nonce: str) -> str:
    """`nonce`: ours, printable without comma, to follow the client's."""
    return f"r={first.nonce}{nonce},s={b64encode(salt.octets).decode()},i={salt.rounds}"


def read_final(message: bytes, first: First, challenge: str) -> Proof | Fault:
    found = _FINAL.fullmatch(text_of(message))
    if found is None or found["nonce"] != challenge[2 : challenge.index(",")]:
        return Fault.MALFORMED
    if b64decode(found["binding"]) != first.header.encode() + first.binding:
        return Fault.OTHER_CHANNEL
    return Proof(f"{first.bare},{challenge},{found['unproven']}".encode(), b64decode(found["proof"]))


def verdict(signature: bytes) -> bytes:
    return b"v=" + b64encode(signature)


def text_of(message: bytes) -> str:
    """Empty, which is no message, for what is not UTF-8."""
    try:
        return message.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def name_of(escaped: str) -> str:
    return escaped.replace("=2C", ",").replace("=3D", "=")


# RFC 5802 7
NAME = r"(?:[^\0,=]|=2C|=3D)+"
_NONCE = r"[\x21-\x2b\x2d-\x7e]+"
_BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
_EXTENSIONS = r"(?:,[A-Za-z]=[^\0,]+)*"
_FIRST = re.compile(
    rf"(?P<header>(?P<flag>n|y|p=[A-Za-z0-9.-]+),(?:a=(?P<authzid>{NAME}))?,)"
    rf"(?P<bare>n=(?P<login>{NAME}),r=(?P<nonce>{_NONCE}){_EXTENSIONS})"
)
_FINAL = re.compile(
    rf"(?P<unproven>c=(?P<binding>{_BASE64}),r=(?P<nonce>{_NONCE}){_EXTENSIONS}),p=(?P<proof>{_BASE64})"
)

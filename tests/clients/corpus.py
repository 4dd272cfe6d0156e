"""Messages as they lie in a professional's mailbox, made from a number: the same number gives the same octets, CRLF line ends."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from email.utils import formatdate

FOLDERS = ("INBOX", "Archives", "Patients/Été")
FLAGS = ("\\Answered", "\\Draft", "\\Flagged", "\\Seen")
BEGAN = 1_700_000_000  # the date of number 0, in seconds since the epoch; one a minute follows

Shape = Callable[[random.Random, int], bytes]


def message(number: int) -> bytes:
    pick = random.Random(number)
    head = (
        f"Date: {formatdate(date(number))}\r\nFrom: Dr Hélène Caron <helene.caron@exemple.example>\r\n"
        f"To: cabinet@exemple.example\r\nSubject: {subject(number)}\r\n"
        f"Message-ID: <{number}.{pick.getrandbits(64):x}@clients.example>\r\nMIME-Version: 1.0\r\n"
    )
    return head.encode() + SHAPES[number % len(SHAPES)](pick, number)


def subject(number: int) -> str:
    """Short ones and one longer than a line, all ASCII."""
    return f"Compte rendu {number}" if number % 9 else f"Compte rendu {number}" + "\r\n de consultation" * 8


def date(number: int) -> int:
    return BEGAN + 60 * number


def folder(number: int) -> str:
    return FOLDERS[(0, 0, 0, 1, 1, 2)[number % 6]]


def flags(number: int) -> frozenset[str]:
    """Each of the sixteen sets, in turn."""
    return frozenset(flag for bit, flag in enumerate(FLAGS) if number // 6 & 1 << bit)


# -------------------------------------------------------------------- shapes
def _plain(pick: random.Random, number: int) -> bytes:
    return b"\r\n" + b"".join(_line(pick) for _ in range(pick.randrange(3, 40)))


def _accents(pick: random.Random, number: int) -> bytes:
    text = "".join("Tension élevée, œdème léger : à revoir sous huit jours…\r\n" for _ in range(pick.randrange(1, 9)))
    return b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + text.encode()


def _latin(pick: random.Random, number: int) -> bytes:
    return b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\n" + "déjà vu, sans fin de ligne".encode("latin-1")


def _dots(pick: random.Random, number: int) -> bytes:
    return b"\r\n.\r\n..\r\nFrom me\r\n>From you\r\n.end\r\n* 1 EXPUNGE\r\n+ OK\r\n\r\n\r\n"


def _empty(pick: random.Random, number: int) -> bytes:
    return b"\r\n"


def _attached(pick: random.Random, number: int) -> bytes:
    """A report and its document; every twentieth of these is of 200 KB."""
    content = pick.randbytes(200_000 if number % 20 == 0 else pick.randrange(10, 2_000))
    return (
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nCi-joint.\r\n--b\r\n'
        b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
        b"Content-Disposition: attachment; filename*=utf-8''r%C3%A9sultats.pdf\r\n\r\n"
        + base64.encodebytes(content).replace(b"\n", b"\r\n")
        + b"--b--\r\n"
    )


def _forwarded(pick: random.Random, number: int) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?R=C3=A9ponse?=\r\n" + _attached(pick, number + 1)


def _line(pick: random.Random) -> bytes:
    return " ".join("".join(pick.choices("abcdeghilmnoprstuv", k=6)) for _ in range(10)).encode() + b"\r\n"


SHAPES: tuple[Shape, ...] = (_plain, _attached, _accents, _plain, _latin, _forwarded, _dots, _empty)

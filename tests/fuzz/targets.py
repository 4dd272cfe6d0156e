"""What hostile octets are thrown at (`python -m tests.fuzz`): each target takes any octets and raises nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from mailserver.imap.framer import Frame, Framer, LiteralOffer, TooLong
from mailserver.imap.grammar import Cursor
from mailserver.imap.modes import Modes
from mailserver.imap.responses import Bad, No
from mailserver.imap.table import COMMANDS
from mailserver.mime import scan
from mailserver.mime.downgrade import without_nul
from mailserver.mime.encodings import DECODERS, decoded
from mailserver.smtp.data import ChunkScanner, DataScanner
from tests.mailserver.test_mime_properties import use_everything

LIMIT = 1 << 20


def mime(data: bytes) -> None:
    """Everything that is ever asked of a message, of any octets."""
    use_everything(scan(data))
    found = without_nul(data)
    assert found is None or b"\0" not in found
    for encoding in DECODERS:
        decoded(data, encoding)


def imap(data: bytes) -> None:
    """Commands are refused in words or parsed; nothing else happens."""
    framer = Framer()
    framer.receive(data)
    while (event := framer.next_event()) is not None:
        if isinstance(event, LiteralOffer):
            framer.accept() if event.size < LIMIT else framer.refuse()
        elif not isinstance(event, TooLong):
            with suppress(Bad, No):
                _parse(event)


def _parse(frame: Frame) -> None:
    at = Cursor(frame, Modes(utf8=len(frame.line) % 2 == 0))
    at.tag()
    at.space()
    name = at.word()
    if name == b"UID":
        at.space()
        name += b" " + at.word()
    if name in COMMANDS:
        COMMANDS[name].parse(at)
        at.end()


def smtp(data: bytes) -> None:
    """However DATA is cut, no bare line end comes out of it, and only its own end mark ends it."""
    cut = data[0] % (len(data) or 1) if data else 0
    for scanner, pieces in ((DataScanner(LIMIT), (data[:cut], data[cut:])), (DataScanner(LIMIT), (data,))):
        out = b"".join(scanner.feed(piece) for piece in pieces if not scanner.finished)
        if scanner.finished and scanner.fault is None:
            assert out.count(b"\r") == out.count(b"\n") == out.count(b"\r\n")
    chunks = ChunkScanner(LIMIT)
    out = chunks.feed(data[:cut]) + chunks.feed(data[cut:])
    chunks.end()
    if chunks.fault is None:
        assert out == data


TARGETS: dict[str, Callable[[bytes], None]] = {"mime": mime, "imap": imap, "smtp": smtp}

"""What hostile octets are thrown at (`python -m tests.fuzz`): each target takes any octets and raises nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from mailserver.contents import compound, office, onenote, pdf, rar5, tnef
from mailserver.contents.kinds import TNEF
from mailserver.contents.looking import look
from mailserver.imap.framer import Frame, Framer, LiteralOffer, TooLong
from mailserver.imap.grammar import Cursor
from mailserver.imap.modes import Modes
from mailserver.imap.responses import Bad, No
from mailserver.imap.table import COMMANDS
from mailserver.ldap.ber import Malformed, size
from mailserver.ldap.messages import read
from mailserver.mime import scan
from mailserver.mime.downgrade import without_nul
from mailserver.mime.encodings import DECODERS, decoded
from mailserver.mime.reports import read as read_report
from mailserver.mime.sevenbit import seven_bit
from mailserver.signatures.checking import Case
from mailserver.signatures.results import results_field
from mailserver.smtp.commands import split_command
from mailserver.smtp.data import ChunkScanner, DataScanner
from mailserver.smtp.grammar import parse_bdat, parse_mail, parse_rcpt
from tests.mailserver.test_mime_properties import use_everything

LIMIT = 1 << 20
LONGEST_HEADER = 64 * 1024
NOW = 1_800_000_000_000


def mime(data: bytes) -> None:
    """Everything that is ever asked of a message, of any octets."""
    use_everything(scan(data))
    found = without_nul(data)
    assert found is None or b"\0" not in found
    bounds = [bound for edit in seven_bit(data) or () for bound in (edit.start, edit.end)]
    assert bounds == sorted(bounds)
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


def peer(data: bytes) -> None:
    """What another server says in its command lines, its reports and its signatures: values, or a refusal in words."""
    for line in data.splitlines()[:20]:
        if (said := split_command(line)) is not None:
            verb, argument = said
            parse_mail(argument, _no_path, _offered, NOW)
            parse_rcpt(argument, len(verb) % 2 == 0, _no_path, {})
            parse_bdat(argument)
    read_report(scan(data))
    case = Case.read(data[:LONGEST_HEADER], "192.0.2.1", NOW // 1000)
    told = results_field("mx.example", case.told(None))
    assert all(line.startswith(b"\t") for line in told.splitlines()[1:])  # one field, folded


def _no_path(argument: str) -> tuple[str | None, str | None]:
    return None, None


def _offered(_: str) -> bool:
    return True


def ldap(data: bytes) -> None:
    """A request, or `Malformed`; its own words for showing it tell no password."""
    with suppress(Malformed):
        size(data)
        repr(read(data))


def contents(data: bytes) -> None:
    """What an attachment is; what is read by our own. (What libarchive reads is fenced: a fault ends a process.)"""
    for name in ("a.zip", "a.html", "a.doc"):
        look(data, name, frozenset({"js"}))
    with suppress(pdf.Broken, pdf.Locked):
        list(pdf.files(data))
    with suppress(onenote.Broken):
        list(onenote.files(data))
    with suppress(tnef.Broken):
        tnef.files(TNEF + data)
    with suppress(compound.Broken):
        opened = compound.Compound(data)
        office.marks(opened)
        list(office.files(opened))
    rar5.split(data)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "mime": mime,
    "imap": imap,
    "smtp": smtp,
    "peer": peer,
    "ldap": ldap,
    "contents": contents,
}

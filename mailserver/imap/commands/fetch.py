"""FETCH (RFC 3501 6.4.5) with CHANGEDSINCE and MODSEQ (RFC 7162 3.1.4), PARTIAL (RFC 9394 3.3), BINARY (RFC 3516 4)."""

from __future__ import annotations

from dataclasses import dataclass

from mailserver.imap.grammar import Cursor
from mailserver.imap.sequences import Page, SequenceSet
from mailserver.imap.wire import astring

ITEMS = frozenset(
    (b"UID", b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"MODSEQ", b"ENVELOPE", b"BODY", b"BODYSTRUCTURE")
)
# Never changing either: RFC 8474 5, RFC 8514 4.2, RFC 8970 3.1.
LATER_ITEMS = frozenset((b"EMAILID", b"THREADID", b"SAVEDATE", b"PREVIEW"))
MACROS = {
    b"FAST": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE"),
    b"ALL": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE"),
    b"FULL": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE", b"BODY"),
}
MAX_DEPTH = 64  # of a section's part number; the structure itself is never deeper than that
MAX_ITEMS = 256
MAX_FIELDS = 256


@dataclass(frozen=True, slots=True)
class Section:
    """What stands in BODY[...] (RFC 3501 6.4.5 section-spec).

    `part` is "" for the message itself, else "1.2"; `text` is "", HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or MIME.
    """

    part: str = ""
    text: str = ""
    fields: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class BodyItem:
    """BODY[section]<offset.length>, or one of the old names RFC822, RFC822.HEADER, RFC822.TEXT (`label`).

    BINARY[part] (`decoded`) is the part without its transfer encoding, BINARY.SIZE[part] (`sized`) how long that is.
    """

    section: Section
    label: bytes  # as the response names it, without `<offset>`
    peek: bool
    partial: tuple[int, int] | None = None
    decoded: bool = False
    sized: bool = False


Item = bytes | BodyItem  # a word of ITEMS, or a body


@dataclass(frozen=True, slots=True)
class Fetch:
    messages: SequenceSet
    items: tuple[Item, ...]
    changed_since: int | None
    uid: bool
    vanished: bool = False  # UIDs gone since then, too
    page: Page | None = None  # of what is left of `messages`, by place


RFC822 = {
    b"RFC822": BodyItem(Section(), b"RFC822", peek=False),
    b"RFC822.HEADER": BodyItem(Section(text="HEADER"), b"RFC822.HEADER", peek=True),
    b"RFC822.TEXT": BodyItem(Section(text="TEXT"), b"RFC822.TEXT", peek=False),
}


def parse_fetch(at: Cursor, uid: bool = False) -> Fetch:
    at.space()
    messages = at.sequence_set(uid)
    at.space()
    items: list[Item] = []
    if at.at(b"("):
        items = parse_items(at)
    else:
        for macro, names in MACROS.items():
            if at.take_word(macro):
                items = list(names)
                break
        else:
            items = [_item(at)]
    changed_since, vanished, page = _modifiers(at) if at.take(b" ") else (None, False, None)
    if vanished and (changed_since is None or not uid):
        at.fail("VANISHED goes with UID FETCH and CHANGEDSINCE")
    if page is not None and not uid:
        at.fail("PARTIAL goes with UID FETCH")
    return Fetch(messages, tuple(dict.fromkeys(items)), changed_since, uid, vanished, page)


def parse_items(at: Cursor) -> list[Item]:
    """`(` fetch-att *(SP fetch-att) `)`."""
    items = at.parenthesised(lambda: _item(at))
    if not 0 < len(items) <= MAX_ITEMS:
        at.fail("FETCH items expected")
    return items


def _modifiers(at: Cursor) -> tuple[int | None, bool, Page | None]:
    """CHANGEDSINCE, VANISHED (RFC 7162 3.1.4.1, 3.2.6), PARTIAL (RFC 9394 3.3), in any order."""
    changed_since: int | None = None
    page: Page | None = None
    found: list[bytes] = []

    def modifier() -> None:
        nonlocal changed_since, page
        word = at.word()
        if word in found or word not in (b"CHANGEDSINCE", b"VANISHED", b"PARTIAL"):
            at.fail("unknown or repeated FETCH modifier")
        found.append(word)
        if word == b"CHANGEDSINCE":
            at.space()
            changed_since = at.mod_sequence()
        elif word == b"PARTIAL":
            at.space()
            page = at.page()

    at.parenthesised(modifier)
    return changed_since, b"VANISHED" in found, page


def _item(at: Cursor) -> Item:
    for start, peek in ((b"BODY[", False), (b"BODY.PEEK[", True)):
        if at.take_word(start):
            return _body(at, peek)
    for start, peek, sized in (
        (b"BINARY[", False, False),
        (b"BINARY.PEEK[", True, False),
        (b"BINARY.SIZE[", True, True),
    ):
        if at.take_word(start):
            return _binary(at, peek, sized)
    word = at.word()
    if word in RFC822:
        return RFC822[word]
    if word not in ITEMS | LATER_ITEMS:
        at.fail("unknown FETCH item")
    if word == b"PREVIEW":
        at.take_word(b" (LAZY)")
    return word


def _body(at: Cursor, peek: bool) -> BodyItem:
    section = parse_section(at)
    return BodyItem(section, _label(section), peek, _partial(at))


def parse_section(at: Cursor) -> Section:
    """Up to and with the `]`."""
    part = _part(at)
    text, fields = "", tuple[bytes, ...]()
    if not at.at(b"]"):
        text = at.word().decode("ascii")
        if text not in ("HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME") or (
            text == "MIME" and not part
        ):
            at.fail("unknown section")
        if text.startswith("HEADER.FIELDS"):
            at.space()
            fields = tuple(at.parenthesised(at.astring))
            if not 0 < len(fields) <= MAX_FIELDS or any(_odd_field_name(name) for name in fields):
                at.fail("field names expected")
    at.expect(b"]")
    return Section(part, text, fields)


def _binary(at: Cursor, peek: bool, sized: bool) -> BodyItem:
    """RFC 3516 4.2, 4.3: part numbers only; without any it is the message itself, which has no encoding."""
    part = _part(at)
    at.expect(b"]")
    label = (b"BINARY.SIZE[" if sized else b"BINARY[") + part.encode("ascii") + b"]"
    return BodyItem(Section(part), label, peek, None if sized else _partial(at), decoded=True, sized=sized)


def _part(at: Cursor) -> str:
    """`1.2.` before a text, or `1.2` alone; leaves the cursor at the text or at `]`."""
    numbers: list[str] = []
    while at.at_digit():
        numbers.append(str(at.nz_number()))
        if not at.take(b"."):
            if not at.at(b"]"):
                at.fail("']' expected")
            break
        if at.at(b"]"):
            at.fail("section text expected")
    if len(numbers) > MAX_DEPTH:
        at.fail("section too deep")
    return ".".join(numbers)


def _partial(at: Cursor) -> tuple[int, int] | None:
    if not at.take(b"<"):
        return None
    offset = at.number()
    at.expect(b".")
    length = at.nz_number()
    at.expect(b">")
    return offset, length


def _odd_field_name(name: bytes) -> bool:
    return not name or any(octet <= 32 or octet >= 127 or octet in b':(){}"\\' for octet in name)


def _label(section: Section) -> bytes:
    text = section.text.encode("ascii")
    if section.fields:
        text += b" (" + b" ".join(map(astring, section.fields)) + b")"
    dot = b"." if section.part and text else b""
    return b"BODY[" + section.part.encode("ascii") + dot + text + b"]"

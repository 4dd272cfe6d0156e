"""Any octets are read without an error, at little cost; generated messages as the stdlib and fast-mail-parser read them."""

from __future__ import annotations

import email
import email.policy
import os
import time
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

import fast_mail_parser
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailserver.mime import Message, header_fields, locate, scan
from mailserver.mime.fields import FIELD
from mailserver.mime.scanner import MAX_DEPTH, MAX_PARTS
from tests.support.properties import examples
from tests.support.there import there

SLOW = settings(deadline=None, max_examples=examples(150), suppress_health_check=[HealthCheck.too_slow])

LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp", "Zs", "Co", "Cn"))
WORDS = st.text(LETTERS, min_size=1, max_size=20)
NAMES = st.text(
    st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=30
)  # the other readers stumble on `;`
LINES = st.lists(WORDS, min_size=1, max_size=5).map(lambda words: " ".join(words) + "\n")
BODIES = st.lists(LINES, min_size=1, max_size=8).map("".join)


def use_everything(message: Message) -> None:
    card = message.card()
    for answer in (card.envelope, card.body, card.body_structure):
        value, rest = parse(answer)
        assert rest == b""
        assert isinstance(value, list)
    for number, part in card.parts.items():
        assert 0 <= part.header <= part.body <= part.end <= len(message.content)
        if not number.endswith("TEXT"):
            message.decoded(number)
            assert locate(card.parts, number, "MIME") == (part.header, part.body)
    assert len(card.preview) <= 200
    _ = message.subject, message.message_id, message.in_reply_to, message.references, message.date
    _ = message.addresses("from"), message.addresses("to"), message.raw_headers("to"), message.header("x-mss-mes")
    _ = message.text(), message.html(), message.written_texts(), message.search_headers(), message.search_text()
    for found in message.attachments():
        assert found.filename
        assert "/" not in found.filename
        assert found.size >= 0
    header_fields(card.header, [b"subject"])


def parse(data: bytes) -> tuple[Any, bytes]:
    """A strict little reader of IMAP lists: strings, literals, numbers, NIL, lists."""
    if data.startswith(b"("):
        items, rest = [], data[1:]
        while not rest.startswith(b")"):
            item, rest = parse(rest)
            items.append(item)
            rest = rest.removeprefix(b" ")
        return items, rest[1:]
    if data.startswith(b'"'):
        text, at = bytearray(), 1
        while data[at : at + 1] != b'"':
            at += data[at : at + 1] == b"\\"
            assert data[at] not in b"\r\n\0"
            assert data[at] < 128
            text += data[at : at + 1]
            at += 1
        return bytes(text), data[at + 1 :]
    if data.startswith(b"{"):
        size, _, rest = data[1:].partition(b"}\r\n")
        return rest[: int(size)], rest[int(size) :]
    if data.startswith(b"NIL"):
        return None, data[3:]
    digits = len(data) - len(data.lstrip(b"0123456789"))
    assert digits, data[:40]
    return int(data[:digits]), data[digits:]


# ---------------------------------------------------------------- any octets
@SLOW
@given(st.binary(max_size=3000))
def test_random_octets(data: bytes) -> None:
    use_everything(scan(data))


PIECES = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=a\r\n",
        b"Content-Type: multipart/alternative; boundary=\"a b\"\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Type: text/html; charset=utf-16\r\n",
        b"Content-Type: text/plain; charset=\"\0\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n",
        b"Content-Disposition: attachment; filename*1*=x; filename*0=\"y\r\n",
        b"Content-Disposition: ;;=;\r\n",
        b"From: a:b;,<,\"(\\\r\n",
        b"Subject: =?utf-8?b?4?= =?utf-8?q?=?=\r\n",
        b"Date: Mon, 99 Foo 99999 99:99:99 +9999\r\n",
        b"\r\n", b"\n", b"--a", b"--a--\r\n", b"--a\r\n", b"--a b\r\n", b"<p>x<blockquote>", b"Le x a \xc3\xa9crit :\n", b"-- \n",
        b"\xff\xfe\x00", b"=?", b"a: b\n c\r\n",
    ]
)  # fmt: skip


@SLOW
@given(st.lists(PIECES | st.binary(max_size=8), max_size=40).map(b"".join))
def test_broken_mail(data: bytes) -> None:
    use_everything(scan(data))


# ---------------------------------------------------------------- against two other readers
def octets_of(leaf: EmailMessage) -> bytes:
    octets = leaf.get_payload(decode=True) or b""
    assert isinstance(octets, bytes)
    return octets


@st.composite
def messages(draw: st.DrawFn) -> EmailMessage:
    message = EmailMessage(policy=email.policy.SMTP)
    message["Subject"] = " ".join(draw(st.lists(WORDS, min_size=1, max_size=12)))
    message["From"] = Address(draw(NAMES), "a.b", "chu.example")
    message["To"] = [Address(name, "c", "x.example") for name in draw(st.lists(NAMES, max_size=1))]
    message.set_content(draw(BODIES), cte=draw(st.sampled_from(["8bit", "base64", "quoted-printable"])))
    if draw(st.booleans()):
        message.add_alternative(f"<p>{draw(WORDS)}</p>", subtype="html")
        if draw(st.booleans()):
            there(message.get_body(("html",))).add_related(draw(st.binary(max_size=99)), "image", "png", cid="<i@x>")
    for name in draw(st.lists(NAMES, max_size=3)):
        message.add_attachment(draw(st.binary(max_size=400)), "application", "pdf", filename=f"{name}.pdf")
    if draw(st.booleans()):
        inner = EmailMessage(policy=email.policy.SMTP)
        inner["Subject"] = "inner"
        inner.set_content(draw(BODIES))
        message.add_attachment(inner)
    return message


@SLOW
@given(messages())
def test_like_the_stdlib(generated: EmailMessage) -> None:
    data = generated.as_bytes()
    use_everything(scan(data))
    ours, theirs = scan(data), email.message_from_bytes(data, policy=email.policy.default)
    leaves = [part for part in theirs.walk() if not part.is_multipart()]
    numbers = {number for number in ours.card().parts if not number.endswith("TEXT")}
    parts = [ours.card().parts[number] for number in numbers]
    assert sorted(
        (part.media_type, ours.decoded(number).replace(b"\r\n", b"\n"))
        for number, part in zip(numbers, parts, strict=True)
        if not part.media_type.startswith(("multipart/", "message/"))
    ) == sorted((leaf.get_content_type(), octets_of(leaf).replace(b"\r\n", b"\n")) for leaf in leaves)
    assert ours.subject == str(theirs["Subject"])
    # the stdlib keeps the space between two encoded words (against RFC 2047 6.2) and folds long lists wrongly: one name
    assert [address.display.replace(" ", "") for address in ours.addresses("to")] == [
        address.display_name.replace(" ", "") for address in (theirs["To"].addresses if theirs["To"] else ())
    ]
    assert [found.filename for found in ours.attachments() if found.filename.endswith(".pdf") and not found.inline] == [
        part.get_filename() for part in theirs.walk() if part.get_content_type() == "application/pdf"
    ]


@SLOW
@given(messages())
def test_like_fast_mail_parser(generated: EmailMessage) -> None:
    data = generated.as_bytes()
    ours, theirs = scan(data), fast_mail_parser.parse_email(data)
    assert ours.subject == theirs.subject
    assert ours.text() == theirs.text_plain[0].replace("\r\n", "\n").strip()
    pdfs = [found for found in ours.attachments() if found.media_type == "application/pdf"]
    expected = [found for found in theirs.attachments if found.mimetype == "application/pdf"]
    assert [(found.filename, ours.decoded(found.section)) for found in pdfs] == [
        (found.filename, bytes(found.content)) for found in expected
    ]
    assert [found.size for found in pdfs] == [len(found.content) for found in expected]


# ---------------------------------------------------------------- hostile mail costs little
def nested(levels: int) -> bytes:
    return b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(levels)
    )


MIXED = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"
HTML = b"Content-Type: text/html\r\n\r\n"
HOSTILE = {
    "boundary look-alikes": MIXED + b"\n--ab" * 1_000_000,
    "a million parts": MIXED + b"\n--a" * 1_000_000,
    "a thousand levels": nested(1000) + b"x" * 3_000_000,
    "nested messages": b"Content-Type: message/rfc822\r\n\r\n" * 100_000,
    "many nested messages": MIXED + b"--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: a\r\n\r\n" * 100_000,
    "boundaries that are prefixes": b"".join(
        b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n--%b\r\n" % (b"a" * n, b"a" * n) for n in range(1, 40)
    )
    + (b"\n--" + b"a" * 60) * 50_000,
    "giant header field": b"Subject: " + b"a" * 10_000_000,
    "no colon": b"a" * 10_000_000,
    "a million fields": b"a: b\r\n" * 1_000_000,
    "endless folding": b"Subject: " + b"\r\n " * 2_000_000,
    "open comments": b"To: " + b"(" * 2_000_000,
    "open brackets": b"To: " + b"<" * 2_000_000,
    "many addresses": b"To: " + b"a," * 200_000,
    "many groups": b"To: " + b"a:;" * 100_000,
    "quotes": b"To: " + b'"\\' * 200_000,
    "empty parameters": b"Content-Type: text/plain;" + b"; " * 200_000,
    "long parameter": b"Content-Type: text/plain;" + b"a" * 200_000,
    "comment in parameter": b"Content-Type: text/plain; a=" + b"(" * 100_000 + b" " * 100_000 + b")",
    "continuations": b"Content-Disposition: attachment; " + b"filename*0*=a;" * 15_000,
    "encoded words": b"Subject: " + b"=?utf-8?q?a?= " * 18_000,
    "half words": b"Subject: " + b"=?utf-8?q?" * 25_000,
    "slow codec": b"Content-Type: text/plain; charset=punycode\r\n\r\na-" + b"zzzz" * 200_000,
    "long date": b"Date: " + b"1" * 250_000,
    "nested divs": HTML + b"<div>" * 400_000,
    "open formatting": HTML + b"<b id=1><p>" * 100_000,
    "formatting behind tables": HTML + b"<div><table><td></div></td></table>" * 30_000,
    "angle brackets": HTML + b"<" * 2_000_000,
    "quotes in tags": HTML + b'<a "' * 300_000,
    "spaces in pre": HTML + b"<pre>" + b" " * 1_000_000,
    "blank paragraphs": HTML + b"<p> </p>\n \n" * 100_000,
    "attribution starts": b"Subject: x\r\n\r\n" + b"Le \n" * 200_000 + b"wrote:",
    "attribution ends": b"Subject: x\r\n\r\n" + b"wrote:\n" * 200_000,
    "underscores": b"Subject: x\r\n\r\n" + (b"_" * 21 + b"\n") * 50_000,
    "blank lines": b"Subject: x\r\n\r\n" + b"\n" * 1_000_000,
    "spaces": b"Subject: x\r\n\r\n" + b" " * 3_000_000,
    "padding only": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=" * 3_000_000,
    "random": os.urandom(1_000_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_is_cheap(name: str) -> None:
    start = time.process_time()
    message = scan(HOSTILE[name])
    card = message.card()
    _ = message.text(), message.html(), message.written_texts(), message.search_headers(), message.search_text()
    _ = message.attachments(), message.addresses("to"), message.subject, message.date
    spent = time.process_time() - start
    assert len(card.parts) <= 2 * MAX_PARTS + 2
    assert max(number.count(".") for number in card.parts) <= MAX_DEPTH + 1
    assert spent < 4  # measured under 1 s each; a quadratic step would take minutes


HEADER_PIECES = st.sampled_from(
    [b"A", b"b", b"From", b":", b" ", b"\t", b"\r", b"\n", b"\r\n", b"x: y\r\n", b"FROM : z\n", b"\xe9"]
)


@SLOW
@given(st.lists(HEADER_PIECES, max_size=30).map(b"".join), st.booleans())
def test_fields_are_kept_as_they_came_whatever_the_header(header: bytes, negate: bool) -> None:
    """Against a slow reference: field by field."""
    kept = [m[0].rstrip(b"\r") for m in FIELD.finditer(header) if (m[1].lower() in (b"from", b"a")) is not negate]
    assert header_fields(header, [b"FROM", b"a"], negate) == b"".join(field + b"\r\n" for field in kept) + b"\r\n"

"""The encoding « 8bit » taken off (RFC 6152 3): what comes out is ASCII in short lines, and every reader reads the same in it."""

from __future__ import annotations

import asyncio
from email import message_from_bytes, policy
from email.message import Message

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailserver.mime import scan
from mailserver.mime.bodies import all_parts
from mailserver.mime.sevenbit import PIECE, Base64, QuotedPrintable, seven_bit
from mailserver.outbound import content as contents
from mailserver.outbound.content import in_seven_bits, whole

SIGNED = (
    b'Content-Type: multipart/signed; micalg=sha-256; protocol="application/pkcs7-signature"; boundary=S\r\n\r\n'
    b"--S\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9t\xc3\xa9\r\n"
    b"--S\r\nContent-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\nMIIB\r\n--S--\r\n"
)


def converted(content: bytes) -> bytes | None:
    async def work() -> bytes | None:
        changed = await in_seven_bits(whole(content))
        if changed is None:
            return None
        octets = b"".join([piece async for piece in changed.pieces()])
        assert changed.size == len(octets)
        return octets

    return asyncio.run(work())


def leaves(message: Message) -> list[tuple[str, object]]:
    """What the stdlib's parser reads: types and decoded contents, in order, those of attached messages too."""
    found = [(part.get_content_type(), part.get_payload(decode=True)) for part in message.walk()]
    return [(kind, octets.rstrip(b"\r\n") if isinstance(octets, bytes) else octets) for kind, octets in found]


def encodings(content: bytes) -> list[str]:
    return [str(part["Content-Transfer-Encoding"]) for part in message_from_bytes(content).walk()]


# ---------------------------------------------------------------- by example
def test_each_kind_of_part_has_its_encoding() -> None:
    text = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nDébut \r\nà = fin\r\n"
    inner = f"Subject: Fwd\r\nMIME-Version: 1.0\r\n{text}".encode()
    content = b"\r\n".join(
        [
            b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\nContent-Transfer-Encoding: 8bit\r\n",
            b"--B\r\n" + text.encode(),
            b"--B\r\nContent-Type: application/dicom+json\r\nContent-Transfer-Encoding:\r\n 8bit\r\n\r\n\xe9\xff",
            b"--B\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + inner,
            b"--B\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC",
            b"--B\r\nContent-Transfer-Encoding: 8bit\r\n\r\nASCII",
            b"--B--\r\n",
        ]
    )
    found = converted(content)
    assert found is not None
    assert encodings(found) == ["7bit", "quoted-printable", "base64", "7bit", "quoted-printable", "base64", "7bit"]
    assert b"D=C3=A9but=20\r\n=C3=A0 =3D fin\r\n" in found
    assert leaves(message_from_bytes(found)) == leaves(message_from_bytes(content))


def test_what_never_said_that_it_is_mime_says_so_now() -> None:
    assert converted(b"Subject: x\r\n\r\n\xe9t\xe9\r\n") == (
        b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=E9t=E9\r\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            b"MIME-Version: 1.0\r\nContent-Transfer-Encoding \t: 8bit\r\n\r\n\xe9",  # RFC 5322 4.5: not every reader takes it
            b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=E9",
        ),
        (b"\r\n\xe9", b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=E9"),
        (b"\xe9 no header", b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=E9 no header"),
        (b"X: y\r\n\r\n\xe9", b"X: y\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=E9"),
    ],
)
def test_a_part_without_a_label_gets_one(before: bytes, after: bytes) -> None:
    head = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n"
    assert converted(head + before + b"\r\n--B--\r\n") == head + after + b"\r\n--B--\r\n"


INSIDE = b"Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=I\r\n\r\n--I\r\n"


@pytest.mark.parametrize(
    ("front", "back"), [(b"", b""), (INSIDE, b"\r\n--I--")], ids=["part", "part of a message in it"]
)
def test_text_whose_new_lines_would_end_the_part_becomes_base64(front: bytes, back: bytes) -> None:
    """Quoted-printable cuts a long line: here in front of what reads as the boundary, of whatever it stands in."""
    line = b"\xe9" + b"x" * 72 + b"--B"
    content = (
        b"Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n" + front + b"\r\n" + line + back + b"\r\n--B--\r\n"
    )
    assert QuotedPrintable().feed(line + b"\r\n").count(b"\r\n--B") == 1
    found = converted(content)
    assert found is not None
    assert encodings(found)[-1] == "base64"
    assert leaves(message_from_bytes(found)) == leaves(message_from_bytes(content))


@pytest.mark.parametrize(
    "content",
    [
        b"MIME-Version: 1.0\r\n" + SIGNED,
        b"Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n\r\n\xe9\r\n--B\r\n" + SIGNED + b"\r\n--B--\r\n",
        b"Content-Type: message/rfc822\r\n\r\n" + SIGNED,
        b"Content-Type: multipart/signed\r\n\r\nno boundary \xe9\r\n",
        b"Content-Type: text/plain\r\nContent-Type: multipart/signed\r\n\r\ntwo minds \xe9\r\n",
    ],
    ids=["whole", "part", "attached", "broken", "twice"],
)
def test_what_is_signed_is_never_touched(content: bytes) -> None:
    """RFC 1847 2.1: not by one octet, whoever signed it and wherever it stands."""
    assert seven_bit(content) is None
    assert converted(content) is None


@pytest.mark.parametrize(
    "content",
    [
        "Subject: été\r\n\r\né\r\n".encode(),
        'Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\nX: "é"\r\n\r\na\r\n--B--\r\n'.encode(),
        b"Content-Type: message/global\r\n\r\nSubject: \xc3\xa9\r\n\r\n",
        b"Content-Type: multipart/mixed; boundary=B\r\n\r\npre\xe9\r\n--B\r\n\r\na\r\n--B--\r\n",
        b"Content-Type: multipart/mixed; boundary=B\r\n\r\nno part \xe9\r\n",
        b"Content-Type: message/delivery-status\r\n\r\n\xe9\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n\xe9\r\n",
        b"Content-Transfer-Encoding: x-own\r\n\r\n\xe9\r\n",
        b"Content-Type: message/rfc822\r\n\r\n" * 40 + b"Subject: x\r\n\r\n\xe9\r\n",
        b"Content-Type: multipart/mixed; boundary=B\r\n\r\n" + b"--B\r\n\r\n\xe9\r\n" * 1001 + b"--B--\r\n",
    ],
    ids=["header", "part's header", "global", "preamble", "no parts", "report", "encoded", "unknown", "deep", "many"],
)
def test_what_cannot_be_converted(content: bytes) -> None:
    assert converted(content) is None


@pytest.mark.parametrize(("octets", "encoding"), [(PIECE - 2, "quoted-printable"), (2 * PIECE, "base64")])
def test_a_line_without_an_end_is_never_gathered(octets: int, encoding: str) -> None:
    """Quoted-printable waits for the end of a line; what has none for long is text in base64 (RFC 2045 6.8)."""
    content = b"MIME-Version: 1.0\r\n\r\n" + b"\xe9" * octets + b"\r\nend"
    found = converted(content)
    assert found is not None
    assert encodings(found) == [encoding]
    assert leaves(message_from_bytes(found)) == leaves(message_from_bytes(content))


def test_beyond_the_bound_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"Subject: x\r\n\r\n\xe9\r\n"
    monkeypatch.setattr(contents, "CONVERTED", len(content) - 1)
    assert converted(content) is None
    monkeypatch.setattr(contents, "CONVERTED", len(content))
    assert converted(content) is not None


# ---------------------------------------------------------------- properties
WORDS = st.lists(
    st.sampled_from(["é", "x" * 37, " ", "\t", "=", "=20", "--", "--B", "B1", "à 8 h", ".", "From ", "\r\n"]),
    max_size=20,
)
TEXTS = st.one_of(WORDS.map("".join), st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=300))
# No separator of Unicode ends a line of a message; and nothing stands in a part that ends it, as whoever wrote it saw to that.
BODIES = TEXTS.map(lambda text: text.encode().replace(b"\r\n--B", b"\r\n-B").removeprefix(b"--B"))
LABELS = st.sampled_from(
    [b"", b"Content-Transfer-Encoding: 8bit\r\n", b"CONTENT-TRANSFER-ENCODING:\r\n  8bit (so)\r\n"]
)
TYPES = st.sampled_from([b"", b"Content-Type: text/html; charset=utf-8\r\n", b"Content-Type: application/x-own\r\n"])


@st.composite
def entities(draw: st.DrawFn, depth: int = 0) -> bytes:
    """One part with its header; boundaries are prefixes of each other."""
    label = draw(LABELS)
    kind = draw(st.sampled_from(["leaf", "multipart", "message"])) if depth < 3 else "leaf"
    if kind == "leaf":
        return draw(TYPES) + label + b"\r\n" + draw(BODIES)
    if kind == "message":
        return b"Content-Type: message/rfc822\r\n" + label + b"\r\nSubject: y\r\n" + draw(entities(depth + 1))
    boundary = b"B%d" % depth
    parts = draw(st.lists(entities(depth + 1), min_size=1, max_size=3))
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts) + b"--" + boundary + b"--\r\n"
    return b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n" + label + b"\r\n" + body


@given(entities())
@example(b"\r\n\xc3\xa9" + b"x" * 68 + b" \r\ny")
def test_every_reader_reads_the_same(part: bytes) -> None:
    content = b"Subject: x\r\nMIME-Version: 1.0\r\n" + part
    found = converted(content)
    assert found is not None
    assert found.isascii()
    assert all(len(line) <= 998 for line in found.split(b"\r\n"))
    for reader in (policy.compat32, policy.SMTP):
        before, after = message_from_bytes(content, policy=reader), message_from_bytes(found, policy=reader)
        assert leaves(after) == leaves(before)
    ours, then = scan(content), scan(found)
    sections = [one.section for one in all_parts(ours.root)]
    assert [one.section for one in all_parts(then.root)] == sections
    assert [then.decoded(one) for one in sections if _is_leaf(ours, one)] == [
        ours.decoded(one) for one in sections if _is_leaf(ours, one)
    ]
    assert not any(one.encoding == b"8bit" for one in all_parts(then.root))
    assert converted(found) == found, "what is 7bit stays what it is"


def _is_leaf(message: object, section: str) -> bool:
    assert hasattr(message, "root")
    return any(one.section == section and not one.children and one.nested is None for one in all_parts(message.root))


@given(BODIES, st.lists(st.integers(1, 9), min_size=1, max_size=4), st.sampled_from([QuotedPrintable, Base64]))
@example(b"a" * 74 + b" \r\nb", [9], QuotedPrintable)
def test_an_encoding_is_the_same_however_it_is_fed(
    octets: bytes, sizes: list[int], encoding: type[QuotedPrintable | Base64]
) -> None:
    at, fed, encoder, turn = 0, b"", encoding(), 0
    while at < len(octets):
        fed += encoder.feed(octets[at : at + sizes[turn % len(sizes)]])
        at, turn = at + sizes[turn % len(sizes)], turn + 1
    fed += encoder.end()
    at_once = encoding()
    assert fed == at_once.feed(octets) + at_once.end()
    assert fed.isascii()
    assert all(len(line) <= 76 for line in fed.split(b"\r\n"))
    assert not any(line.endswith((b" ", b"\t")) for line in fed.split(b"\r\n"))
    message = message_from_bytes(b"Content-Transfer-Encoding: " + encoding.name + b"\r\n\r\n" + fed)
    assert message.get_payload(decode=True) == octets

"""What is told of any message fits the formal syntax, and is the message: size, header, text and parts (RFC 9051 7.5.2, 9).

Every other test's answers are read by the same `formal.read`, when its connection closes.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailserver.imap.context import Settings
from tests.mailserver.imap import formal
from tests.mailserver.imap.player import PATIENT, Connection, connect, new_store
from tests.mailserver.test_mime_properties import PIECES
from tests.support.properties import examples

MESSAGES = sorted((Path(__file__).parents[1] / "messages").glob("*.eml"))
# What senders made of fields that ENVELOPE and BODYSTRUCTURE show.
HEADERS = {
    "no zone of ASCII": 'Subject: été\nFrom: Él "x" <é@x.fr>\nContent-Type: text/plain; x="é"\nContent-Description: dé\n',
    "groups, routes": 'To: g: a@b.c, "d\\"e" <f@g>;, nobody:;\nCc: <@r1,@r2:u@h>\nReply-To:\nSender: @\n',
    "quotes": 'Subject: "a" \\ "b"\nIn-Reply-To: (\\") <a@b>\nMessage-ID: "\nDate: "\n',
    "controls": 'Subject: a\x01\x7f\tb\nFrom: "a\x01b" <a@b>\n',
    "long": "Subject: " + "a" * 3000 + "\nFrom: " + ", ".join(f"a{n}@b" for n in range(200)) + "\n",
    "all of a part's": "Content-Type: a/b\nContent-MD5: x=\nContent-Language: fr, en\nContent-Location: y\nContent-ID: <1@2>\n",
    "nothing in them": "Content-Type:\nContent-Transfer-Encoding:\nContent-Disposition:\nContent-Language:\nContent-ID:\n",
    "nonsense": 'Content-Type: /; =; a=\nContent-Transfer-Encoding: "q p"\nContent-Disposition: ;x=y\nContent-Language: ,;\n',
    "a name in pieces": 'Content-Disposition: attachment; filename*0*=utf-8\'\'%C3%A9; filename*1="b\\"c"; size=3\n',
    "no parts": "Content-Type: multipart/mixed; boundary=q\n",
    "an empty message inside": "Content-Type: message/rfc822\n",
    "UTF-8 inside": "Content-Type: message/global\n",
    "a message in base64": "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n",
    "a piece of one": "Content-Type: message/partial; id=1; number=1; total=2\n",
    "a digest": "Content-Type: multipart/digest; boundary=q\n",
}
BODY = "--q\n\nSubject: in\n\nété\n--q\nContent-Type: text/html\n\n<b>\n--q--\n"
ITEMS = (
    b"(UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ ENVELOPE BODY BODYSTRUCTURE EMAILID THREADID SAVEDATE PREVIEW BODY.PEEK[1]"
    b" BODY.PEEK[1.MIME] BODY.PEEK[1.1] BODY.PEEK[1.HEADER] BODY.PEEK[1]<0.3> BODY.PEEK[9]<2.3> BODY.PEEK[HEADER.FIELDS (to)]<3.9>"
    b' BODY.PEEK[HEADER.FIELDS.NOT ("subject")] BINARY.PEEK[1] BINARY.PEEK[1]<0.2> BINARY.PEEK[1.1] BINARY.PEEK[9] BINARY.SIZE[1]'
    b" BINARY.SIZE[1.1] BINARY.SIZE[9] RFC822.HEADER BODY.PEEK[TEXT])"
)


async def check(content: bytes) -> None:
    connection = await connect(await new_store(), "selected")
    connection.session.context.settings = Settings()
    assert b"a OK" in await connection.ask(b"a APPEND INBOX ~{%d+}\r\n" % len(content) + content)
    everything = await connection.ask(b"b FETCH 1 " + ITEMS)
    assert re.search(rb"\r\nb (?:OK|NO \[UNKNOWN-CTE\]) ", everything)
    size = re.search(rb"RFC822\.SIZE (\d+)", everything)
    assert size is not None
    header, text = [await literal(connection, part) for part in (b"BODY.PEEK[HEADER]", b"BODY.PEEK[TEXT]")]
    whole = await literal(connection, b"BODY.PEEK[]")
    assert whole == content
    assert header + text == content
    assert int(size[1]) == len(content)
    await connection.close()  # which reads all that was told


async def literal(connection: Connection, item: bytes) -> bytes:
    said = await connection.ask(b"c FETCH 1 " + item)
    found = re.match(rb"\* 1 FETCH \([A-Z]+\[[A-Z]*\] \{(\d+)\}\r\n", said)
    assert found is not None, said
    return said[found.end() : found.end() + int(found[1])]


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
async def test_messages(path: Path) -> None:
    await check(re.sub(rb"\r?\n", b"\r\n", path.read_bytes()))


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("body", ["", BODY], ids=["empty", "two parts"])
async def test_headers(header: str, body: str) -> None:
    await check(f"{header}\n{body}".replace("\n", "\r\n").encode())


@pytest.mark.parametrize("content", [b"x", b"\r\n", b"Subject: x\r\n", b"Subject: x", b"\r\n\r\n", b"--a\r\n\r\n"])
async def test_hardly_a_message(content: bytes) -> None:
    await check(content)


@settings(PATIENT, max_examples=examples(100))
@given(st.lists(PIECES, min_size=1, max_size=30).map(b"".join).filter(lambda content: b"\0" not in content))
async def test_broken_mail(content: bytes) -> None:
    await check(content)


# ---------------------------------------------------------------- the reader itself
@pytest.mark.parametrize(
    "told",
    [
        b"* 1 FETCH (BINARY.SIZE[9] NIL)\r\n",
        b"* 1 FETCH ()\r\n",
        b"* 1 FETCH (UID 1 UID 1)\r\n",
        b"* 1 FETCH (UID 0)\r\n",
        b"* 0 FETCH (UID 1)\r\n",
        b"* 0 EXPUNGE\r\n",
        b"* 1 FETCH (FLAGS (\\Seen)\r\n",
        b'* 1 FETCH (ENVELOPE ("x" NIL () NIL NIL NIL NIL NIL NIL NIL))\r\n',
        b'* 1 FETCH (BODY ("text" "plain" NIL NIL NIL "7bit" 5 0 NIL NIL NIL NIL))\r\n',
        b'* 1 FETCH (BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 5 0))\r\n',
        b'* 1 FETCH (BODYSTRUCTURE ("text" "plain" () NIL NIL "7bit" 5 0 NIL NIL NIL NIL))\r\n',
        b'* 1 FETCH (BODYSTRUCTURE ("text" "plain" NIL NIL NIL NIL 5 0 NIL NIL NIL NIL))\r\n',
        b"* 1 FETCH (BODY[] {3}\r\na\0b)\r\n",
        b"* 1 FETCH (BODY[] {9}\r\nab)\r\n",
        b"* 1 FETCH (INTERNALDATE 1-Jan-2026)\r\n",
        '* LIST () "/" "é"\r\n'.encode(),
        b'* LIST (HasChildren) "/" "a"\r\n',
        b'* LIST () "/" a b\r\n',
        b'* STATUS "a" ()\r\n',
        b'* STATUS "a" (UIDNEXT 0)\r\n',
        b'* ESEARCH (TAG "a") UID ALL NIL\r\n',
        b'* ESEARCH (TAG "a") UID ALL \r\n',
        b"* SEARCH \r\n",
        b"* VANISHED \r\n",
        b"* OK [CLOSED]\r\n",
        b"* OK [INVENTED] x\r\n",
        b"* OK [COPYUID 1 1:2 ] x\r\n",
        b"a OK\r\n",
        b"a OK [UNSEEN 0] x\r\n",
        b"* OK x\n",
        b"* THREAD ()\r\n",
    ],
)
def test_what_fits_no_rule_is_seen(told: bytes) -> None:
    with pytest.raises(formal.Unlawful):
        formal.read(told)


def test_utf_8_in_quotes_once_it_was_enabled() -> None:
    listed = '* LIST () "/" "é"\r\n'.encode()
    formal.read(b"* ENABLED UTF8=ACCEPT\r\n" + listed)
    with pytest.raises(formal.Unlawful):
        formal.read(b"* ENABLED CONDSTORE\r\n" + listed)

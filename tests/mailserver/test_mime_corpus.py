"""Messages of `messages/*.eml`, read as their senders meant them; expected wire bytes written by hand from RFC 9051 7.5.2."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailserver.mime import Address, Attachment, Message, header_fields, locate, scan
from mailserver.mime.addresses import decoded

FOLDER = Path(__file__).parent / "messages"


def load(name: str) -> Message:
    return scan((FOLDER / f"{name}.eml").read_bytes())


def piece(message: Message, number: str = "", kind: str = "") -> bytes | None:
    span = locate(message.card().parts, number, kind)
    return None if span is None else message.content[span[0] : span[1]]


# ---------------------------------------------------------------- headers
def test_french_names_and_encoded_words() -> None:
    message = load("french_names")
    assert message.subject == "Compte rendu d’été : à lire"
    assert message.addresses("From") == [Address("Dr Élodie LEFÈVRE", "elodie.lefevre", "medecin.example")]
    assert message.addresses("to") == [
        Address("MARTIN, Jacqueline", "194012A123456", "patient.example"),
        Address("Gaëlle", "gaelle", "patient.example"),
    ]
    assert [str(address) for address in message.addresses("cc")] == ["a@chu.example", "b@chu.example"]
    assert message.message_id == "<cr-1@medecin.example>"
    assert message.in_reply_to == ["<q-0@patient.example>"]
    assert message.references == ["<q-0@patient.example>", "<q-1@patient.example>"]
    assert message.date is not None
    assert message.date.isoformat() == "2026-11-23T10:00:00+01:00"
    assert message.text() == "Bonjour Madame,\n\nVotre bilan est « normal ». À bientôt !"
    assert message.card().preview == "Bonjour Madame, Votre bilan est « normal ». À bientôt !"
    assert "subject: compte rendu d’été : à lire" in message.search_headers().split("\n")
    assert "votre bilan" in message.search_text()


def test_envelope_keeps_encoded_words_and_groups() -> None:
    assert load("french_names").card().envelope == (
        b'("Mon, 23 Nov 2026 10:00:00 +0100"'
        b' "=?utf-8?Q?Compte_rendu_d=E2=80=99=C3=A9?= =?utf-8?Q?t=C3=A9?= : =?iso-8859-1?Q?=E0_lire?="'
        + b' (("=?utf-8?Q?Dr_=C3=89lodie_LEF=C3=88VRE?=" NIL "elodie.lefevre" "medecin.example"))'
        * 3
        + b' (("MARTIN, Jacqueline" NIL "194012A123456" "patient.example")'
        b'("=?iso-8859-1?Q?Ga=EBlle?=" NIL "gaelle" "patient.example"))'
        b' ((NIL NIL "=?utf-8?B?w4lxdWlwZSBkZSBz?= =?utf-8?B?b2lucw==?=" NIL)(NIL NIL "a" "chu.example")'
        b'("B. C" NIL "b" "chu.example")(NIL NIL NIL NIL))'
        b' NIL "<q-0@patient.example>" "<cr-1@medecin.example>")'
    )


def test_raw_eight_bit_header_goes_as_literal_and_reads_as_windows_1252() -> None:
    message = load("latin1_raw")
    assert message.subject == "Reçu à l’hôpital"
    assert message.addresses("from")[0].display == "Hélène Noël"
    assert message.text() == "Déjà vu : l’œil « rouge »"
    subject = "Reçu à l’hôpital".encode("cp1252")
    assert b" {%d}\r\n%b " % (len(subject), subject) in message.card().envelope


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a@b.example", [("", "a", "b.example")]),
        (b"<a@b.example>", [("", "a", "b.example")]),
        (b"A B <a@b.example>,,c@d.example ,", [("A B", "a", "b.example"), ("", "c", "d.example")]),
        (b'"Dr \\"Jo\\" D, x" <a@b.example>', [('Dr "Jo" D, x', "a", "b.example")]),
        (b"a@b.example (Jean (dit Jo) D)", [("Jean (dit Jo) D", "a", "b.example")]),
        (b'"a b"@c.example', [("", "a b", "c.example")]),
        (b"<@r1.example,@r2.example:a@b.example>", [("", "a", "b.example")]),
        (b"x@[192.0.2.1], y@[IPv6:2001:db8::1]", [("", "x", "[192.0.2.1]"), ("", "y", "[IPv6:2001:db8::1]")]),
        (b"undisclosed-recipients:;", []),
        (b"root", [("", "root", "")]),
        (b"J <", [("J", "", "")]),
        (b"\xc3\xa9@\xc3\xa9.example", [("", "é", "é.example")]),
        (b"", []),
        (b'"open <a@b.example>', [("", '"open <a', "b.example>")]),
    ],
)
def test_addresses(value: bytes, expected: list[tuple[str, str, str]]) -> None:
    message = scan(b"To: " + value + b"\r\n\r\n")
    assert message.addresses("to") == [Address(*one) for one in expected]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        (b"=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        (b"x =?utf-8?q?a?= y", "x a y"),
        (b"=?UTF-8?B?w4?= =?UTF-8?B?qQ==?=", "é"),  # a character split between two words
        (b"=?utf-8*fr?q?=C3=A9t=C3=A9?=", "été"),  # RFC 2231 5: language
        (b"=?x-unknown?q?=C3=A9?=", "é"),
        (b"=?iso-8859-1?q?=80?=", "€"),
        (b"=?idna?q?xn--a?=", "xn--a"),
        (b"=?utf-7?q?+2AA-?=", "+2AA-"),  # would be a lone surrogate
        (b"=?utf-8?b?!!!?=", ""),
        (b"=?broken", "=?broken"),
        (b"a\r\n\tb\r\n  c", "a\tb  c"),
    ],
)
def test_encoded_words(value: bytes, expected: str) -> None:
    assert scan(b"Subject: " + value + b"\r\n\r\n").subject == expected


# ---------------------------------------------------------------- structure
def test_body_structure_of_alternative_in_related_in_mixed() -> None:
    card = load("alternative_related").card()
    content = load("alternative_related").content
    html = len(b"".join(content.partition(b"<html>")[1:]).partition(b"\r\n--alt")[0])
    assert card.body_structure == (
        b'(((("text" "plain" ("charset" "utf-8" "format" "flowed") NIL NIL "8bit" 16 0 NIL NIL NIL NIL)'
        b'("text" "html" ("charset" "utf-8") NIL NIL "8bit" %d 0 NIL NIL NIL NIL)'
        b' "alternative" ("boundary" "alt") NIL NIL NIL)'
        b'("image" "png" NIL "<logo@chu>" NIL "base64" 12 NIL ("inline" ("filename" "logo.png")) NIL NIL)'
        b' "related" ("boundary" "outer-rel" "type" "multipart/alternative") NIL NIL NIL)'
        b'("application" "pdf" ("name" "=?utf-8?Q?r=C3=A9sum=C3=A9.pdf?=") NIL "Compte rendu \\"final\\"" "base64" 22'
        b' "Q2hlY2sgSW50ZWdyaXR5IQ==" ("attachment" ("filename*0*" "utf-8\'\'r%%C3%%A9sultat%%20"'
        b' "filename*1*" "d%%E2%%80%%99%%C3%%A9chographie" "filename*2" ".pdf")) ("fr" "en") "cr.pdf")'
        b' "mixed" ("boundary" "outer") NIL NIL NIL)' % html
    )
    assert card.body.startswith(b'(((("text" "plain" ("charset" "utf-8" "format" "flowed") NIL NIL "8bit" 16 0)("text"')
    assert card.body.endswith(b'"base64" 22) "mixed")')


def test_attachments_and_texts() -> None:
    message = load("alternative_related")
    assert message.attachments() == [
        Attachment("1.2", "logo.png", "image/png", 8, True, "logo@chu"),
        Attachment("2", "résultat d’échographie.pdf", "application/pdf", 14, False, None),
    ]
    assert message.decoded("2") == b"%PDF-1.4\n%EOF\n"
    assert message.decoded("9") == b""
    assert message.text() == "Résultat joint."
    assert "<b>joint</b>" in (message.html() or "")
    assert message.card().preview == "Résultat joint."


def test_nested_messages_offsets_and_structure() -> None:
    message = load("nested_rfc822")
    card = message.card()
    assert sorted(card.parts) == ["1", "2", "2.1", "2.2", "2.TEXT", "3", "3.1", "3.TEXT", "TEXT"]
    assert piece(message, "1") == b"Voir les messages joints."
    assert piece(message, "1", "MIME") == b"\r\n"
    assert piece(message, "2", "MIME") == (
        b'Content-Type: message/rfc822\r\nContent-Disposition: attachment; filename="premier.eml"\r\n\r\n'
    )
    assert (piece(message, "2", "HEADER") or b"").startswith(b"From: c@chu.example\r\nSubject: premier\r\n")
    assert (piece(message, "2", "TEXT") or b"").startswith(b"--b2\r\n")
    assert piece(message, "2.1") == b"dedans"
    assert piece(message, "2.2") == b"AAEC"
    assert piece(message, "3") == b"Subject: second\r\n\r\nsimple"
    assert piece(message, "3.1") == b"simple"
    assert piece(message, "3", "TEXT") == b"simple"
    assert piece(message, "2.1", "HEADER") is None
    assert piece(message, "4") is None
    assert piece(message) == message.content
    assert piece(message, "", "HEADER") == card.header
    assert card.header + (piece(message, "", "TEXT") or b"") == message.content
    second = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 0'
    envelope = b'(NIL "second"' + b" NIL" * 8 + b")"
    assert b'("message" "rfc822" NIL NIL NIL "7bit" 25 %b %b) 2)' % (envelope, second) in card.body
    assert b"%b NIL NIL NIL NIL) 2 NIL NIL NIL NIL)" % second in card.body_structure
    assert [found.filename for found in message.attachments()] == ["premier.eml", "message-3.eml"]
    assert message.text() == "Voir les messages joints."
    assert "dedans" in message.search_text()
    assert "subject: premier" in message.search_text()


def test_single_part_message() -> None:
    message = scan(b"Subject: a\r\n\r\nbonjour\r\n")
    assert message.card().body == b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 9 1)'
    assert piece(message, "1") == b"bonjour\r\n"
    assert piece(message, "", "TEXT") == b"bonjour\r\n"


def test_digest_parts_are_messages_by_default() -> None:
    message = scan(
        b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: un\r\n\r\ntexte\r\n--b--\r\n"
    )
    assert b'("message" "rfc822" NIL NIL NIL "7bit" 20 (NIL "un"' in message.card().body
    assert piece(message, "1.1") == b"texte"


# ---------------------------------------------------------------- malformed
def test_missing_end_markers_cost_nothing() -> None:
    message = load("missing_end")
    assert message.text() == "premier\n\nsecond\n--outerX\ntoujours second\n\ntroisième, sans fin"
    assert piece(message, "1.2") == b"<p>premier</p>"


def test_multipart_without_its_boundary_is_text() -> None:
    message = load("boundary_never_used")
    assert message.text() == "Le texte est là quand même."
    assert message.card().body.startswith(b'("text" "plain" NIL')


def test_no_headers_and_bare_lf() -> None:
    message = load("no_headers")
    assert message.text().startswith("Bonjour, ce message")
    assert message.card().header == b""
    assert message.card().envelope == b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
    message = load("bare_lf")
    assert message.subject == "LF seuls"
    assert message.text() == "un"
    assert [(found.section, found.filename) for found in message.attachments()] == [("2", "deux.txt")]
    assert piece(message, "2") == b"deux"


def test_file_names_are_safe() -> None:
    names = [found.filename for found in load("hostile_names").attachments()]
    assert names == ["ordonnancefdp.exe", "passwd", "piece-jointe-3.jpg", "mon fichier.zip"]
    long = (
        scan(b'Content-Disposition: attachment; filename="' + b"a" * 5000 + b'.pdf"\r\n\r\nx').attachments()[0].filename
    )
    assert len(long) == 150
    assert long.endswith("a.pdf")


@pytest.mark.parametrize(
    ("encoding", "body", "expected"),
    [
        (b"base64", b"Ym9u\r\nam91cg", b"bonjour"),
        (b"base64", b"Ym9u*am91cg==\r\ntrailing", b"bonjour"),
        (b"BASE64 ", b"Y", b""),
        (b"Quoted-Printable (yes)", b"a=3Db=\r\nc=ZZ", b"a=bc=ZZ"),
        (b"x-unknown", b"abc", b"abc"),
    ],
)
def test_tolerant_transfer_encodings(encoding: bytes, body: bytes, expected: bytes) -> None:
    message = scan(b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body)
    assert message.decoded("1") == expected


def test_html_to_text_keeps_lines() -> None:
    body = (
        "<head><title>t</title></head><h1>Titre</h1><p>Un   <i>deux</i><br>trois &eacute;</p>"
        "<ul><li>a<li>b</ul><table><tr><td>x</td><td>y</td></tr></table><pre>  p\n q</pre>fin<script>x()</script>"
    )
    message = scan(b"Content-Type: text/html; charset=utf-8\r\n\r\n" + body.encode())
    assert message.text() == "Titre\n\nUn deux\ntrois é\n\n- a\n- b\n\nx\ty\n\np\nq\n\nfin"


# ---------------------------------------------------------------- HEADER.FIELDS
HEADER = b"From: a\r\nSubject: b\r\n suite\r\nTo: c\r\nfrom : d\r\n\r\n"


def test_header_fields() -> None:
    assert header_fields(HEADER, [b"FROM"]) == b"From: a\r\nfrom : d\r\n\r\n"
    assert header_fields(HEADER, [b"from", b"to"], negate=True) == b"Subject: b\r\n suite\r\n\r\n"
    assert header_fields(HEADER, [b"X-None"]) == b"\r\n"
    assert header_fields(b"Subject: cut", [b"subject"]) == b"Subject: cut\r\n\r\n"
    assert header_fields(b"", [b"subject"]) == b"\r\n"
    assert header_fields(b"A: x\r\n" + b"B: y\r\n" * 100_000 + b"C: z\r\n\r\n", [b"a", b"c"]) == b"A: x\r\n\r\n"
    assert header_fields(b"A: x\nSubject: b\n c\n\n", [b"subject"]) == b"Subject: b\n c\r\n\r\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Alice <a@x.example>", "Alice <a@x.example>"),
        ("=?utf-8?q?=C3=89lodie?= <e@x.example>, b@x.example", "Élodie <e@x.example>, b@x.example"),
        ("=?utf-8?q?Martin=2C?= Zo <e@x.example>", '"Martin, Zo" <e@x.example>'),
        ('"=?utf-8?q?Martin=2C_Zo?=" <e@x.example>', '"Martin, Zo" <e@x.example>'),
        ("=?utf-8?q?dit_=22Zo=22=2C_=5C?= <e@x.example>", '"dit \\"Zo\\", \\\\" <e@x.example>'),
        (
            "=?utf-8?q?Amis=2C?=: a@x.example, =?utf-8?q?=C3=89?= <b@x.example>;",
            '"Amis,": a@x.example, É <b@x.example>;',
        ),
        ("e@x.example (=?utf-8?q?=C3=89?=)", "É <e@x.example>"),
        ("=?utf-8?q?personne?=", "personne"),
        ("=?utf-8?q??=", ""),
    ],
)
def test_addresses_decoded_still_are_addresses(value: str, text: str) -> None:
    assert decoded(value.encode()) == text

"""What we write to people: structure by the RFCs, French as people read it, nothing that can be answered in a loop."""

from __future__ import annotations

import email
import email.policy
import random
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any

import pytest

from mailserver.delivery.api import Terms
from mailserver.mime import reports, scan
from mailserver.outbound.compose import Office, confirmation, notice
from mailserver.outbound.content import in_seven_bits, whole
from mailserver.outbound.report import MAX_RETURNED, Action, Given, Told, header_of, report, wished

OFFICE = Office("mx.cabinet.example", "postmaster@cabinet.example", product_number="NIL-123")
NOW = 1_790_000_000_000  # 21 September 2026, 16:13:20 in Paris
ORIGINAL = "From: dr@cabinet.example\r\nSubject: Bilan d’été\r\nMessage-ID: <m@x>\r\n\r\nSecret médical.\r\n".encode()
SENDER = "dr@cabinet.example"


def read(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    for line in content.split(b"\r\n"):
        assert b"\n" not in line
        assert len(line) <= 998
    return message


def body(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def octets(*told: Told, original: bytes = ORIGINAL, given: Given = Given.HEADER, terms: Terms = Terms()) -> bytes:
    header = header_of(original)
    made = report(
        OFFICE, SENDER, told, header, token="job-7", now=NOW, arrived_at=NOW - 60_000, envid="e-1", terms=terms, given=given,
        is_ascii=original.isascii() if given is Given.MESSAGE else None,
    )  # fmt: skip
    return made.around(original if given is Given.MESSAGE else header)


def write(*told: Told, original: bytes = ORIGINAL, given: Given = Given.HEADER, terms: Terms = Terms()) -> EmailMessage:
    return read(octets(*told, original=original, given=given, terms=terms))


def test_what_is_given_back_cannot_foresee_where_it_ends() -> None:
    """Python's `random`, of which email makes boundaries, can be computed from a few hundred reports that show them."""
    boundaries = set()
    for _ in range(2):
        random.seed(7)
        boundaries.add(write(Told("a@x.example", Action.FAILED, "5.1.1"), given=Given.MESSAGE).get_boundary())
    assert len(boundaries) == 2


def test_a_report_has_its_three_parts() -> None:
    message = write(
        Told("a@x.example", Action.FAILED, "5.1.1", "Cette boîte n’existe pas.", "No such mailbox.", "rfc822;o@x.example",
             "mx.x.example", "550 5.1.1 gône"),
        Told("b@x.example", Action.DELAYED, "4.4.1", retry_until=NOW + 3_600_000),
    )  # fmt: skip
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    readable, machine, returned = message.iter_parts()
    assert [part.get_content_type() for part in (readable, machine, returned)] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    blocks = [dict(block.items()) for block in machine.get_payload()]  # type: ignore[union-attr]
    assert blocks == [
        {
            "Original-Envelope-Id": "e-1",
            "Reporting-MTA": "dns; mx.cabinet.example",
            "Arrival-Date": "Mon, 21 Sep 2026 14:12:20 +0000",
        },
        {
            "Original-Recipient": "rfc822;o@x.example",
            "Final-Recipient": "rfc822; a@x.example",
            "Action": "failed",
            "Status": "5.1.1",
            "Remote-MTA": "dns; mx.x.example",
            "Diagnostic-Code": "smtp; 550 5.1.1 g?ne",
        },
        {
            "Final-Recipient": "rfc822; b@x.example",
            "Action": "delayed",
            "Status": "4.4.1",
            "Will-Retry-Until": "Mon, 21 Sep 2026 15:13:20 +0000",
        },
    ]
    given_back = returned.get_payload(decode=True)
    assert isinstance(given_back, bytes)
    assert given_back.startswith("From: dr@cabinet.example\r\nSubject: Bilan d’été\r\n".encode())
    assert "Secret" not in message.as_string()
    assert (message["Subject"], message["In-Reply-To"]) == ("Non remis\u00a0: Bilan d’été", "<m@x>")


def test_a_deadline_is_given_back() -> None:
    """RFC 2852 5."""
    told = Told("a@x.example", Action.FAILED, "5.4.7")
    terms = Terms(deadline=NOW)
    message = write(told, terms=terms)
    _, machine, _ = message.iter_parts()
    block = next(machine.iter_parts())
    assert block["Deliver-By-Date"] == "Mon, 21 Sep 2026 14:13:20 +0000"
    assert block["Arrival-Date"] == "Mon, 21 Sep 2026 14:12:20 +0000"


def test_its_words_are_french_first() -> None:
    text = body(write(Told("a@x.example", Action.FAILED, "5.1.1", "Cette boîte n’existe pas.", "No such mailbox.")))
    french, english = text.split("-" * 60)
    assert (
        "Au sujet de votre message «\u00a0Bilan d’été\u00a0» du 21\u00a0septembre 2026 à 16\u00a0h\u00a012\u00a0:"
        in french
    )
    assert "- a@x.example\u00a0: Cette boîte n’existe pas." in french
    assert "- a@x.example: No such mailbox." in english
    for sign in (" :", " ;", " !", " ?", "« ", " »"):
        assert sign not in french


@pytest.mark.parametrize(
    ("action", "subject"),
    [
        (Action.FAILED, "Non remis"),
        (Action.DELAYED, "Retardé"),
        (Action.DELIVERED, "Remis"),
        (Action.RELAYED, "Transmis"),
    ],
)
def test_each_action_has_its_title(action: Action, subject: str) -> None:
    message = write(Told("a@x.example", action, "2.0.0"), original=b"\r\nx")
    assert message["Subject"] == f"{subject}\u00a0: votre message"
    assert f"Action: {action.value}" in message.as_string()
    assert message["In-Reply-To"] is None


def test_addresses_that_are_not_ascii() -> None:
    message = write(Told("é@x.example", Action.FAILED, "5.1.1"))
    assert "Final-Recipient: utf-8; \\x{E9}@x.example" in message.as_string()


@pytest.mark.parametrize(
    "original",
    [
        b"",
        b"no header at all",
        b"Subject: =?utf-8?q?a=0D=0AX-Evil:_1?=\r\n\r\n",
        b"Subject: " + b"a" * 100_000 + b"\r\n\r\n",
        b"X: " + b"b\r\n c" * 50_000 + b"\r\n\r\nSecret",
        b"\xff\xfe: \x00\r\nSubject: \xe9\xff\r\n\r\n",
        "Subject: \u2028\x85\x0b\r\n\r\n".encode(),
    ],
)
def test_any_original_can_be_reported(original: bytes) -> None:
    content = octets(Told("a@x.example", Action.FAILED, "5.0.0"), original=original)
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert message["X-Evil"] is None
    assert message.get_content_type() == "multipart/report"
    assert len(content) < 250_000
    assert scan(content).message_id == "<job-7@mx.cabinet.example>"


# ---------------------------------------------------------------- the whole message given back (RFC 3461 4.3, 6.2)
FAILED, DELAYED = Told("a@x.example", Action.FAILED, "5.1.1"), Told("b@x.example", Action.DELAYED, "4.4.1")
ASCII = b"From: dr@cabinet.example\r\nSubject: Bilan\r\nMIME-Version: 1.0\r\n\r\nSecret.\r\n"
EIGHT = ASCII.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9t\xc3\xa9\r\n", 1)


@pytest.mark.parametrize(
    ("ret", "told", "octets_", "terms", "given"),
    [
        ("FULL", [FAILED], 10, Terms(), Given.MESSAGE),
        ("FULL", [DELAYED, FAILED], 10, Terms(), Given.MESSAGE),
        ("FULL", [FAILED], MAX_RETURNED, Terms(), Given.MESSAGE),
        ("FULL", [FAILED], MAX_RETURNED + 1, Terms(), Given.TOO_LARGE),
        ("HDRS", [FAILED], 10, Terms(), Given.HEADER),
        (None, [FAILED], 10, Terms(), Given.HEADER),
        ("FULL", [DELAYED], 10, Terms(), Given.HEADER),
        ("FULL", [DELAYED], MAX_RETURNED + 1, Terms(), Given.HEADER),
        ("FULL", [Told("a@x.example", Action.DELIVERED, "2.0.0")], 10, Terms(), Given.HEADER),
        ("FULL", [Told("a@x.example", Action.RELAYED, "2.1.9")], 10, Terms(), Given.HEADER),
        ("FULL", [FAILED], 10, Terms(require_tls=True), Given.HEADER),  # RFC 8689 5
    ],
)
def test_what_comes_back(ret: str | None, told: list[Told], octets_: int, terms: Terms, given: Given) -> None:
    assert wished(ret, told, terms, octets_) is given


@pytest.mark.parametrize(
    ("original", "kind", "encoding"),
    [
        (ASCII, "message/rfc822", None),
        (EIGHT, "message/rfc822", "8bit"),
        (ORIGINAL, "message/global", "8bit"),  # RFC 6533 4
        (b"Subject: \xe9t\xe9\r\n\r\nLatin-1\r\n", "message/rfc822", "8bit"),
        (ASCII.removesuffix(b"\r\n"), "message/rfc822", None),
        (b"Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n\r\na\r\n--B", "message/rfc822", None),
    ],
    ids=["ASCII", "8bit", "UTF-8 header", "Latin-1 header", "no line end", "open multipart"],
)
def test_the_whole_message_comes_back(original: bytes, kind: str, encoding: str | None) -> None:
    content = octets(FAILED, original=original, given=Given.MESSAGE)
    message = message_from_bytes(content, policy=email.policy.default)
    assert not message.defects
    assert message["Content-Transfer-Encoding"] == encoding, "what holds it says as much (RFC 2045 6.4)"
    parts: list[Any] = list(message.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "message/delivery-status", kind]
    assert parts[2]["Content-Transfer-Encoding"] == encoding
    returned = message_from_bytes(original, policy=email.policy.default)
    assert parts[2].get_payload()[0]["Subject"] == returned["Subject"]
    found = scan(content)
    assert found.decoded("3") == original, "octet for octet"
    assert reports.read(found).said[0].addresses == ("a@x.example",)  # type: ignore[union-attr]


async def test_a_report_of_eight_bits_can_be_put_in_seven() -> None:
    """On its way to a server without 8BITMIME (RFC 6152 3): the encoding is the returned part's own."""
    changed = await in_seven_bits(whole(octets(FAILED, original=EIGHT, given=Given.MESSAGE)))
    assert changed is not None
    message = message_from_bytes(b"".join([piece async for piece in changed.pieces()]))
    labels = [part["Content-Transfer-Encoding"] for part in message.walk()]
    assert labels[0] == "7bit"
    assert labels[-2:] == ["7bit", "quoted-printable"]
    assert list(message.walk())[-1].get_payload(decode=True) == message_from_bytes(EIGHT).get_payload(decode=True)


def test_too_large_to_come_back_is_said() -> None:
    message = write(FAILED, given=Given.TOO_LARGE)
    french, english = body(message).split("-" * 60)
    assert "il est trop volumineux pour cela, seul son en-tête est joint." in " ".join(french.split())
    assert "too large to be returned, only its header is attached." in " ".join(english.split())
    assert [part.get_content_type() for part in message.iter_parts()][2] == "text/rfc822-headers"
    assert "Secret" not in message.as_string()
    assert "trop volumineux" not in body(write(FAILED))


NEAR_MISS_FR = (
    "Pour clore, mettez ceci dans l’objet, en majuscules et entre crochets, sans espace\u00a0:\n\n    [FIN]\n"
)
NEAR_MISS_EN = "in capitals and between square brackets, without spaces:\n\n    [FIN]\n"


@pytest.mark.parametrize(
    ("what", "title", "french", "english", "closed", "advice"),
    [
        (
            "command",
            "Conversations closes",
            "toutes vos conversations avec cette personne sont closes. Le message lui-même n’a pas été remis.",
            "all your conversations with this person are closed. The message itself was not delivered.",
            True,
            False,
        ),
        (
            "subject",
            "Conversations closes",
            "remis en entier, sans la mention [FIN], puis toutes vos conversations avec cette personne ont été closes.",
            "delivered whole, without the mark [FIN], and then all your conversations with this person were closed.",
            True,
            True,
        ),
        ("near_miss", "Conversations restées ouvertes", NEAR_MISS_FR, NEAR_MISS_EN, False, True),
    ],
)
def test_confirmations(what: str, title: str, french: str, english: str, closed: bool, advice: bool) -> None:
    message = read(confirmation(OFFICE, SENDER, what, ["194@patient.example"], "Résultat", token="confirm-1", now=NOW))
    first, second = body(message).split("-" * 60)
    assert message["Subject"] == title
    assert french in first
    assert english in second
    assert " :" not in first
    assert "échange" not in first.replace("«\u00a0clore l’échange\u00a0»", "")  # the page says « conversation »
    assert "exchange" not in second
    assert ("«\u00a0X-MSS-MES: FIN\u00a0»" in first) is advice
    assert ("“X-MSS-MES: FIN”" in second) is advice
    assert "Personne concernée (objet\u00a0: «\u00a0Résultat\u00a0»)\u00a0:\n- 194@patient.example\n" in first
    assert ("Cette personne ne peut plus vous répondre." in first) is closed
    assert ("This person can no longer answer you." in second) is closed


@pytest.mark.parametrize("what", ["command", "subject", "near_miss"])
def test_a_confirmation_about_several_persons(what: str) -> None:
    citizens = ["194@patient.example", "195@patient.example"]
    first, second = body(
        read(confirmation(OFFICE, SENDER, what, citizens, "{0} {who}", token="confirm-1", now=NOW))
    ).split("-" * 60)
    assert (
        "Personnes concernées (objet\u00a0: «\u00a0{0} {who}\u00a0»)\u00a0:\n- 194@patient.example\n- 195@patient.example\n"
        in first
    )
    assert "conversations avec ces personnes" in first
    assert "conversations with these persons" in second
    assert "cette personne" not in first.lower()


def test_headers_of_every_notice() -> None:
    message = read(notice(OFFICE, SENDER, "Sujet", "Texte", token="n-1", now=NOW).as_bytes())
    assert dict(message.items()) | {"Content-Type": "", "Content-Transfer-Encoding": ""} == {
        "From": "Messagerie MSSanté <postmaster@cabinet.example>",
        "To": SENDER,
        "Subject": "Sujet",
        "Date": "Mon, 21 Sep 2026 14:13:20 +0000",
        "Message-ID": "<n-1@mx.cabinet.example>",
        "MIME-Version": "1.0",
        "Auto-Submitted": "auto-replied",
        "X-MSS-NIL": "NIL-123",
        "Content-Type": "",
        "Content-Transfer-Encoding": "",
    }

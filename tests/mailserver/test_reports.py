"""Reports as other servers and mail clients write them, read by a program; and anything else, which is no report."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime import scan
from mailserver.mime.reports import MAX_SAID, Said, kind, read

POSTFIX = """\
From: MAILER-DAEMON@mx.hopital.example
To: dr@cabinet.example
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain

I'm sorry to have to inform you that your message could not be delivered.
--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.hopital.example
X-Postfix-Queue-ID: 7F3

Final-Recipient: rfc822; Paul@hopital.example
Original-Recipient: rfc822;paul@hopital.example
Action: failed
Status: 5.1.1 (bad destination mailbox address)
Remote-MTA: dns; store.hopital.example
Diagnostic-Code: smtp; 550 5.1.1 <paul@hopital.example>: Recipient
    address rejected

Final-Recipient: rfc822; anna@hopital.example
Action: delayed
Status: 4.4.1
--B
Content-Type: {returned}

Subject: Compte rendu
Message-ID: <m1@cabinet.example>
Content-Type: text/plain

Bonjour
--B--
"""

RECEIPT = """\
From: anna@hopital.example
To: dr@cabinet.example
Content-Type: multipart/report; boundary=B; report-type=disposition-notification

--B
Content-Type: text/plain

Lu.
--B
Content-Type: message/disposition-notification
{encoding}
Reporting-UA: hopital.example; Thunderbird
Final-Recipient: rfc822;anna@hopital.example
Original-Message-ID: <m1@cabinet.example>
Disposition: {disposition}
--B--
"""


@pytest.mark.parametrize("returned", ["message/rfc822", "text/rfc822-headers", "message/global-headers"])
def test_a_delivery_report(returned: str) -> None:
    report = read(scan(POSTFIX.replace("{returned}", returned).replace("\n", "\r\n").encode()))
    assert report is not None
    assert report.message_id == "<m1@cabinet.example>"
    words = "550 5.1.1 <paul@hopital.example>: Recipient address rejected"
    assert report.said == (
        Said(("paul@hopital.example", "Paul@hopital.example"), "failed", "5.1.1", "store.hopital.example", words),
        Said(("anna@hopital.example",), "delayed", "4.4.1"),
    )


@pytest.mark.parametrize(
    ("disposition", "action"),
    [
        ("manual-action/MDN-sent-manually; displayed", "displayed"),
        ("automatic-action/MDN-sent-automatically; processed", "processed"),
        ("automatic-action/MDN-sent-automatically; processed/Error: 12^Patient inconnu", "error"),
        ("manual-action/MDN-sent-manually;deleted", "deleted"),
        ("nonsense", ""),
    ],
)
def test_a_receipt(disposition: str, action: str) -> None:
    report = read(scan(RECEIPT.replace("{disposition}", disposition).replace("{encoding}\n", "\n").encode()))
    assert report is not None
    assert (report.message_id, report.said) == ("<m1@cabinet.example>", (Said(("anna@hopital.example",), action),))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Content-Type: text/plain\n\nbonjour", ""),
        ("Content-Type: multipart/mixed; boundary=B\n\n--B\n\nx\n--B--", ""),
        ("Content-Type: multipart/report; boundary=B\n\n--B\n\nx\n--B--", "?"),
        (
            "Content-Type: multipart/report; report-type=feedback-report; boundary=B\n\n--B\n\nx\n--B--",
            "feedback-report",
        ),
    ],
)
def test_what_has_no_part_for_programs_says_nothing(text: str, expected: str) -> None:
    message = scan(text.encode())
    assert (kind(message), read(message)) == (expected, None)


def test_a_report_on_everybody_is_cut() -> None:
    many = "\n".join(f"Final-Recipient: rfc822; u{number}@hopital.example\nAction: failed\n" for number in range(5_000))
    text = POSTFIX.replace("{returned}", "message/rfc822")
    start, end = text.index("Final-Recipient: rfc822; Paul"), text.index("--B\nContent-Type: message/rfc822")
    report = read(scan((text[:start] + many + text[end:]).encode()))
    assert report is not None
    assert len(report.said) == MAX_SAID


@given(st.binary(max_size=300), st.sampled_from(["message/delivery-status", "message/disposition-notification"]))
def test_any_octets_are_read(octets: bytes, media_type: str) -> None:
    head = f"Content-Type: multipart/report; report-type=x; boundary=B\n\n--B\nContent-Type: {media_type}\n\n"
    read(scan(head.encode() + octets))

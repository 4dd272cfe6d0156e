"""Receipts (RFC 8098): who is owed one without asking the reader, and what it looks like to people and to programs."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest

from foundation.clock import HOUR
from mailserver.mime import scan
from mailserver.mime.reports import Said, read
from mailserver.outbound.compose import Office
from mailserver.outbound.receipt import asked_by, receipt
from tests.support.there import there

OFFICE = Office("mail.cabinet.example", "postmaster@cabinet.example", "Messagerie Alpha", "NIL-1")
AT = 1_794_472_800_000  # 12 November 2026, 9 h 40 in Paris
DR = "dr@hopital.example"

# header fields of the message -> who gets a receipt
ASKED = {
    "Return-Path: <dr@hopital.example>|Disposition-Notification-To: Dr <DR@hopital.example>": "DR@hopital.example",
    "Return-Path: <dr@hopital.example>|Disposition-Notification-To: dr@hopital.example, <DR@hopital.example>": DR,
    "Return-Path: <dr@hopital.example>": None,  # nobody asked
    "Disposition-Notification-To: dr@hopital.example": None,  # no return path: the reader would have to agree
    "Return-Path: <>|Disposition-Notification-To: dr@hopital.example": None,  # RFC 8098 2.1: a notice
    "Return-Path: <other@hopital.example>|Disposition-Notification-To: dr@hopital.example": None,  # somebody else
    # the sender's own field below ours counts for nothing
    "Return-Path: <other@hopital.example>|Return-Path: <dr@hopital.example>|Disposition-Notification-To: dr@hopital.example": None,
    "Return-Path: <dr@hopital.example>|Disposition-Notification-To: dr@hopital.example, b@hopital.example": None,
    "Return-Path: <dr@hopital.example>|Disposition-Notification-To: nobody": None,
    "Return-Path: <dr@hopital.example>|Disposition-Notification-To: dr@hopital.example|"
    "Disposition-Notification-Options: signed-receipt=required,pkcs7": None,
    "Return-Path: <dr@hopital.example>|Disposition-Notification-To: dr@hopital.example|"
    "Disposition-Notification-Options: signed-receipt=optional,pkcs7": DR,
    "Return-Path: <dr@hopital.example>|Disposition-Notification-To: dr@hopital.example|"
    "Content-Type: multipart/report; report-type=disposition-notification; boundary=B": None,  # never for a receipt
    "Return-Path: <dr@hopital.example>|Disposition-Notification-To: dr@hopital.example|"
    "Content-Type: multipart/report; report-type=delivery-status; boundary=B": None,
}


@pytest.mark.parametrize("fields", ASKED)
def test_who_is_owed_a_receipt(fields: str) -> None:
    content = fields.replace("|", "\r\n") + "\r\n\r\n--B\r\n\r\nBonjour\r\n--B--\r\n"
    assert asked_by(scan(content.encode())) == ASKED[fields]


def test_what_it_says() -> None:
    letter = (
        f"From: {DR}\r\nSubject: =?utf-8?q?R=C3=A9sultats?=\r\nMessage-ID: <m1@hopital.example>\r\n"
        "Original-Recipient: rfc822;2@patient.example\r\n\r\nSecret"
    )
    by = "123@patient.example"
    octets = receipt(OFFICE, by, DR, scan(letter.encode()), token="receipt-1", now=AT + HOUR, sent_at=AT)
    message = message_from_bytes(octets, policy=policy.default)
    assert (message["From"], message["To"], message["Auto-Submitted"]) == (by, DR, "auto-replied")
    assert message["Subject"] == "Ouvert\u00a0: Résultats"
    assert message["In-Reply-To"] == "<m1@hopital.example>"
    assert message["Disposition-Notification-To"] is None
    text = there(message.get_body(("plain",))).get_content().replace("\u00a0", " ")
    assert "« Résultats » du 12 novembre 2026 à 9 h 40 a été ouvert le 12 novembre 2026 à 10 h 40" in text
    assert b"Secret" not in octets
    report = read(scan(octets))
    assert report is not None
    assert report.message_id == "<m1@hopital.example>"
    assert report.said == (Said(("2@patient.example", by), "displayed"),)
    assert b"Disposition: manual-action/MDN-sent-automatically; displayed\r\n" in octets

"""The few header fields that delivery adds or rewrites; everything else stays octet for octet."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.delivery.headers import ORIGINAL_SUBJECT, completed, return_path, shown_as, signed_by, with_subject


@pytest.mark.parametrize("address", ["", "a@b.example", "é@b.example"])
def test_return_path(address: str) -> None:
    assert return_path(address) == f"Return-Path: <{address}>\r\n".encode()


NUMBER, NAME, DATE = (
    b"X-MSS-NIL: 42\r\n",
    b"Message-ID: <n@h.example>\r\n",
    b"Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n",
)


@pytest.mark.parametrize(
    ("content", "added"),
    [
        (b"Subject: a\r\n\r\nb", NUMBER + NAME + DATE),
        (b"Date: x\r\nmessage-id: <a@b>\r\nx-mss-nil: 7\r\n\r\nb", b""),
        (b"X-MSS-NIL : 7\nDate:\n\nb", NAME),
        (b"Subject: a\r\n\r\nX-MSS-NIL: 7\r\nDate: x\r\n", NUMBER + NAME + DATE),
        (b"", NUMBER + NAME + DATE),
    ],
)
def test_what_our_users_messages_lack_is_added_once(content: bytes, added: bytes) -> None:
    assert completed(content, "42", "n@h.example", 0) == added
    assert completed(content, "", "n@h.example", 0) == added.replace(NUMBER, b"")


ROCHE, ENCODED = "Dr Camille Roche", "=?utf-8?b?TWluaXN0cmUgZGUgbGEgU2FudMOp?="
OURS, KEPT = f"From: {ROCHE} <c@a.example>\r\n", "X-MSS-Original-From:"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("From: c@a.example\r\n", OURS),
        ("from : <C@a.example>\r\n", OURS.replace("c@", "C@")),
        (OURS, OURS),
        ('From: "Dr Camille Roche"\r\n <c@a.example>\r\n', None),
        ("From: =?utf-8?q?Dr_Camille_Roche?= <c@a.example>\r\n", None),
        (
            f"To: b\r\nFrom: {ENCODED}\r\n\t<c@a.example>\r\nSubject: x\r\n",
            f"To: b\r\n{OURS}{KEPT} {ENCODED}\r\n\t<c@a.example>\r\nSubject: x\r\n",
        ),
        ("From: Chef <c@a.example>, c@A.example\r\n", f"{OURS}{KEPT} Chef <c@a.example>, c@A.example\r\n"),
        ("From: c@a.example\r\nFROM: Chef <c@a.example>\r\n", f"{OURS}{OURS}{KEPT} Chef <c@a.example>\r\n"),
        ("From: Chef <c@a.example>, d@a.example\r\n", None),  # refused by the rules
        ('From: "x>, <c"@a.example\r\n', None),
        ("From: Chef <é@a.example>\r\n", None),
        ("From: Chef\r\n", None),
        ("From:\r\n", None),
        ("Resent-From: Chef <c@a.example>\r\nSubject: From: x\r\n", None),
        ("", None),
    ],
)
def test_from_shows_the_name_of_the_directory(header: str, expected: str | None) -> None:
    assert shown_as(header.encode(), ROCHE).decode() == (header if expected is None else expected)


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=100), st.binary(max_size=200))
def test_any_name_in_any_header_adds_no_field_of_its_own(name: str, noise: bytes) -> None:
    header = shown_as(b"From: Chef <c@a.example>\r\n", name)
    parsed = message_from_bytes(header + b"\r\n", policy=policy.default)
    assert parsed.keys() == ["From", "X-MSS-Original-From"]
    assert [one.addr_spec for one in parsed["From"].addresses] == ["c@a.example"]
    assert header.isascii()
    shown_as(b"From: " + noise + b"\r\n", name)


def test_only_the_first_subject_of_the_header_is_rewritten() -> None:
    content = b"From: a\r\nSUBJECT: [FIN]\r\n  plus long\r\nTo: b\r\nSubject: two\r\n\r\nSubject: [FIN]\r\n"
    assert with_subject(content, "court") == (
        b"From: a\r\nSubject: court\r\nX-MSS-Original-Subject: [FIN]\r\n  plus long\r\n"
        b"To: b\r\nSubject: two\r\n\r\nSubject: [FIN]\r\n"
    )
    bare = b"To: b\nSubject: [FIN] x\n\nbody"
    assert with_subject(bare, "x") == b"To: b\nSubject: x\nX-MSS-Original-Subject: [FIN] x\n\nbody"
    for without in (b"To: b\r\n\r\nSubject: [FIN]\r\n", b"", b"\r\n"):
        assert with_subject(without, "x") == without


@given(st.text(st.characters(blacklist_categories=("C", "Zl", "Zp")), max_size=300))
def test_any_subject_survives_and_adds_no_field(subject: str) -> None:
    subject = " ".join(subject.split())
    rewritten = with_subject(b"To: b\r\nSubject: [FIN]\r\n\r\nbody\r\n", subject)
    parsed = message_from_bytes(rewritten, policy=policy.default)
    assert parsed.keys() == ["To", "Subject", ORIGINAL_SUBJECT]
    assert rewritten.endswith(b"\r\n\r\nbody\r\n")
    assert rewritten.partition(b"\r\n\r\n")[0].isascii()
    from mailserver.mime.message import scan

    assert scan(rewritten).subject.split() == subject.split()


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Thomas Girard", b"Thomas Girard <t@c.example>"),
        ("Thomas Girard, infirmier", b'"Thomas Girard, infirmier" <t@c.example>'),
        ("Dr Inès Caron", b"=?utf-8?q?Dr_In=C3=A8s_Caron?= <t@c.example>"),
        ("a\r\nBcc: x@y", b'"aBcc: x@y" <t@c.example>'),
    ],
)
def test_who_of_a_team_wrote_it(name: str, written: bytes) -> None:
    assert signed_by(b"From: a\r\n\r\nb", name, "t@c.example") == b"Sender: " + written + b"\r\nFrom: a\r\n\r\nb"


@given(st.text(min_size=1, max_size=200))
def test_any_name_is_one_field_that_reads_back(name: str) -> None:
    signed = signed_by(b"Subject: x\r\n\r\nb", name, "t@c.example")
    read = message_from_bytes(signed, policy=policy.default)
    assert read.keys() == ["Sender", "Subject"]
    assert read["Sender"].address.addr_spec == "t@c.example"
    assert all(len(line) <= 998 for line in signed.split(b"\r\n"))


def test_what_a_program_says_of_the_sender_is_kept_under_another_name() -> None:
    content = b"From: a\r\nsender : Dr Autre <t@c.example>\r\nSender: b\r\n\r\nSender: c\r\n"
    assert signed_by(content, "Awa", "t@c.example") == (
        b"Sender: Awa <t@c.example>\r\nFrom: a\r\nX-MSS-Original-Sender : Dr Autre <t@c.example>\r\n"
        b"X-MSS-Original-Sender: b\r\n\r\nSender: c\r\n"
    )

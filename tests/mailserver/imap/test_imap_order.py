"""SORT's keys and THREAD's trees: tables from RFC 5256, properties on random conversations."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.imap.commands.search import parse_search
from mailserver.imap.dates import sent
from mailserver.imap.framer import Frame
from mailserver.imap.grammar import Cursor
from mailserver.imap.heads import field
from mailserver.imap.sequences import SequenceSet
from mailserver.imap.sorting import base_subject, first_address, sent_at
from mailserver.imap.threads import ALGORITHMS, letter_of, thread_text
from mailserver.mime import scan
from tests.mailserver.imap.player import PATIENT

SUBJECTS = [
    ("bonjour", "bonjour", False),
    ("re: bonjour", "bonjour", True),
    ("re : re: fwd: fw: bonjour", "bonjour", True),
    ("re[2]: bonjour", "bonjour", True),
    ("[labo] re: [labo] bonjour", "bonjour", True),
    ("[labo] bonjour", "bonjour", False),
    ("[labo]", "[labo]", False),
    ("bonjour (fwd)", "bonjour", True),
    ("bonjour (fwd) (fwd)", "bonjour", True),
    ("[fwd: re: bonjour]", "bonjour", True),
    ("  deux   mots ", "deux mots", False),
    ("re:", "", True),
    ("réponse", "réponse", False),
    ("", "", False),
]


@pytest.mark.parametrize(("subject", "base", "answer"), SUBJECTS)
def test_base_subject(subject: str, base: str, answer: bool) -> None:
    found = base_subject(subject)
    assert (found.base, found.answer) == (base, answer)


def test_a_hostile_subject_is_cut() -> None:
    assert len(base_subject("re:" * 100_000 + "x").base) < 1_000
    assert len(base_subject("[" * 100_000).base) <= 1_000


@pytest.mark.parametrize(
    ("head", "shown", "local"),
    [
        (b"from: alice martin <alice@ville.example>", "alice martin", "alice"),
        (b'from: "martin, alice" <alice@ville.example>', "martin, alice", "alice"),
        (b"from: alice@ville.example", "alice@ville.example", "alice"),
        (b"from: <alice@ville.example>", "alice@ville.example", "alice"),
        (b"to: bob@ville.example", "", ""),
        (b"from:", "", ""),
        ("from: élodie <e@ville.example>".encode(), "élodie", "e"),
    ],
)
def test_first_address(head: bytes, shown: str, local: str) -> None:
    assert first_address(head, b"from") == (shown, local)


def test_blanks_without_end_in_an_address_are_passed_once() -> None:
    assert first_address(b"from: alice" + b" " * 250_000 + b"martin", b"from")[0].split() == ["alice", "martin"]


JUNE_1 = 1_780_272_000  # midnight in UTC, of 2026
DATES = [
    ("Mon, 1 Jun 2026 23:30:00 -0500", JUNE_1, 28.5),
    ("1 Jun 2026 00:10 +0200", JUNE_1, -1 - 50 / 60),
    ("1 Jun 26 12:00:00 EST", JUNE_1, 17),
    ("1 Jun 126 12:00:00 GMT", JUNE_1, 12),
    ("Mon (a) , 1 Jun (b) 2026 10:00:00.250 -0030 (c)", JUNE_1, 10.5),
    ("Mon Jun  1 12:00:00 2026", JUNE_1, 12),  # asctime's
    # the zone cannot be read: UTC
    ("Mon, 1 Jun 2026 10:00:00", JUNE_1, 10),
    ("Mon, 1 Jun 2026 10:00:00 CEST", JUNE_1, 10),
    ("Mon, 1 Jun 2026 10:00:00 +200", JUNE_1, 10),
    # nor the time: midnight
    ("Mon, 1 Jun 2026", JUNE_1, 0),
    ("Mon, 1 Jun 2026 25:00:00 +0200", JUNE_1, 0),
    ("Mon, 1 Jun 2026 10:60 +0200", JUNE_1, 0),
    ("Mon, 1 Jun 2026 noon +0200", JUNE_1, 0),
    # nor the date: none
    ("31 Jun 2026 10:00:00 +0000", None, 0),
    ("0 Jun 2026 10:00:00 +0000", None, 0),
    ("1 June 2026 10:00:00 +0000", JUNE_1, 10),
    ("1 Foo 2026 10:00:00 +0000", None, 0),
    ("1 Jun 0000 10:00:00 +0000", None, 0),
    ("2026-06-01T10:00:00Z", None, 0),
    ("yesterday", None, 0),
    ("\xff", None, 0),
    ("", None, 0),
]


@pytest.mark.parametrize(("text", "day", "hours"), DATES)
def test_what_can_be_used_of_a_date_is(text: str, day: int | None, hours: float) -> None:
    """RFC 5256 2.2; without a date it is the arrival that SORT goes by."""
    value = text.casefold().encode("latin-1")
    found = sent(value)
    assert (found and found.day) == day
    assert sent_at(b"subject: x\ndate: " + value, 99) == (99 if day is None else day + hours * 3600)


@given(st.binary(max_size=300))
def test_no_date_is_too_odd(value: bytes) -> None:
    sent(value)
    sent(b"1 jun 2026 " + value)


def test_a_name_with_a_comma_is_one_name() -> None:
    """Decoded, it still reads as one address (SORT=DISPLAY), and as it is said (SEARCH FROM)."""
    mail = "From: =?utf-8?q?Dr_Martin=2C_=C3=89lodie?= MD <e@ville.example>, b@x.example\r\nSubject: =?utf-8?q?a=0Ato:_b?=\r\n\r\n"
    found = scan(mail.encode()).search_headers().encode()
    assert first_address(found, b"from") == ("dr martin, élodie md", "e")
    assert "dr martin, élodie md" in found.decode()
    assert field(found, b"to") == b""


def head(name: str, *references: str, subject: str = "", reply_to: str = "") -> bytes:
    lines = [f"message-id: <{name}>"] if name else []
    lines += [f"subject: {subject}"]
    lines += [f"references: {' '.join(f'<{one}>' for one in references)}"] if references else []
    lines += [f"in-reply-to: <{reply_to}>"] if reply_to else []
    return "\n".join(lines).encode()


def tree(algorithm: bytes, *heads: bytes) -> bytes:
    return thread_text(ALGORITHMS[algorithm]([letter_of(i, one, i) for i, one in enumerate(heads, 1)]))


THREADS = [
    ("one answers the other", [head("a"), head("b", "a")], b"(1 2)"),
    ("in-reply-to alone", [head("a"), head("b", reply_to="a")], b"(1 2)"),
    ("two answers", [head("a"), head("b", "a"), head("c", "a")], b"(1 (2)(3))"),
    ("deeper", [head("a"), head("b", "a"), head("c", "a", "b"), head("d", "a")], b"(1 (2 3)(4))"),
    ("the parent is not here", [head("b", "gone"), head("c", "gone")], b"((1)(2))"),
    ("only one child of it", [head("b", "gone")], b"(1)"),
    ("a loop", [head("a", "b"), head("b", "a")], b"(2 1)"),
    ("itself", [head("a", "a")], b"(1)"),
    ("no id", [head(""), head("")], b"(1)(2)"),
    ("one id twice", [head("a"), head("a"), head("b", "a")], b"(1 3)(2)"),
    ("by subject", [head("a", subject="x"), head("b", subject="re: x")], b"(1 2)"),
    ("same subject, no answer", [head("a", subject="x"), head("b", subject="x")], b"((1)(2))"),
]


@pytest.mark.parametrize(("heads", "wanted"), [case[1:] for case in THREADS], ids=[case[0] for case in THREADS])
def test_references(heads: list[bytes], wanted: bytes) -> None:
    assert tree(b"REFERENCES", *heads) == wanted


def test_ordered_subject() -> None:
    heads = [head("a", subject="x"), head("b", subject="y"), head("c", subject="re: x"), head("d", subject="re: x")]
    assert tree(b"ORDEREDSUBJECT", *heads) == b"(1 (3)(4))(2)"


NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f"])


@PATIENT
@given(
    st.lists(
        st.tuples(NAMES, st.lists(NAMES, max_size=4), st.sampled_from(["", "x", "re: x", "[y] re: z"])), max_size=12
    )
)
def test_every_message_stands_in_just_one_tree(letters: list[tuple[str, list[str], str]]) -> None:
    heads = [head(name, *references, subject=subject) for name, references, subject in letters]
    for algorithm in ALGORITHMS:
        said = tree(algorithm, *heads)
        assert sorted(map(int, re.findall(rb"\d+", said))) == list(range(1, len(heads) + 1))
        assert said.count(b"(") == said.count(b")")


def test_a_chain_of_thousands_is_no_recursion() -> None:
    heads = [head("m0")] + [head(f"m{i}", f"m{i - 1}") for i in range(1, 5_000)]
    assert tree(b"REFERENCES", *heads) == b"(" + b" ".join(b"%d" % i for i in range(1, 5_001)) + b")"


def test_a_kept_result_is_made_once_for_a_command() -> None:
    asked = []

    def saved(uid: bool) -> SequenceSet:
        asked.append(uid)
        return SequenceSet.of([1, 2])

    at = Cursor(Frame(b" $ $ UID $ NOT $ UID $"), saved=saved)
    parse_search(at)
    assert asked == [False, True]

"""Octets of LDAP: any are a request or `Malformed`, and cost little; what is written reads back."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailserver.ldap import ber, messages
from mailserver.ldap.ber import Malformed, element, number, string
from mailserver.ldap.filters import read_filter
from mailserver.ldap.messages import Abandon, Bind, Extended, Other, Request, SearchRequest, Unbind
from mailserver.ldap.session import LONGEST_STRANGER, LdapSession
from mssante import directory_filters
from mssante.directory_filters import (
    And,
    Asked,
    Equal,
    Filter,
    Not,
    Or,
    Parts,
    Present,
    Undefined,
    asked,
    denies,
    holds,
)
from mssante.directory_search import LONGEST_TEXT
from tests.mailserver.ldap.asking import equal, search, substrings
from tests.support.people import People
from tests.support.properties import examples


def message(operation: bytes, *more: bytes, at: int = 1) -> bytes:
    return element(0x30, number(at), operation, *more)


SIMPLE = element(0x60, number(3), string("dr"), string("pw", 0x80))
GOOD = [
    message(SIMPLE),
    message(element(0x60, number(3), string(""), element(0xA3, string("PLAIN"), string("\0dr\0pw")))),
    message(element(0x42)),
    message(element(0x50, b"\x01")),
    message(element(0x77, string(messages.WHO_AM_I, 0x80))),
    message(element(0x4A, b"cn=x")),
    search(substrings("cn", "ro")),
    search(element(0xA0, equal("sn", "roche"), element(0xA2, element(0x87, b"mail")))),
]


def test_what_good_octets_say() -> None:
    said = [messages.read(octets).operation for octets in GOOD]
    assert [type(one) for one in said] == [Bind, Bind, Unbind, Abandon, Extended, Other, SearchRequest, SearchRequest]
    assert said[0] == Bind(3, "dr", b"pw")
    assert said[1] == Bind(3, "", mechanism="PLAIN", credentials=b"\0dr\0pw")
    filters = [one.filter for one in said if isinstance(one, SearchRequest)]
    assert filters[0] == Parts("cn", ("ro",))
    assert filters[1] == And((Equal("sn", "roche"), Not(Present("mail"))))


@pytest.mark.parametrize(
    ("why", "octets"),
    [
        ("indefinite length", b"\x30\x80\x02\x01\x01\x42\x00\x00\x00"),
        ("a length of five octets", b"\x30\x85\x00\x00\x00\x00\x05\x02\x01\x01\x42\x00"),
        ("a tag of two octets", message(b"\x7f\x21\x00")),
        ("the element is longer than the message", b"\x30\x05\x02\x01\x01\x42\x05"),
        ("two messages", message(element(0x42)) * 2),
        ("no number", element(0x30, element(0x42))),
        ("number 0, the server's own", message(element(0x42), at=0)),
        ("a negative number", message(element(0x42), at=-1)),
        ("a number of 9 octets", element(0x30, element(2, b"\x01" * 9), element(0x42))),
        ("an empty number", element(0x30, element(2), element(0x42))),
        ("not a message", b"\x04\x03abc"),
        ("an answer", message(element(0x61, number(0, 10), string(""), string("")))),
        ("an unknown operation", message(element(0x7D))),
        ("bind without a way", message(element(0x60, number(3), string("dr")))),
        ("SASL without a mechanism", message(element(0x60, number(3), string(""), element(0xA3)))),
        ("a name not in UTF-8", message(element(0x60, number(3), string(b"\xff"), string("pw", 0x80)))),
        ("a scope of 9", search(equal("cn", "x"), scope=9)),
        ("a negative limit", search(equal("cn", "x"), limit=-1)),
        ("an unknown filter", search(element(0xBE))),
        ("a filter that denies two things", search(element(0xA2, equal("a", "b"), equal("a", "b")))),
        ("substrings without parts", search(element(0xA4, string("cn"), element(0x30)))),
        ("an attribute that is no string", search(equal("cn", "x"), attributes=(number(1),))),
        ("controls that are no list", message(element(0x42), number(1))),
    ],
)  # fmt: skip
def test_bad_octets(why: str, octets: bytes) -> None:
    with pytest.raises(Malformed):
        messages.read(octets)


def test_filters_are_bounded() -> None:
    deep = equal("cn", "x")
    for _ in range(40):
        deep = element(0xA0, deep)
    with pytest.raises(Malformed):
        messages.read(search(deep))
    with pytest.raises(Malformed):
        messages.read(search(element(0xA1, *[equal("cn", "x")] * 200)))
    many = read_filter(0xA0, element(0xA1, *[equal("cn", f"w{n}") for n in range(40)]) * 2)
    began = time.process_time()
    assert len(asked(many)) == 8  # alternatives multiply: not here
    assert time.process_time() - began < 1


@settings(max_examples=examples(300))
@given(st.binary(max_size=200))
def test_any_octets_are_a_request_or_malformed(octets: bytes) -> None:
    for one in (octets, element(0x30, octets), message(octets), message(element(0x63, octets))):
        with contextlib.suppress(Malformed):
            assert isinstance(messages.read(one), Request)


@settings(max_examples=examples(300))
@given(st.sampled_from(GOOD), st.data())
def test_good_octets_with_some_changed(good: bytes, data: st.DataObject) -> None:
    octets = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Malformed):
        assert isinstance(messages.read(bytes(octets)), Request)


@example(-(1 << 39), "", b"")
@given(st.integers(-(1 << 39), (1 << 39) - 1), st.text(), st.binary(max_size=70_000))
def test_what_is_written_reads_back(value: int, text: str, raw: bytes) -> None:
    written = element(0x30, number(value), string(text), string(raw))
    assert ber.size(written) == len(written)
    (_, one), (_, two), (_, three) = ber.elements(ber.one(written, 0x30))
    assert (ber.integer(one), ber.text(two), three) == (value, text, raw)


NAMES = st.sampled_from(["cn", "mail", "sn", "o", "l", "title", "objectclass", "unknown"])
FILTERS = st.recursive(
    st.builds(Equal, NAMES, st.text(max_size=8))
    | st.builds(Parts, NAMES, st.lists(st.text(max_size=5), min_size=1, max_size=3).map(tuple))
    | st.builds(Present, NAMES)
    | st.just(Undefined()),
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, max_size=3).map(tuple))
    ),
    max_leaves=12,
)


@given(FILTERS)
def test_any_filter_has_an_answer(one: Filter) -> None:
    assert len(asked(one)) <= 8
    assert holds(one, {"cn": ("Dr Camille Roche",), "mail": ("c@d.example",)}) in (True, False, None)
    assert denies(one) in (True, False)


def test_a_filter_as_long_as_a_request_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what it says as much is read as a search reads, and combined so many times: all other readers wait meanwhile."""
    words = " ".join(f"{number:x}" for number in range(4_096, 15_000))
    few = [Or(tuple(Equal(name, f"{name}{number}") for number in range(10))) for name in ("cn", "l", "title")]
    parts: tuple[Filter, ...] = (*few, Equal("cn", words), *(Equal("cn", f"z{number}") for number in range(60)))
    made: list[Asked] = []
    both = directory_filters._both

    def noted(*pair: Asked) -> Asked:
        made.append(both(*pair))
        return made[-1]

    monkeypatch.setattr(directory_filters, "_both", noted)
    assert len(asked(And(parts))) == 8
    assert len(made) <= len(parts) * directory_filters.MOST
    assert max(len(one.search.name) for one in made) <= LONGEST_TEXT


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_any_octets_get_an_end_and_little_is_kept(pieces: list[bytes]) -> None:
    """The session ends with a notice of disconnection, or waits for more."""

    async def play() -> list[bytes]:
        no_database: Any = None  # nothing is looked up
        session, sent = LdapSession(no_database, People({}), "192.0.2.1"), list[bytes]()

        async def read() -> None:
            async for piece in session.run():
                sent.append(piece)

        task = asyncio.create_task(read())
        for piece in pieces:
            session.receive(piece)
            await asyncio.sleep(0)
        session.receive(element(0x30, b"x" * LONGEST_STRANGER))
        await asyncio.sleep(0)
        task.cancel()
        return sent

    for answer in asyncio.run(play()):
        assert ber.size(answer) == len(answer)

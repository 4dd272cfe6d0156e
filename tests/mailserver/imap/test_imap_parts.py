"""The pure parts: framer, words, sets, patterns, view."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.imap import wire
from mailserver.imap.framer import MAX_LINE, Event, Frame, Framer, LiteralOffer, TooLong
from mailserver.imap.grammar import Cursor, mailbox_name
from mailserver.imap.listing import matches
from mailserver.imap.modes import Modes
from mailserver.imap.responses import Bad, No
from mailserver.imap.responses_messages import Exists, Expunge
from mailserver.imap.sequences import Places, SequenceSet
from mailserver.imap.table import COMMANDS
from mailserver.imap.view import FolderView
from mailserver.store.api import Flag, Flags, Folder, FolderStatus, Row, StoreResult
from mailserver.store.columns import columns_of, narrow
from mailserver.store.flags import KEYWORDS_PER_FOLDER
from tests.mailserver.imap.player import PATIENT


# ---------------------------------------------------------------- framer
def events(chunks: list[bytes], accept: bool = True) -> list[Event]:
    framer, found = Framer(), list[Event]()
    for chunk in chunks:
        framer.receive(chunk)
        while (event := framer.next_event()) is not None:
            found.append(event)
            if isinstance(event, LiteralOffer):
                (framer.accept if accept else framer.refuse)()
    return found


STREAM = b"a LOGIN {3}\r\nbob {5+}\r\n{1}\r\n\r\nb NOOP\nc X {0}\r\n\r\n"
FRAMES = [
    Frame(b"a LOGIN {3}\r\n {5+}\r\n", (b"bob", b"{1}\r\n")),
    Frame(b"b NOOP"),
    Frame(b"c X {0}\r\n", (b"",)),
]


@PATIENT
@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_framing_does_not_depend_on_how_the_bytes_arrive(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    chunks = [STREAM[a:b] for a, b in pairwise(places)]
    assert [event for event in events(chunks) if isinstance(event, Frame)] == FRAMES


def test_a_literal_is_offered_before_its_octets_come() -> None:
    assert events([b"a APPEND x {310}\r\n"]) == [LiteralOffer(b"a APPEND x {310}", 310, 310, sync=True)]
    assert events([b"a X {3+}\r\nabc {4}\r\n"])[1] == LiteralOffer(b"a X {3+}\r\n {4}", 4, 7, sync=True)


def test_a_refused_literal_that_comes_anyway_is_thrown_away_with_its_command() -> None:
    said = b"a APPEND x {5+}\r\nb NO\n {3+}\r\n\r\n\n tail\r\nc NOOP\r\n"
    assert [event for event in events([said], accept=False) if isinstance(event, Frame)] == [Frame(b"c NOOP")]
    bytewise = [said[i : i + 1] for i in range(len(said))]
    assert [event for event in events(bytewise, accept=False) if isinstance(event, Frame)] == [Frame(b"c NOOP")]


@pytest.mark.parametrize("step", [1000, 70000, 200000])
def test_a_line_too_long_is_told_once_and_its_rest_thrown_away(step: int) -> None:
    said = b"a " + b"x" * (2 * MAX_LINE) + b"\r\nb NOOP\r\n"
    found = events([said[i : i + step] for i in range(0, len(said), step)])
    assert [type(event) for event in found] == [TooLong, Frame]
    assert found[1] == Frame(b"b NOOP")


def test_many_literals_do_not_lengthen_a_line_without_limit() -> None:
    began = time.process_time()
    found = events([b"a X" + b" {1+}\r\nx" * 20000 + b"\r\nb NOOP\r\n"])
    assert [event for event in found if not isinstance(event, LiteralOffer)] == [
        TooLong(found[-2].line),
        Frame(b"b NOOP"),
    ]
    assert time.process_time() - began < 1  # it took 4 s while each offer counted and copied all before it


@PATIENT
@given(st.binary(max_size=300), st.booleans())
def test_the_framer_takes_any_bytes(data: bytes, accept: bool) -> None:
    events([data], accept)


# ---------------------------------------------------------------- grammar
@PATIENT
@given(st.sampled_from(sorted(COMMANDS)), st.text(alphabet=' ()[]{}<>*%"\\,:.1Aa\x00\xe9\n', max_size=40))
def test_a_parser_gives_a_command_or_refuses(name: bytes, rest: str) -> None:
    cursor = Cursor(Frame(rest.encode("latin-1")))
    try:
        COMMANDS[name].parse(cursor)
        cursor.end()
    except (Bad, No):
        pass


@pytest.mark.parametrize("depth", [33, 5000])
def test_a_deep_search_is_refused(depth: int) -> None:
    for text in (b" " + b"(" * depth + b"ALL" + b")" * depth, b" " + b"NOT " * depth + b"ALL"):
        with pytest.raises(Bad):
            COMMANDS[b"SEARCH"].parse(Cursor(Frame(text)))


@pytest.mark.parametrize("keys", [b" SEEN" * 201, b" TEXT x" * 41])
def test_a_search_of_many_keys_is_refused(keys: bytes) -> None:
    with pytest.raises(Bad):
        COMMANDS[b"SEARCH"].parse(Cursor(Frame(keys)))
    COMMANDS[b"SEARCH"].parse(Cursor(Frame(b" " + b" ".join(keys.split(b" ")[1:41]))))


# ---------------------------------------------------------------- words
@PATIENT
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30))
def test_modified_utf7_comes_back(name: str) -> None:
    assert wire.decode_mailbox(wire.encode_mailbox(name)) == name


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("Envoyés", b"Envoy&AOk-s"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501 5.1.3
        ("R&D", b"R&-D"),
        ("😀", b"&2D3eAA-"),
    ],
)
def test_modified_utf7(name: str, encoded: bytes) -> None:
    assert wire.encode_mailbox(name) == encoded
    assert wire.decode_mailbox(encoded) == name


@pytest.mark.parametrize("bad", [b"&x", b"&AGE-", b"R&D", b"\xc3\xa9", b"&AO-", b"&AOk-&AOk-", b"&2D0-"])
def test_a_second_spelling_of_a_name_is_refused(bad: bytes) -> None:
    with pytest.raises(ValueError):
        wire.decode_mailbox(bad)


def test_inbox_in_any_case() -> None:
    assert mailbox_name(b"inBox") == "INBOX"
    assert mailbox_name(b"Inbox/Sub") == "INBOX/Sub"
    assert mailbox_name(b"Inboxes") == "Inboxes"


@PATIENT
@given(st.integers(-(1 << 33), 1 << 36))
def test_internal_date_comes_back(seconds: int) -> None:
    assert Cursor(Frame(wire.date_time(seconds))).date_time() == seconds


@PATIENT
@given(st.sets(st.integers(1, 60)))
def test_number_set_says_the_same_numbers(numbers: set[int]) -> None:
    text = wire.number_set(sorted(numbers))
    if numbers:
        assert list(SequenceSet.parse(text).of_numbers(60)) == [number - 1 for number in sorted(numbers)]


# ---------------------------------------------------------------- sets
BOUND = st.one_of(st.just("*"), st.integers(1, 40).map(str))
SET = st.lists(st.one_of(BOUND, st.tuples(BOUND, BOUND).map(":".join)), min_size=1, max_size=5).map(",".join)


def meant(text: str, last: int) -> set[int]:
    """The RFC's own words, slowly."""
    numbers = set[int]()
    for item in text.split(","):
        ends = [last if end == "*" else int(end) for end in item.split(":")]
        numbers |= set(range(min(ends), max(ends) + 1))
    return numbers


@PATIENT
@given(SET, st.sets(st.integers(1, 40), min_size=1))
def test_uid_sets(text: str, present: set[int]) -> None:
    uids = sorted(present)
    found = SequenceSet.parse(text.encode()).of_uids(uids)
    assert [uids[i] for i in found] == sorted(meant(text, uids[-1]) & present)


@PATIENT
@given(SET, st.integers(1, 40))
def test_number_sets(text: str, exists: int) -> None:
    found = SequenceSet.parse(text.encode()).of_numbers(exists)
    assert [i + 1 for i in found] == sorted(meant(text, exists) & set(range(1, exists + 1)))


# ---------------------------------------------------------------- patterns
SPANS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=5)


@PATIENT
@given(SPANS, st.frozensets(st.integers(0, 25)))
def test_places_are_those_of_their_spans(spans: list[tuple[int, int]], universe: frozenset[int]) -> None:
    meant = {index for start, stop in spans for index in range(start, stop)}
    places = Places.of(spans)
    assert list(places.indices()) == sorted(meant)
    assert places.total == len(meant)
    assert places.within(universe) == universe & meant


@PATIENT
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=3), st.sets(st.integers(1, 30)))
def test_numbers_are_kept_as_uids_in_no_more_pieces(numbers: list[tuple[int, int]], present: set[int]) -> None:
    """However many messages went away in between."""
    uids, numbered = sorted(present), SequenceSet(tuple(numbers))
    kept = numbered.in_uids(uids)
    assert list(kept.of_uids(uids, 99)) == list(numbered.of_numbers(len(uids)))
    assert list(kept.of_uids([*uids, 40, 41], 99)) == list(numbered.of_numbers(len(uids)))
    assert len(kept.ranges) <= len(numbers)


@PATIENT
@given(st.text(alphabet="ab/%*", max_size=8), st.text(alphabet="ab/", max_size=8))
def test_list_patterns(pattern: str, name: str) -> None:
    expression = "".join({"*": ".*", "%": "[^/]*"}.get(c, re.escape(c)) for c in pattern)
    assert matches(pattern, name) is (re.fullmatch(expression, name) is not None)


def test_a_nasty_pattern_costs_little() -> None:
    assert not matches("*a" * 200 + "b", "a" * 255)
    assert matches("*" + "a" * 200 + "%" * 200, "a" * 255)


@pytest.mark.parametrize(
    "command",
    [
        b"LIST " + b"r" * 100 + b" (" + b" ".join([b"*a" * 100] * 4) + b")",
        b"ESEARCH IN (mailboxes (%b)) ALL" % b" ".join([b"a"] * 100),
        b"ESEARCH IN (%b) ALL" % b" ".join([b"personal"] * 101),
        b"NOTIFY SET" + b" (subtree a (MailboxName))" * 51,
    ],
)
def test_what_is_compared_with_each_folder_is_bounded(command: bytes) -> None:
    at = Cursor(Frame(command))
    with pytest.raises(Bad, match="at most"):
        COMMANDS[at.word()].parse(at)


# ---------------------------------------------------------------- view
def row(uid: int, modseq: int, system: Flag = Flag(0), *keywords: str) -> Row:
    return Row(uid, modseq, Flags(system, frozenset(keywords)), 0, 10)


def status(modseq: int) -> FolderStatus:
    return FolderStatus(0, 0, 0, 99, 1, modseq, 0)


def view_of(*rows: Row) -> FolderView:
    columns = columns_of(status(max((r.modseq for r in rows), default=1)), [narrow(r) for r in rows])
    return FolderView(Folder(1, 1, "INBOX", 1), False, columns)


def learn(view: FolderView, modseq: int, *rows: Row, gone: Sequence[int] = (), own: StoreResult | None = None) -> None:
    view.learn(view._now.advanced(status(modseq), [narrow(r) for r in rows], gone), own)


def test_expunges_wait_and_numbers_stay_until_told() -> None:
    view = view_of(row(1, 1), row(2, 2), row(5, 3))
    learn(view, 6, row(7, 5), gone=[1, 2, 4])
    assert list(view.news(expunge=False, modes=Modes())) == [Exists(4)]
    assert view.index_of(5) == 2
    learn(view, 7, row(5, 7, Flag.SEEN))
    assert list(view.news(expunge=False, modes=Modes())) == [b"* 3 FETCH (FLAGS (\\Seen))\r\n"]
    assert list(view.news(expunge=True, modes=Modes())) == [Expunge(2), Expunge(1)]
    assert view.index_of(5) == 0
    assert list(view.news(expunge=True, modes=Modes(condstore=True))) == []


def test_expunges_come_before_new_messages() -> None:
    view = view_of(row(1, 1), row(2, 2))
    learn(view, 4, row(3, 4), gone=[1])
    assert list(view.news(expunge=True, modes=Modes())) == [Expunge(1), Exists(2)]


def test_own_changes_are_not_told_again() -> None:
    view = view_of(row(1, 1), row(2, 1))
    learn(view, 2, row(1, 2, Flag.SEEN), own=StoreResult(1, 2, []))
    assert list(view.news(expunge=True, modes=Modes())) == []
    assert view.flags_text(0) == b"\\Seen"
    assert view.highest_modseq == 2


def test_what_another_did_after_the_own_change_is_told() -> None:
    view = view_of(row(1, 1), row(2, 1))
    learn(view, 3, row(1, 2, Flag.SEEN), row(2, 3, Flag.FLAGGED), own=StoreResult(1, 2, []))
    assert list(view.news(expunge=True, modes=Modes())) == [b"* 2 FETCH (FLAGS (\\Flagged))\r\n"]


def test_what_another_did_before_the_own_change_is_told_with_it() -> None:
    """The row tells its last MODSEQ only: whether message 1 changed twice is not known."""
    view = view_of(row(1, 1), row(2, 1))
    learn(view, 3, row(1, 3, Flag.SEEN | Flag.FLAGGED), own=StoreResult(2, 3, []))
    assert list(view.news(expunge=True, modes=Modes())) == [b"* 1 FETCH (FLAGS (\\Flagged \\Seen))\r\n"]


def test_keywords_without_end_are_not_all_told() -> None:
    view = view_of(*(row(n, 1, Flag(0), *(f"k{n}-{i}" for i in range(50))) for n in range(1, 21)))
    flags, permanent = view.folder_flags()
    assert len(bytes(flags).split()) < len(bytes(permanent).split()) < KEYWORDS_PER_FOLDER + 20
    learn(view, 2, row(21, 2, Flag(0), "new"))
    assert bytes(next(view.news(True, Modes()))) == b"* 21 EXISTS\r\n"
    assert list(view.keyword_news()) == []


def test_a_message_that_came_and_went_between_two_looks() -> None:
    view = view_of(row(1, 1))
    learn(view, 5, gone=[2])
    assert list(view.news(expunge=True, modes=Modes())) == []


@PATIENT
@given(
    st.lists(
        st.tuples(st.sampled_from("ade"), st.integers(0, 9), st.booleans()),
        max_size=30,
    )
)
def test_a_client_that_believes_us_has_the_same_list(steps: list[tuple[str, int, bool]]) -> None:
    """The client's list of UIDs, kept from EXISTS and EXPUNGE alone, is the view's after each telling."""
    view, client, server, last = view_of(), list[int](), list[int](), 0
    modseq = 1
    for kind, place, may_expunge in steps:
        modseq += 1
        if kind == "a":
            last += 1
            server.append(last)
            learn(view, modseq, row(last, modseq))
        elif server:
            uid = server[place % len(server)]
            if kind == "d":
                server.remove(uid)
                learn(view, modseq, gone=[uid])
            else:
                learn(view, modseq, row(uid, modseq, Flag.SEEN))
        for response in view.news(may_expunge, Modes()):
            if isinstance(response, Expunge):
                del client[response.number - 1]
            elif isinstance(response, Exists):
                assert response.count >= len(client)
                client += list(view.uids)[len(client) : response.count]
        assert client == list(view.uids)
    list(view.news(expunge=True, modes=Modes()))
    assert list(view.uids) == server

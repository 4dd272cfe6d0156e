"""SEARCH against a reference that reads everything and asks message by message; what it reads, and what it does not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailserver.imap.commands.search_keys import (
    All,
    And,
    Arrived,
    Body,
    HasFlag,
    HasKeyword,
    Header,
    Key,
    ModSeq,
    Not,
    Or,
    Sent,
    SizeIn,
    Text,
)
from mailserver.imap.dates import sent
from mailserver.imap.finding import Finder
from mailserver.imap.heads import KEPT, LONGEST, condensed, cut, field, values
from mailserver.imap.sequences import Page
from mailserver.imap.shelf import OVERHEAD, Shelf
from mailserver.imap.updating import MOST, Updating, brought_up
from mailserver.imap.view import FolderView
from mailserver.store.api import Flag, Flags, Folder, FolderStatus, NewMessage, Row
from mailserver.store.columns import Columns, columns_of, narrow
from mailserver.store.memory import MemoryMailStore
from tests.mailserver.imap.player import BOX, PATIENT, connect, inbox_of, mail, new_store
from tests.mailserver.imap.player import DAY as DAY_OF_MAIL
from tests.support.properties import examples

DAY = 86400
LETTERS = "aé\n"
NEEDLES = st.sampled_from(["", "a", "é", "aé", "éa", "x-o: a", "a\nx"]).map(str.encode)
LEAVES: st.SearchStrategy[Key] = st.one_of(
    st.just(All()),
    st.sampled_from([HasFlag(Flag.SEEN), HasFlag(Flag.DELETED), HasKeyword("vu"), ModSeq(3), SizeIn(above=2)]),
    st.builds(Arrived, st.one_of(st.none(), st.integers(0, 5)), st.one_of(st.none(), st.integers(0, 5))),
    st.builds(Sent, st.one_of(st.none(), st.just(2 * DAY)), st.one_of(st.none(), st.just(3 * DAY))),
    st.builds(Text, NEEDLES),
    st.builds(Body, NEEDLES),
    st.builds(Header, st.sampled_from([b"subject", b"from", b"x-o"]), NEEDLES),
)
KEYS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)
WORD = st.text("aé", max_size=3)
HEAD = st.lists(
    st.one_of(
        st.builds(lambda name, word: f"{name}: {word}", st.sampled_from(["subject", "x-o", "from"]), WORD),
        st.sampled_from(["date: sun, 4 jan 1970 23:00:00 -0500", "date: 3 jan 1970 00:00:00 +0200", "date: never"]),
        st.just(f"cc: {'x' * LONGEST}"),
    ),
    max_size=4,
).map("\n".join)
MESSAGES = st.lists(
    st.tuples(st.integers(0, 31), st.booleans(), st.integers(1, 5), HEAD, st.text(LETTERS, max_size=4)), max_size=6
)


def holds(key: Key, row: Row, head: str, body: str) -> bool:
    match key:
        case All():
            return True
        case HasFlag(flag):
            return flag in row.flags.system
        case HasKeyword(keyword):
            return keyword in row.flags.keywords
        case ModSeq(value):
            return row.modseq >= value
        case SizeIn(above, _):
            return above is not None and row.size > above
        case Arrived(start, end):
            return (start is None or start <= row.internal_date) and (end is None or row.internal_date < end)
        case Sent(start, end):
            date = sent(field(head.encode(), b"date"))
            return date is not None and (start is None or start <= date.day) and (end is None or date.day < end)
        case Text(needle):
            return needle.decode() in head or needle.decode() in body
        case Body(needle):
            return needle.decode() in body
        case Header(name, needle):
            fields = [line.partition(":") for line in head.split("\n")]
            return any(needle.decode() in value for field, colon, value in fields if field.encode() == name and colon)
        case Not(inner):
            return not holds(inner, row, head, body)
        case And(keys):
            return all(holds(inner, row, head, body) for inner in keys)
        case Or(keys):
            return any(holds(inner, row, head, body) for inner in keys)
    raise AssertionError(key)


class Texts(MemoryMailStore):
    """Texts by UID, and which of them were read."""

    def __init__(self, texts: dict[int, tuple[str, str]]) -> None:
        super().__init__()
        self._by_uid = texts
        self.read: list[tuple[str, list[int]]] = []

    async def heads(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        self.read.append(("heads", list(uids)))
        return [(uid, self._by_uid[uid][0].encode()) for uid in uids if uid in self._by_uid]

    async def bodies(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        self.read.append(("bodies", list(uids)))
        return [(uid, self._by_uid[uid][1].encode()) for uid in uids if uid in self._by_uid]


def view_of(rows: Sequence[Row]) -> FolderView:
    status = FolderStatus(len(rows), 0, 0, 9999, 1, 9, 0)
    return FolderView(Folder(1, 1, "INBOX", 1), False, columns_of(status, [narrow(row) for row in rows]))


def row(uid: int) -> Row:
    return Row(uid, 1, Flags(), 0, 1)


def seen(count: int, *read: int) -> FolderView:
    return view_of([Row(uid, 1, Flags(Flag.SEEN if uid in read else Flag(0)), 0, 1) for uid in range(1, count + 1)])


async def found_in(store: Texts, shelf: Shelf, view: FolderView, key: Key, reach: int | None = None) -> list[int]:
    return await Finder(store, shelf, view).find(key, 0, reach=reach)


@settings(PATIENT, max_examples=examples(500))
@given(st.lists(KEYS, min_size=1, max_size=2), MESSAGES)
async def test_search_finds_what_the_words_mean(
    keys: list[Key], messages: list[tuple[int, bool, int, str, str]]
) -> None:
    """The second one with what the first left in memory."""
    rows, texts = [], {}
    for uid, (system, keyword, number, head, body) in enumerate(messages, 1):
        flags = Flags(Flag(system), frozenset(("vu",)) if keyword else frozenset())
        rows.append(Row(uid, number, flags, number, number))
        texts[uid] = (head, body)
    view, shelf = view_of(rows), Shelf()
    for key in keys:
        found = await found_in(Texts(texts), shelf, view, key)
        assert found == [i for i, row in enumerate(rows) if holds(key, row, *texts[row.uid])]


@pytest.mark.parametrize(
    ("page", "found", "there"),
    [
        ((1, 2), "abcd", "ab"),
        ((2, 1), "abcd", "ab"),
        ((3, 9), "abcd", "cd"),
        ((5, 9), "abcd", ""),
        ((-1, -2), "abcd", "cd"),
        ((-4, -3), "abcd", "ab"),
        ((-3, -9), "abcd", "ab"),
        ((-5, -9), "abcd", ""),
        ((1, 1), "", ""),
        ((-1, -1), "", ""),
    ],
)
def test_a_page_of_a_result(page: tuple[int, int], found: str, there: str) -> None:
    assert Page(*page).of([*map(ord, found)]) == [*map(ord, there)]


@settings(PATIENT)
@given(st.sets(st.integers(0, 39)), st.sets(st.integers(0, 39)), st.integers(1, 45), st.booleans())
async def test_a_search_stops_when_enough_is_known(flagged: set[int], said: set[int], reach: int, last: bool) -> None:
    rows = [Row(i + 1, 1, Flags(Flag.FLAGGED if i in flagged else Flag(0)), 0, 1 << 20) for i in range(40)]
    store = Texts({i + 1: ("", "yes" if i in said else "no") for i in range(40)})
    key, wanted = Or((HasFlag(Flag.FLAGGED), Body(b"yes"))), sorted(flagged | said)
    found = await found_in(store, Shelf(), view_of(rows), key, -reach if last else reach)
    page = slice(-reach, None) if last else slice(reach)
    assert found[page] == wanted[page]
    if len(wanted[page]) == reach and len(flagged) < 8:
        first = [i for i in range(40) if i not in flagged][:: -1 if last else 1][:32]
        enough = sum(i >= first[-1] if last else i <= first[-1] for i in wanted) >= reach
        assert len(store.read) == (1 if enough else 2)


async def test_only_what_can_decide_is_read() -> None:
    texts = {1: ("subject: a\nx-o: b", "z"), 2: ("subject: b", "a"), 3: ("subject: z", "b")}
    cases: list[tuple[Key, list[int], list[tuple[str, list[int]]]]] = [
        (And((Text(b"x"), Not(All()))), [], []),
        (Or((Text(b"x"), All())), [0, 1, 2], []),
        (And((HasFlag(Flag.SEEN), Body(b"a"))), [1], [("bodies", [2])]),
        (Header(b"subject", b"a"), [0], [("heads", [1, 2, 3])]),
        (Header(b"x-o", b"b"), [0], [("heads", [1, 2, 3])]),
        (Text(b"z"), [0, 2], [("heads", [1, 2, 3]), ("bodies", [1, 2])]),
        (Or((Body(b"b"), Header(b"subject", b"b"))), [1, 2], [("heads", [1, 2, 3]), ("bodies", [1, 3])]),
        (And((Body(b"b"), Header(b"subject", b"z"))), [2], [("heads", [1, 2, 3]), ("bodies", [3])]),
    ]
    for key, found, read in cases:
        store = Texts(texts)
        assert await found_in(store, Shelf(), seen(3, 2), key) == found
        assert store.read == read


async def test_headers_that_clients_search_are_read_once() -> None:
    store, shelf = Texts({uid: (f"subject: {uid}\nx-o: {uid}", "") for uid in range(1, 1200)}), Shelf()
    subject = Header(b"subject", b"77")
    wanted = [uid - 1 for uid in range(1, 1200) if "77" in str(uid)]
    assert await found_in(store, shelf, seen(1199), subject) == wanted
    assert [len(uids) for _, uids in store.read] == [511, 512, 176]  # UIDs to 511, to 1023, the others
    store.read.clear()
    assert await found_in(store, shelf, seen(1199), subject) == wanted
    assert store.read == []
    await found_in(store, shelf, seen(1199), Header(b"x-o", b"77"))
    assert len(store.read) == 3  # not these


async def test_what_comes_is_put_to_what_is_known_and_what_goes_does_no_harm() -> None:
    heads = {uid: (f"subject: {uid}", "") for uid in (1, 2, 600, 601)}
    store, shelf = Texts(heads), Shelf()
    everything = Header(b"subject", b"")
    assert await found_in(store, shelf, view_of([row(1), row(600)]), everything) == [0, 1]
    assert await found_in(store, shelf, view_of([row(1), row(2), row(600), row(601)]), everything) == [0, 1, 2, 3]
    del heads[1]
    assert await found_in(store, shelf, view_of([row(2), row(601), row(700)]), everything) == [0, 1]  # 700 is gone
    assert store.read == [("heads", uids) for uids in ([1], [600], [2], [601], [700], [700])]
    assert shelf._held == sum(
        len(piece) + OVERHEAD for place in shelf._places.values() for piece in place.by_uid.values()
    )


async def test_a_long_head_is_read_each_time_and_harms_no_other() -> None:
    heads = {
        1: ("subject: a", ""),
        2: (f"subject: {'x' * LONGEST}a", ""),
        3: ("subject: a\nx-long: " + "x" * LONGEST, ""),
    }
    store, shelf = Texts(heads), Shelf()
    for _ in range(2):
        assert await found_in(store, shelf, seen(3), Header(b"subject", b"a")) == [0, 1, 2]
    assert store.read == [("heads", [1, 2, 3]), ("heads", [2]), ("heads", [2])]
    finder = Finder(store, shelf, seen(3))
    assert {index: len(head) for index, head in (await finder.heads([0, 1, 2])).items()} == {
        0: 10,
        1: LONGEST // 2,
        2: 10,
    }
    assert cut(b"references: " + b"<a> " * LONGEST + b"<b>").endswith(b"<a> <b>")


async def test_long_messages_are_read_few_at_once() -> None:
    store = Texts({})
    view = view_of([Row(uid, 1, Flags(), 0, 1 << 20) for uid in range(1, 101)])
    assert await found_in(store, Shelf(), view, Not(Body(b"a"))) == []  # and all of them went meanwhile
    assert [len(uids) for _, uids in store.read] == [32, 32, 32, 4]


def test_what_is_kept_of_headers_reads_as_all_of_them() -> None:
    head = b"received: x\nsubject: a: b\nto: c\nx-to: d\nto: e\nno colon\n: empty\ndate: f"
    assert condensed(head) == b"subject: a: b\nto: c\nto: e\ndate: f"
    for name in KEPT:
        assert list(values(condensed(head), name)) == list(values(head, name))


# ---------------------------------------------------------------- results that stay up to date
async def test_too_many_results_are_told_once_and_not_followed() -> None:
    connection = await connect(await new_store("three messages"), "selected")
    for number in range(MOST):
        assert await connection.ask(b"u%d SEARCH RETURN (UPDATE) ALL" % number) == (
            b'* ESEARCH (TAG "u%d")\r\nu%d OK SEARCH completed\r\n' % (number, number)
        )
    said = await connection.ask(b"v UID SEARCH RETURN (UPDATE COUNT) ALL")
    assert said.startswith(b'* NO [NOUPDATE "v"] ')
    assert said.endswith(b'\r\n* ESEARCH (TAG "v") UID COUNT 3\r\nv OK SEARCH completed\r\n')
    await connection.ask(b'w CANCELUPDATE "u0" "u0"')
    assert b"NOUPDATE" not in await connection.ask(b"x UID SEARCH RETURN (UPDATE COUNT) ALL")
    await connection.close()


async def test_a_result_follows_texts_origins_and_time() -> None:
    store = await new_store("nothing")
    connection = await connect(store, "selected")
    now = DAY_OF_MAIL
    connection.session.context.clock = lambda: now
    for tag, key in (
        (b"a", b"BODY glyc"),
        (b"b", b"YOUNGER 60"),
        (b"c", b"SAVEDON 15-Jun-2025"),
        (b"d", b"1:* FLAGGED"),
    ):
        assert b"OK" in await connection.ask(tag + b" UID SEARCH RETURN (UPDATE ALL) " + key)
    inbox = await inbox_of(store)
    await store.append(inbox, [NewMessage(mail(1, body="Glyc\r\n"), Flags(Flag.FLAGGED), now)])
    said = await connection.ask(b"n NOOP")
    assert [tag for tag in (b"a", b"b", b"c", b"d") if b'"%b") UID ADDTO (0 1)' % tag in said] == [b"a", b"b", b"c"]
    now += 61
    assert await connection.ask(b"n NOOP") == b'* ESEARCH (TAG "b") UID REMOVEFROM (0 1)\r\nn OK NOOP completed\r\n'
    assert await connection.ask(b"n NOOP") == b"n OK NOOP completed\r\n"
    await connection.close()


async def test_only_what_is_new_is_read_for_a_result_that_stays_up_to_date() -> None:
    view = seen(3)
    store = Texts(dict.fromkeys(range(1, 4), ("", "yes")))
    result = Updating(b"a", True, Body(b"yes"), (), [1, 2, 3], view.columns.modseq)
    finder = Finder(store, Shelf(), view)
    assert await brought_up(result, finder, 0) is None
    assert store.read == []
    result.modseq = 0
    result.found = [1]
    update = await brought_up(result, finder, 0)
    assert update is not None
    assert update.added == [(0, [2, 3])]
    assert store.read == [("bodies", [1, 2, 3])]


# ---------------------------------------------------------------- many folders
MAC, ELSEWHERE = (
    "re\u0301sume\u0301 d\u2019e\u0301te\u0301",
    "r\u00e9sum\u00e9 d\u2019\u00e9t\u00e9",
)  # é in two pieces, and in one


@pytest.mark.parametrize("looked_for", [MAC, ELSEWHERE, ELSEWHERE.upper()])
@pytest.mark.parametrize("key", ["SUBJECT", "BODY", "TEXT", "HEADER X-Note"])
async def test_an_accent_is_found_however_it_was_written(looked_for: str, key: str) -> None:
    store = await new_store()
    for written in (MAC, ELSEWHERE, "resume d'ete"):
        head = f"Content-Type: text/plain; charset=utf-8\r\nX-Note: {written}\r\n"
        content = mail(1, written, f"corps {written}\r\n", head)
        await store.append(await inbox_of(store), [NewMessage(content)])
    connection = await connect(store, "selected")
    assert b"* SEARCH 1 2\r\n" in await connection.ask(f'a SEARCH CHARSET UTF-8 {key} "{looked_for}"'.encode())
    await connection.close()


@pytest.mark.parametrize(
    ("charset", "octets", "found"),
    [
        ("ISO-8859-1", b'"R\xc9SULTATS"', True),
        ("iso-8859-15", b"{9+}\r\nr\xe9sultats", True),
        ('"WINDOWS-1252"', b'"d\x92\xe9t\xe9"', True),
        ("UTF-16BE", b"{6+}\r\n" + "été".encode("utf-16-be"), True),
        ("KOI8-R", b'"\xd2"', False),
    ],
)
async def test_in_the_character_set_that_is_named(charset: str, octets: bytes, found: bool) -> None:
    """RFC 9051 6.4.4: UTF-8 at least; programs of the nineties name their own."""
    store = await new_store()
    await store.append(
        await inbox_of(store), [NewMessage(mail(1, "=?utf-8?q?R=C3=A9sultats_d=E2=80=99=C3=A9t=C3=A9?="))]
    )
    connection = await connect(store, "selected")
    for command in (b"SEARCH CHARSET %b SUBJECT ", b"SORT (DATE) %b SUBJECT "):
        said = await connection.ask(b"a " + command % charset.encode() + octets)
        assert re.match(rb"\* S\w+%b\r\na OK" % (b" 1" * found), said), said
    assert b"a BAD text is not" in await connection.ask(b'a SEARCH CHARSET UTF-16LE SUBJECT "odd"')
    for unsafe in (b"utf-7", b"idna", b"x-none", b"../x"):
        assert b"a NO [BADCHARSET (UTF-8 US-ASCII)]" in await connection.ask(b"a SEARCH CHARSET %b ALL" % unsafe)
    await connection.close()


@pytest.mark.parametrize("written", ["\u00ab\u00a0oui\u00a0\u00bb\u202f?", "\u00ab oui \u00bb ?"])
@pytest.mark.parametrize("looked_for", ["\u00ab oui \u00bb ?", "\u00ab\u00a0OUI\u00a0\u00bb\u202f?"])
async def test_a_hard_space_is_a_space(written: str, looked_for: str) -> None:
    store = await new_store()
    content = mail(1, "x", f"Il a dit {written}\r\n", "Content-Type: text/plain; charset=utf-8\r\n")
    await store.append(await inbox_of(store), [NewMessage(content)])
    connection = await connect(store, "selected")
    assert b"* SEARCH 1\r\n" in await connection.ask(f'a SEARCH BODY "{looked_for}"'.encode())
    await connection.close()


async def test_nothing_is_found_in_the_neighbours_folders() -> None:
    store = await new_store("three messages")
    await store.open_box(BOX + 1)
    await store.create(BOX + 1, "Secret")
    theirs = {folder.name: folder.id for folder in await store.folders(BOX + 1)}
    for folder in theirs.values():
        await store.append(folder, [NewMessage(mail(1, "theirs"))])
    connection = await connect(store, "selected")
    for where in (b"personal", b"inboxes", b'mailboxes ("Secret" "INBOX")', b'subtree ""', b"subscribed", b"selected"):
        said = await connection.ask(b"a ESEARCH IN (%b) SUBJECT theirs" % where)
        assert said == b"a OK ESEARCH completed\r\n"
    await connection.close()


class Deleting(MemoryMailStore):
    """A folder is deleted by another session just before it is looked at."""

    async def look(self, folder_id: int) -> Columns:
        if self.doomed:
            await self.delete(BOX, self.doomed.pop())
        return await super().look(folder_id)

    doomed: ClassVar[list[str]] = []


async def test_a_folder_that_goes_meanwhile_is_left_out() -> None:
    async def make() -> Deleting:
        return Deleting(clock=lambda: DAY_OF_MAIL)

    store = await new_store("three messages", make)
    await store.create(BOX, "Labo")
    connection = await connect(store, "signed in")
    Deleting.doomed.append("Labo")
    said = await connection.ask(b"a ESEARCH IN (mailboxes (Labo INBOX)) RETURN (COUNT) ALL")
    assert re.fullmatch(rb'\* ESEARCH \(TAG "a" MAILBOX "INBOX" UIDVALIDITY \d+\) UID COUNT 3\r\na OK .*\r\n', said)
    await connection.close()

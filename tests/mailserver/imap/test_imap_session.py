"""What transcripts cannot say well: sizes, waits, our own faults, lost signals, and answers checked against slow references."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import ClassVar

import pytest
from sqlalchemy.exc import OperationalError

from mailserver.imap import context
from mailserver.imap.commands.nonauth import Authenticate, Login
from mailserver.imap.crowd import Crowd
from mailserver.imap.framer import Frame
from mailserver.imap.notices import MOST_WATCHED
from mailserver.imap.session import WRITE
from mailserver.mime import scan
from mailserver.mime.fields import MAX_HEADER
from mailserver.sign_in import SignedIn
from mailserver.store.api import Card, CopyResult, Flags, FolderStatus, NewMessage
from mailserver.store.columns import Columns
from mailserver.store.memory import MemoryMailStore
from tests.mailserver.imap.player import BOX, DAY, MIXED, Connection, connect, inbox_of, mail, new_store
from tests.support.people import People


# ---------------------------------------------------------------- sign-in
async def test_a_wrong_password_is_answered_after_the_wait_that_the_check_asked_for() -> None:
    connection = await connect(await new_store())
    assert b"[AUTHENTICATIONFAILED]" in await connection.ask(b"a LOGIN bob wrong")
    assert connection.slept == [2.0]
    await connection.close()


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["a LOGIN bob x", 'b ID ("name" "Thunderbird" "version" "156.0")', "c SELECT INBOX"], "Thunderbird"),
        (['a ID ("NAME" "K-9 Mail")', "b LOGIN bob x"], "K-9 Mail"),
        (["a LOGIN bob x", "b CAPABILITY", 'c ID ("name" "Mail")', 'd ID ("name" "Other")'], "Mail"),
        (["a LOGIN bob x", "b NOOP", "c SELECT INBOX", 'd ID ("name" "Late")'], ""),
        (["a LOGIN bob x", "b ID NIL", "c LOGOUT"], ""),
        (["a LOGIN bob x", 'b ID ("vendor" "Nobody")', 'c LIST "" *'], ""),
    ],
)
async def test_what_a_program_calls_itself_is_told_once(lines: list[str], name: str) -> None:
    team = People({"bob": ("x", SignedIn(BOX, "bob@hopital.example", "bob", 7))})
    connection = Connection(await new_store(), sign_in=team)
    await connection.settle()
    for line in lines:
        await connection.ask(line.encode())
    await connection.close()
    assert [(member, said) for member, _, said in team.arrivals] == [(7, name)]


async def test_who_is_refused_did_not_come() -> None:
    team = People({"bob": ("x", SignedIn(BOX, "bob@hopital.example", "bob", 7))})
    connection = Connection(await new_store(), sign_in=team)
    await connection.settle()
    for line in ('a ID ("name" "Guesser")', "b LOGIN bob y", "c NOOP"):
        await connection.ask(line.encode())
    await connection.close()
    assert team.arrivals == []


def test_a_password_is_not_in_any_text_of_a_command() -> None:
    assert "secret" not in repr(Login("bob", "secret"))
    assert "secret" not in repr(Authenticate("PLAIN", b"secret"))


class Moves(MemoryMailStore):
    actors: ClassVar[list[str]] = []

    async def move(
        self, folder_id: int, uids: Sequence[int], target_folder_id: int, actor: str = "", undeleted: bool = False
    ) -> CopyResult:
        self.actors.append(actor)
        return await super().move(folder_id, uids, target_folder_id, actor, undeleted)


async def test_move_says_who_moves() -> None:
    """A move to « Conversations closes » ends the exchange in that person's name (docs/rules.md section 4)."""
    store = Moves()
    await store.open_box(BOX, professional=True)
    await store.append(await inbox_of(store), [NewMessage(mail(1))])
    connection = await connect(store, "selected")
    assert b"* 1 EXPUNGE" in await connection.ask(b'a UID MOVE 1 "Conversations closes"')
    assert store.actors == ["bob"]
    await connection.close()


# ---------------------------------------------------------------- our own faults
class Broken(MemoryMailStore):
    async def status(self, folder_id: int) -> FolderStatus:
        raise RuntimeError("Jacqueline Durand, 2 55 07 75 056 001 05")


async def test_our_fault_answers_one_sentence_and_logs_nothing_personal(caplog: pytest.LogCaptureFixture) -> None:
    store = Broken()
    await store.open_box(BOX)
    connection = await connect(store, "signed in")
    said = await connection.ask(b"a STATUS INBOX (MESSAGES)")
    assert said == b"a NO [SERVERBUG] internal error\r\n"
    assert "RuntimeError" in caplog.text
    assert "Jacqueline" not in caplog.text
    assert await connection.ask(b"b NOOP") == b"b OK NOOP completed\r\n"
    await connection.close()


class Away(MemoryMailStore):
    """Its database comes and goes."""

    away = False

    async def status(self, folder_id: int) -> FolderStatus:
        if self.away:
            raise OperationalError("SELECT", None, Exception("Jacqueline Durand"))
        return await super().status(folder_id)

    async def look(self, folder_id: int) -> Columns:
        if self.away:
            raise OperationalError("SELECT", None, Exception("Jacqueline Durand"))
        return await super().look(folder_id)


async def test_a_database_that_is_away_is_no_defect() -> None:
    """RFC 5530 3: UNAVAILABLE, so that no client asks for another password."""
    store = Away()
    await store.open_box(BOX)
    connection = await connect(store, "signed in")
    store.away = True
    said = await connection.ask(b"a STATUS INBOX (MESSAGES)")
    assert said == b"a NO [UNAVAILABLE] mailboxes cannot be reached for the moment\r\n"
    store.away = False
    assert (
        await connection.ask(b"b STATUS INBOX (MESSAGES)")
        == b'* STATUS "INBOX" (MESSAGES 0)\r\nb OK STATUS completed\r\n'
    )
    await connection.close()


async def test_idle_outlives_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """News that came meanwhile are told when it is back."""
    monkeypatch.setattr(context, "AWAY", 0.01)
    store = Away()
    await store.open_box(BOX)
    connection = await connect(store, "selected")
    assert await connection.ask(b"a IDLE") == b"+ idling\r\n"
    store.away = True
    await store.append(await inbox_of(store), [NewMessage(mail(1))])
    await asyncio.sleep(0.05)
    assert connection.output == b""
    store.away = False
    await asyncio.sleep(0.05)
    assert b"* 1 EXISTS\r\n" in connection.output
    assert b"a OK IDLE completed" in await connection.ask(b"DONE")
    await connection.close()


async def test_a_line_too_long_is_bad_and_the_session_goes_on() -> None:
    connection = await connect(await new_store(), "signed in")
    said = await connection.ask(b"a LIST " + b"x" * 200_000)
    assert said == b"a BAD line too long\r\n"
    assert await connection.ask(b"b NOOP") == b"b OK NOOP completed\r\n"
    await connection.close()


async def test_a_full_mailbox_is_said_before_the_octets_come() -> None:
    store = MemoryMailStore(limit=300_000)
    await store.open_box(BOX)
    connection = Connection(store)
    connection.session.context.settings = connection.session.context.settings.__class__()
    await connection.ask(b"x LOGIN bob {7+}\r\n" + "sésame".encode())
    assert await connection.ask(b"a APPEND INBOX {300001}") == b"a NO [OVERQUOTA] the mailbox is full\r\n"
    assert b"+ OK" in await connection.ask(b"b APPEND INBOX {299000}")
    assert b"b OK" in await connection.ask(b"x" * 299_000)
    assert b"c NO [OVERQUOTA]" in await connection.ask(b"c APPEND INBOX {2000+}\r\n" + b"x" * 2000)
    await connection.close()


# ---------------------------------------------------------------- news without signal
class Deaf(MemoryMailStore):
    """Its signals are lost."""

    def watch(self, folder_id: int, wake: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


@pytest.mark.parametrize("command", [b"a NOOP", b"a IDLE"])
async def test_a_lost_signal_costs_one_poll_not_the_news(command: bytes) -> None:
    """Dovecot's hibernating connections lost EXISTS under load (chatmail): the table is the truth."""
    store = Deaf()
    await store.open_box(BOX)
    connection = await connect(store, "selected")
    await store.append(await inbox_of(store), [NewMessage(mail(1))])
    assert b"* 1 EXISTS" in await connection.ask(command)
    await connection.close()


async def test_a_session_that_ends_watches_nothing_any_more() -> None:
    store = await new_store()
    assert isinstance(store, MemoryMailStore)
    inbox = await inbox_of(store)
    connection = await connect(store, "selected")
    assert len(store._folder_watchers._wakes[inbox]) == 1
    await connection.ask(b"a SELECT Archives")
    assert inbox not in store._folder_watchers._wakes
    await connection.close()
    assert not store._folder_watchers._wakes


# ---------------------------------------------------------------- bulk
async def test_a_large_answer_comes_in_writes_of_64_kilobytes() -> None:
    """gromox 214: UID FETCH 1:59029 blew the memory up."""
    store = await new_store()
    await store.append(await inbox_of(store), [NewMessage(mail(1), Flags(), DAY)] * 5000)
    connection = await connect(store, "selected")
    connection.pieces.clear()
    said = await connection.ask(b"a UID FETCH 1:* (UID FLAGS INTERNALDATE ENVELOPE)")
    assert len(said) > 20 * WRITE
    assert WRITE // 2 < max(map(len, connection.pieces)) <= 2 * WRITE
    assert len(re.findall(rb"\* \d+ FETCH \(UID", said)) == 5000
    assert said.endswith(b"a OK FETCH completed\r\n")
    await connection.close()


@pytest.mark.parametrize("size", [10, 65_536, 65_537, 1_000_000])
async def test_slices_of_a_body_are_the_slices_of_the_message(size: int) -> None:
    """iOS reads parts 10,024 octets at a time (james-project 2740)."""
    content = b"Subject: x\r\n\r\n" + bytes(33 + i % 90 for i in range(size))
    store = await new_store()
    await store.append(await inbox_of(store), [NewMessage(content)])
    connection = await connect(store, "selected")
    assert content in await connection.ask(b"a FETCH 1 BODY.PEEK[]")
    for offset in (0, 1, 10_024, size - 5, size + 14, size + 99):
        said = await connection.ask(b"a FETCH 1 (BODY.PEEK[]<%d.10024> UID)" % max(offset, 0))
        wanted = content[max(offset, 0) :][:10024]
        assert b"BODY[]<%d> {%d}\r\n%b" % (max(offset, 0), len(wanted), wanted) in said
        assert said.endswith(b")\r\na OK FETCH completed\r\n")
    await connection.close()


async def test_every_section_that_the_card_names_is_answered_with_its_octets() -> None:
    extra, body = MIXED
    content = mail(1, "mixed", body, extra)
    store = await new_store()
    await store.append(await inbox_of(store), [NewMessage(content)])
    connection = await connect(store, "selected")
    for section, offsets in scan(content).card().parts.items():
        said = await connection.ask(f"a FETCH 1 BODY.PEEK[{section}]".encode())
        wanted = content[offsets.body : offsets.end]
        assert b"BODY[%b] {%d}\r\n%b" % (section.encode(), len(wanted), wanted) in said
    await connection.close()


class Counting(MemoryMailStore):
    """Notes what is read at once."""

    reads: list[list[int]]

    async def octets(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        self.reads.append(list(uids))
        return await super().octets(folder_id, uids)


async def test_small_messages_are_read_together_large_ones_apart_all_in_order() -> None:
    store = Counting()
    store.reads = []
    await store.open_box(BOX)
    contents = [b"Subject: %d\r\n\r\n" % n + b"x" * (100_000 if n in (3, 4) else 50_000) for n in range(1, 31)]
    await store.append(await inbox_of(store), [NewMessage(content) for content in contents])
    connection = await connect(store, "selected")
    said = await connection.ask(b"a FETCH 1:* (BODY.PEEK[] BODY.PEEK[HEADER.FIELDS (subject)])")
    lines = [
        b"* %d FETCH (BODY[HEADER.FIELDS (subject)] {%d}\r\n%bBODY[] {%d}\r\n%b)\r\n"
        % (
            n,
            len(content) - len(content[content.index(b"x") :]),
            content[: content.index(b"x")] + b" ",
            len(content),
            content,
        )
        for n, content in enumerate(contents, 1)
    ]
    assert said == b"".join(lines) + b"a OK FETCH completed\r\n"
    assert store.reads == [[1, 2], list(range(5, 15)), list(range(15, 25)), list(range(25, 31))], "two items: half a MB"
    await connection.close()


async def test_one_message_asked_for_many_times_is_read_alone() -> None:
    store = Counting()
    store.reads = []
    await store.open_box(BOX)
    await store.append(await inbox_of(store), [NewMessage(b"Subject: x\r\n\r\n" + b"y" * 60_000)] * 3)
    connection = await connect(store, "selected")
    items = b" ".join(b"BODY.PEEK[]<%d.60000>" % n for n in range(100))
    said = await connection.ask(b"a FETCH 1:* (" + items + b")")
    assert said.count(b"{60000}") == 3 * 15
    assert store.reads == [[1], [2], [3]]
    await connection.close()


class Carding(MemoryMailStore):
    """Notes whose cards are read."""

    reads: list[list[int]]

    async def cards(self, folder_id: int, uids: Sequence[int]) -> AsyncIterator[tuple[int, Card]]:
        self.reads.append(list(uids))
        async for found in super().cards(folder_id, uids):
            yield found


@pytest.mark.parametrize("large", [False, True], ids=["all header", "large body"])
async def test_long_headers_looked_through_many_times_are_read_few_at_once(large: bool) -> None:
    store = Carding()
    store.reads = []
    await store.open_box(BOX)
    header = b"Subject: x\r\n" + b"X-Filling: y\r\n" * 17_000
    content = header + b"\r\n" + b"z" * (100_000 if large else 1)
    await store.append(await inbox_of(store), [NewMessage(content)] * 20)
    connection = await connect(store, "selected")
    items = b" ".join(b"BODY.PEEK[HEADER.FIELDS (X-%d)]" % n for n in range(7)) + b" BODY.PEEK[HEADER.FIELDS (Subject)]"
    said = await connection.ask(b"a FETCH 1:* (" + items + b" BODY.PEEK[TEXT]<0.1>" * large + b")")
    assert said.count(b"Subject: x\r\n\r\n") == 20
    assert said.endswith(b"a OK FETCH completed\r\n")
    assert sorted({uid for uids in store.reads for uid in uids}) == list(range(1, 21))
    assert max(map(len, store.reads)) == 16 * 1024 * 1024 // 8 // len(header)
    await connection.close()


class Measuring(MemoryMailStore):
    """Notes how much of a message is read at once."""

    reads: list[int | None]

    async def content(self, folder_id: int, uid: int, offset: int = 0, length: int | None = None) -> bytes | None:
        self.reads.append(length)
        return await super().content(folder_id, uid, offset, length)


async def test_of_a_header_without_end_the_beginning_is_looked_through() -> None:
    store = Measuring()
    store.reads = []
    await store.open_box(BOX)
    inner = b"X-First: 1\r\n" + b"X-Filling: y\r\n" * 100_000 + b"X-Last: 2\r\n\r\n"
    await store.append(await inbox_of(store), [NewMessage(b"Content-Type: message/rfc822\r\n\r\n" + inner)])
    connection = await connect(store, "selected")
    fields = b"X-First: 1\r\n\r\n"
    said = await connection.ask(b"a FETCH 1 BODY.PEEK[1.HEADER.FIELDS (X-First X-Last)]")
    assert said.startswith(b"* 1 FETCH (BODY[1.HEADER.FIELDS (X-First X-Last)] {%d}\r\n%b)" % (len(fields), fields))
    url = b'URL "/INBOX;UID=1/;SECTION=1.HEADER.FIELDS%20(X-First%20X-Last)"'
    assert b"b OK" in await connection.ask(b"b APPEND INBOX CATENATE (" + url + b")")
    assert await store.content(await inbox_of(store), 2) == fields
    assert store.reads[:2] == [MAX_HEADER, MAX_HEADER]
    await connection.close()


class Vanishing(MemoryMailStore):
    """Its messages go away after `pieces` reads."""

    pieces = 0

    async def content(self, folder_id: int, uid: int, offset: int = 0, length: int | None = None) -> bytes | None:
        self.pieces -= 1
        return None if self.pieces < 0 else await super().content(folder_id, uid, offset, length)


@pytest.mark.parametrize(("pieces", "closed"), [(0, False), (1, True)])
async def test_a_message_that_goes_away_while_it_is_read(pieces: int, closed: bool) -> None:
    """Before its literal began it is left out; inside, only closing the connection is honest."""
    store = Vanishing()
    await store.open_box(BOX)
    await store.append(await inbox_of(store), [NewMessage(b"Subject: x\r\n\r\n" + b"y" * 600_000)])
    connection = await connect(store, "selected")
    store.pieces = pieces
    said = await connection.ask(b"a FETCH 1 BODY.PEEK[]")
    assert connection.closed is closed
    assert (said == b"a OK [EXPUNGEISSUED] FETCH completed\r\n") is not closed
    await connection.close(cut=closed)


# ---------------------------------------------------------------- what clients met elsewhere
async def test_what_is_not_announced_cannot_be_enabled() -> None:
    """Strato's empty mailboxes (email-mcp 91): IMAP4rev2 behind the client's back."""
    connection = Connection(await new_store("three messages"))
    await connection.settle()
    await connection.ask('x LOGIN bob "sésame"'.encode())
    await connection.ask(b"x SELECT INBOX")
    assert b"IMAP4rev3" not in await connection.ask(b"a1 CAPABILITY")
    assert await connection.ask(b"a2 ENABLE IMAP4rev3 IDLE") == b"* ENABLED\r\na2 OK ENABLE completed\r\n"
    assert await connection.ask(b"a3 UID SEARCH ALL") == b"* SEARCH 1 2 3\r\na3 OK SEARCH completed\r\n"


class SlowToTell(MemoryMailStore):
    """A message comes between the look of SELECT and the answer to IDLE."""

    async def look(self, folder_id: int) -> Columns:
        columns = await super().look(folder_id)
        if self.arriving:
            message = self.arriving.pop()
            await self.append(folder_id, [NewMessage(message)])
        return columns

    arriving: ClassVar[list[bytes]] = []


async def test_what_comes_while_idle_begins_is_told() -> None:
    """chatmail: EXISTS lost under load. The watch is there before the look, so the message behind the look rings."""
    store = SlowToTell(clock=lambda: DAY)
    await store.open_box(BOX)
    connection = await connect(store, "selected")
    store.arriving.append(mail(1))
    assert await connection.ask(b"a1 IDLE") == b"+ idling\r\n* 1 EXISTS\r\n"


async def test_a_long_list_of_uids_is_answered_piece_by_piece() -> None:
    """gromox 214: UID FETCH 1:59029 held the whole answer in memory."""
    store = MemoryMailStore(clock=lambda: DAY)
    await store.open_box(BOX)
    inbox = await inbox_of(store)
    await store.append(inbox, [NewMessage(b"a: b\r\n\r\nc")] * 59029)
    session = (await connect(store, "selected")).session
    pieces = [bytes(piece) async for piece in session._command(Frame(b"a1 UID FETCH 1:59029 (FLAGS)"))]
    assert max(map(len, pieces)) <= 2 * WRITE  # what is held while the client does not read
    assert sum(map(len, pieces)) > 1_500_000


async def test_annotations_of_any_octets_up_to_their_limit_and_private_to_the_member() -> None:
    members = People({name: ("x", SignedIn(BOX, "", name, key)) for key, name in enumerate(("anne", "jean"), 11)})
    store = await new_store()
    mine, colleague = Connection(store, sign_in=members), Connection(store, sign_in=members)
    await mine.ask(b"a LOGIN anne x")
    await colleague.ask(b"a LOGIN jean x")
    said = await mine.ask(b"b SETMETADATA INBOX (/private/a ~{3+}\r\n\0\r\n /shared/a {4096+}\r\n" + b"x" * 4096 + b")")
    assert b"b OK" in said
    assert b"/private/a ~{3}\r\n\0\r\n)" in await mine.ask(b"c GETMETADATA INBOX /private/a")
    assert b"(/private/a NIL)" in await colleague.ask(b"c GETMETADATA INBOX /private/a")
    assert b"x" * 4096 in await colleague.ask(b"d GETMETADATA INBOX /shared/a")
    assert b"d BAD" in await mine.ask(b"d SETMETADATA INBOX (/private/a {1+}\r\n\0)")
    said = await mine.ask(b"e SETMETADATA INBOX (/private/a {4097+}\r\n" + b"x" * 4097 + b")")
    assert said == b"e NO [METADATA MAXSIZE 4096] the value is too long\r\n"
    await mine.close()
    await colleague.close()


# ---------------------------------------------------------------- NOTIFY
EVERYTHING = (
    b"NOTIFY SET (selected (MessageNew MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge FlagChange "
)
EVERYTHING += b"MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange))"


async def test_nothing_is_told_of_the_neighbours_mailbox() -> None:
    store = await new_store("three messages")
    await store.open_box(BOX + 1)
    connection = await connect(store, "selected")
    assert b"a OK" in await connection.ask(b"a " + EVERYTHING)
    folder = await store.create(BOX + 1, "Secret")
    await store.append(folder.id, [NewMessage(mail(1))])
    await store.annotate(BOX + 1, 0, folder.id, {"/shared/comment": b"x"})
    await store.subscribe(BOX + 1, "Secret", False)
    await store.delete(BOX + 1, "Secret")
    assert await connection.ask(b"b NOOP") == b"b OK NOOP completed\r\n"
    await connection.close()


async def test_a_session_watches_a_bounded_number_of_folders() -> None:
    store = await new_store("three messages")
    here = len(await store.folders(BOX))
    for number in range(MOST_WATCHED - here):
        await store.create(BOX, f"f{number}")
    connection = await connect(store, "selected")
    assert b"a OK" in await connection.ask(b"a " + EVERYTHING)
    await store.create(BOX, "one more")
    assert await connection.ask(b"b NOOP") == (
        b"* OK [NOTIFICATIONOVERFLOW] too many folders to watch\r\nb OK NOOP completed\r\n"
    )
    await store.create(BOX, "and one")  # as after NOTIFY NONE (RFC 5465 5.8)
    await store.append(await inbox_of(store), [NewMessage(mail(4))])
    assert await connection.ask(b"c NOOP") == b"c OK NOOP completed\r\n"
    refused = b"d NO [NOTIFICATIONOVERFLOW] too many folders to watch\r\n"
    assert await connection.ask(b"d " + EVERYTHING) == refused
    assert b"* 4 EXISTS" in await connection.ask(b"e NOTIFY SET (selected (MessageNew MessageExpunge))")
    await connection.close()


@pytest.mark.parametrize("how", ["LOGOUT", "UNAUTHENTICATE", "NOTIFY NONE", "the line is cut"])
async def test_who_left_is_not_called_any_more(how: str) -> None:
    store = MemoryMailStore(clock=lambda: DAY)
    await store.open_box(BOX)
    connection = await connect(store, "signed in")
    assert b"a OK" in await connection.ask(b"a " + EVERYTHING)
    assert store._folder_watchers._wakes
    assert store._box_watchers._wakes
    if how != "the line is cut":
        await connection.ask(b"b " + how.encode())
        assert not store._folder_watchers._wakes
        assert not store._box_watchers._wakes
    await connection.close()
    await asyncio.sleep(0)
    assert not store._folder_watchers._wakes
    assert not store._box_watchers._wakes


async def test_a_folder_deleted_under_a_session_that_listens_ends_it() -> None:
    store = await new_store("three messages")
    await store.create(BOX, "Labo")
    connection = await connect(store, "signed in")
    await connection.ask(b"a SELECT Labo")
    await connection.ask(b"b " + EVERYTHING)
    await store.delete(BOX, "Labo")
    await connection.settle()
    assert connection.closed
    assert connection.output == b"* BYE the selected folder was deleted\r\n"


async def test_one_person_has_so_many_sessions_and_no_more() -> None:
    crowd, store = Crowd(2), await new_store()

    def session() -> Connection:
        connection = Connection(store)
        connection.session.context.crowd = crowd
        return connection

    first, second, third = session(), session(), session()
    login = 'x LOGIN bob "sésame"'.encode()
    assert b"x OK" in await first.ask(login)
    assert b"x OK" in await second.ask(login)
    assert b"x NO [LIMIT] too many connections of this account" in await third.ask(login)
    assert b"y OK" in await first.ask(b"y UNAUTHENTICATE")
    assert b"x OK" in await third.ask(login)
    await second.close()
    assert b"x OK" in await first.ask(login)
    await first.close()
    await third.close()
    assert not crowd._open

"""Nonsense and half-sense: every command gets exactly one tagged answer, none of them is our fault."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from mailserver.imap.context import Settings
from mailserver.imap.table import COMMANDS
from tests.mailserver.imap.player import PATIENT, Connection, connect, inbox_of, new_store
from tests.support.properties import examples

WORDS = st.sampled_from(
    'INBOX Archives "" * % 1 1:* 2,1 9:* * 0 4294967295 99999999999 FLAGS (FLAGS) +FLAGS -FLAGS.SILENT (\\Seen) (\\Deleted) '
    "(\\Deleted x) () ( ) ALL FAST BODY[] BODY.PEEK[TEXT]<0.5> BODY[1.2.3] BODY[HEADER.FIELDS (From)] (UID ENVELOPE MODSEQ) "
    "BODYSTRUCTURE NOT OR SEEN DELETED SUBJECT x TEXT y SINCE 1-Jan-2020 MODSEQ 1 CHARSET UTF-8 KEYWORD (CONDSTORE) "
    '(CHANGEDSINCE 1) (UNCHANGEDSINCE 2) (MESSAGES UIDNEXT) RETURN (SPECIAL-USE) CONDSTORE NIL a/b &AOk- &bad "q\\"" {3+}\r\nabc '
    "{0+}\r\n é".split(" ")
)
LINE = st.tuples(st.sampled_from(sorted(set(COMMANDS) - {b"LOGOUT", b"IDLE"})), st.lists(WORDS, max_size=5))

VALID: st.SearchStrategy[tuple[bytes, list[str]]] = st.tuples(
    st.sampled_from(
        [
            b"SELECT INBOX",
            b"SELECT Archives (CONDSTORE)",
            b"EXAMINE INBOX",
            b"STORE 1:* +FLAGS (\\Deleted)",
            b"UID STORE 2:* -FLAGS.SILENT (\\Seen \\Deleted)",
            b"UID STORE 1:* (UNCHANGEDSINCE 3) FLAGS (Vu)",
            b"EXPUNGE",
            b"UID EXPUNGE 1:2",
            b"UID MOVE 1:* Archives",
            b"MOVE 1 INBOX",
            b"UID COPY 1:2 Archives",
            b"COPY 1:* INBOX",
            b"CLOSE",
            b"UNSELECT",
            b"APPEND INBOX (\\Seen) {4+}\r\na: b",
            b"FETCH 1:* (FLAGS BODY[])",
            b"UID FETCH 1:* (MODSEQ) (CHANGEDSINCE 4)",
            b"UID SEARCH OR UNSEEN TEXT body",
            b"SEARCH MODSEQ 4 NOT DELETED",
            b"STATUS INBOX (MESSAGES HIGHESTMODSEQ)",
            b"RENAME INBOX Autre",
            b"CREATE a/b",
            b"DELETE a/b",
        ]
    ),
    st.just([]),
)


async def generous(begin: str) -> Connection:
    connection = await connect(await new_store("three messages"), begin)
    connection.session.context.settings = Settings(max_bad_commands=10_000)
    return connection


@settings(PATIENT, max_examples=examples(250))
@given(st.lists(st.one_of(LINE, VALID, VALID), min_size=1, max_size=15))
async def test_half_sense(lines: list[tuple[bytes, list[str]]]) -> None:
    connection = await generous("selected")
    for name, words in lines:
        said = await connection.ask(b"t " + name + b"".join(b" " + word.encode() for word in words))
        last = said[said.rfind(b"\r\n", 0, -2) + 2 if said.count(b"\r\n") > 1 else 0 :]
        assert re.match(rb"t (OK|NO|BAD) ", last), (name, words, said)
        assert b"SERVERBUG" not in said, (name, words)
        assert len(re.findall(rb"(?m)^t (?:OK|NO|BAD) ", said)) == 1
    # The session's numbers still are the store's.
    if not connection.session.signed_in:  # UNAUTHENTICATE
        assert b"z OK" in await connection.ask(b"z LOGIN bob {7+}\r\n" + "sésame".encode())
    assert b"z OK" in await connection.ask(b"z NOOP")
    if not connection.session.context.view:
        await connection.ask(b"z SELECT INBOX")
    view = connection.session.context.selected
    _, rows = await connection.session.context.store.rows(view.folder.id)
    assert list(view.uids) == [row.uid for row in rows]
    assert [(view.system[i], view.modseqs[i]) for i in range(len(view))] == [(r.flags.system, r.modseq) for r in rows]
    await connection.close()


class Client:
    """Believes what it is told, as RFC 3501 7.4.1 has it, and nothing else."""

    def __init__(self, connection: Connection, count: int) -> None:
        self.connection = connection
        self.uids: list[int | None] = [None] * count

    async def ask(self, line: bytes) -> None:
        said = await self.connection.ask(b"t " + line)
        for number, what, uid in re.findall(rb"(?m)^\* (\d+) (EXISTS|EXPUNGE|FETCH)(?: \((?:UID (\d+))?)?", said):
            place = int(number) - 1
            if what == b"EXISTS":
                assert int(number) >= len(self.uids), said
                self.uids += [None] * (int(number) - len(self.uids))
            elif what == b"EXPUNGE":
                assert line.split()[0] not in (b"FETCH", b"STORE", b"SEARCH"), said
                del self.uids[place]
            else:
                assert place < len(self.uids), said
                assert not uid or self.uids[place] in (None, int(uid)), said
                self.uids[place] = int(uid) if uid else self.uids[place]


@settings(PATIENT, max_examples=examples(200))
@given(st.lists(st.tuples(st.booleans(), VALID), max_size=25))
async def test_two_clients_never_lose_count(steps: list[tuple[bool, tuple[bytes, list[str]]]]) -> None:
    store = await new_store("three messages")
    clients = [Client(await connect(store, "selected"), 3) for _ in range(2)]
    elsewhere = (b"SELECT", b"EXAMINE", b"CLOSE", b"UNSELECT", b"RENAME")
    for which, (line, _) in steps:
        if not line.startswith(elsewhere):
            await clients[which].ask(line)
    _, rows = await store.rows(await inbox_of(store))
    for client in clients:
        await client.ask(b"NOOP")
        await client.ask(b"FETCH 1:* (UID)")
        assert client.uids == [row.uid for row in rows]
        await client.connection.close()


@settings(PATIENT, max_examples=examples(150))
@given(st.lists(st.binary(max_size=60), max_size=8))
async def test_nonsense(chunks: list[bytes]) -> None:
    connection = await generous("signed in")
    for chunk in chunks:
        await connection.say(chunk)
        await connection.settle()
    assert b"SERVERBUG" not in connection.output
    await connection.close()

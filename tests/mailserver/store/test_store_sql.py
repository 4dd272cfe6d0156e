"""What only the SQL store promises: threads, shared blobs and their sweep, the closing hook, sealed names, set operations."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import delete, event, func, select, update

from foundation.blobs import BlobRef
from foundation.clock import DAY
from foundation.prepared import Prepared
from foundation.tables import blobs as blob_rows
from mailserver.store.api import Flag, FlagOp, Flags, NewMessage
from mailserver.store.digest import digest_of
from mailserver.store.folders import LISTED
from mailserver.store.insert import counterpart, keep, thread_of
from mailserver.store.names import CLOSED
from mailserver.store.sweep import GRACE
from mailserver.store.tables import cards, folders, messages

BOX = 1
NOW = 1_800_000_000_000


def letter(ident: str, sender: str, to: str, *references: str, text: str = "Bonjour") -> bytes:
    lines = [f"From: <{sender}>", f"To: <{to}>", "Subject: Suivi", f"Message-ID: <{ident}@x.example>"]
    if references:
        lines.append("References: " + " ".join(f"<{name}@x.example>" for name in references))
    return ("\r\n".join([*lines, "", text, ""])).encode()


OWN, DR_A, DR_B = "box1@space.example", "dr.a@x.example", "dr.b@x.example"


async def ids(parts: Any) -> dict[str, int]:
    return {folder.name: folder.id for folder in await parts.store.folders(BOX)}


async def threads(parts: Any, folder_id: int) -> list[int]:
    query = select(messages.c.thread_id).where(messages.c.folder_id == folder_id).order_by(messages.c.uid)
    found: list[int] = await parts.db.read(lambda conn: list(conn.execute(query).scalars()))
    return found


async def add(parts: Any, folder_id: int, *contents: bytes) -> None:
    for content in contents:
        await parts.store.append(folder_id, [NewMessage(content)])


async def test_answers_join_their_thread_and_two_professionals_never_share_one(parts: Any) -> None:
    folder = await ids(parts)
    await add(
        parts,
        folder["INBOX"],
        letter("a1", DR_A, OWN),
        letter("a2", DR_A, OWN, "a1"),
        letter("b1", DR_B, OWN, "a1", "a2"),  # quotes the other's message: another thread all the same
        letter("a3", DR_A, OWN, "unknown", "a2"),
        letter("a4", DR_A, OWN),
    )
    await add(parts, folder["Envoyés"], letter("mine", OWN, DR_A, "a3"), letter("mine2", OWN, DR_B, "b1"))
    a1, a2, b1, a3, a4 = await threads(parts, folder["INBOX"])
    assert a1 == a2 == a3
    assert len({a1, b1, a4}) == 3
    assert await threads(parts, folder["Envoyés"]) == [a1, b1]


async def test_messages_appended_together_know_each_other(parts: Any) -> None:
    inbox = (await ids(parts))["INBOX"]
    some = (
        letter("a1", DR_A, OWN),
        letter("b1", DR_B, OWN, "a1"),
        letter("a2", DR_A, OWN, "a1"),
        letter("a1", DR_A, OWN),
    )
    before = (await parts.store.status(inbox)).highest_modseq
    assert await parts.store.append(inbox, [NewMessage(content) for content in some]) == [1, 2, 3, 4]
    a1, b1, a2, again = await threads(parts, inbox)
    assert a1 == a2 == again != b1
    assert (await parts.store.status(inbox)).highest_modseq == before + 1
    assert await parts.store.append(inbox, []) == []


async def test_a_message_id_used_twice_by_another_sender_steals_nothing(parts: Any) -> None:
    folder = await ids(parts)
    await add(parts, folder["INBOX"], letter("a1", DR_A, OWN), letter("a1", DR_B, OWN), letter("a2", DR_A, OWN, "a1"))
    first, forged, answer = await threads(parts, folder["INBOX"])
    assert first == answer != forged


async def test_the_own_copy_of_a_submitted_message_joins_its_exchange(parts: Any) -> None:
    """Delivery remembers the submitted message in the sender's box; the client then stores its copy in « Envoyés »."""
    folder = await ids(parts)
    other = counterpart(parts.keys, DR_A)
    submitted = letter("mine", OWN, DR_A)
    kept = keep(parts.keys, digest_of(submitted), BlobRef("0" * 32, bytes(32), len(submitted)))
    await parts.db.write(lambda tx: thread_of(tx, BOX, other, kept, 777, exchange_id=42))
    await add(parts, folder["Envoyés"], submitted)
    row = await parts.db.read(lambda conn: conn.execute(select(messages.c.thread_id, messages.c.exchange_id)).one())
    assert tuple(row) == (777, 42)


async def test_contents_are_one_query_and_a_lost_blob_is_no_expunge(
    parts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = (await ids(parts))["INBOX"]
    await add(parts, inbox, *(letter(str(n), DR_A, OWN) for n in range(20)))
    asked: list[str] = []
    run = Prepared.run

    def noted(self: Prepared, conn: Any, values: Any) -> Any:
        asked.append(self._text(conn, values).sql)
        return run(self, conn, values)

    monkeypatch.setattr(Prepared, "run", noted)
    assert len(await parts.store.contents(inbox, range(1, 21))) == 20
    assert sum(" cards" in text for text in asked) == 1
    assert len([text for text in asked if "blobs" in text]) == 1
    await parts.db.write(lambda tx: tx.execute(delete(blob_rows).where(blob_rows.c.id == 1)))
    with pytest.raises(KeyError):
        await parts.store.contents(inbox, [1, 2])


async def test_what_stands_alone_is_read_without_a_thread_where_sqlite_has_it(parts: Any) -> None:
    inbox = (await ids(parts))["INBOX"]
    some = [letter("1", DR_A, OWN), letter("2", DR_B, OWN)]
    await add(parts, inbox, *some)
    parts.db.clock = lambda: 0.0  # nothing is slow, however busy the machine is
    threads: list[int] = []
    read = parts.db._readers.read

    def counted(*asked: Any) -> Any:
        threads.append(1)
        return read(*asked)

    parts.db._readers.read = counted
    assert await parts.store.octets(inbox, [2]) == [(2, some[1])]
    assert [(uid, octets) for uid, _, octets in await parts.store.contents(inbox, [1])] == [(1, some[0])]
    assert await parts.store.octets(inbox, [3]) == []
    fronts = await parts.store.fronts(inbox, [2])
    assert fronts == {uid: (card.envelope, card.body_structure) async for uid, card in parts.store.cards(inbox, [2])}
    assert list(fronts) == [2]
    assert len(threads) == (0 if parts.db.dialect == "sqlite" else 5)
    assert await parts.store.octets(inbox, [1, 2]) == [(1, some[0]), (2, some[1])]
    assert len(threads) == (1 if parts.db.dialect == "sqlite" else 6)


async def test_moving_or_copying_to_the_closed_folder_tells_the_exchanges(parts: Any) -> None:
    folder = await ids(parts)
    await add(parts, folder["INBOX"], *(letter(str(n), DR_A, OWN) for n in range(4)))

    def bind(tx: Any) -> None:
        for uid, exchange in ((1, 7), (2, 7), (3, 9)):
            tx.execute(update(messages).where(messages.c.uid == uid).values(exchange_id=exchange))

    await parts.db.write(bind)
    await parts.store.move(folder["INBOX"], [4], folder["Archives"], actor="dr")
    await parts.store.move(folder["INBOX"], [1, 2], folder[CLOSED], actor="dr")
    await parts.store.copy(folder["INBOX"], [3], folder[CLOSED], actor="mutt")  # mutt moves by COPY and EXPUNGE
    assert parts.closed == [(BOX, [7], "dr"), (BOX, [9], "mutt")]


async def test_copies_share_the_blob_and_the_sweep_waits_for_the_last_row(parts: Any) -> None:
    folder = await ids(parts)
    await add(parts, folder["INBOX"], letter("1", DR_A, OWN), letter("2", DR_A, OWN, text="x" * 200_000))
    await parts.store.copy(folder["INBOX"], [1, 2], folder["Archives"])

    async def blob_count() -> int:
        counting = select(func.count()).select_from(blob_rows)
        found: int = await parts.db.read(lambda conn: conn.execute(counting).scalar_one())
        return found

    def files() -> int:
        return sum(1 for path in (parts.folder / "blobs").rglob("*") if path.is_file())

    async def expunge(name: str) -> None:
        await parts.store.store_flags(folder[name], [1, 2], FlagOp.ADD, Flags(Flag.DELETED))
        assert await parts.store.expunge(folder[name]) == [1, 2]

    async def swept(later: int) -> int:
        parts.store._clock = lambda: NOW + later
        count = await parts.store.sweep()
        parts.store._clock = lambda: NOW
        return int(count)

    assert (await blob_count(), files()) == (2, 1)
    await expunge("INBOX")
    assert await swept(GRACE) == 0, "the copies still point to them"
    await expunge("Archives")
    assert await swept(DAY) == 0, "a relay may still read them"
    assert await swept(GRACE) == 2
    assert (await blob_count(), files()) == (0, 0)


async def test_copies_share_the_card_and_the_last_one_takes_it_away(parts: Any) -> None:
    folder = await ids(parts)
    await add(parts, folder["INBOX"], letter("1", DR_A, OWN), letter("2", DR_A, OWN))
    await parts.store.copy(folder["INBOX"], [1, 2], folder["Archives"])
    await parts.store.copy(folder["INBOX"], [1], folder["INBOX"])

    async def kept() -> list[int]:
        def work(conn: Any) -> list[int]:
            return sorted(conn.execute(select(cards.c.blob_id)).scalars())

        found: list[int] = await parts.db.read(work)
        return found

    async def expunge(name: str, uids: list[int]) -> None:
        await parts.store.store_flags(folder[name], uids, FlagOp.ADD, Flags(Flag.DELETED))
        assert await parts.store.expunge(folder[name]) == uids

    assert await kept() == [1, 2]
    await expunge("Archives", [1, 2])
    assert await kept() == [1, 2]
    await expunge("INBOX", [2])
    assert await kept() == [1]
    await expunge("INBOX", [1, 3])
    assert await kept() == []


async def test_folders_are_read_once_and_again_when_they_change_anywhere(parts: Any) -> None:
    asked: list[str] = []
    event.listen(parts.db.engine, "before_cursor_execute", lambda _c, _cur, sql, *_: asked.append(sql))

    async def reads() -> int:
        asked.clear()
        await parts.store.folders(BOX)
        return sum(" folders" in sql for sql in asked)

    await parts.store.folders(BOX)
    assert await reads() == 0
    changes: list[Callable[[], Awaitable[object]]] = [
        lambda: parts.store.create(BOX, "Bloc"),
        lambda: parts.store.subscribe(BOX, "Bloc", False),
        lambda: parts.store.rename(BOX, "Bloc", "Salle"),
        lambda: parts.store.delete(BOX, "Salle"),
    ]
    for change in changes:
        await change()
        await asyncio.sleep(0)
        assert await reads() == 1
    assert await reads() == 0
    parts.db.signals.deliver([(LISTED, BOX)])  # as from another process
    assert await reads() == 1


async def test_names_cards_and_texts_are_sealed(parts: Any) -> None:
    await parts.store.create(BOX, "Cancérologie")
    folder = await ids(parts)
    await add(parts, folder["INBOX"], letter("1", DR_A, OWN, text="Diagnostic"))

    def values(conn: Any) -> list[bytes]:
        return [
            value
            for table in (folders, cards)
            for row in conn.execute(select(table))
            for value in row
            if isinstance(value, bytes)
        ]

    sealed = b"".join(await parts.db.read(values))
    for secret in ("Cancérologie", "Diagnostic", "Suivi", "dr.a"):
        assert secret.encode() not in sealed


@pytest.mark.parametrize("count", [10, 600])
async def test_bulk_commands_do_not_cost_by_the_message(parts: Any, count: int) -> None:
    folder = await ids(parts)
    content = letter("1", DR_A, OWN)
    statements: list[str] = []
    event.listen(parts.db.engine, "before_cursor_execute", lambda _c, _cur, sql, *_: statements.append(sql))
    await parts.store.append(folder["INBOX"], [NewMessage(content)] * count)
    every = list(range(1, count + 1))
    await parts.store.store_flags(folder["INBOX"], every, FlagOp.ADD, Flags(Flag.DELETED))
    await parts.store.copy(folder["INBOX"], every, folder["Archives"])
    assert await parts.store.expunge(folder["INBOX"]) == every
    assert len(statements) < 45

"""The SQL store does what the memory store says, for any sequence of commands (Hypothesis)."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailserver.store import forgetting
from mailserver.store.api import Flag, FlagOp, Flags, MailStore, NewMessage, StoreError
from mailserver.store.memory import MemoryMailStore
from tests.mailserver.store.conftest import QUOTA, clock, quiet_parts
from tests.support.properties import examples

NAMES = ["INBOX", "Archives", "Corbeille", "a", "a/b", "c"]

uids = st.lists(st.integers(1, 14), max_size=6)
flags = st.builds(
    Flags,
    st.integers(0, 31).map(Flag),
    st.frozensets(st.sampled_from(["Urgent", "urgent", "URGENT", "$Label1"]), max_size=2),
)
place = st.sampled_from(NAMES)
commands = st.one_of(
    st.tuples(st.just("append"), place, st.lists(flags, min_size=1, max_size=3)),
    st.tuples(st.just("store"), place, uids, st.sampled_from(FlagOp), flags, st.none() | st.integers(0, 12)),
    st.tuples(st.just("copy"), place, uids, place, st.booleans()),
    st.tuples(st.just("move"), place, uids, place, st.booleans()),
    st.tuples(st.just("rights"), place, st.integers(1, 2), st.sampled_from([None, frozenset(), frozenset("lr")])),
    st.tuples(st.just("expunge"), place, st.none() | uids),
    st.tuples(st.just("create"), place),
    st.tuples(st.just("delete"), place),
    st.tuples(st.just("rename"), place, place),
)


async def run(store: MailStore, box_id: int, command: tuple[Any, ...]) -> Any:
    """What a client would see: the result without ids, or the error's code."""
    folders = {folder.name: folder.id for folder in await store.folders(box_id)}
    verb, *rest = command

    def known(name: str) -> int:
        return folders.get(name, 999_999)

    try:
        match verb, rest:
            case "append", [name, wanted]:
                content = b"From: <a@x.example>\r\nSubject: s\r\n\r\nb\r\n"
                return await store.append(known(name), [NewMessage(content, one, 7) for one in wanted])
            case "store", [name, chosen, op, wish, since]:
                return await store.store_flags(known(name), chosen, op, wish, since)
            case (("copy" | "move"), [name, chosen, target, undeleted]):
                result = await getattr(store, verb)(known(name), chosen, known(target), "", undeleted)
                return result.source, result.target
            case "rights", [name, member, rights]:
                return await store.set_rights(box_id, known(name), member, rights, 9)
            case "expunge", [name, chosen]:
                return await store.expunge(known(name), chosen)
            case "create", [name]:
                return (await store.create(box_id, name)).name
            case "delete", [name]:
                return await store.delete(box_id, name)
            case _, [old, new]:
                return await store.rename(box_id, old, new)
    except StoreError as error:
        return error.code


async def seen(store: Any, box_id: int) -> Any:
    """All that can be seen of the box, and that the counters say what the rows say."""
    found = {}
    for folder in await store.folders(box_id):
        status, rows = await store.rows(folder.id)
        changes = await store.changes(folder.id, 2)
        cards = [uid async for uid, _ in store.cards(folder.id, range(1, 60))]
        assert cards == [row.uid for row in rows]
        assert status == await store.status(folder.id)
        columns = await store.look(folder.id)  # advanced by the change log since the last time
        assert columns.status == status
        shown = zip(columns.uids, columns.modseqs, columns.system, columns.dates, columns.sizes, strict=True)
        told = [(row.uid, row.modseq, int(row.flags.system), row.internal_date, row.size) for row in rows]
        assert list(shown) == told
        spelled = {uid: {word.lower() for word in words} for uid, words in columns.keywords.items()}
        assert spelled == {r.uid: {w.lower() for w in r.flags.keywords} for r in rows if r.flags.keywords}
        assert status.messages == len(rows)
        assert status.unseen == sum(not row.flags.system & Flag.SEEN for row in rows)
        assert status.deleted == sum(bool(row.flags.system & Flag.DELETED) for row in rows)
        assert status.size == sum(row.size for row in rows)
        found[folder.name] = (status.uid_next, status.highest_modseq, rows, changes, folder.special_use, folder.acl)
    return found, await store.quota(box_id)


async def same(store: Any, box_id: int, sequence: list[tuple[Any, ...]]) -> None:
    memory = MemoryMailStore(limit=QUOTA, clock=lambda: clock() // 1000)
    for one in (store, memory):
        await one.open_box(box_id, professional=True)
    for command in [("append", "INBOX", [Flags()] * 5), *sequence]:
        assert await run(store, box_id, command) == await run(memory, box_id, command), command
    assert await seen(store, box_id) == await seen(memory, box_id)


@pytest.mark.parametrize("remembered", [1_000, 1])
def test_any_sequence_of_commands(tmp_path: Path, remembered: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One database, a new box for each sequence. `remembered`: expunges that a folder keeps."""
    monkeypatch.setattr(forgetting, "FEWEST", remembered)
    parts = quiet_parts(f"sqlite:///{tmp_path}/mail.db", tmp_path)
    boxes = itertools.count(1)

    @settings(max_examples=examples(60), deadline=None, database=None)
    @given(st.lists(commands, max_size=12))
    def check(sequence: list[tuple[Any, ...]]) -> None:
        asyncio.run(same(parts.store, next(boxes), sequence))

    check()
    parts.db.close_now()

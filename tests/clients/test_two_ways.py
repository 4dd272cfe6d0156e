"""Thousands of messages, changed here and there at once, are the same on both sides after one synchronisation, octet by octet."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from enum import Enum, auto
from pathlib import Path
from typing import Any

import pytest
from imapclient import IMAPClient

from tests.clients import corpus
from tests.clients.sides import Copy, Maildirs, digest, far, far_places, fill, imap
from tests.clients.synchronisers import Mbsync, OfflineImap
from tests.support.demo import Demo

NEW_HERE, NEW_THERE = range(6_000, 6_050), range(6_050, 6_100)


class Act(Enum):
    FLAG = auto()
    ANSWER = auto()
    UNREAD = auto()
    MOVE = auto()
    DELETE = auto()

    def done(self, copy: Copy) -> Copy | None:
        match self:
            case Act.FLAG:
                return copy._replace(flags=copy.flags | {"\\Flagged"})
            case Act.ANSWER:
                return copy._replace(flags=copy.flags | {"\\Answered"})
            case Act.UNREAD:
                return copy._replace(flags=copy.flags - {"\\Seen"})
            case Act.MOVE:
                return copy._replace(folder=elsewhere(copy.folder))
            case Act.DELETE:
                return None


# number % 50 -> what is done here
HERE = {1: Act.FLAG, 2: Act.ANSWER, 3: Act.UNREAD, 4: Act.MOVE, 5: Act.DELETE, 20: Act.FLAG, 21: Act.DELETE}
# and there: two of them to a message that is changed here too
THERE = {11: Act.FLAG, 12: Act.ANSWER, 13: Act.UNREAD, 14: Act.MOVE, 15: Act.DELETE, 20: Act.ANSWER, 21: Act.DELETE}


def elsewhere(folder: str) -> str:
    return corpus.FOLDERS[corpus.FOLDERS.index(folder) - 1]


def copy_of(number: int) -> Copy:
    return Copy(corpus.folder(number), digest(corpus.message(number)), corpus.flags(number), corpus.date(number))


def expected(count: int) -> Counter[Copy]:
    copies = [copy_of(number) for number in (*NEW_HERE, *NEW_THERE)]
    for number in range(count):
        copy: Copy | None = copy_of(number)
        for acts in (HERE, THERE):
            if copy and (act := acts.get(number % 50)):
                copy = act.done(copy)
        copies += [copy] if copy else []
    return Counter(copies)


def act_here(near: Maildirs, numbers: dict[str, int]) -> None:
    for path, copy in near.places():
        if act := HERE.get(numbers[copy.digest] % 50):
            near.change(path, copy, act.done(copy))
    for number in NEW_HERE:
        near.add(corpus.folder(number), number)


def act_there(client: IMAPClient, numbers: dict[str, int]) -> None:
    wishes = defaultdict(list)
    for uid, copy in far_places(client):
        if act := THERE.get(numbers[copy.digest] % 50):
            wishes[copy.folder, act].append(uid)
    for (folder, act), uids in wishes.items():
        client.select_folder(folder)
        match act:
            case Act.FLAG:
                client.add_flags(uids, [b"\\Flagged"], silent=True)
            case Act.ANSWER:
                client.add_flags(uids, [b"\\Answered"])
            case Act.UNREAD:
                client.remove_flags(uids, [b"\\Seen"])
            case Act.MOVE:
                client.move(uids, elsewhere(folder))
            case Act.DELETE:
                client.delete_messages(uids)
                client.uid_expunge(uids)


def same(program: type[Mbsync | OfflineImap], found: Counter[Copy], wanted: Counter[Copy]) -> None:
    """Says what differs, and not 5,000 lines."""

    def undated(copies: Counter[Copy]) -> Counter[Copy]:
        return copies if program.keeps_dates else Counter(copy._replace(date=0) for copy in copies.elements())

    found, wanted = undated(found), undated(wanted)
    assert list((found - wanted).elements())[:5] == list((wanted - found).elements())[:5] == []


@pytest.mark.parametrize(("program", "count"), [(Mbsync, 5_000), (OfflineImap, 2_000)])
def test_both_sides(
    server: Demo, box: dict[str, Any], program: type[Mbsync | OfflineImap], count: int, tmp_path: Path
) -> None:
    numbers = {digest(corpus.message(number)): number for number in range(count)}
    fill(server, box, range(count), connections=8)
    here = program(server, box, tmp_path)
    with imap(server, box) as client:
        here.sync()
        same(program, far(client), Counter(map(copy_of, range(count))))
        same(program, here.near.copies(), Counter(map(copy_of, range(count))))

        act_here(here.near, numbers)
        act_there(client, numbers)
        fill(server, box, NEW_THERE)
        here.sync()
        same(program, far(client), expected(count))
        same(program, here.near.copies(), expected(count))

        marks = [client.folder_status(folder, ["HIGHESTMODSEQ"]) for folder in corpus.FOLDERS]
        here.sync()
        assert [client.folder_status(folder, ["HIGHESTMODSEQ"]) for folder in corpus.FOLDERS] == marks
        same(program, here.near.copies(), expected(count))


@pytest.mark.parametrize(("role", "number"), [("medecin", 0), ("cardiologie", 1)], ids=["PER", "ORG"])
def test_mail_that_arrived(server: Demo, role: str, number: int, tmp_path: Path) -> None:
    """In a person's mailbox and in an organisation's."""
    person, stamp = server.member(role, number), time.time_ns()
    for word in ("garder", "signaler", "ranger"):
        server.send("laboratoire", person["address"], f"{word} {stamp}", "Bonjour.")
    here = Mbsync(server, person, tmp_path)
    here.sync()
    flagged, tidied = here.near.find(f"signaler {stamp}"), here.near.find(f"ranger {stamp}")
    here.near.change(*flagged, Act.FLAG.done(flagged[1]))
    here.near.change(*tidied, tidied[1]._replace(folder="Archives"))
    here.sync()
    with imap(server, person) as client:
        client.select_folder("Archives")
        assert len(client.search(["SUBJECT", f"ranger {stamp}"])) == 1
        client.select_folder("INBOX")
        assert client.search(["SUBJECT", f"ranger {stamp}"]) == []
        moved = client.search(["FLAGGED", "SUBJECT", f"signaler {stamp}"])
        client.add_flags(client.search(["SUBJECT", f"garder {stamp}"]), [b"\\Answered"])
        client.move(moved, "Corbeille")
    here.sync()
    assert here.near.find(f"garder {stamp}")[1].flags == {"\\Answered"}
    assert here.near.find(f"signaler {stamp}", "Corbeille")[1].flags == {"\\Flagged"}

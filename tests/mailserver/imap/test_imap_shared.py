"""The shared namespace: every command by each role through it, who loses a seat, and what who has none is spared."""

from __future__ import annotations

import pytest

from mailserver.imap.context import Settings
from mailserver.imap.seats import BELOW, Seat, check_new, is_shared, place_of, shared_seat
from mailserver.sign_in import SignedIn
from mailserver.store.api import Folder, NewMessage, StoreError
from mssante.rights import OF_ROLE, Role
from tests.mailserver.imap.player import AWA, BOX, Connection, new_store
from tests.mailserver.imap.test_imap_rights import TRIED
from tests.support.people import People

TEAM = "equipe@hopital.example"
ROOT = f"{BELOW}{TEAM}/"
WIRE = b"Bo&AO4-tes partag&AOk-es/equipe@hopital.example/"


# ---------------------------------------------------------------- names, pure
OWN, SEAT = Seat(SignedIn(AWA, "awa@hopital.example", member=6)), shared_seat(SignedIn(BOX, TEAM, member=2, team=True))


@pytest.mark.parametrize(
    ("name", "box", "local"),
    [
        ("INBOX", AWA, "INBOX"),
        ("inbox/x", AWA, "INBOX/x"),
        (ROOT + "INBOX", BOX, "INBOX"),
        (ROOT + "inbox", BOX, "INBOX"),
        (ROOT + "Gardes/2026", BOX, "Gardes/2026"),
        ("Boi\u0302tes partage\u0301es/equipe@hopital.example/Archives", BOX, "Archives"),  # as macOS writes it
        (BELOW + TEAM, AWA, BELOW + TEAM),
        (BELOW + "autre@hopital.example/INBOX", AWA, BELOW + "autre@hopital.example/INBOX"),
        ("Boîtes", AWA, "Boîtes"),
    ],
)
def test_whose_folder_a_name_is(name: str, box: int, local: str) -> None:
    place = place_of(name, OWN, [SEAT])
    assert (place.seat.box_id, place.name) == (box, local)


@pytest.mark.parametrize("name", [ROOT, ROOT + "a//b", ROOT + "a*"])
def test_no_folder_is_called_so(name: str) -> None:
    with pytest.raises(StoreError, match="folder name"):
        place_of(name, OWN, [SEAT])


@pytest.mark.parametrize(
    ("name", "free"),
    [("Boîtes partagées", False), (BELOW + "x", False), (ROOT + "x", True), ("Boîtes partagées 2", True), ("x", True)],
)
def test_names_that_nobody_takes(name: str, free: bool) -> None:
    place = place_of(name, OWN, [SEAT])
    if free:
        check_new(place)
    else:
        assert is_shared(name)
        with pytest.raises(StoreError, match="shared mailboxes"):
            check_new(place)


def test_a_folder_as_the_person_knows_it() -> None:
    folder = Folder(7, BOX, "Envoyés", 7, "\\Sent", subscriptions={2: False, 3: True})
    shown = SEAT.shown(folder)
    assert (shown.name, shown.special_use, shown.subscribed) == (ROOT + "Envoyés", None, False)
    assert OWN.shown(folder) is folder


# ---------------------------------------------------------------- sessions
def people() -> People:
    team = {role.value: ("x", SignedIn(BOX, TEAM, role.value, number, role)) for number, role in enumerate(Role, 1)}
    awa = ("x", SignedIn(AWA, "awa@hopital.example", "Awa Diallo", 6))
    return People({**team, "awa": awa, "luc": ("x", SignedIn(BOX, TEAM, "luc", 7, Role.READER))})


async def seated(team: People, role: Role | None, start: str = "a shared mailbox") -> Connection:
    if role is not None:
        team.join("awa", role.value)
    store = await new_store(start)
    await store.create(BOX, "Free")
    connection = Connection(store, sign_in=team)
    await connection.settle()
    assert b"s OK" in await connection.ask(b"s LOGIN awa x")
    return connection


def through_the_namespace(line: bytes) -> bytes:
    """The command of the shared mailbox's folder, or of its quota root."""
    for folder in (b"Archives", b"Free", b"New"):
        line = line.replace(b" " + folder, b' "' + WIRE + folder + b'"')
    return line.replace(b'SETQUOTA ""', b'SETQUOTA "' + TEAM.encode() + b'"')


@pytest.mark.parametrize("name", TRIED, ids=lambda name: name.decode())
@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
async def test_each_command_by_each_role_through_the_shared_namespace(name: bytes, role: Role) -> None:
    """The same table of rights as when one signs in to the mailbox itself."""
    connection = await seated(people(), role)
    assert b"b OK" in await connection.ask(b'b SELECT "' + WIRE + b'INBOX"')
    line, needed = TRIED[name]
    line = through_the_namespace(line)
    said = await connection.ask(b"c " + line)
    if OF_ROLE[role].issuperset(needed):
        assert b"c OK" in said
    else:
        assert said == b"c NO [NOPERM] you have no right to do this here\r\n"
    await connection.close()


@pytest.mark.parametrize("name", TRIED, ids=lambda name: name.decode())
async def test_each_command_without_a_seat_finds_nothing(name: bytes) -> None:
    connection = await seated(people(), None, "three messages")
    await connection.session.context.store.open_box(AWA)  # type: ignore[attr-defined]
    await connection.session.context.store.append(await _inbox(connection), [_message()])
    assert b"b OK" in await connection.ask(b"b SELECT INBOX")
    line, _ = TRIED[name]
    named = through_the_namespace(line)
    if named == line:
        return  # of the selected folder: one's own
    said = await connection.ask(b"c " + named)
    assert (
        b"c NO [NONEXISTENT] no such folder" in said
        or b"c NO [TRYCREATE] no such folder" in said
        or b"c NO [CANNOT] names that begin so" in said
        or b"c NO [NONEXISTENT] no such quota root" in said
    )
    await connection.close()


async def _inbox(connection: Connection) -> int:
    folders = await connection.session.context.store.folders(AWA)
    return next(folder.id for folder in folders if folder.name == "INBOX")


def _message() -> NewMessage:
    return NewMessage(b"Subject: x\r\n\r\ny\r\n")


BYE = b"* BYE the selected folder was deleted\r\n"


@pytest.mark.parametrize("before", [[], [b"b IDLE"]])
async def test_a_seat_that_is_taken_away_is_gone_at_once(before: list[bytes]) -> None:
    team = people()
    connection = await seated(team, Role.MEMBER)
    await connection.ask(b'a SELECT "' + WIRE + b'INBOX"')
    for line in before:
        await connection.ask(line)
    team.change(2, None)
    if not before:
        await connection.say(b"c FETCH 1 BODY[]\r\n")
    await connection.settle()
    assert connection.closed
    assert connection.output == BYE


async def test_one_s_own_mailbox_stays_when_a_seat_is_taken_away() -> None:
    team = people()
    connection = await seated(team, Role.MEMBER)
    assert WIRE in await connection.ask(b'a LIST "" *')
    await connection.ask(b"b SELECT INBOX")
    team.change(2, None)
    assert WIRE not in await connection.ask(b'c LIST "" *')
    assert b"d NO [NONEXISTENT]" in await connection.ask(b'd SELECT "' + WIRE + b'INBOX"')


async def test_another_role_holds_from_the_next_command_on() -> None:
    team = people()
    connection = await seated(team, Role.MEMBER)
    await connection.ask(b'a SELECT "' + WIRE + b'INBOX"')
    team.change(2, Role.READER)
    assert b"b NO [NOPERM]" in await connection.ask(b"b STORE 1 +FLAGS (\\Seen)")


async def test_a_right_taken_in_one_folder_is_gone_at_once() -> None:
    connection = await seated(people(), Role.MEMBER)
    store = connection.session.context.store
    await connection.ask(b'a SELECT "' + WIRE + b'INBOX"')
    inbox = next(folder.id for folder in await store.folders(BOX) if folder.name == "INBOX")
    await store.set_rights(BOX, inbox, 2, frozenset("lr"), 1)
    assert b"b NO [NOPERM]" in await connection.ask(b"b STORE 1 +FLAGS (\\Seen)")
    await store.set_rights(BOX, inbox, 2, frozenset(), 1)
    assert await connection.ask(b"c NOOP") == BYE


async def test_a_new_seat_is_there_at_once() -> None:
    team = people()
    connection = await seated(team, None)
    assert WIRE not in await connection.ask(b'a LIST "" *')
    assert b"b OK" in await connection.ask(
        b'b NOTIFY SET (subtree "Bo&AO4-tes partag&AOk-es" (MessageNew MessageExpunge MailboxName))'
    )
    team.join("awa", "member")
    await connection.settle()
    assert WIRE + b"INBOX" in await connection.ask(b"c NOOP")
    assert WIRE in await connection.ask(b'd LIST "" *')


async def test_who_works_in_one_mailbox_asks_once_and_not_to_select() -> None:
    team = people()
    connection = await seated(team, None)
    for line in (b"a SELECT INBOX", b"b STATUS Archives (MESSAGES)", b"c COPY 1 Archives", b"d NOOP"):
        await connection.ask(line)
    assert team.asked_for_seats == 0
    for _ in range(3):
        await connection.ask(b'e LIST "" *')
    assert team.asked_for_seats == 1


async def test_nobody_is_watched_after_the_session() -> None:
    team = people()
    connection = await seated(team, Role.MEMBER)
    await connection.ask(b'a LIST "" *')
    await connection.ask(b"b UNAUTHENTICATE")
    team.change(2, None)
    assert not connection.session.context.inbox.alarmed


async def test_the_quota_that_counts_is_the_target_s() -> None:
    """Asked before a large message is sent (`WORTH_ASKING`), and again when it is stored."""
    connection = await seated(people(), Role.MEMBER)
    asked: list[int] = []
    store = connection.session.context.store
    real = store.quota

    async def quota(box_id: int) -> tuple[int, int]:
        asked.append(box_id)
        return await real(box_id)

    store.quota = quota  # type: ignore[method-assign]
    connection.session.context.settings = Settings(append_limit=1_000_000)
    await connection.say(b'a APPEND "' + WIRE + b'INBOX" {300000}\r\n')
    await connection.settle()
    assert connection.output.startswith(b"+ ")
    await connection.say(b"x" * 300_000 + b"\r\n")
    await connection.say(b"b APPEND INBOX {300000}\r\n")
    await connection.settle()
    assert asked == [BOX, AWA]

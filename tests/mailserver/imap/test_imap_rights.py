"""Rights (RFC 4314): the rules over plain data, and the whole table of commands tried by each role."""

from __future__ import annotations

import pytest

from mailserver.imap.rights import (
    HOLDERS,
    permanent_flags,
    permitted,
    permitted_store,
    rights_in,
    shown,
    with_modification,
    writes,
)
from mailserver.imap.table import COMMANDS, IN, SELECTED
from mailserver.store.api import Flag, FlagOp, Flags, Folder
from mssante.rights import NONE, OF_ROLE, TIED, Rights, Role, tied, written
from tests.mailserver.imap.player import connect, new_store

FOLDER = Folder(7, 1, "RH", 7, acl={2: frozenset("lr"), 3: NONE, 1: frozenset("lr")})
SEEN, GONE, MARKED = Flags(Flag.SEEN), Flags(Flag.DELETED), Flags(Flag.FLAGGED | Flag.DELETED, frozenset(("x",)))


@pytest.mark.parametrize(
    ("role", "member", "rights"),
    [
        (Role.HOLDER, 1, "lrswipkxtea"),  # whatever the folder says
        (Role.MEMBER, 2, "lr"),
        (Role.MEMBER, 3, ""),
        (Role.MEMBER, 4, "lrswipkxte"),
        (Role.READER, 4, "lr"),
        (Role.READER, 0, "lr"),
    ],
)
def test_whose_rights(role: Role, member: int, rights: str) -> None:
    assert written(rights_in(FOLDER, role, member)) == rights


@pytest.mark.parametrize(
    ("before", "modification", "after"),
    [
        ("lr", "lrswip", "lrswip"),
        ("lr", "", ""),
        ("lr", "+te", "lrte"),
        ("lr", "+d", "lrte"),
        ("lrkx", "-c", "lr"),
        ("lrtekx", "-r", "ltekx"),
        ("lr", "+", "lr"),
        ("lr", "-", "lr"),
        ("", "cda", "kxtea"),
        ("lr", "lrz", None),
        ("lr", "+Lr", None),
        ("lr", "l r", None),
        ("lr", "++l", None),
        ("lr", "é", None),
    ],
)
def test_modifications(before: str, modification: str, after: str | None) -> None:
    changed = with_modification(frozenset(before), modification)
    assert changed == (None if after is None else frozenset(after))


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("lr", "lr"),
        ("l", ""),
        ("lrs", "lr"),
        ("lrswip", "lrswip"),
        ("te", "te"),
        ("t", ""),
        ("lrswipkxtea", "lrswipkxte"),
    ],
)
def test_what_belongs_together_is_given_together(asked: str, given: str) -> None:
    assert written(tied(frozenset(asked))) == given


def test_roles_are_whole_sets() -> None:
    for role in (Role.MEMBER, Role.READER):
        assert tied(OF_ROLE[role]) == OF_ROLE[role]
    assert frozenset("".join(TIED)) | {"a"} == OF_ROLE[Role.HOLDER]


@pytest.mark.parametrize(
    ("rights", "text"), [("lr", "lr"), ("te", "ted"), ("kx", "kxc"), ("lrswipkxte", "lrswipkxtecd"), ("", "")]
)
def test_old_clients_see_c_and_d(rights: str, text: str) -> None:
    assert shown(frozenset(rights)) == text


@pytest.mark.parametrize(
    ("rights", "op", "flags", "done"),
    [
        ("swipte", FlagOp.SET, MARKED, (FlagOp.SET, MARKED)),
        ("swip", FlagOp.SET, MARKED, (FlagOp.SET_OTHERS, Flags(Flag.FLAGGED, frozenset(("x",))))),
        ("swip", FlagOp.SET, Flags(), (FlagOp.SET_OTHERS, Flags())),
        ("swip", FlagOp.SET, GONE, (FlagOp.SET_OTHERS, Flags())),
        ("swip", FlagOp.ADD, MARKED, (FlagOp.ADD, Flags(Flag.FLAGGED, frozenset(("x",))))),
        ("swip", FlagOp.REMOVE, GONE, None),
        ("swip", FlagOp.ADD, Flags(), (FlagOp.ADD, Flags())),
        ("te", FlagOp.SET, MARKED, (FlagOp.ADD, GONE)),
        ("te", FlagOp.SET, SEEN, (FlagOp.REMOVE, GONE)),
        ("te", FlagOp.ADD, MARKED, (FlagOp.ADD, GONE)),
        ("te", FlagOp.ADD, SEEN, None),
        ("lr", FlagOp.ADD, SEEN, None),
        ("lr", FlagOp.SET, Flags(), None),
    ],
)
def test_store(rights: str, op: FlagOp, flags: Flags, done: tuple[FlagOp, Flags] | None) -> None:
    assert permitted_store(op, flags, frozenset(rights)) == done


@pytest.mark.parametrize(
    ("rights", "kept", "permanent", "read_write"),
    [
        ("lrswipte", MARKED, "\\Answered \\Flagged \\Deleted \\Seen \\Draft x \\*", True),
        ("lrswip", Flags(Flag.FLAGGED, frozenset(("x",))), "\\Answered \\Flagged \\Seen \\Draft x \\*", True),
        ("lrte", GONE, "\\Deleted", True),
        ("lr", Flags(), "", False),
        ("lrkx", Flags(), "", False),
    ],
)
def test_what_a_folder_keeps(rights: str, kept: Flags, permanent: str, read_write: bool) -> None:
    given: Rights = frozenset(rights)
    assert permitted(MARKED, given) == kept
    assert permanent_flags(given, ("x",)) == permanent
    assert writes(given) == read_write


# ---------------------------------------------------------------- every command, by each role
# Commands that name or change a folder, as a client says them, and the rights that each needs (RFC 4314 4).
TRIED = {
    b"SELECT": (b"SELECT Archives", "r"),
    b"EXAMINE": (b"EXAMINE Archives", "r"),
    b"STATUS": (b"STATUS Archives (MESSAGES)", "r"),
    b"CREATE": (b"CREATE New", "k"),
    b"DELETE": (b"DELETE Free", "x"),
    b"RENAME": (b"RENAME Free New", "xk"),
    b"SUBSCRIBE": (b"SUBSCRIBE Archives", "l"),
    b"UNSUBSCRIBE": (b"UNSUBSCRIBE Archives", "l"),
    b"SETQUOTA": (b'SETQUOTA "" (STORAGE 2048)', "a"),
    b"GETMETADATA": (b"GETMETADATA Archives /shared/x", "lr"),
    b"SETMETADATA": (b'SETMETADATA Archives (/shared/x "y")', "lrw"),
    b"SETACL": (b"SETACL Archives luc lr", "a"),
    b"DELETEACL": (b"DELETEACL Archives eve", "a"),
    b"GETACL": (b"GETACL Archives", "a"),
    b"LISTRIGHTS": (b"LISTRIGHTS Archives luc", "a"),
    b"MYRIGHTS": (b"MYRIGHTS Archives", "l"),
    b"APPEND": (b"APPEND Archives {4+}\r\na: b", "i"),
    b"STORE": (b"STORE 1 +FLAGS (\\Seen)", "s"),
    b"UID STORE": (b"UID STORE 1 +FLAGS (\\Deleted)", "t"),
    b"EXPUNGE": (b"EXPUNGE", "e"),
    b"UID EXPUNGE": (b"UID EXPUNGE 1", "e"),
    b"COPY": (b"COPY 1 Archives", "i"),
    b"UID COPY": (b"UID COPY 1 Archives", "i"),
    b"MOVE": (b"MOVE 1 Archives", "ite"),
    b"UID MOVE": (b"UID MOVE 1 Archives", "ite"),
    b"REPLACE": (b"REPLACE 1 Archives {4+}\r\na: b", "ite"),
    b"UID REPLACE": (b"UID REPLACE 1 Archives {4+}\r\na: b", "ite"),
    b"FETCH": (b"FETCH 1 BODY[]", ""),
    b"UID FETCH": (b"UID FETCH 1 BODY[]", ""),
    b"CLOSE": (b"CLOSE", ""),
}  # fmt: skip
# These name no folder, or change nothing in one; LIST, ESEARCH, NOTIFY show what may be seen, GETQUOTAROOT the mailbox's own root.
FREE = {
    b"UNAUTHENTICATE", b"ENABLE", b"LIST", b"LSUB", b"XLIST", b"NAMESPACE", b"GETQUOTA", b"GETQUOTAROOT", b"COMPRESS", b"IDLE",
    b"CHECK", b"UNSELECT", b"SEARCH", b"UID SEARCH", b"SORT", b"UID SORT", b"THREAD", b"UID THREAD", b"CANCELUPDATE", b"ESEARCH",
    b"NOTIFY",
}  # fmt: skip


def test_every_command_is_tried_or_free() -> None:
    here = {name for name, entry in COMMANDS.items() if entry.states in (IN, SELECTED)}
    assert here == TRIED.keys() | FREE
    assert {name for name in FREE if COMMANDS[name].needs != HOLDERS} == set()


LOGINS = {Role.HOLDER: "bob {7+}\r\nsésame", Role.MEMBER: "anne x", Role.READER: "luc x"}


@pytest.mark.parametrize("name", TRIED, ids=lambda name: name.decode())
@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
async def test_each_command_by_each_role(name: bytes, role: Role) -> None:
    store = await new_store("three messages")
    await store.create(1, "Free")
    connection = await connect(store)
    assert b"a OK" in await connection.ask(b"a LOGIN " + LOGINS[role].encode())
    assert b"b OK" in await connection.ask(b"b SELECT INBOX")
    line, needed = TRIED[name]
    said = await connection.ask(b"c " + line)
    if OF_ROLE[role].issuperset(needed):
        assert b"c OK" in said
    else:
        assert said == b"c NO [NOPERM] you have no right to do this here\r\n"
    await connection.close()

"""SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314 3, 7)."""

from __future__ import annotations

from dataclasses import dataclass

from mailserver.imap.grammar import Cursor
from mssante.credentials import login_form
from mssante.scram import saslprep


@dataclass(frozen=True, slots=True)
class SetAcl:
    """`identifier` in the form in which logins compare; `modification` as the client wrote it."""

    name: str
    identifier: str
    modification: str


@dataclass(frozen=True, slots=True)
class DeleteAcl:
    name: str
    identifier: str


@dataclass(frozen=True, slots=True)
class GetAcl:
    name: str


@dataclass(frozen=True, slots=True)
class ListRights:
    """`spelling`: the identifier as the client wrote it, which the answer repeats (RFC 4314 3.4)."""

    name: str
    identifier: str
    spelling: bytes


@dataclass(frozen=True, slots=True)
class MyRights:
    name: str


def parse_set_acl(at: Cursor) -> SetAcl:
    name, (identifier, _) = _name(at), _identifier(at)
    at.space()
    return SetAcl(name, identifier, at.text())


def parse_delete_acl(at: Cursor) -> DeleteAcl:
    return DeleteAcl(_name(at), _identifier(at)[0])


def parse_get_acl(at: Cursor) -> GetAcl:
    return GetAcl(_name(at))


def parse_list_rights(at: Cursor) -> ListRights:
    return ListRights(_name(at), *_identifier(at))


def parse_my_rights(at: Cursor) -> MyRights:
    return MyRights(_name(at))


def _name(at: Cursor) -> str:
    at.space()
    return at.mailbox()


def _identifier(at: Cursor) -> tuple[str, bytes]:
    """RFC 4314 3: prepared with SASLprep; what cannot be, or becomes empty, is BAD."""
    at.space()
    text = at.text()
    prepared = saslprep(text)
    if not prepared:
        at.fail("bad identifier")
    return login_form(prepared), text.encode()

"""The life of a mailbox as decisions: what its operator may do to it, in which state (docs/rules.md section 2). Pure.

A closed mailbox keeps its mail sealed for a while and may be opened again; then its key is destroyed, and nothing can. An address
and a kind never change, an address is never given twice, and there are no aliases: no act here could make one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from mssante.kinds import BoxKind, BoxState
from mssante.rights import Role

SHARED = frozenset({BoxKind.ORG, BoxKind.CAB})  # several people, each under their own name
_PERSONS = frozenset({BoxKind.PER, BoxKind.CIT})


class Act(Enum):
    HOLDER = "holder"  # what is said of the holder
    SUSPEND = "suspend"
    RESUME = "resume"
    CLOSE = "close"
    RED_LIST = "red_list"
    QUOTA = "quota"
    MEMBERS = "members"  # add, change, suspend or remove who signs in
    PRIVATE_EMAIL = "private_email"  # where a person's codes and notices go
    CERTIFICATE = "certificate"  # bind to, or free from, an organisation's certificate


_OPERATORS = frozenset(
    {Act.SUSPEND, Act.RESUME, Act.QUOTA, Act.PRIVATE_EMAIL}
)  # of a citizen's; the last as they ask for it


class Not(Enum):
    """Why an act is refused."""

    ERASED = "erased"
    CLOSED = "closed"
    ACTIVE = "active"
    CITIZENS_OWN = "citizens_own"
    NO_PROGRAM = "no_program"
    NO_PERSON = "no_person"
    ANOTHER_PERSON = "another_person"
    ONE_PERSON = "one_person"
    HOLDERS_ONLY = "holders_only"
    LAST_HOLDER = "last_holder"


@dataclass(frozen=True, slots=True)
class Standing:
    """`erased`: its key was destroyed."""

    kind: BoxKind
    state: BoxState
    erased: bool = False


def after(act: Act, box: Standing) -> BoxState | Not:
    """The state that the act leads to, the same when it changes something else."""
    if box.erased:
        return Not.ERASED
    if box.kind is BoxKind.CIT and act not in _OPERATORS:
        return Not.CITIZENS_OWN
    if box.state is BoxState.CLOSED and act is not Act.RESUME:
        return Not.CLOSED
    if box.state is BoxState.ACTIVE and act is Act.RESUME:
        return Not.ACTIVE
    if act is Act.CERTIFICATE and box.kind is not BoxKind.APP:
        return Not.NO_PROGRAM
    if act is Act.PRIVATE_EMAIL and box.kind not in _PERSONS:
        return Not.NO_PERSON
    return {Act.SUSPEND: BoxState.SUSPENDED, Act.RESUME: BoxState.ACTIVE, Act.CLOSE: BoxState.CLOSED}.get(
        act, box.state
    )


def passes_to(kind: BoxKind, old_id: str, new_id: str) -> Not | None:
    """Whether a mailbox's holder may become `new_id`: one person's mail is never another person's."""
    return Not.ANOTHER_PERSON if kind is BoxKind.PER and old_id and new_id != old_id else None


@dataclass(frozen=True, slots=True)
class Seat:
    """Of one who can sign in to a mailbox, or could."""

    member: int
    role: Role
    active: bool


def seated(kind: BoxKind, seats: Sequence[Seat], new: Seat) -> Not | None:
    """Whether `new` may stand in the place of the member of that number, or join (a number that nobody has)."""
    others = [seat for seat in seats if seat.active and seat.member != new.member]
    if kind not in SHARED:
        if new.role is not Role.HOLDER:
            return Not.HOLDERS_ONLY
        return Not.ONE_PERSON if new.active and others else None
    held = any(seat.role is Role.HOLDER for seat in seats if seat.active)
    keeps = (new.active and new.role is Role.HOLDER) or any(seat.role is Role.HOLDER for seat in others)
    return Not.LAST_HOLDER if held and not keeps else None

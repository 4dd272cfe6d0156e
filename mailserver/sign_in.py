"""The contract of the sign-in that the composition gives to IMAP and submission; the check itself lives elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from foundation.dn import DistinguishedName
from mssante.rights import Role
from mssante.scram import Proof, Salt
from mssante.sent_for_later import UNKNOWN, Brought


@dataclass(frozen=True, slots=True, repr=False)
class SignedIn:
    """`box_id` is the mailbox opened, `address` what it may send from, `actor` who acts in it (member of an ORG box).

    `name` is the mailbox's in the directory, which From shows. `member` is the number of the credential: never another person's.
    `team`: several people work in the mailbox. `token` is the sign-in's own, to know them again; `brought` is kept with what they
    send for later.
    """

    box_id: int
    address: str
    actor: str = ""
    member: int = 0
    role: Role = Role.HOLDER
    team: bool = False
    name: str = ""
    token: object = field(default=None, compare=False)
    brought: Brought = field(default=UNKNOWN, compare=False)

    def __repr__(self) -> str:
        return f"SignedIn(box {self.box_id}, member {self.member})"


@dataclass(frozen=True, slots=True)
class Refused:
    """Wrong login or password; the answer is held back `wait_ms` milliseconds. It grows with the failures, never to a lock."""

    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class Unnamed:
    """The token is good; which mailbox it is to open, the client must say."""


@dataclass(frozen=True, slots=True)
class Proven:
    """`signature` shows the client of SCRAM that it talks to who knows its keys."""

    who: SignedIn
    signature: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Member:
    """Somebody who can sign in to a mailbox; `number` as `SignedIn.member`."""

    number: int
    login: str
    role: Role

    def __repr__(self) -> str:
        return f"Member({self.number}, {self.role.value})"


@dataclass(frozen=True, slots=True)
class Seats:
    """The shared mailboxes of which a person is a member, each as if signed in to it; `unwatch` ends the watching."""

    found: tuple[SignedIn, ...]
    unwatch: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider whose tokens are good here: where it describes itself, and the scope that a client asks it for."""

    configuration: str
    scope: str


class SignIn(Protocol):
    @property
    def provider(self) -> Provider | None:
        """None: no token opens anything."""
        ...

    async def by_password(self, login: str, password: str, client_ip: str) -> SignedIn | Refused: ...

    def nonce(self) -> str:
        """Random, printable, without comma (RFC 5802 5.1)."""
        ...

    async def salt(self, login: str) -> Salt:
        """For any login, also an unknown one."""
        ...

    async def by_proof(self, login: str, proof: Proof, client_ip: str) -> Proven | Refused: ...

    async def by_token(self, login: str, token: str, client_ip: str) -> SignedIn | Refused | Unnamed:
        """`login` chooses among the mailboxes of the person whom the token names; empty: their own, where it is known."""
        ...

    async def by_certificate(self, address: str, certificate: DistinguishedName, client_ip: str) -> SignedIn | Refused:
        """`certificate` has been judged; `address` chooses among the mailboxes that it opens; empty: it opens one."""
        ...

    def came(self, who: SignedIn, client_ip: str, name: str) -> None:
        """Once for each sign-in, when it is known what the program calls itself; empty: it does not say."""
        ...

    def watch(self, who: SignedIn, doubt: Callable[[], None]) -> Callable[[], None]:
        """`doubt` is called when something of that person or of their mailbox changed, in any process: ask for `standing`.

        Returns the undo. Nothing is missed when it is called in the same turn of the loop in which the sign-in answered.
        """
        ...

    async def standing(self, who: SignedIn) -> SignedIn | None:
        """The same person as things stand now, with another role maybe; None: they may be here no longer."""
        ...

    async def seats(self, who: SignedIn, doubt: Callable[[], None]) -> Seats:
        """Where else the person may work who signed in to their own mailbox: nowhere, for who signed in to another kind.

        `doubt` is called when one of these mailboxes or memberships changes, or another one comes, in any process: ask again.
        """
        ...

    async def members(self, box_id: int) -> list[Member]:
        """Of the mailbox, oldest first."""
        ...

"""The contract of the password check that the composition gives to this door; the check itself lives elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`box_id` is the mailbox opened, `actor` who acts in it (member of an ORG box), `display` a name for that person.

    `member` is the number of the credential: never another person's.
    """

    box_id: int
    actor: str = ""
    display: str = ""
    member: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """Wrong login or password; the answer is held back `wait_ms` milliseconds."""

    wait_ms: int = 0


# (login, password, client_ip) -> who it is, or the refusal.
SignIn = Callable[[str, str, str], Awaitable[SignedIn | Refused]]

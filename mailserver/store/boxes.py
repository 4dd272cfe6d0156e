"""What the store must know of a mailbox, and nothing more. The implementation over `mssante.mailboxes` is wired by runtime."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import Connection

from foundation.database import Transaction
from foundation.keys import Key


class Boxes(Protocol):
    """Asked inside the caller's transaction. Raises KeyError for a box that is not ours (or whose key was destroyed)."""

    def key(self, conn: Connection, box_id: int) -> Key:
        """The box's data key, unwrapped; expected to be cached."""
        ...

    def address(self, conn: Connection, box_id: int) -> str:
        """The box's own address, in lower case."""
        ...

    def quota(self, conn: Connection, box_id: int) -> tuple[int, int]:
        """(used, limit) in octets."""
        ...

    def set_quota(self, tx: Transaction, box_id: int, octets: int) -> None: ...

    def charge(self, tx: Transaction, box_id: int, octets: int) -> bool:
        """Adds to what is used (takes away when negative); False, and nothing changed, when the limit would be passed."""
        ...

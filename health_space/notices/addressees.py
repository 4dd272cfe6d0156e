"""Whom an e-mail goes to: the person, or for a child the parents who act for them (NOT-02, NOT-03; mes-features.md 2.7).

Profiles activated or not are written to; opposed and closed ones are not. A carer is not written to: the person helped is.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from health_space.notices.rules import Addressee
from health_space.profiles.operations import Kind, guardians_of
from mssante.kinds import BoxKind, BoxState, ProfileState
from mssante.mailbox import Mailbox
from mssante.mailboxes import Mailboxes

WRITTEN_TO = frozenset({ProfileState.ACTIVATED, ProfileState.NOT_ACTIVATED})


def addressees(mailboxes: Mailboxes) -> Callable[[Connection, int], list[Addressee] | None]:
    """For `Notifier`: None when this profile wants no notice, an empty list when no address is known."""

    def of_box(conn: Connection, box_id: int) -> list[Addressee] | None:
        box = mailboxes.get(conn, box_id)
        if box is None or not receives(box):
            return None
        parents = [mailboxes.get(conn, guardian) for guardian in guardians_of(conn, box_id, Kind.PARENT)]
        found = {
            parent.holder.private_email: _addressee(parent, own=False)
            for parent in parents
            if parent is not None and receives(parent) and parent.holder.private_email
        }
        if not found and box.holder.private_email:
            return [_addressee(box, own=True)]
        return list(found.values())

    return of_box


def receives(box: Mailbox) -> bool:
    """A citizen's profile that things are filed and announced for."""
    return box.kind is BoxKind.CIT and box.state is not BoxState.CLOSED and box.profile in WRITTEN_TO


def _addressee(box: Mailbox, own: bool) -> Addressee:
    return Addressee(box.holder.private_email, own, box.profile is ProfileState.ACTIVATED)

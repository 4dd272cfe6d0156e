"""The cardiologists' shared mailbox, and who works in it."""

from __future__ import annotations

from typing import Any

from mailserver.store.api import Flag, Flags, NewMessage
from mssante.credentials import NewCredential
from mssante.identity import luhn_key
from mssante.kinds import BoxKind
from mssante.mailbox import Holder, NewMailbox
from mssante.rights import Role
from tests.care_desk.office import PASSWORD_HASH, Office
from tests.support.there import there

RPPS = "1099000009" + luhn_key("1099000009")


class Ward:
    """awa has a mailbox of her own and a seat in the cardiologists'; nadia holds that one, camille is a stranger to it."""

    def __init__(self, office: Office) -> None:
        self.office, self.store = office, office.store
        self.box = there(office.db.read_now(office.boxes.resolve, "cardiologie@alpha.example")).id
        self.seat = office.db.write_now(self._join)
        self.inbox = 0

    def _join(self, tx: Any) -> int:
        now, credentials = self.office.now, self.office.credentials
        own = self.office.boxes.create(
            tx,
            NewMailbox("awa@alpha.example", BoxKind.PER, Holder("Dr Awa Diallo", RPPS, private_email="a@b.example")),
            now,
        )
        self.office.ids["awa"] = credentials.add(tx, NewCredential(own.id, "awa", "Dr Awa Diallo", PASSWORD_HASH), now)
        seat = NewCredential(self.box, "awa-cardio", "Dr Awa Diallo", PASSWORD_HASH, role=Role.MEMBER, subject=RPPS)
        return credentials.add(tx, seat, now)

    async def fill(self, *subjects: str) -> None:
        await self.store.open_box(self.box, professional=True)
        self.inbox = next(one.id for one in await self.store.folders(self.box) if one.name == "INBOX")
        for number, subject in enumerate(subjects, 1):
            text = f"From: Jacqueline Morel <j@patient.example>\r\nSubject: {subject}\r\nMessage-ID: <{number}@x>\r\n\r\ntexte\r\n"
            flags = Flags(Flag.SEEN) if number % 2 else Flags()
            await self.store.append(self.inbox, [NewMessage(text.encode(), flags, self.office.now // 1000)])

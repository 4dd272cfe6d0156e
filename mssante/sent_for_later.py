"""Whether a message that was sent for later still goes out at its hour: what is taken away meanwhile is gone for it too
(docs/rules.md section 2).

Another password of one's own takes nothing away here: it is the same person, who may not even remember the message.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from foundation.dn import parse
from mssante.certificate_sign_in import opened_by
from mssante.credential_rows import CredentialRows
from mssante.mailboxes import Mailboxes
from mssante.signed_in import SUBMISSION


@dataclass(frozen=True, slots=True, repr=False)
class Brought:
    """The sign-in by which a message came: whose, with which application password (0: with none), when (ms); or the name of a
    program's certificate.
    """

    credential_id: int = 0
    app_password: int = 0
    at: int = 0
    certificate: str = ""


UNKNOWN = Brought()


@dataclass(frozen=True, slots=True)
class StillSends:
    """Those of one operator; for `Space.may_send`."""

    credentials: CredentialRows
    mailboxes: Mailboxes

    def __call__(self, conn: Connection, box_id: int, member: int, brought: Brought) -> bool:
        """`member`: the credential in whose name it was written, 0 for a program's."""
        if brought.certificate:
            return self._opens(conn, box_id, brought.certificate)
        if member and not self.credentials.may_send(conn, box_id, member):
            return False
        return not brought.credential_id or self._stands(conn, brought)

    def _stands(self, conn: Connection, brought: Brought) -> bool:
        """Their own sign-in, when they wrote from a shared mailbox: another one than `member`."""
        who = self.credentials.of(conn, brought.credential_id)
        if who is None:
            return False
        then = replace(who, app_password=brought.app_password, at=brought.at)
        return self.credentials.standing(conn, then, SUBMISSION) is not None

    def _opens(self, conn: Connection, box_id: int, certificate: str) -> bool:
        box = self.mailboxes.get(conn, box_id)
        opened = None if box is None else opened_by(conn, self.mailboxes, parse(certificate), box.address.key)
        return opened is not None and opened.id == box_id

"""Job `password_mail` {credential}: word to the private address of who chose a new password in place of one forgotten.

It is promised in the transaction that changes the password: a relay that is away keeps nobody out, and no account is taken over
without a word. The address is in no log and in no reason.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import Connection

from foundation.clock import HOUR, MINUTE
from foundation.database import Database, Transaction
from foundation.jobs import Answer, Done, GiveUp, Job, Jobs, Retry
from foundation.web import french
from mssante.credentials import Credentials
from mssante.kinds import BoxKind
from mssante.mailboxes import Mailboxes

KIND = "password_mail"
BACKOFF = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR)  # then hourly
TRIES = 75  # about three days
SUBJECT = "Votre mot de passe a changé"
TEXT = """Bonjour,

Un nouveau mot de passe a été choisi pour votre messagerie de santé.

Ce n'était pas vous ? Alors prévenez l'aide tout de suite.

Ce message ne contient aucun lien. Nous ne vous demanderons jamais votre mot de passe.
"""

Renewed = Callable[[Transaction, int, int], None]  # (tx, credential, recovery)


def promised(jobs: Jobs, renewed: Renewed) -> Renewed:
    """The same, and the mail with it."""

    def both(tx: Transaction, credential: int, recovery: int) -> None:
        renewed(tx, credential, recovery)
        jobs.enqueue(tx, KIND, {"credential": credential})

    return both


class PasswordMail:
    """The handler."""

    def __init__(
        self,
        db: Database,
        credentials: Credentials,
        mailboxes: Mailboxes,
        send: Callable[[str, str, str], Awaitable[None]],
    ) -> None:
        self._db, self._credentials, self._mailboxes, self._send = db, credentials, mailboxes, send

    async def __call__(self, payload: dict[str, Any], job: Job) -> Answer:
        address = await self._db.read(self._address, int(payload["credential"]))
        if not address:
            return Done()
        try:
            await self._send(address, SUBJECT, french.typeset(TEXT))
        except Exception as error:
            reason = type(error).__name__
            return (
                GiveUp(reason) if job.attempts >= TRIES else Retry(BACKOFF[min(job.attempts, len(BACKOFF)) - 1], reason)
            )
        return Done()

    def _address(self, conn: Connection, credential: int) -> str:
        """Empty: none, or the holder of the mailbox is no single person."""
        who = self._credentials.of(conn, credential)
        box = (
            None if who is None or who.kind not in (BoxKind.CIT, BoxKind.PER) else self._mailboxes.get(conn, who.box_id)
        )
        return "" if box is None else box.holder.private_email

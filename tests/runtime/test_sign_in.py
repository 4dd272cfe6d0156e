"""The mail doors' view of the sign-in: a program that came in by its certificate stays no longer than the certificate opens."""

from __future__ import annotations

from pathlib import Path

from foundation.clock import system_clock
from foundation.database import Database, metadata
from foundation.dn import parse
from foundation.keys import KeyRing
from mailserver.sign_in import Refused, SignedIn
from mssante.credentials import SUBMISSION, Credentials
from mssante.kinds import BoxKind
from mssante.mailboxes import Holder, Mailboxes, NewMailbox
from runtime.sign_in import MailSignIn

LAB, OTHER = parse("CN=labo,OU=1990000029,O=LABO,C=FR"), parse("CN=autre,OU=1990000037,O=AUTRE,C=FR")


async def test_a_program_and_its_certificate(tmp_path: Path) -> None:
    db, keys = Database(f"sqlite:///{tmp_path}/m.db"), KeyRing(b"k" * 32)
    metadata.create_all(db.engine)
    boxes = Mailboxes(keys)
    new = NewMailbox("resultats@labo.example", BoxKind.APP, Holder("Laboratoire"))
    box = await db.write(boxes.create, new, 1)
    sign_in = MailSignIn(db, Credentials(db, keys, boxes), boxes, system_clock, SUBMISSION)
    assert await sign_in.by_certificate("", LAB, "192.0.2.1") == Refused()
    await db.write(boxes.bind, box.id, LAB)
    who = await sign_in.by_certificate("", LAB, "192.0.2.1")
    assert who == SignedIn(box.id, "resultats@labo.example", "Laboratoire")
    assert await sign_in.by_certificate("", OTHER, "192.0.2.1") == Refused()
    assert await sign_in.standing(who) == who
    await db.write(boxes.bind, box.id, OTHER)
    assert await sign_in.standing(who) is None
    await db.close()

"""The mail doors' view of the sign-in: a program that came in by its certificate stays no longer than the certificate opens."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy import func, select

from foundation.clock import system_clock
from foundation.database import Database, metadata
from foundation.dn import parse
from foundation.keys import KeyRing
from mailserver.sign_in import Refused, SignedIn
from mssante import devices
from mssante.credentials import IMAP, SUBMISSION, Credentials, NewCredential
from mssante.devices import Devices, Door, Way
from mssante.kinds import BoxKind
from mssante.mailbox import Holder, NewMailbox
from mssante.mailboxes import Mailboxes
from mssante.passwords import hash_password
from mssante.sent_for_later import Brought
from mssante.tables import mail_clients
from runtime.sign_in import MailSignIn
from tests.foundation.test_database import cut

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
    assert who == SignedIn(box.id, "resultats@labo.example", "Laboratoire", name="Laboratoire")
    assert await sign_in.by_certificate("", OTHER, "192.0.2.1") == Refused()
    assert isinstance(who, SignedIn)
    assert who.brought == Brought(certificate=LAB.text)
    assert await sign_in.standing(who) == who
    await db.write(boxes.set_holder, box.id, Holder("Laboratoire du port"))
    renamed = await sign_in.standing(who)
    assert renamed is not None
    assert renamed.name == "Laboratoire du port"
    await db.write(boxes.bind, box.id, OTHER)
    assert await sign_in.standing(who) is None
    await db.close()


async def test_what_its_owner_is_told_of_a_program(tmp_path: Path) -> None:
    """By a password: way, door, name, network. By a certificate: nothing, no person has a page about it."""
    db, keys = Database(f"sqlite:///{tmp_path}/m.db"), KeyRing(b"k" * 32)
    metadata.create_all(db.engine)
    boxes = Mailboxes(keys)
    personal = await db.write(boxes.create, NewMailbox("anne@a.example", BoxKind.PER, Holder("Anne")), 1)
    machine = await db.write(boxes.create, NewMailbox("labo@a.example", BoxKind.APP, Holder("Laboratoire")), 1)
    await db.write(boxes.bind, machine.id, LAB)
    credentials = Credentials(db, keys, boxes)
    anne = await db.write(credentials.add, NewCredential(personal.id, "anne", "Anne", hash_password("secret", None)), 1)
    for scope, door, name in ((IMAP, Door.IMAP, "Thunderbird"), (SUBMISSION, Door.SUBMISSION, "")):
        sign_in = MailSignIn(db, credentials, boxes, system_clock, scope, devices=(Devices(db, keys), door))
        who = await sign_in.by_password("anne", "secret", "2001:db8:1:2::9")
        assert isinstance(who, SignedIn)
        assert (who.brought.credential_id, who.brought.app_password) == (anne, 0)
        assert who.brought.at > 0
        sign_in.came(who, "2001:db8:1:2::9", name)
        program = await sign_in.by_certificate("", LAB, "192.0.2.1")
        assert isinstance(program, SignedIn)
        sign_in.came(program, "192.0.2.1", "curl")
    await db.write(lambda tx: None)
    found = {(one.way, one.door, one.name, one.place) for one in await db.read(devices.of, keys, anne)}
    assert found == {
        (Way.OWN, Door.IMAP, "Thunderbird", "2001:db8:1::/48"),
        (Way.OWN, Door.SUBMISSION, "", "2001:db8:1::/48"),
    }
    rows = await db.read(lambda conn: conn.execute(select(func.count()).select_from(mail_clients)).scalar_one())
    assert rows == 2
    await db.close()


async def test_who_is_revoked_while_we_hear_nobody_is_out_as_soon_as_we_do_again(postgres_url: str) -> None:
    """Two processes on PostgreSQL; the one that Anne is signed in to loses the connection on which it hears the other."""
    (ours, theirs), keys = (Database(postgres_url), Database(postgres_url)), KeyRing(b"k" * 32)
    boxes = Mailboxes(keys)
    box = await theirs.write(boxes.create, NewMailbox("anne@a.example", BoxKind.PER, Holder("Anne")), 1)
    credentials = Credentials(ours, keys, boxes)
    anne = await theirs.write(credentials.add, NewCredential(box.id, "anne", "Anne", hash_password("secret", None)), 1)
    await ours.start()
    undo, sign_in = credentials.listen(), MailSignIn(ours, credentials, boxes, system_clock, IMAP)
    try:
        who = await sign_in.by_password("anne", "secret", "192.0.2.1")
        assert isinstance(who, SignedIn)
        doubted = asyncio.Event()
        sign_in.watch(who, doubted.set)
        cut(postgres_url, "LISTEN")
        await theirs.start()
        await theirs.write(credentials.revoke, anne)
        await asyncio.wait_for(doubted.wait(), 5)
        assert await sign_in.standing(who) is None
        assert isinstance(await sign_in.by_password("anne", "secret", "192.0.2.1"), Refused)
    finally:
        undo()
        await ours.close()
        await theirs.close()

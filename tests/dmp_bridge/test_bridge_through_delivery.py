"""The whole way of a document: submission, the one door in, the jobs it owes, the dossier, the bell, the answer to the sender."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from dmp_bridge.answers import Identity
from dmp_bridge.filing import Filer, citizen_address
from foundation.clock import MINUTE
from health_space.dossier import operations as dossiers
from health_space.dossier.readers import Readers
from health_space.dossier.refusals import refusals_of
from health_space.notices import operations as bell
from health_space.notices.addressees import addressees
from health_space.notices.handler import Notifier
from health_space.notices.rules import Kind
from mailserver.delivery.api import Fate
from mailserver.delivery.traces import FILED, NOTIFIED, Traces
from mssante.mailbox import Holder
from runtime.outgoing import notified
from tests.mailserver.delivery.conftest import CHILD, CITIZEN, DOCTOR, World, mail, make_world
from tests.support import files

SECRETS = ("Ordonnance", "Martin", "279035121518989", "dr.martin", "Jacqueline", "archive-secrete")


class Town:
    """A world with the bridge and the bell behind it."""

    def __init__(self, world: World, readers: Readers) -> None:
        space = world.space
        self.world = world
        self.sent: list[tuple[str, str, str]] = []
        self.identity = Identity("Espace santé", "postmaster@patient.example", space.product_number)
        filer = Filer(
            space.db,
            space.keys,
            space.blobs,
            space.jobs,
            space.audit,
            space.store,
            world.delivery,
            readers,
            citizen_address(space.mailboxes),
            self.identity,
            space.clock,
        )
        space.jobs.handle("file", filer)
        notifier = Notifier(
            space.db, space.keys, addressees(space.mailboxes), self._send, notified(space.keys, space.mailboxes)
        )
        space.jobs.handle("notify", notifier)

    async def _send(self, to: str, subject: str, text: str) -> None:
        self.sent.append((to, subject, text))


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    world = await make_world(f"sqlite:///{tmp_path}/mail.db", tmp_path)
    for address, name in ((CITIZEN, "Jacqueline"), (CHILD, "Louise")):
        holder = Holder(display_name=name, holder_id=address.partition("@")[0], private_email=f"{name}@private.example")
        await world.space.db.write(world.space.mailboxes.set_holder, world.ids[address], holder)
    readers = Readers(workers=1)
    yield Town(world, readers)
    await readers.close()
    await world.space.db.close()


def letter() -> bytes:
    message = EmailMessage()
    message["From"] = f"Dr Claire Martin <{DOCTOR}>"
    message["To"] = f"{CITIZEN}, {CHILD}"
    message["Subject"] = "Consultation du 3 mai"
    message["Date"] = "Thu, 14 Jan 2027 10:00:00 +0100"
    message["Message-ID"] = "<consultation@cabinet.example>"
    message.set_content("Bonjour, voici vos documents.")
    message.add_attachment(files.pdf(), maintype="application", subtype="pdf", filename="Ordonnance.pdf")
    message.add_attachment(files.archive(), maintype="application", subtype="zip", filename="archive-secrete.zip")
    return message.as_bytes(policy=policy.SMTP)


async def test_one_message_to_two_citizens(town: Town) -> None:
    world, space = town.world, town.world.space
    outcome = await world.send(DOCTOR, [CITIZEN, CHILD], letter())
    assert {verdict.fate for verdict in outcome.verdicts} == {Fate.DELIVERED}
    await space.jobs.drain()
    for address in (CITIZEN, CHILD):  # activated or not
        box = world.ids[address]
        dossier = await space.db.read(dossiers.dossier_of, space.keys, box)
        assert dossier is not None
        [document] = await space.db.read(dossiers.prescriptions, dossier)
        assert (document.title, document.author_name) == ("Ordonnance", "Dr Claire Martin")
        assert document.act_date.isoformat() == "2027-01-14"
        name = dossiers.message_name("<consultation@cabinet.example>", await world.last(address))
        [refusal] = await space.db.read(refusals_of, space.keys, box, name)
        assert refusal.told_at is not None
        rung = await space.db.read(bell.notices_of, space.keys, [box])
        assert {(n.kind, n.target, n.mail) for n in rung} == {
            (Kind.MESSAGE, "", "sent"),
            (Kind.DOCUMENT, f"/documents/{document.id}", "sent"),
        }
    answers = await world.rows(DOCTOR)
    assert len(answers) == 2  # one for each patient: each names its own
    notice = message_from_bytes(await world.last(DOCTOR), policy=policy.default)
    assert notice["Return-Path"] == "<>"
    assert notice["In-Reply-To"] == "<consultation@cabinet.example>"
    assert "archive-secrete.zip" in notice.get_content()
    assert await world.jobs() == []  # nothing is owed any more, and no notice answered a notice


async def test_the_trace_says_when_they_were_told_and_what_was_filed(town: Town) -> None:
    world = town.world
    await world.send(DOCTOR, [CITIZEN, CHILD], letter())
    world.now += MINUTE
    await world.space.jobs.drain()
    find = Traces(world.space.keys).find
    [one] = await world.space.db.read(find, "consultation@cabinet.example", None, 0, world.now, 9)
    for address in (CITIZEN, CHILD):
        assert one.verdict(address) == "delivered"
        assert one.marks(address) == {NOTIFIED: world.now, FILED: world.now}

    await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN, ident="m2"))  # nothing to file
    await world.space.jobs.drain()
    [one] = await world.space.db.read(find, "m2@x.example", None, 0, world.now + 1, 9)
    assert one.marks(CITIZEN) == {NOTIFIED: world.now}


async def test_emails_outside_and_the_disk_say_nothing(town: Town, tmp_path: Path) -> None:
    await town.world.send(DOCTOR, [CITIZEN, CHILD], letter())
    await town.world.space.jobs.drain()
    assert len(town.sent) == 4
    for _, subject, text in town.sent:
        assert not any(secret in subject + text for secret in SECRETS)
    disk = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in SECRETS:
        if secret in ("Martin", "dr.martin"):
            continue  # the directory is public
        assert secret.encode() not in disk, secret

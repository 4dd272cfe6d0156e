"""A message on its whole way to another operator, on a clock that the test moves: the door in, jobs, reports in the sender's
mailbox, and the trace; never two final verdicts for one recipient.
"""

from __future__ import annotations

import email
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select

from foundation.clock import DAY, HOUR, MINUTE
from foundation.tables import jobs as job_rows
from mailserver.delivery.api import Door, Recipient, Sender
from mailserver.delivery.learning import Learning
from mailserver.delivery.traces import Trace, Traces
from mailserver.outbound.compose import Office
from mailserver.outbound.peer import UNREACHABLE, answered
from mailserver.outbound.relay import Relay
from mailserver.outbound.report import Action, Told, header_of, report
from mailserver.outbound.schedule import Patience
from mailserver.outbound.transaction import Accepted, Parcel, Result
from mssante.operators import Route
from tests.mailserver.delivery.conftest import DOCTOR, PEER, START, World, mail, make_world
from tests.mailserver.outbound.conftest import DOMAIN, Space, Start

OFFICE = Office("mail.cabinet.example", "postmaster@cabinet.example")
THEIRS = Office("mx.hopital.example", "postmaster@hopital.example")
OTHER = "dr.autre@hopital.example"
GONE = answered(550, "5.1.1 no such box", "mx.hopital.example")
TAKEN = Accepted("mx.hopital.example", reports=True)
Script = Callable[[str, int], Result]  # (address, ms since the start) -> result


@dataclass
class Road:
    """The relay of `world`; the peer does what `script` says, unless a courier is given."""

    world: World
    script: Script = lambda address, at: UNREACHABLE
    tries: list[int] = field(default_factory=list)  # ms since the start

    async def deliver(self, routes: list[Route], parcel: Parcel) -> dict[str, Result]:
        self.tries.append(self.world.now - START)
        return {one.address: self.script(one.address, self.world.now - START) for one in parcel.recipients}

    async def resolve(self, domain: str) -> list[Route]:
        return [Route("mx.hopital.example", 25)]

    def relay(self, courier: Any = None, resolve: Any = None) -> None:
        space = self.world.space
        relay = Relay(
            space.db,
            space.blobs,
            resolve or self.resolve,
            courier or self,
            self.world.delivery.accept,
            OFFICE,
            Traces(space.keys),
            patience=Patience(chance=lambda: 0.0),
            clock=space.clock,
        )
        space.jobs.handle("relay", relay)
        space.jobs.handle("learn", Learning(space).learn)

    async def pass_time(self, until: int) -> None:
        """Works what is due, from due time to due time, until `until` ms after the start."""
        world = self.world
        while True:
            await world.space.jobs.drain()
            due = await world.space.db.read(
                lambda conn: list(
                    conn.execute(select(job_rows.c.due_at).where(job_rows.c.state == "waiting")).scalars()
                )
            )
            if not due or min(due) > START + until:
                break
            world.now = max(world.now, min(due))
        world.now = START + until

    async def reports(self) -> list[EmailMessage]:
        """In the sender's mailbox, in order."""
        world = self.world
        inbox = (await world.folders(DOCTOR))["INBOX"].id
        contents = [await world.space.store.content(inbox, row.uid) for row in await world.rows(DOCTOR)]
        return [email.message_from_bytes(content or b"", policy=policy.default) for content in contents]

    async def told(self) -> list[tuple[str, str, str]]:
        """(recipient, action, status) of all reports, in order."""
        found = []
        for one in await self.reports():
            for block in machine(one)[1:]:
                found.append((block["Final-Recipient"].split("; ")[1], block["Action"], block["Status"]))
        return found

    async def trace(self) -> Trace:
        find = Traces(self.world.space.keys).find
        [one] = await self.world.space.db.read(find, "m1@x.example", None, START, START + 9 * DAY, 9)
        return one


@pytest.fixture
async def road(tmp_path: Path) -> AsyncIterator[Road]:
    made = Road(await make_world(f"sqlite:///{tmp_path}/mail.db", tmp_path))
    made.relay()
    yield made
    await made.world.space.db.close()


def machine(message: EmailMessage) -> list[Any]:
    part = next(part for part in message.walk() if part.get_content_type() == "message/delivery-status")
    return list(cast(list[Any], part.get_payload()))


def words(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().replace("\u00a0", " ").split())


async def test_late_after_15_minutes_failed_after_72_hours_once_each(road: Road) -> None:
    to = Recipient(PEER, orcpt="rfc822;dr.loin@old.example")
    await road.world.send(DOCTOR, [to], mail(DOCTOR, PEER, "Avis"), envid="env-7")
    await road.pass_time(15 * MINUTE - 1)
    assert await road.reports() == []
    await road.pass_time(15 * MINUTE)
    [late] = await road.reports()
    assert late["Subject"] == "Retardé\u00a0: Avis"
    assert "Votre message n’est pas encore remis." in words(late)
    assert "Nous essayons jusqu’au" in words(late)
    assert (await road.trace()).verdict(PEER) == "deferred"

    await road.pass_time(72 * HOUR - 1)
    assert len(await road.reports()) == 1
    await road.pass_time(200 * HOUR)
    assert await road.told() == [(PEER, "delayed", UNREACHABLE.status), (PEER, "failed", f"5{UNREACHABLE.status[1:]}")]
    _, failed = await road.reports()
    assert failed["Subject"] == "Non remis\u00a0: Avis"
    assert UNREACHABLE.fr.replace("\u00a0", " ") in words(failed)
    message, recipient = machine(failed)
    assert message["Original-Envelope-Id"] == "env-7"
    assert message["Reporting-MTA"] == "dns; mail.cabinet.example"
    assert recipient["Original-Recipient"] == "rfc822;dr.loin@old.example"
    assert road.tries[-1] == 72 * HOUR
    one = await road.trace()
    assert (one.verdict(PEER), [step.state for step in one.steps].count("failed")) == ("failed", 1)
    assert await road.world.jobs() == []


@pytest.mark.parametrize("field_", ["Priority: urgent", "Importance: high", "X-Priority: 1"])
async def test_urgent_mail_fails_after_an_hour(road: Road, field_: str) -> None:
    await road.world.send(DOCTOR, PEER, mail(DOCTOR, PEER, more=(field_,)))
    await road.pass_time(HOUR - 1)
    assert [action for _, action, _ in await road.told()] == ["delayed"]
    await road.pass_time(9 * HOUR)
    assert [action for _, action, _ in await road.told()] == ["delayed", "failed"]
    assert road.tries[-1] == HOUR


@pytest.mark.parametrize(
    ("notify", "result", "actions"),
    [
        ((), UNREACHABLE, ["delayed", "failed"]),
        (("DELAY",), UNREACHABLE, ["delayed"]),
        (("FAILURE",), UNREACHABLE, ["failed"]),
        (("SUCCESS",), UNREACHABLE, []),
        (("NEVER",), UNREACHABLE, []),
        (("DELAY",), GONE, []),
        (("FAILURE",), GONE, ["failed"]),
        (("NEVER",), GONE, []),
        ((), TAKEN, []),
        (("SUCCESS",), TAKEN, []),  # they will tell
        (("SUCCESS",), Accepted("mx.hopital.example", reports=False), ["relayed"]),
        (("DELAY", "FAILURE"), Accepted("mx.hopital.example", reports=False), []),
    ],
)
async def test_told_as_asked(road: Road, notify: tuple[str, ...], result: Result, actions: list[str]) -> None:
    road.script = lambda address, at: result
    await road.world.send(DOCTOR, [Recipient(PEER, frozenset(notify))], mail(DOCTOR, PEER))
    await road.pass_time(100 * HOUR)
    assert [action for _, action, _ in await road.told()] == actions
    assert await road.world.jobs() == []


async def test_each_recipient_has_one_final_verdict(road: Road) -> None:
    """One is refused at once, the other is taken after two hours."""
    road.script = lambda address, at: GONE if address == OTHER else TAKEN if at >= 2 * HOUR else UNREACHABLE
    await road.world.send(DOCTOR, [PEER, OTHER], mail(DOCTOR, PEER))
    await road.pass_time(100 * HOUR)
    assert await road.told() == [(OTHER, "failed", "5.1.1"), (PEER, "delayed", UNREACHABLE.status)]
    one = await road.trace()
    assert (one.verdict(OTHER), one.verdict(PEER)) == ("failed", "accepted")


@pytest.mark.parametrize("late", [Action.FAILED, Action.DELIVERED])
async def test_their_report_is_the_last_word_and_ours_never_follows_it(road: Road, late: Action) -> None:
    road.script = lambda address, at: TAKEN
    await road.world.send(DOCTOR, PEER, mail(DOCTOR, PEER, "Avis"))
    await road.pass_time(MINUTE)
    for action in (late, Action.FAILED):
        told = [Told(PEER, action, "2.0.0" if action is Action.DELIVERED else "5.2.1", "Refusé.", "Refused.")]
        header = header_of(mail(DOCTOR, PEER, "Avis"))
        made = report(THEIRS, DOCTOR, told, header, token=f"r{action}", now=road.world.now, arrived_at=START)
        octets = made.around(header)
        who = Sender(Door.MX, peer_domains=frozenset({DOMAIN}))
        await road.world.send("", [Recipient(DOCTOR)], octets, who=who)
        await road.pass_time(MINUTE)  # what it says is learned: reports of one moment may be learned in any order
    await road.pass_time(100 * HOUR)
    one = await road.trace()
    assert one.verdict(PEER) == ("failed" if late is Action.FAILED else "delivered")
    assert [step.state for step in one.steps] == ["accepted", one.verdict(PEER)]
    assert len(await road.reports()) == 2, "both are in the mailbox, as they came"


async def test_what_was_asked_goes_to_a_real_peer_and_back(road: Road, space: Space, start: Start) -> None:
    """RFC 3461 both ways: ENVID, RET, ORCPT, NOTIFY in the dialogue; ENVID and ORCPT in its report."""
    peer = await start(dsn=True, replies={OTHER: "550 5.1.1 no such box"})
    courier = space.courier()

    async def resolve(domain: str) -> list[Route]:
        return [peer.route]

    road.relay(courier, resolve)
    to = [
        Recipient(PEER, frozenset({"SUCCESS", "FAILURE"}), "rfc822;dr.loin@old.example"),
        Recipient(OTHER, frozenset({"FAILURE"}), "rfc822;autre@old.example"),
    ]
    await road.world.send(DOCTOR, to, mail(DOCTOR, PEER), envid="env=7", ret="HDRS")
    await road.pass_time(MINUTE)
    said = {parameter.strip() for parameter in peer.parameters}
    assert {"ENVID=env+3D7", "RET=HDRS", "ORCPT=rfc822;dr.loin@old.example"} <= said
    assert {"NOTIFY=SUCCESS,FAILURE", "NOTIFY=FAILURE,SUCCESS"} & said
    assert peer.reached == [PEER]
    [failed] = await road.reports()
    message, recipient = machine(failed)
    assert (message["Original-Envelope-Id"], recipient["Original-Recipient"]) == ("env=7", "rfc822;autre@old.example")
    assert recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 no such box"
    one = await road.trace()
    assert (one.verdict(PEER), one.verdict(OTHER)) == ("accepted", "failed")
    await courier.close()

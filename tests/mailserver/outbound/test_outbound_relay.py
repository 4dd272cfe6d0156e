"""The relay job over time: tries, delay notice, failure, and exactly one final verdict per recipient."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from foundation.blob_files import FolderFiles
from foundation.blobs import BlobRef, Blobs, PreparedBlob
from foundation.clock import HOUR, MINUTE
from foundation.database import Database, metadata
from foundation.jobs import Jobs
from foundation.keys import KeyRing
from foundation.tables import blobs as blob_rows
from foundation.tables import jobs as job_rows
from mailserver.delivery.api import Door, Envelope, Fate, Outcome, Terms, Verdict
from mailserver.delivery.traces import Traces
from mailserver.mime import scan
from mailserver.outbound.compose import Office
from mailserver.outbound.content import PIECE
from mailserver.outbound.courier import Courier
from mailserver.outbound.peer import UNREACHABLE, Problem, answered
from mailserver.outbound.relay import Relay
from mailserver.outbound.routes import NoRoute
from mailserver.outbound.schedule import Patience
from mailserver.outbound.transaction import Accepted, Parcel, Result
from mssante import reasons
from mssante.operators import Route
from tests.mailserver.outbound.conftest import DOMAIN, Space, Start

START = 1_800_000_000_000
KEYS = KeyRing(b"k" * 32)
SENDER = "dr@cabinet.example"
A, B, C = (f"{name}@{DOMAIN}" for name in "abc")
LETTER = "From: dr@cabinet.example\r\nSubject: Résultat\r\nMessage-ID: <m1@cabinet.example>\r\n\r\nSecret.\r\n".encode()
OK = Accepted("mx", reports=False)
GONE = answered(550, "5.1.1 no such box", "mx.hopital.example")

Script = Callable[[str, int], Result]  # (address, n-th conversation) -> result


@dataclass
class World:
    db: Database
    jobs: Jobs
    blobs: Blobs
    now: int = START
    script: Script = lambda address, run: OK
    conversations: list[list[str]] = field(default_factory=list)  # addresses of each
    contents: list[bytes] = field(default_factory=list)
    terms: list[Terms] = field(default_factory=list)
    international: list[bool] = field(default_factory=list)
    told: list[tuple[Envelope, email.message.EmailMessage]] = field(default_factory=list)
    told_at: list[int] = field(default_factory=list)
    letters: list[bytes] = field(default_factory=list)  # the same reports as octets
    room: int = 1 << 30  # octets of a report that the sender's mailbox has room for
    verdict: Verdict = field(default_factory=lambda: Verdict(SENDER, Fate.DELIVERED))
    routes: list[Route] | NoRoute = field(default_factory=lambda: [Route("mx", 25)])
    folder: Path = Path()  # of the blobs' files
    dies: int = 0  # times the process dies right after telling the sender

    # what the handler calls
    async def resolve(self, domain: str) -> list[Route] | NoRoute:
        return self.routes

    async def deliver(self, routes: list[Route], parcel: Parcel) -> dict[str, Result]:
        self.conversations.append([one.address for one in parcel.recipients])
        self.contents.append(b"".join([piece async for piece in parcel.content.pieces()]))
        self.terms.append(parcel.terms)
        self.international.append(parcel.international)
        return {one.address: self.script(one.address, len(self.conversations)) for one in parcel.recipients}

    async def accept(self, envelope: Envelope, content: PreparedBlob) -> Outcome:
        if content.ref.size > self.room:
            return Outcome((Verdict(SENDER, Fate.REFUSED, reasons.BOX_FULL),), "")
        self.letters.append(content.plaintext())
        message = email.message_from_bytes(self.letters[-1], policy=email.policy.default)
        assert isinstance(message, email.message.EmailMessage)
        self.told.append((envelope, message))
        self.told_at.append(self.now)
        if self.dies:
            self.dies -= 1
            raise RuntimeError("killed")
        return Outcome((self.verdict,), "id")

    # what the tests do
    async def send(
        self, *recipients: str | dict[str, Any], reverse_path: str = SENDER, content: bytes = LETTER, **more: Any
    ) -> None:
        blob = self.blobs.prepare(content)
        entries = [
            one if isinstance(one, dict) else {"address": one, "notify": [], "orcpt": None} for one in recipients
        ]
        payload = {
            "blob": [blob.ref.name, blob.ref.key.hex(), blob.ref.size], "reverse_path": reverse_path, "recipients": entries,
            "domain": DOMAIN, "envid": "env-1", "ret": None, "created_at": self.now, **more,
        }  # fmt: skip

        def store(tx: Any) -> None:
            self.blobs.insert(tx, blob)
            self.jobs.enqueue(tx, "relay", payload, lane=DOMAIN)

        await self.db.write(store)

    async def run(self, until: int = 0) -> None:
        """Works what is due, moving the clock from due time to due time up to `until` after the start."""
        while True:
            await self.jobs.drain()
            due = [state.due_at for state in await self.states() if state.state == "waiting"]
            if not due or min(due) > START + until:
                return
            self.now = max(self.now, min(due))

    async def states(self) -> list[Any]:
        query = select(job_rows.c.state, job_rows.c.due_at, job_rows.c.last_reason)
        return await self.db.read(lambda conn: list(conn.execute(query)))

    def actions(self) -> list[tuple[str, str, str]]:
        """(recipient, action, status) of all reports, in order."""
        found = []
        for _, message in self.told:
            machine = next(part for part in message.walk() if part.get_content_type() == "message/delivery-status")
            for block in [*machine.walk()][2:]:  # the machine part itself, what it says of the message, then of each
                found.append((block["Final-Recipient"].split("; ")[1], block["Action"], block["Status"]))
        return found


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    db = Database(f"sqlite:///{tmp_path}/db.sqlite")
    metadata.create_all(db.engine)
    found = World(db, None, Blobs(FolderFiles(tmp_path / "blobs")))  # type: ignore[arg-type]
    found.folder = tmp_path / "blobs"
    found.jobs = Jobs(db, KEYS, lambda: found.now)
    relay = Relay(
        db, found.blobs, found.resolve, found, found.accept, Office("mx.cabinet.example", "postmaster@cabinet.example"),
        Traces(KEYS), patience=Patience(chance=lambda: 0.0), clock=lambda: found.now,
    )  # fmt: skip
    found.jobs.handle("relay", relay)
    yield found
    await db.close()


# ---------------------------------------------------------------- the usual cases
async def test_accepted_by_all_is_done_in_silence(world: World) -> None:
    await world.send(A, B)
    await world.run()
    assert world.conversations == [[A, B]]
    assert world.contents == [LETTER]
    assert (await world.states(), world.told) == ([], [])


@pytest.mark.parametrize(
    ("declared", "content", "international"),
    [
        (True, LETTER, True),
        (False, LETTER, False),
        (True, "Subject: Re\r\n\r\nété\r\n".encode(), False),
    ],
    ids=["header in UTF-8", "not declared", "text in UTF-8"],
)
async def test_what_came_with_smtputf8_is_still_so_at_each_try(
    world: World, declared: bool, content: bytes, international: bool
) -> None:
    world.script = lambda address, run: UNREACHABLE if run == 1 else OK
    await world.send(A, content=content, smtp_utf8=declared)
    await world.run(HOUR)
    assert world.international == [international, international]


async def test_a_refusal_comes_back_at_once_and_once(world: World) -> None:
    world.script = lambda address, run: GONE if address == A else OK
    await world.send({"address": A, "notify": [], "orcpt": "rfc822;old@x.example"}, B)
    await world.run(100 * HOUR)
    assert world.conversations == [[A, B]]
    assert world.actions() == [(A, "failed", "5.1.1")]
    assert await world.states() == []
    envelope, message = world.told[0]
    assert (envelope.sender.door, envelope.reverse_path) == (Door.SYSTEM, "")
    assert [one.address for one in envelope.recipients] == [SENDER]
    assert message["Subject"] == "Non remis\u00a0: Résultat"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["References"] == "<m1@cabinet.example>"
    text = message.get_body().get_content()  # type: ignore[union-attr]
    assert "L’opérateur du destinataire a refusé ce message." in text
    assert "Réponse du serveur mx.hopital.example\u00a0: 550 5.1.1 no such box" in text
    assert "Original-Envelope-Id: env-1" in message.as_string()
    assert "Original-Recipient: rfc822;old@x.example" in message.as_string()
    assert "Secret" not in message.as_string()


async def test_tries_follow_the_schedule_and_the_delay_is_told_once(world: World) -> None:
    times: list[int] = []

    def script(address: str, run: int) -> Result:
        times.append((world.now - START) // MINUTE)
        return UNREACHABLE

    world.script = script
    await world.send(A)
    await world.run(5 * HOUR)
    assert times == [0, 1, 6, 15, 75, 135, 195, 255]
    assert world.actions() == [(A, "delayed", "4.4.1")]
    text = world.told[0][1].get_body().get_content()  # type: ignore[union-attr]
    assert "Vous n’avez rien à faire" in text
    [state] = await world.states()
    assert state.last_reason == "unreachable"


async def test_after_72_hours_it_fails_once(world: World) -> None:
    world.script = lambda address, run: UNREACHABLE
    await world.send(A, B)
    await world.run(200 * HOUR)
    assert world.actions() == [
        (A, "delayed", "4.4.1"),
        (B, "delayed", "4.4.1"),
        (A, "failed", "5.4.1"),
        (B, "failed", "5.4.1"),
    ]
    assert world.now == START + 72 * HOUR
    assert await world.states() == []


@pytest.mark.parametrize(("header", "terms"), [(b"Priority: urgent\r\n", {}), (b"", {"priority": 4})])
async def test_urgent_mail_fails_after_an_hour(world: World, header: bytes, terms: dict[str, int]) -> None:
    world.script = lambda address, run: UNREACHABLE
    await world.send(A, content=header + LETTER, terms=terms)
    await world.run(200 * HOUR)
    assert [action for _, action, _ in world.actions()] == ["delayed", "failed"]
    assert world.now == START + HOUR


async def test_only_those_without_verdict_are_tried_again(world: World) -> None:
    def script(address: str, run: int) -> Result:
        results: dict[str, Result] = {A: OK, B: GONE, C: UNREACHABLE if run < 3 else OK}
        return results[address]

    world.script = script
    await world.send(A, B, C)
    await world.run(100 * HOUR)
    assert world.conversations == [[A, B, C], [C], [C]]
    assert world.actions() == [(B, "failed", "5.1.1")]
    assert await world.states() == []


async def test_at_the_deadline_it_comes_back(world: World) -> None:
    world.script = lambda address, run: UNREACHABLE
    await world.send(A, terms={"deadline": START + 10 * MINUTE, "returns": True})
    await world.run(100 * HOUR)
    assert world.now == START + 10 * MINUTE
    assert world.actions() == [(A, "failed", "5.4.7")]
    assert len(world.conversations) == 3  # nothing is sent at or after the deadline
    assert "Deliver-By-Date: Fri, 15 Jan 2027 08:10:00 +0000" in world.told[0][1].as_string()


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (10, [(10, "4.4.7"), (15, "4.4.1"), (72 * 60, "5.4.1")]),
        (120, [(15, "4.4.1"), (120, "4.4.7"), (72 * 60, "5.4.1")]),
        (100 * 60, [(15, "4.4.1"), (72 * 60, "5.4.1")]),  # RFC 2852 4.1.2: our patience is not longer for it
        (-5, [(15, "4.4.1"), (72 * 60, "5.4.1")]),  # told by who had it then
    ],
)
async def test_after_the_deadline_the_sender_is_told_once_and_the_tries_go_on(
    world: World, minutes: int, expected: list[tuple[int, str]]
) -> None:
    """RFC 2852 4.1.3, by-mode N."""
    world.script = lambda address, run: UNREACHABLE
    await world.send(A, B, terms={"deadline": START + minutes * MINUTE})
    await world.run(100 * HOUR)
    reports = zip(world.told_at, world.told, strict=True)
    told = [(at, message.as_string()) for at, (_, message) in reports]
    assert [((at - START) // MINUTE, re.findall("Status: (.*)", text)) for at, text in told] == [
        (at, [status, status]) for at, status in expected
    ]
    assert await world.states() == []


@pytest.mark.parametrize(("notify", "reverse_path"), [(["NEVER"], SENDER), (["FAILURE"], SENDER), ([], "")])
async def test_a_deadline_is_told_to_who_wants_to_hear_of_delays(
    world: World, notify: list[str], reverse_path: str
) -> None:
    world.script = lambda address, run: UNREACHABLE if run < 4 else OK
    wish = {"address": A, "notify": notify, "orcpt": None}
    await world.send(wish, reverse_path=reverse_path, terms={"deadline": START + 5 * MINUTE})
    await world.run(100 * HOUR)
    assert (world.told, await world.states()) == ([], [])


N, R, T = {"deadline": START + HOUR}, {"deadline": START + HOUR, "returns": True}, {"traced": True}
KNOWS = Accepted("mx", reports=True, deliver_by=True)
REPORTS = Accepted("mx", reports=True)


@pytest.mark.parametrize(
    ("terms", "result", "notify", "told"),
    [
        (N, KNOWS, [], False),
        (N, REPORTS, [], True),  # RFC 2852 4.1.4.2
        (N, OK, ["FAILURE"], True),
        (N, REPORTS, ["NEVER"], False),
        ({"deadline": START - HOUR}, REPORTS, [], False),
        (N | T, KNOWS, [], True),  # RFC 2852 4.1.4
        (N | T, KNOWS, ["NEVER"], False),
        (R, KNOWS, [], False),
        (R | T, KNOWS, ["DELAY"], True),
    ],
)
async def test_each_step_is_told_when_it_must_be(
    world: World, terms: dict[str, Any], result: Accepted, notify: list[str], told: bool
) -> None:
    world.script = lambda address, run: result
    await world.send({"address": A, "notify": notify, "orcpt": None}, terms=terms)
    await world.run(HOUR)
    status = "2.0.0" if result.reports else "2.1.9"
    assert world.actions() == ([(A, "relayed", status)] if told else [])
    for _, message in world.told:
        assert ("pas d’avis" in message.get_body().get_content()) == (not result.reports)  # type: ignore[union-attr]


async def test_patience_begins_at_the_release(world: World) -> None:
    world.script = lambda address, run: UNREACHABLE
    """RFC 4865 5.1.2: reports tell when the message came, and the wish."""
    world.now += 100 * HOUR
    await world.send(A, created_at=START, terms={"hold_until": START + 100 * HOUR, "hold": "for;360000"})
    await world.run(300 * HOUR)
    assert [action for _, action, _ in world.actions()] == ["delayed", "failed"]
    assert world.now == START + 172 * HOUR
    for _, message in world.told:
        assert "Arrival-Date: Fri, 15 Jan 2027 08:00:00 +0000" in message.as_string()
        assert "Future-Release-Request: for;360000" in message.as_string()


async def test_what_demands_tls_demands_it_of_every_try_and_of_its_report(world: World) -> None:
    """RFC 8689 4.1 and 5."""
    world.script = lambda address, run: UNREACHABLE if run == 1 else GONE
    await world.send(A, terms={"require_tls": True})
    await world.run(HOUR)
    assert world.terms == [Terms(require_tls=True)] * 2
    [(envelope, _)] = world.told
    assert envelope.terms == Terms(require_tls=True)


# ---------------------------------------------------------------- wishes (RFC 3461)
@pytest.mark.parametrize(
    ("notify", "result", "expected"),
    [
        ([], OK, []),
        (["SUCCESS"], OK, ["relayed"]),
        (["SUCCESS"], Accepted("mx", reports=True), []),
        (["SUCCESS"], GONE, []),
        (["NEVER"], GONE, []),
        (["FAILURE"], GONE, ["failed"]),
        (["FAILURE"], UNREACHABLE, ["failed"]),
        (["DELAY"], UNREACHABLE, ["delayed"]),
        (["NEVER"], UNREACHABLE, []),
        ([], UNREACHABLE, ["delayed", "failed"]),
    ],
)
async def test_notices_as_wished(world: World, notify: list[str], result: Result, expected: list[str]) -> None:
    world.script = lambda address, run: result
    await world.send({"address": A, "notify": notify, "orcpt": None})
    await world.run(100 * HOUR)
    assert [action for _, action, _ in world.actions()] == expected
    assert await world.states() == []


@pytest.mark.parametrize(
    ("ret", "script", "terms", "expected"),
    [
        ("FULL", lambda address, run: GONE, {}, ["message/rfc822"]),
        (
            "FULL",
            lambda address, run: UNREACHABLE,
            {},
            ["text/rfc822-headers", "message/rfc822"],
        ),  # delayed, then failed
        ("FULL", lambda address, run: GONE if address == A else OK, {}, ["message/rfc822"]),
        ("FULL", lambda address, run: GONE, {"require_tls": True}, ["text/rfc822-headers"]),  # RFC 8689 5
        ("HDRS", lambda address, run: GONE, {}, ["text/rfc822-headers"]),
        (None, lambda address, run: GONE, {}, ["text/rfc822-headers"]),
    ],
)
async def test_ret_says_what_comes_back(
    world: World, ret: str | None, script: Script, terms: dict[str, Any], expected: list[str]
) -> None:
    """RFC 3461 4.3."""
    world.script = script
    content = LETTER.replace("é".encode(), b"=?utf-8?q?=C3=A9?=")
    await world.send({"address": A, "notify": [], "orcpt": None}, B, content=content, ret=ret, terms=terms)
    await world.run(100 * HOUR)
    assert [[part.get_content_type() for part in message.iter_parts()][2] for _, message in world.told] == expected
    assert [b"Secret." in letter for letter in world.letters] == [kind == "message/rfc822" for kind in expected]


async def test_success_gives_back_the_header_only(world: World) -> None:
    await world.send({"address": A, "notify": ["SUCCESS"], "orcpt": None}, ret="FULL")
    await world.run(HOUR)
    assert [action for _, action, _ in world.actions()] == ["relayed"]
    assert b"Secret." not in world.letters[0]


LONG = LETTER + "Ligne accentuée du compte rendu.\r\n".encode() * 60_000  # 2 MB


async def test_a_large_message_comes_back_piece_by_piece(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    read, lengths = world.blobs.read, list[int | None]()

    def noted(conn: Any, ref: BlobRef, offset: int = 0, length: int | None = None) -> bytes:
        lengths.append(length)
        return read(conn, ref, offset, length)

    def script(address: str, run: int) -> Result:
        monkeypatch.setattr(world.blobs, "read", noted)
        return GONE

    world.script = script
    await world.send(A, content=LONG, ret="FULL")
    await world.run()
    assert max(length or len(LONG) for length in lengths) == PIECE
    [letter] = world.letters
    assert scan(letter).decoded("3") == LONG


async def test_beyond_the_limit_the_header_comes_back_with_the_reason(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailserver.outbound.report.MAX_RETURNED", len(LETTER) - 1)
    world.script = lambda address, run: GONE
    await world.send(A, ret="FULL")
    await world.run()
    [letter] = world.letters
    assert b"Secret." not in letter
    assert "il est trop volumineux pour cela" in " ".join(scan(letter).text().replace("\u00a0", " ").split())


async def test_a_mailbox_without_room_for_all_of_it_gets_the_header(world: World) -> None:
    world.script, world.room = (lambda address, run: GONE), 100_000
    await world.send(A, content=LONG, ret="FULL")
    await world.run()
    [letter] = world.letters
    assert b"compte rendu" not in letter
    assert "trop volumineux" in scan(letter).text()
    assert (world.actions(), await world.states()) == ([(A, "failed", "5.1.1")], [])


@pytest.mark.parametrize("damage", ["gone", "end"])
async def test_a_message_lost_meanwhile_is_reported_all_the_same(world: World, damage: str) -> None:
    def script(address: str, run: int) -> Result:
        [path] = [path for path in world.folder.rglob("*") if path.is_file()]
        sealed = path.read_bytes()
        path.unlink()
        if damage == "end":
            path.write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
        return GONE

    world.script = script
    await world.send(A, content=LONG, ret="FULL")
    await world.run()
    [letter] = world.letters
    assert (scan(letter).subject == "Non remis\u00a0: Résultat") is (damage == "end")
    assert (world.actions(), await world.states()) == ([(A, "failed", "5.1.1")], [])
    assert len([path for path in world.folder.rglob("*") if path.is_file()]) == (damage == "end"), (
        "nothing half written stays"
    )


async def test_a_notice_is_never_answered(world: World) -> None:
    world.script = lambda address, run: GONE
    await world.send(A, reverse_path="")
    await world.run(100 * HOUR)
    assert world.told == []
    [state] = await world.states()
    assert (state.state, state.last_reason) == ("failed", "answered_550")  # visible to the operator


# ---------------------------------------------------------------- things that go wrong here
async def test_killed_while_telling_repeats_the_report_only(world: World) -> None:
    world.script, world.dies = (lambda address, run: GONE), 1
    await world.send(A)
    await world.run(100 * HOUR)
    assert len(world.conversations) == 1
    assert len(world.told) == 2
    assert len({message["Message-ID"] for _, message in world.told}) == 1  # one and the same message
    assert await world.states() == []


async def test_a_sender_whose_mailbox_is_full_is_told_later(world: World) -> None:
    world.script = lambda address, run: GONE
    world.verdict = Verdict(SENDER, Fate.REFUSED, reasons.BOX_FULL)
    await world.send(A)
    await world.jobs.drain()
    assert [state.last_reason for state in await world.states()] == ["report_deferred"]
    world.verdict = Verdict(SENDER, Fate.DELIVERED)
    world.now += 15 * MINUTE
    await world.jobs.drain()
    assert await world.states() == []
    assert len(world.conversations) == 1


async def test_a_sender_who_is_gone_leaves_a_trace(world: World) -> None:
    world.script = lambda address, run: GONE
    world.verdict = Verdict(SENDER, Fate.REFUSED, reasons.BOX_CLOSED)
    await world.send(A)
    await world.run(100 * HOUR)
    assert [(state.state, state.last_reason) for state in await world.states()] == [("failed", "report_refused")]


@pytest.mark.parametrize(("permanent", "actions"), [(True, ["failed"]), (False, ["delayed"])])
async def test_a_domain_without_route(world: World, permanent: bool, actions: list[str]) -> None:
    world.routes = NoRoute("x", permanent)
    await world.send(A)
    await world.run(HOUR)
    assert [action for _, action, _ in world.actions()] == actions
    assert world.conversations == []


async def test_a_lost_message_is_shown_to_the_operator(world: World) -> None:
    await world.send(A)
    await world.db.write(lambda tx: tx.execute(delete(blob_rows)))
    await world.run()
    assert [(state.state, state.last_reason) for state in await world.states()] == [("failed", "message_lost")]


# ---------------------------------------------------------------- all together
async def test_to_a_real_peer(world: World, space: Space, start: Start) -> None:
    peer = await start(replies={A: "550-5.1.1 unknown\r\n550 5.1.1 inconnu", C: "451 4.7.1 later"})
    courier: Courier = space.courier()

    async def deliver(routes: list[Route], parcel: Parcel) -> dict[str, Result]:
        return await courier.deliver([peer.route], parcel)

    world.deliver = deliver  # type: ignore[method-assign]
    await world.send(A, B, C)
    await world.jobs.drain()
    assert [envelope.original_content for envelope in peer.got] == [LETTER]
    assert peer.reached == [B]
    assert world.actions() == [(A, "failed", "5.1.1")]
    peer.replies.clear()
    world.now += MINUTE
    await world.jobs.drain()
    assert peer.reached == [B, C]
    assert await world.states() == []
    await courier.close()


def test_problems_carry_no_address() -> None:
    for problem in (UNREACHABLE, GONE):
        assert isinstance(problem, Problem)
        assert "@" not in problem.name + problem.fr + problem.en

"""The trust list fetched over HTTPS from a real server, as a job: taken up, refused, unreachable; what changed is in the trail."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from structlog.testing import capture_logs

from certs.authority import Authority
from certs.profiles import OPERATOR, operator_subject
from foundation.audit import verify
from foundation.clock import HOUR, MINUTE, system_clock
from foundation.jobs import Job, Retry
from mssante.trust_list import Entry
from runtime import start
from runtime.demo.operator_files import Ports, settings_text
from runtime.demo.people import BETA
from runtime.demo.pki import Pki
from runtime.house import House, Trust
from runtime.settings import read
from runtime.trust_fetch import fetching, recorded
from tests.support.http_server import HttpServer

NEW = "nouveau.mssante.example"


class World:
    """An operator whose settings name an HTTPS server; the list in place names BETA's domains."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = system_clock()
        self.pki = Pki(folder / "pki", self.now)
        self.issued = self.pki.operator(BETA, folder / "beta" / "tls")
        self.pki.sign_trust_list({BETA: self.issued}, bench=False)
        loopback = (x509.IPAddress(IPv4Address("127.0.0.1")),)
        subject = operator_subject("listes.example", "1", "Agence", "Villefleur (99)")
        self.web = self.pki.authority.issue(OPERATOR, subject, self.now, also=loopback)
        self.server = HttpServer(folder, self.web)
        self.config = folder / "beta" / "mssante.toml"
        text = settings_text(BETA, Ports(9000, web=False, bench=False), {}, self.pki, folder)
        text = text.replace("[trust_list]", f'[trust_list]\nurl = "{self.server.url}/liste.xml"')
        self.config.write_text(text)
        start.prepare(read(self.config))
        self.house = House(read(self.config), lambda: self.now)
        self.trust = Trust(self.house.settings, lambda: self.now)

    def dated(self, at: int, **also: str) -> bytes:
        """A list that the server may give, dated `at`; `also`: certificates' names for one more domain."""
        made = self.folder / "offered.xml"
        entries = [Entry(NEW, dn) for dn in also.values()]
        Pki(self.folder / "pki", at).sign_trust_list({BETA: self.issued}, bench=False, also=entries, to=made)
        return made.read_bytes()

    async def run(self) -> tuple[Retry, list[Any]]:
        await self.house.start()
        with capture_logs() as said:
            answer = await fetching(self.house, self.trust)({}, Job(1, "trust-list", 1, 0, self.now))
        assert isinstance(answer, Retry)
        return answer, [{key: value for key, value in one.items() if key != "log_level"} for one in said]

    def close(self) -> None:
        self.server.__exit__()
        self.house.db.close_now()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


async def test_a_new_list_is_taken_up_and_what_changed_is_in_the_trail(world: World) -> None:
    world.server.give("/liste.xml", world.dated(world.now + MINUTE, dn="CN=mx.nouveau.example,C=FR"))
    answer, said = await world.run()
    assert (answer.after, answer.reason) == (HOUR, "fetched")
    domains = len(BETA.all_domains) + 1
    assert said == [{"event": "trust_list_changed", "domains": domains, "added": 1, "removed": 0, "changed": 0}]
    assert world.trust.trust_list().has(NEW)
    [row] = world.house.db.read_now(recorded, 5)
    assert (row["author"], row["added"]) == ("system", 1)
    assert row["names_added"] == {NEW: ["CN=mx.nouveau.example,C=FR"]}
    assert row["names_removed"] == {}
    assert world.house.db.read_now(verify) == []


async def test_the_same_list_again_is_no_news_but_confirms_it(world: World) -> None:
    world.server.give("/liste.xml", world.pki.trust_list.read_bytes())
    world.now += 20 * HOUR
    answer, said = await world.run()
    assert (answer.reason, said) == ("fetched", [])
    assert world.trust.holder.confirmed_at == world.now
    assert world.house.db.read_now(recorded, 5) == []


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda data: data[:-40], "cut short"),
        (lambda data: data.replace(b"<ListeB", b"<!DOCTYPE a><ListeB", 1), "DOCTYPE"),
        (lambda data: data.replace(b"<Nom>", b"<Nom>x", 1), "not what was signed"),
    ],
)
async def test_a_spoiled_list_is_refused_and_tried_again_soon(world: World, spoil: Any, reason: str) -> None:
    before = world.trust.trust_list()
    world.server.give("/liste.xml", spoil(world.dated(world.now + MINUTE)))
    answer, [said] = await world.run()
    assert (answer.after, answer.reason) == (5 * MINUTE, "refused")
    assert said["event"] == "trust_list_refused"
    assert reason in said["reason"]
    assert world.trust.trust_list() is before


async def test_an_older_list_is_refused(world: World) -> None:
    world.server.give("/liste.xml", world.dated(world.now - MINUTE))
    _, [said] = await world.run()
    assert "not newer" in said["reason"]


async def test_a_server_that_cannot_be_recognised_is_not_read(world: World, tmp_path: Path) -> None:
    stranger = Authority.create(world.now).issue(OPERATOR, world.web.certificate.subject, world.now)
    with HttpServer(tmp_path, stranger) as other:
        world.house.settings.trust_list.__dict__["url"] = f"{other.url}/liste.xml"
        answer, [said] = await world.run()
        assert (answer.after, answer.reason) == (5 * MINUTE, "not_fetched")
        assert "CERTIFICATE_VERIFY_FAILED" in said["reason"]
        assert other.asked == []


async def test_a_server_of_the_space_under_another_name_is_not_read(world: World, tmp_path: Path) -> None:
    with HttpServer(tmp_path, world.pki.authority.issue(OPERATOR, world.web.certificate.subject, world.now)) as other:
        world.house.settings.trust_list.__dict__["url"] = f"{other.url}/liste.xml"
        _, [said] = await world.run()
        assert "CERTIFICATE_VERIFY_FAILED" in said["reason"]


async def test_a_silent_day_leaves_the_list_and_gives_the_alarm(world: World) -> None:
    world.now += 25 * HOUR
    answer, [said] = await world.run()
    assert (answer.reason, said["reason"]) == ("not_fetched", "status 404")
    assert world.trust.trust_list().has(BETA.domains[0])
    assert world.trust.holder.stale(world.now)

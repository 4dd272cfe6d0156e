"""Revocation lists fetched from a real server, kept in their file, never replaced by worse ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from structlog.testing import capture_logs

from certs import crl
from certs.authority import Authority, Points, pem
from certs.chain import Fault, Purpose, Refused
from certs.profiles import OPERATOR, ORGANISATION, Profile, operator_subject
from certs.staple import KeptStaple
from certs.trust_store import TrustStore
from foundation.clock import DAY, HOUR, MINUTE, system_clock
from foundation.jobs import Job, Retry
from runtime import start
from runtime.demo.operator_files import Ports, settings_text
from runtime.demo.people import BETA
from runtime.demo.pki import Pki
from runtime.house import House
from runtime.revocation import fetching, staple_of
from runtime.settings import read
from runtime.trust import store_of
from tests.support.http_server import HttpServer
from tests.support.responder import Responder


class World:
    """An operator whose certificate names a full list and a delta on a real server; the root's list comes from the settings."""

    def __init__(self, folder: Path) -> None:
        self.now = system_clock()
        self.server = HttpServer(folder)
        pki = Pki(folder / "pki", self.now)
        self.authority = pki.authority
        points = Points(crl=f"{self.server.url}/full", delta=f"{self.server.url}/delta")
        subject = operator_subject(BETA.host, BETA.structure, BETA.name, "Villefleur (99)")
        tls = folder / "beta" / "tls"
        tls.mkdir(parents=True)
        self.authority.issue(OPERATOR, subject, self.now, points=points).write(tls, "server")
        text = settings_text(BETA, Ports(9000, web=False, bench=False), {}, pki, folder)
        text = text.replace(str(pki.crl), "tls/crl.pem")
        text = text.replace("[tls]", f'[tls]\ncrl_urls = ["{self.server.url}/root"]')
        path = folder / "beta" / "mssante.toml"
        path.write_text(text)
        self.settings = read(path)
        start.prepare(self.settings)
        self.house = House(self.settings, lambda: self.now)
        self.lists = self.authority.crls(self.now - HOUR, 7 * DAY)
        self.give(full=self.lists[0], root=self.lists[1])

    def give(self, **lists: x509.CertificateRevocationList) -> None:
        for name, one in lists.items():
            self.server.give(f"/{name}", pem(one))

    async def run(self) -> tuple[Retry, list[str]]:
        with capture_logs() as said:
            answer = await fetching(self.house)({}, Job(1, "crl", 1, 0, self.now))
        assert isinstance(answer, Retry)
        return answer, [f"{one['event']} {one.get('reason', '')}".strip() for one in said]

    def revoked(self, certificate: x509.Certificate) -> bool:
        store = store_of(self.settings)
        assert isinstance(store, TrustStore)
        return any(certificate.serial_number in one.revoked for one in store.crls)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.server.__exit__()
    made.house.db.close_now()


async def test_lists_and_deltas_are_fetched_and_kept(world: World) -> None:
    victim = world.authority.issue(OPERATOR, operator_subject("x.example", "1", "X", "Y"), world.now)
    world.authority.revoke(victim.certificate, world.now)
    world.give(delta=world.authority.delta(world.lists[0], world.now))
    answer, said = await world.run()
    assert (answer.reason, said) == ("fetched", ["revocation_lists_changed"])
    assert answer.after == HOUR
    assert sorted(world.server.asked) == ["/delta", "/full", "/root"]
    assert world.revoked(victim.certificate)
    assert len(crl.read(world.settings.tls.crl.read_bytes())) == 3
    assert await world.run() == (answer, []), "nothing new"


async def test_what_fails_leaves_the_last_good_list_and_is_tried_again_soon(world: World) -> None:
    world.give(delta=world.authority.delta(world.lists[0], world.now))
    await world.run()
    before = world.settings.tls.crl.read_bytes()
    stranger = Authority.create(world.now)
    older = world.authority.crls(world.now - DAY)[0]
    world.give(full=older, root=stranger.crls(world.now)[1])
    world.server.give("/delta", b"junk")
    answer, said = await world.run()
    assert (answer.after, answer.reason) == (5 * MINUTE, "not_fetched")
    assert said == [
        "revocation_list_not_fetched not signed by an authority of ours",
        "revocation_list_not_fetched not a revocation list",
    ]
    assert world.settings.tls.crl.read_bytes() == before


async def test_the_next_fetch_comes_before_a_list_ends(world: World) -> None:
    world.give(full=world.authority.crls(world.now, 20 * MINUTE)[0], root=world.lists[1])
    world.give(delta=world.authority.delta(world.lists[0], world.now - 2 * HOUR))
    answer, _ = await world.run()
    assert 19 * MINUTE < answer.after <= 20 * MINUTE


async def test_without_a_file_the_first_fetch_makes_it(world: World) -> None:
    assert not world.settings.tls.crl.exists()
    world.give(delta=world.authority.delta(world.lists[0], world.now))
    await world.run()
    assert world.settings.tls.crl.exists()


async def test_no_address_no_fetch(world: World, tmp_path: Path) -> None:
    subject = operator_subject(BETA.host, BETA.structure, BETA.name, "Villefleur (99)")
    world.authority.issue(OPERATOR, subject, world.now).write(world.settings.tls.certificate.parent, "server")
    world.settings.tls.__dict__["crl_urls"] = []
    answer, said = await world.run()
    assert (answer.after, said, world.server.asked) == (HOUR, [], [])


async def test_the_answer_about_our_own_certificate_is_kept_to_be_stapled(world: World) -> None:
    responder = Responder(world.authority, world.now)
    world.server.answers["/ocsp"] = responder
    subject = operator_subject(BETA.host, BETA.structure, BETA.name, "Villefleur (99)")
    own = world.authority.issue(OPERATOR, subject, world.now, points=Points(ocsp=f"{world.server.url}/ocsp"))
    own.write(world.settings.tls.certificate.parent, "server")
    _, said = await world.run()
    assert "staple_not_fetched" in said
    responder.knows(own.certificate)
    _, said = await world.run()
    assert said == []
    kept = KeptStaple(staple_of(world.settings), lambda: world.now)
    assert kept(own.certificate.serial_number)
    assert not kept(own.certificate.serial_number + 1)


@pytest.mark.parametrize(
    ("said", "lists", "revoked", "profile", "fault"),
    [
        ("", "none", False, OPERATOR, Fault.CRL_MISSING),
        ("", "old", False, OPERATOR, Fault.CRL_TOO_OLD),
        ('crl_missing = "accept"', "none", False, OPERATOR, None),
        ('crl_missing = "accept"', "old", False, OPERATOR, None),
        ('crl_missing = "accept"', "old", True, OPERATOR, Fault.REVOKED),
        ("", "new", False, ORGANISATION, None),  # client usage serves a server too
        ('usage = "standard"', "new", False, ORGANISATION, Fault.WRONG_USAGE),
        ('usage = "strict"', "new", False, ORGANISATION, Fault.WRONG_USAGE),
        ('usage = "strict"', "new", False, OPERATOR, None),
    ],
)
def test_what_is_done_without_a_list_and_with_another_usage_is_a_setting(
    world: World, said: str, lists: str, revoked: bool, profile: Profile, fault: Fault | None
) -> None:
    peer = world.authority.issue(profile, operator_subject("x.example", "1", "X", "Y"), world.now)
    if revoked:
        world.authority.revoke(peer.certificate, world.now)
    made_at = {"none": 0, "old": world.now - 9 * DAY, "new": world.now}[lists]
    made = world.authority.crls(made_at) if made_at else Authority.create(world.now).crls(world.now)
    world.settings.tls.crl.write_bytes(b"".join(map(pem, made)))
    path = world.settings.tls.certificate.parent.parent / "mssante.toml"
    path.write_text(path.read_text().replace("[tls]", f"[tls]\n{said}"))
    verdict = store_of(read(path)).judge_certificate(peer.certificate, peer.chain, world.now, Purpose.SERVER)
    assert (verdict.fault if isinstance(verdict, Refused) else None) is fault

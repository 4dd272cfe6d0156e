"""OCSP: what an answer must be to be believed, what it changes in the judgement, how seldom we ask; the answer we staple."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.ocsp import OCSPCertStatus

from certs import crl
from certs.authority import Authority, Issued, Points, pem, write_file
from certs.chain import Checks, Fault, Purpose, Refused, Trusted
from certs.contexts import Identity, relay_context, server_context
from certs.crl import Revocations
from certs.ocsp import Answer, OcspError
from certs.ocsp_client import OcspClient, ask
from certs.profiles import OPERATOR, ORGANISATION, operator_subject
from certs.staple import KeptStaple
from certs.tls_switch import start_tls_client, tls_server_factory
from certs.trust_store import TrustStore
from foundation.clock import DAY, HOUR, MINUTE, system_clock
from tests.support.http_server import HttpServer
from tests.support.responder import Responder, answer, responder_of

NOW = system_clock()
SUBJECT = operator_subject("mx.un.example", "344368557300034", "OPÉRATEUR UN", "Bouches-du-Rhône (13)")


class World:
    def __init__(self, folder: Path) -> None:
        self.now = NOW
        self.ca = Authority.create(NOW - DAY)
        self.server, self.responder = HttpServer(folder), Responder(self.ca, NOW)
        self.server.answers["/ocsp"] = self.responder
        self.client = OcspClient(lambda: self.now)
        self.leaf = self.issue()

    def issue(self, ca: Authority | None = None) -> Issued:
        return (ca or self.ca).issue(OPERATOR, SUBJECT, NOW, points=Points(ocsp=f"{self.server.url}/ocsp"))

    def store(self, lists: bool = True) -> TrustStore:
        made = self.ca.crls(NOW)[0 if lists else 1 :]
        return TrustStore((self.ca.root.certificate,), crl.from_x509(made), checks=Checks())

    async def judge(self, issued: Issued | None = None, lists: bool = True) -> Fault | None:
        one = issued or self.leaf
        der = [found.public_bytes(Encoding.DER) for found in (one.certificate, *one.chain)]
        verdict = await self.client.judge(self.store(lists), der[0], der[1:], Purpose.CLIENT)
        assert isinstance(verdict, Trusted | Refused)
        return verdict.fault if isinstance(verdict, Refused) else None


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.server.__exit__()


# -- what an answer is worth ------------------------------------------------------------------------------------------


def test_answers(world: World) -> None:
    leaf, ca = world.leaf.certificate, world.ca.intermediate
    good = Answer(answer(leaf, ca.certificate, ca, NOW))
    assert (good.revoked, good.serial) == (frozenset(), leaf.serial_number)
    assert good.covers(leaf, False)
    assert good.signed_by(ca.certificate)
    revoked = Answer(answer(leaf, ca.certificate, ca, NOW, status=OCSPCertStatus.REVOKED))
    assert revoked.revoked == {leaf.serial_number}
    assert Answer(answer(leaf, ca.certificate, ca, NOW, end=None)).next_update - NOW < HOUR
    source: Revocations = good
    assert source.replaces is None


def test_who_may_answer(world: World) -> None:
    leaf, ca = world.leaf.certificate, world.ca.intermediate.certificate
    stranger = Authority.create(NOW - DAY)
    for by, believed in (
        (world.ca.intermediate, True),
        (responder_of(world.ca, NOW), True),
        (responder_of(world.ca, NOW, ORGANISATION), False),
        (responder_of(stranger, NOW), False),
        (stranger.intermediate, False),
        (world.leaf, False),
    ):
        assert Answer(answer(leaf, ca, by, NOW)).signed_by(ca) is believed, by.certificate.subject


def test_an_answer_about_another_certificate_says_nothing(world: World) -> None:
    leaf, ca, other = world.leaf.certificate, world.ca.intermediate, world.issue()
    assert not Answer(answer(other.certificate, ca.certificate, ca, NOW)).covers(leaf, False)
    stranger = Authority.create(NOW - DAY)
    theirs = Answer(answer(leaf, stranger.intermediate.certificate, stranger.intermediate, NOW))
    assert not theirs.signed_by(ca.certificate)


def test_what_is_not_an_answer(world: World) -> None:
    good = answer(world.leaf.certificate, world.ca.intermediate.certificate, world.ca.intermediate, NOW)
    unknown = answer(world.leaf.certificate, world.ca.intermediate.certificate, world.ca.intermediate, NOW,
                     status=OCSPCertStatus.UNKNOWN)  # fmt: skip
    for data in (b"", b"junk", good[:-40], unknown, world.responder(question_about(world.issue()))[2]):
        with pytest.raises(OcspError):
            Answer(data)


def question_about(issued: Issued) -> bytes:
    from certs.ocsp import question

    return question(issued.certificate, issued.chain[0])


# -- nonces (RFC 9654) ------------------------------------------------------------------------------------------------


async def fresh(world: World) -> Answer | None:
    return await ask(world.leaf.certificate, world.leaf.chain[0], f"{world.server.url}/ocsp", lambda: NOW)


async def test_each_question_has_a_nonce_of_its_own(world: World) -> None:
    world.responder.knows(world.leaf.certificate)
    assert await fresh(world) is not None
    assert await fresh(world) is not None
    first, second = world.responder.nonces
    assert first is not None
    assert len(first) == 32
    assert first != second


async def test_an_answer_to_another_question_is_no_answer(world: World) -> None:
    """Somebody gives us what was said to somebody else: good then, revoked since."""
    world.responder.knows(world.leaf.certificate)
    world.responder.nonce = lambda _: b"x" * 32
    assert await fresh(world) is None


async def test_an_answer_made_in_advance_has_none_and_counts_by_its_dates(world: World) -> None:
    world.responder.knows(world.leaf.certificate)
    world.responder.nonce = lambda _: None
    assert await fresh(world) is not None
    assert len(world.responder.nonces) == 1


async def test_a_responder_that_does_not_understand_it_is_asked_again_without(world: World) -> None:
    world.responder.knows(world.leaf.certificate)
    world.responder.refuses_nonces = True
    assert await fresh(world) is not None
    asked, again = world.responder.nonces
    assert (asked is None, again) == (False, None)


# -- what it changes --------------------------------------------------------------------------------------------------


async def test_a_revocation_that_no_list_has_yet(world: World) -> None:
    world.responder.knows(world.leaf.certificate, OCSPCertStatus.REVOKED)
    assert await world.judge() is Fault.REVOKED


async def test_a_good_answer_stands_in_for_a_list_that_is_missing(world: World) -> None:
    assert await world.judge(lists=False) is Fault.CRL_MISSING, "the responder does not know it"
    world.now += 5 * MINUTE
    world.responder.knows(world.leaf.certificate)
    assert await world.judge(lists=False) is None


async def test_a_list_that_revokes_is_not_outvoted(world: World) -> None:
    world.responder.knows(world.leaf.certificate)
    world.ca.revoke(world.leaf.certificate, NOW)
    assert await world.judge() is Fault.REVOKED
    assert world.responder.asked == 0


async def test_a_responder_that_fails_changes_nothing(world: World) -> None:
    for status, body in ((500, b""), (200, b"junk"), (200, b"x" * 200_000)):
        world.server.give("/ocsp", body, status)
        world.client = OcspClient(lambda: NOW)
        assert await world.judge() is None
    late = answer(world.leaf.certificate, world.ca.intermediate.certificate, world.ca.intermediate, NOW - DAY)
    world.server.give("/ocsp", late)
    assert await ask(world.leaf.certificate, world.leaf.chain[0], f"{world.server.url}/ocsp", lambda: NOW) is None


async def test_a_strangers_certificate_makes_us_call_nobody(world: World) -> None:
    """Its address is its own word: a request to it would be forged by whoever connects."""
    assert await world.judge(world.issue(Authority.create(NOW - DAY))) is Fault.UNTRUSTED
    assert world.server.asked == []


async def test_one_question_an_hour_for_a_certificate_also_when_many_come_together(world: World) -> None:
    world.responder.knows(world.leaf.certificate)
    assert await asyncio.gather(*(world.judge() for _ in range(20))) == [None] * 20
    assert world.responder.asked == 1, "for all"
    world.now += HOUR - 1
    await world.judge()
    assert world.responder.asked == 1
    world.now += 1
    world.responder.knows(world.leaf.certificate, OCSPCertStatus.REVOKED)
    assert await world.judge() is Fault.REVOKED
    world.now += HOUR
    world.server.give("/ocsp", b"", 500)
    assert await world.judge() is Fault.REVOKED, "the last good answer counts until its end"


# -- what we staple ---------------------------------------------------------------------------------------------------


async def test_our_own_answer_is_shown_to_who_asks(world: World, tmp_path: Path) -> None:
    """Checked by another implementation: `openssl s_client -status`."""
    identity = Identity(*world.leaf.write(tmp_path, "own"))
    kept = tmp_path / "own.ocsp"
    anchors = tmp_path / "anchors.pem"
    anchors.write_bytes(pem(world.ca.root.certificate))
    loop = asyncio.get_running_loop()

    async def status() -> str:
        context = server_context(identity, KeptStaple(kept, lambda: NOW))
        factory = tls_server_factory(loop, asyncio.Protocol, lambda: context)
        async with await loop.create_server(factory, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            words = f"openssl s_client -connect 127.0.0.1:{port} -status -CAfile {anchors}".split()
            done = await asyncio.to_thread(subprocess.run, words, input=b"", capture_output=True)
            return done.stdout.decode()

    assert "OCSP response: no response sent" in await status()
    write_file(kept, answer(world.leaf.certificate, world.leaf.chain[0], world.ca.intermediate, NOW), 0o644)
    said = await status()
    assert "OCSP Response Status: successful" in said
    assert "Cert Status: good" in said
    write_file(kept, answer(world.issue().certificate, world.leaf.chain[0], world.ca.intermediate, NOW), 0o644)
    assert "no response sent" in await status(), "of the certificate before"
    write_file(kept, answer(world.leaf.certificate, world.leaf.chain[0], world.ca.intermediate, NOW - DAY), 0o644)
    assert "no response sent" in await status(), "out of date"


# -- what others staple (RFC 6066 8), on connections of ours ----------------------------------------------------------


async def stapled(world: World, tmp_path: Path, shown: bytes, lists: bool = True) -> Fault | None:
    """What is judged of a server that shows this answer with its certificate."""
    identity = Identity(*world.leaf.write(tmp_path, "own"))
    loop = asyncio.get_running_loop()
    factory = tls_server_factory(loop, asyncio.Protocol, lambda: server_context(identity, lambda _: shown))
    async with await loop.create_server(factory, "127.0.0.1", 0) as server:
        transport, protocol = await loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
        tls = await start_tls_client(loop, transport, protocol, relay_context(identity), "mx.un.example")
        leaf, sent = map(tls.get_extra_info, ("peercert_der", "peer_chain_der"))
        verdict = await world.client.judge(
            world.store(lists), leaf, sent, Purpose.SERVER, tls.get_extra_info("stapled")
        )
        tls.close()
    return verdict.fault if isinstance(verdict, Refused) else None


def about(world: World, issued: Issued | None = None, **more: Any) -> bytes:
    ca = world.ca.intermediate
    return answer((issued or world.leaf).certificate, ca.certificate, ca, more.pop("now", NOW), **more)


async def test_a_stapled_revocation_counts_at_once_and_nobody_is_asked(world: World, tmp_path: Path) -> None:
    assert await stapled(world, tmp_path, about(world, status=OCSPCertStatus.REVOKED)) is Fault.REVOKED
    assert world.responder.asked == 0


async def test_a_stapled_good_answer_stands_in_for_a_list_that_is_missing(world: World, tmp_path: Path) -> None:
    assert await stapled(world, tmp_path, about(world), lists=False) is None
    assert world.responder.asked == 0


async def test_a_staple_that_is_worth_nothing_is_as_none(world: World, tmp_path: Path) -> None:
    """Of another certificate, out of date, signed by nobody we know, or no answer at all: the responder is asked."""
    other = Authority.create(NOW - DAY)
    forged = answer(world.leaf.certificate, world.ca.intermediate.certificate, other.intermediate, NOW)
    for shown in (about(world, world.issue()), about(world, now=NOW - DAY), forged, b"junk"):
        world.client = OcspClient(lambda: NOW)
        asked = world.responder.asked
        assert await stapled(world, tmp_path, shown, lists=False) is Fault.CRL_MISSING
        assert world.responder.asked > asked


async def test_a_list_that_revokes_is_not_outvoted_by_a_staple(world: World, tmp_path: Path) -> None:
    world.ca.revoke(world.leaf.certificate, NOW)
    assert await stapled(world, tmp_path, about(world)) is Fault.REVOKED

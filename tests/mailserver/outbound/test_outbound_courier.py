"""Real conversations with another operator: who is recognised, what is sent, what each reply means."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest
from aiosmtpd.smtp import SMTP

from certs.profiles import OPERATOR
from foundation.clock import DAY
from mailserver.delivery.api import Recipient
from mailserver.outbound.content import whole
from mailserver.outbound.peer import Problem, answered
from mailserver.outbound.transaction import Accepted, Parcel, xtext
from mssante.operators import Route
from tests.mailserver.outbound.conftest import DOMAIN, NOW, Space, Start, subject

A, B = f"a@{DOMAIN}", f"b@{DOMAIN}"
CONTENT = b"From: dr@cabinet.example\r\nSubject: Bonjour\r\n\r\n.ligne\r\n..\r\nfin\r\n"
PARCEL = Parcel("dr@cabinet.example", (Recipient(A), Recipient(B)), DOMAIN, whole(CONTENT))


def problem(result: object) -> Problem:
    assert isinstance(result, Problem), result
    return result


async def test_a_message_arrives_whole_over_mutual_tls(space: Space, start: Start) -> None:
    peer, courier = await start(), space.courier()
    results = await courier.deliver([peer.route], PARCEL)
    assert results == {A: Accepted("127.0.0.1", False), B: Accepted("127.0.0.1", False)}
    assert [envelope.original_content for envelope in peer.got] == [CONTENT]
    assert peer.got[0].mail_from == "dr@cabinet.example"
    assert peer.reached == [A, B]
    assert f"SIZE={len(CONTENT)}" in peer.got[0].mail_options
    await courier.close()


async def test_each_recipient_has_its_own_result(space: Space, start: Start) -> None:
    peer = await start(replies={A: "550 5.1.1 no such box", B: "450 4.2.1 suspended"})
    courier = space.courier()
    results = await courier.deliver(
        [peer.route], replace(PARCEL, recipients=(*PARCEL.recipients, Recipient(f"c@{DOMAIN}")))
    )
    assert (problem(results[A]).permanent, problem(results[A]).status) == (True, "5.1.1")
    assert problem(results[A]).diagnostic == "550 5.1.1 no such box"
    assert (problem(results[B]).permanent, problem(results[B]).status) == (False, "4.2.1")
    assert results[f"c@{DOMAIN}"] == Accepted("127.0.0.1", False)
    assert peer.reached == [f"c@{DOMAIN}"]
    await courier.close()


@pytest.mark.parametrize(
    ("answers", "permanent", "status"),
    [
        ({"on_mail": "550 5.7.1 not listed"}, True, "5.7.1"),
        ({"on_mail": "451 later"}, False, "4.0.0"),
        ({"on_data": "554 5.6.0 malformed"}, True, "5.6.0"),
        ({"on_data": "452 4.2.2 full"}, False, "4.2.2"),
        ({"on_data": "552 too much"}, False, "4.0.0"),
        ({"on_data": "421 4.3.2 stopping"}, False, "4.3.2"),
    ],
)
async def test_refusals_of_the_whole_message(
    space: Space, start: Start, answers: dict[str, str], permanent: bool, status: str
) -> None:
    peer, courier = await start(**answers), space.courier()
    results = await courier.deliver([peer.route], PARCEL)
    for address in (A, B):
        assert (problem(results[address]).permanent, problem(results[address]).status) == (permanent, status)
    assert peer.got == []
    await courier.close()


# ---------------------------------------------------------------- who is at the other end
@pytest.mark.parametrize("wish", [b"", b"TLS-Required: No\r\n"])
async def test_a_peer_without_tls_gets_nothing(space: Space, start: Start, wish: bytes) -> None:
    """Whatever the message says (RFC 8689 3): a peer of the trust space would not take it in the clear."""
    peer, courier = await start(tls=False), space.courier()
    results = await courier.deliver([peer.route], replace(PARCEL, content=whole(wish + CONTENT)))
    assert problem(results[A]).name == "tls_not_offered"
    assert peer.got == []


async def test_a_peer_not_listed_for_the_domain_gets_nothing(space: Space, start: Start) -> None:
    other = space.authority.issue(OPERATOR, subject("mx.ailleurs.example"), NOW)
    peer, courier = await start(), space.courier(listed=other)
    found = problem((await courier.deliver([peer.route], PARCEL))[A])
    assert (found.name, found.permanent) == ("peer_untrusted", False)
    assert "n’est pas inscrit pour le domaine hopital.example" in found.fr
    assert "mx.hopital.example" in found.fr
    assert peer.got == []


@pytest.mark.parametrize("fault", ["stranger", "expired", "revoked"])
async def test_a_peer_with_a_bad_certificate_gets_nothing(space: Space, start: Start, fault: str) -> None:
    name = subject("mx.hopital.example")
    if fault == "stranger":
        issued = space.stranger.issue(OPERATOR, name, NOW)
    elif fault == "expired":
        issued = space.authority.issue(OPERATOR, name, NOW, start=NOW - 9 * DAY, end=NOW - DAY)
    else:
        issued = space.authority.issue(OPERATOR, name, NOW)
        space.authority.revoke(issued.certificate, NOW)
    peer, courier = await start(tls=space.server_context(issued)), space.courier()
    found = problem((await courier.deliver([peer.route], PARCEL))[A])
    assert (found.name, found.permanent, found.status) == ("peer_untrusted", False, "4.7.5")
    assert {"stranger": "autorité reconnue", "expired": "expiré", "revoked": "révoqué"}[fault] in found.fr
    assert peer.got == []


async def test_the_next_host_is_tried_when_the_first_does_not_answer(space: Space, start: Start) -> None:
    peer, courier = await start(), space.courier()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = Route("127.0.0.1", closed.getsockname()[1])
        assert problem((await courier.deliver([dead], PARCEL))[A]).name == "unreachable"
        results = await courier.deliver([dead, peer.route], PARCEL)
    assert results[A] == Accepted("127.0.0.1", False)
    assert problem((await courier.deliver([], PARCEL))[A]).name == "no_route"
    await courier.close()


async def test_a_connection_cut_before_the_last_reply_is_tried_again(space: Space, start: Start) -> None:
    async def cut(server: SMTP) -> None:
        assert isinstance(server.transport, asyncio.Transport)
        server.transport.abort()
        await asyncio.sleep(0)

    peer, courier = await start(before_data=cut), space.courier()
    results = await courier.deliver([peer.route], PARCEL)
    assert [problem(results[address]).name for address in (A, B)] == ["connection_lost"] * 2


async def test_a_greeting_that_refuses_is_not_final(space: Space) -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 5.3.2 maintenance\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    route = Route("127.0.0.1", server.sockets[0].getsockname()[1])
    found = problem((await space.courier().deliver([route], PARCEL))[A])
    assert (found.permanent, found.status, found.diagnostic) == (False, "4.3.2", "554 5.3.2 maintenance")
    server.close()


# ---------------------------------------------------------------- extensions
async def test_connections_are_reused_and_judged_again(space: Space, start: Start) -> None:
    peer, courier = await start(), space.courier()
    for _ in range(3):
        await courier.deliver([peer.route], PARCEL)
    assert (peer.connections, len(peer.got)) == (1, 3)
    found = problem((await courier.deliver([peer.route], replace(PARCEL, domain="autre.example")))[A])
    assert found.name == "peer_untrusted"
    assert len(peer.got) == 3
    await courier.close()


async def test_a_connection_kept_from_before_a_renewal_is_not_gone_on_with(space: Space, start: Start) -> None:
    peer, courier = await start(), space.courier()
    await courier.deliver([peer.route], PARCEL)
    renewed = space.courier()._context()
    courier._context = lambda: renewed
    for _ in range(2):
        await courier.deliver([peer.route], PARCEL)
    assert (peer.connections, len(peer.got)) == (2, 3)
    await courier.close()


async def test_a_kept_connection_that_died_is_replaced(space: Space, start: Start) -> None:
    peer, courier = await start(), space.courier()
    await courier.deliver([peer.route], PARCEL)
    (client,) = courier._idle[peer.route]
    client.close()
    assert (await courier.deliver([peer.route], PARCEL))[A] == Accepted("127.0.0.1", False)
    assert peer.connections == 2
    await courier.close()


async def test_wishes_travel_with_the_message(space: Space, start: Start) -> None:
    peer, courier = await start(dsn=True), space.courier()
    wish = Recipient(A, frozenset({"SUCCESS", "FAILURE"}), "rfc822;a+b=c@x.example")
    results = await courier.deliver([peer.route], replace(PARCEL, recipients=(wish,), envid="id 1", ret="HDRS"))
    assert results[A] == Accepted("127.0.0.1", True)
    assert peer.parameters == [
        " RET=HDRS",
        " ENVID=id+201",
        " NOTIFY=FAILURE,SUCCESS",
        " ORCPT=rfc822;a+2Bb+3Dc@x.example",
    ]
    await courier.close()


async def test_what_the_peer_cannot_take_is_refused_without_trying(space: Space, start: Start) -> None:
    small, plain = await start(size=30), await start(offered=["no8bit", "noutf8"])
    courier = space.courier()
    assert problem((await courier.deliver([small.route], PARCEL))[A]).status == "5.3.4"
    letter = "Subject: é\r\n\r\né\r\n".encode()
    eight = replace(PARCEL, content=whole(letter))
    assert problem((await courier.deliver([plain.route], eight))[A]).status == "5.6.3"
    accent = f"é@{DOMAIN}"
    foreign = replace(PARCEL, recipients=(Recipient(accent),))
    assert problem((await courier.deliver([plain.route], foreign))[accent]).status == "5.6.7"
    able = await start()
    assert (await courier.deliver([able.route], foreign))[accent] == Accepted("127.0.0.1", False)
    assert "SMTPUTF8" in able.got[0].mail_options
    assert (await courier.deliver([able.route], eight))[A] == Accepted("127.0.0.1", False)
    assert able.got[1].original_content == letter
    await courier.close()


async def test_a_header_in_utf_8_goes_to_who_knows_of_it_only(space: Space, start: Start) -> None:
    """RFC 6531 3.4: what came with SMTPUTF8 goes on with it. Who never said so has sent eight bits, as ever."""
    plain, able, courier = await start(offered=["noutf8"]), await start(), space.courier()
    letter = replace(PARCEL, content=whole("Subject: été\r\n\r\nfin\r\n".encode()))
    declared = replace(letter, international=True)
    refused = problem((await courier.deliver([plain.route], declared))[A])
    assert (refused.status, refused.permanent) == ("5.6.9", True)
    assert plain.got == []
    assert (await courier.deliver([able.route], declared))[A] == Accepted("127.0.0.1", False)
    assert {"SMTPUTF8", "BODY=8BITMIME"} <= set(able.got[0].mail_options)
    assert (await courier.deliver([plain.route], letter))[A] == Accepted("127.0.0.1", False)
    assert "SMTPUTF8" not in plain.got[0].mail_options
    await courier.close()


async def test_many_recipients_go_in_several_transactions(space: Space, start: Start) -> None:
    peer, courier = await start(), space.courier()
    many = tuple(Recipient(f"r{n}@{DOMAIN}") for n in range(250))
    results = await courier.deliver([peer.route], replace(PARCEL, recipients=many))
    assert all(isinstance(result, Accepted) for result in results.values())
    assert [len(envelope.rcpt_tos) for envelope in peer.got] == [100, 100, 50]
    await courier.close()


@pytest.mark.parametrize(
    ("code", "text", "permanent", "status"),
    [
        (550, "5.1.1 gone", True, "5.1.1"),
        (550, "4.1.1 confused", True, "5.0.0"),
        (450, "", False, "4.0.0"),
        (552, "too many recipients", False, "4.0.0"),
        (552, "5.3.4 too large", True, "5.3.4"),
        (550, "5.1.1 \udce9", True, "5.1.1"),
        (550, "5.1.1 a\n5.1.1 b " + "x" * 9999, True, "5.1.1"),
    ],
)
def test_replies(code: int, text: str, permanent: bool, status: str) -> None:
    found = answered(code, text, "mx.example")
    assert (found.permanent, found.status) == (permanent, status)
    assert len(found.diagnostic or "") <= 500
    assert "\n" not in (found.diagnostic or "")
    assert (found.diagnostic or "").encode()


async def test_a_large_message_arrives_whole(space: Space, start: Start) -> None:
    peer, courier = await start(size=40_000_000), space.courier()
    content = b"Subject: a\r\n\r\n" + (b"." + b"x" * 70 + b"\r\n") * 40_000  # 3 MB
    results = await courier.deliver([peer.route], replace(PARCEL, content=whole(content)))
    assert results[A] == Accepted("127.0.0.1", False)
    assert peer.got[0].original_content == content
    await courier.close()


def test_xtext() -> None:
    assert xtext("a+b =é\x00") == "a+2Bb+20+3D\\x{E9}+00"

"""Eight bits for a server without 8BITMIME (RFC 6152 3): converted, then signed; where it may not be touched, returned."""

from __future__ import annotations

import ssl
from email import message_from_bytes
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailserver.delivery.traces import Traces
from mailserver.outbound.compose import Office
from mailserver.outbound.courier import Courier
from mailserver.outbound.dkim import Key, Signer
from mailserver.outbound.relay import Relay
from mailserver.outbound.transaction import Parcel, Result
from mssante.operators import Route
from tests.mailserver.outbound.conftest import Space
from tests.mailserver.outbound.test_outbound_cuts import Scripted, listening
from tests.mailserver.outbound.test_outbound_dkim import verdicts
from tests.mailserver.outbound.test_outbound_relay import KEYS, A, World, world  # noqa: F401  a fixture
from tests.mailserver.test_mime_sevenbit import SIGNED

TEXT = "Compte rendu d’hospitalisation\r\n.point\r\n"
LETTER = (
    "From: dr@cabinet.example\r\nTo: a@hopital.example\r\nSubject: CR\r\nDate: Fri, 15 Jan 2027 09:00:00 +0100\r\n"
    "Message-ID: <m1@cabinet.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    f"Content-Transfer-Encoding: 8bit\r\n\r\n{TEXT}"
).encode()
CONVERTED = LETTER.replace(b": 8bit", b": quoted-printable").replace("’".encode(), b"=E2=80=99")
HEAD = b"From: dr@cabinet.example\r\nSubject: CR\r\nMessage-ID: <m1@cabinet.example>\r\nMIME-Version: 1.0\r\n"

BY_DATA = """\
C: MAIL FROM:<dr@cabinet.example> SIZE=%d
S: 250 OK
C: RCPT TO:<a@hopital.example>
S: 250 2.1.5 OK
C: DATA
S: 354 go
S: 250 2.0.0 taken over
"""
BY_BDAT = """\
C: MAIL FROM:<dr@cabinet.example>
S: 250 OK
C: RCPT TO:<a@hopital.example>
S: 250 2.1.5 OK
C: BDAT %d LAST
S: 250 2.0.0 taken over
"""


async def sent(world: World, space: Space, content: bytes, peer: Scripted, signer: Signer | None = None) -> str:  # noqa: F811
    """What was said from MAIL on."""
    with listening(peer) as route:
        courier: Courier = space.courier()

        async def deliver(routes: list[Route], parcel: Parcel) -> dict[str, Result]:
            return await courier.deliver([route], parcel)

        world.deliver = deliver  # type: ignore[method-assign]
        office, signers = Office("mx.cabinet.example", "postmaster@cabinet.example"), {}
        if signer is not None:
            signers["cabinet.example"] = signer
        relay = Relay(
            world.db, world.blobs, world.resolve, world, world.accept, office, Traces(KEYS), signers, clock=lambda: world.now
        )  # fmt: skip
        world.jobs.handle("relay", relay)
        await world.send(A, content=content)
        await world.run()
        await courier.close()
    begin = next((at for at, line in enumerate(peer.spoken) if line.startswith("C: MAIL")), len(peer.spoken))
    return "".join(f"{line}\n" for line in peer.spoken[begin:] if not line.endswith(("QUIT", "221 bye")))


@pytest.fixture
def context(space: Space) -> ssl.SSLContext:
    return space.server_context()


@pytest.mark.parametrize(
    ("extensions", "transcript"),
    [(("SIZE 1000000",), BY_DATA), (("PIPELINING", "CHUNKING"), BY_BDAT)],
    ids=["DATA", "BDAT"],
)
async def test_it_is_converted(
    world: World,  # noqa: F811
    space: Space,
    context: ssl.SSLContext,
    extensions: tuple[str, ...],
    transcript: str,
) -> None:
    peer = Scripted(context, extensions)
    assert await sent(world, space, LETTER, peer) == transcript % len(CONVERTED)
    assert peer.got == [([A], CONVERTED)]
    assert (world.told, await world.states()) == ([], [])


async def test_who_offers_8bitmime_gets_it_as_it_is(world: World, space: Space, context: ssl.SSLContext) -> None:  # noqa: F811
    peer = Scripted(context)
    assert "BODY=8BITMIME" in await sent(world, space, LETTER, peer)
    assert peer.got == [([A], LETTER)]


@pytest.mark.parametrize("more", [0, 60_000], ids=["in memory", "stored"])
@pytest.mark.parametrize("extensions", [(), ("CHUNKING", "8BITMIME")], ids=["without 8BITMIME", "with it"])
async def test_our_signature_is_that_of_what_leaves(
    world: World,  # noqa: F811
    space: Space,
    context: ssl.SSLContext,
    extensions: tuple[str, ...],
    more: int,
) -> None:
    """RFC 6376 5.3."""
    private = ed25519.Ed25519PrivateKey.generate()
    key = Key.read("mss", private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    peer = Scripted(context, extensions or ("SIZE",))
    letter = LETTER + b"Suite de la lettre.\r\n" * more
    await sent(world, space, letter, peer, Signer("cabinet.example", [key]))
    [(_, got)] = peer.got
    assert got.isascii() is not bool(extensions)
    assert verdicts([key], got) == [True]
    assert verdicts([key], got.replace(b"point", b"Point")) == [False]
    assert message_from_bytes(got).get_payload(decode=True) == message_from_bytes(letter).get_payload(decode=True)


@pytest.mark.parametrize(
    "content",
    [HEAD + SIGNED, HEAD.replace(b"CR\r\n", "Été\r\n".encode()) + b"\r\nfin\r\n", HEAD + b"\r\n" + b"\xe9\r\n" * 9],
    ids=["signed", "header", "too large"],
)
async def test_what_may_not_be_touched_comes_back(
    world: World,  # noqa: F811
    space: Space,
    context: ssl.SSLContext,
    content: bytes,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if request.node.callspec.id == "too large":
        monkeypatch.setattr("mailserver.outbound.content.CONVERTED", len(content) - 1)
    peer = Scripted(context, ("SIZE 1000000",))
    assert await sent(world, space, content, peer) == ""
    assert peer.got == []
    assert world.actions() == [(A, "failed", "5.6.3")]
    text: Any = world.told[0][1].get_body()
    assert "n’accepte pas les messages sur 8 bits" in text.get_content()

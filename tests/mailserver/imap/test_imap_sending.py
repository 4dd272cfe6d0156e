"""What is written is sent at once; what the kernel does not take is the reactor's, as ever."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.protocol import Factory, Protocol

from certs.authority import Authority
from certs.contexts import Identity, TwistedContextFactory, server_context
from certs.profiles import ORGANISATION, organisation_subject
from foundation.clock import system_clock
from mailserver.imap.factory import over_tls
from mailserver.imap.sending import PromptServer, write


class Reactor:
    """Notes who wants to write."""

    def __init__(self) -> None:
        self.writers: list[object] = []

    def addReader(self, reader: object) -> None: ...
    def removeReader(self, reader: object) -> None: ...

    def addWriter(self, writer: object) -> None:
        self.writers.append(writer)

    def removeWriter(self, writer: object) -> None:
        self.writers = [one for one in self.writers if one is not writer]


class Producer:
    def __init__(self) -> None:
        self.said: list[str] = []

    def pauseProducing(self) -> None:
        self.said.append("pause")

    def resumeProducing(self) -> None:
        self.said.append("resume")

    def stopProducing(self) -> None: ...


@pytest.fixture
def ends() -> Iterator[tuple[Any, Reactor, socket.socket]]:
    ours, theirs = socket.socketpair()
    reactor = Reactor()
    theirs.settimeout(5)
    with ours, theirs:
        yield PromptServer(ours, Protocol(), ("127.0.0.1", 1), None, 1, reactor), reactor, theirs  # type: ignore[arg-type]


def test_an_answer_is_on_its_way_before_the_loop_turns(ends: tuple[Any, Reactor, socket.socket]) -> None:
    server, reactor, client = ends
    write(server, b"a OK done\r\n")
    assert client.recv(100) == b"a OK done\r\n"
    assert not reactor.writers


def test_what_is_written_together_leaves_in_one_piece(ends: tuple[Any, Reactor, socket.socket]) -> None:
    server, reactor, client = ends
    client.setblocking(False)
    server.hold()
    server.write(b"one ")
    with pytest.raises(BlockingIOError):
        client.recv(100)
    server.write(b"two")
    server.send()
    assert client.recv(100) == b"one two"
    assert not reactor.writers


def test_what_the_kernel_does_not_take_waits_for_the_reactor(ends: tuple[Any, Reactor, socket.socket]) -> None:
    server, reactor, client = ends
    producer, sent = Producer(), bytes(range(256)) * 16384  # 4 MB
    server.registerProducer(producer, True)
    write(server, sent)
    assert reactor.writers == [server]
    assert producer.said == ["pause"]
    write(server, b"behind")
    got = b""
    while reactor.writers:
        got += client.recv(1 << 20)
        assert server.doWrite() is None
    client.setblocking(False)
    while len(got) < len(sent) + 6:
        got += client.recv(1 << 20)
    assert got == sent + b"behind"
    assert producer.said[-1] == "resume"


def test_the_end_and_a_fault_are_the_reactors_to_meet(ends: tuple[Any, Reactor, socket.socket]) -> None:
    server, reactor, _client = ends
    server.loseConnection()
    assert reactor.writers == [server], "nothing is left to send, and the reactor ends the connection"
    assert server.doWrite() is not None


def test_a_client_that_is_gone_is_noticed_by_the_reactor(ends: tuple[Any, Reactor, socket.socket]) -> None:
    server, reactor, client = ends
    client.close()
    write(server, b"* BYE\r\n")
    assert reactor.writers == [server]
    assert server.doWrite() is not None


class Below:
    """The transport under TLS: keeps what it is given, piece by piece."""

    disconnecting = False

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.lost = False

    def write(self, octets: bytes) -> None:
        self.pieces.append(octets)

    def registerProducer(self, producer: object, streaming: bool) -> None: ...

    def loseConnection(self) -> None:
        self.lost = True


class Greeting(Protocol):
    """Speaks before the handshake, which Twisted's own TLS keeps for later."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.write(b"* OK " + bytes(100_000))


@pytest.fixture
def channel(tmp_path: Path) -> tuple[Any, Below, ssl.SSLObject, ssl.MemoryBIO]:
    """A server's end behind its handshake, what lies under it, a client's end and where that takes octets from."""
    now = system_clock()
    issued = Authority.create(now).issue(
        ORGANISATION, organisation_subject("lab", "1990000029", "LABO", "Ville (99)"), now
    )
    issued.write(tmp_path, "lab")
    context = server_context(Identity(tmp_path / "lab.pem", tmp_path / "lab.key"))
    server: Any = over_tls(Factory.forProtocol(Greeting), TwistedContextFactory(lambda: context)).buildProtocol(None)
    below, incoming, outgoing = Below(), ssl.MemoryBIO(), ssl.MemoryBIO()
    server.makeConnection(below)
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    client = trusting.wrap_bio(incoming, outgoing)
    for _ in range(3):
        with suppress(ssl.SSLWantReadError):
            client.do_handshake()
        if said := outgoing.read():
            server.dataReceived(said)
        incoming.write(b"".join(below.pieces))
        below.pieces.clear()
    return server, below, client, incoming


def heard(client: ssl.SSLObject, octets: int) -> bytes:
    said = b""
    while len(said) < octets:
        said += client.read(octets)
    return said


def test_of_an_answer_of_any_length_nothing_stays_behind(
    channel: tuple[Any, Below, ssl.SSLObject, ssl.MemoryBIO],
) -> None:
    """Its thousand records have 22 KB of their own."""
    server, below, client, incoming = channel
    heard(client, 100_005)
    server.write(bytes(16 << 20))
    incoming.write(b"".join(below.pieces))
    left = 16 << 20
    while left:
        left -= len(client.read(left))
    assert client.pending() == 0


def test_tls_hands_its_records_on_together(channel: tuple[Any, Below, ssl.SSLObject, ssl.MemoryBIO]) -> None:
    server, below, client, incoming = channel
    assert heard(client, 100_005) == b"* OK " + bytes(100_000)
    sent = bytes(range(256)) * 512  # 128 KB, eight records
    for octets in (sent, b"a OK done\r\n"):
        server.write(octets)
        [piece] = below.pieces
        below.pieces.clear()
        incoming.write(piece)
        assert heard(client, len(octets)) == octets


def test_tls_that_is_over_says_nothing_more(channel: tuple[Any, Below, ssl.SSLObject, ssl.MemoryBIO]) -> None:
    server, below, _, _ = channel
    server.dataReceived(b"\x17\x03\x03\x00\x20" + bytes(32))  # a record that does not open
    assert below.lost
    below.pieces.clear()
    server.write(b"a OK done\r\n")
    assert below.pieces == []

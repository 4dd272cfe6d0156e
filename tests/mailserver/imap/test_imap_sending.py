"""What is written is sent at once; what the kernel does not take is the reactor's, as ever."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.protocol import Protocol

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

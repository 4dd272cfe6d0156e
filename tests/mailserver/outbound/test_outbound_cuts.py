"""A peer that leaves at every step of the conversation: nobody gets two verdicts, nobody is forgotten."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace

import pytest

from foundation.clock import HOUR
from mailserver.delivery.api import Recipient, Terms
from mailserver.outbound.client import limits
from mailserver.outbound.content import whole
from mailserver.outbound.courier import Courier
from mailserver.outbound.peer import Problem
from mailserver.outbound.transaction import Accepted, Parcel, Result
from mssante.operators import Route
from tests.mailserver.outbound.conftest import DOMAIN, NOW, Space
from tests.mailserver.outbound.test_outbound_relay import SENDER, A, B, C, World, world  # noqa: F401  a fixture

CONTENT = b"Subject: a\r\n\r\n.point\r\n" + b"x" * 70 + b"\r\n"
GONE = "550 5.1.1 no such box"


@dataclass
class Scripted:
    """Blocking sockets in a thread. `cuts`: at which of its replies, counted over all connections, it leaves instead."""

    context: ssl.SSLContext
    extensions: tuple[str, ...] = ("PIPELINING", "CHUNKING", "8BITMIME")
    cuts: frozenset[int] = frozenset()
    injects: bool = False
    said: int = 0
    connections: int = 0
    parted: int = 0  # by QUIT
    over: int = 0  # connections that ended
    batches: list[list[str]] = field(default_factory=list)  # commands that came before a reply was read
    mails: list[str] = field(default_factory=list)  # MAIL lines
    rcpts: list[str] = field(default_factory=list)
    got: list[tuple[list[str], bytes]] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)  # behind TLS: "C: MAIL FROM:…", "S: 250 OK"

    def serve(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                self.connections += 1
                with suppress(OSError, ssl.SSLError, StopIteration):
                    self._talk(connection)
                connection.close()
                self.over += 1

    def _say(self, connection: socket.socket, *lines: str) -> None:
        self.said += 1
        if self.said in self.cuts:
            raise ConnectionAbortedError
        connection.sendall("".join(f"{line}\r\n" for line in lines).encode())
        self.spoken += [f"S: {line}" for line in lines]

    def _talk(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        self._say(connection, "220 mx.hopital.example")
        self._read(connection)
        self._say(connection, "250-mx.hopital.example", "250 STARTTLS")
        self._read(connection)
        self._say(connection, "220 go", *(["250 injected"] if self.injects else []))
        connection = self.context.wrap_socket(connection, server_side=True)
        self.spoken.clear()
        buffer, recipients = b"", list[str]()
        try:
            while data := connection.recv(65536):
                buffer += data
                self.batches.append(re.findall(r"^[A-Z]{4}", buffer.decode("latin-1"), re.M))
                while b"\r\n" in buffer:
                    line, _, buffer = buffer.partition(b"\r\n")
                    verb = line[:4].decode()
                    self.spoken.append(f"C: {line.decode()}")
                    if verb == "EHLO":
                        offered = ("mx.hopital.example", *self.extensions)
                        lines = [f"250{' ' if one is offered[-1] else '-'}{one}" for one in offered]
                        self._say(connection, *lines)
                    elif verb == "QUIT":
                        self.parted += 1
                        self._say(connection, "221 bye")
                    elif verb == "MAIL":
                        self.mails.append(line.decode())
                        recipients = []
                        self._say(connection, "250 OK")
                    elif verb == "RCPT":
                        self.rcpts.append(line.decode())
                        address = self.rcpts[-1][9:].partition(">")[0]
                        fine = address != B
                        recipients += [address] * fine
                        self._say(connection, "250 2.1.5 OK" if fine else GONE)
                    elif verb == "BDAT":
                        size = int(line.split()[1])
                        while len(buffer) < size:
                            buffer += connection.recv(65536)
                        self._keep(connection, recipients, buffer[:size])
                        buffer, recipients = buffer[size:], []
                    elif verb == "DATA":
                        self._say(connection, "354 go")
                        while not buffer.endswith(b"\r\n.\r\n"):
                            if not (more := connection.recv(65536)):
                                return
                            buffer += more
                        self._keep(connection, recipients, buffer[:-3].replace(b"\r\n..", b"\r\n."))
                        buffer, recipients = b"", []
                    else:
                        recipients = []
                        self._say(connection, "250 OK")
        finally:
            connection.close()

    def _keep(self, connection: socket.socket, recipients: list[str], content: bytes) -> None:
        self.got.append((recipients, content))
        self._say(connection, "250 2.0.0 taken over")

    @staticmethod
    def _read(connection: socket.socket) -> None:
        while not connection.recv(1024).endswith(b"\r\n"):
            pass


@contextmanager
def listening(peer: Scripted) -> Iterator[Route]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=peer.serve, args=(server,), daemon=True)
        thread.start()
        yield Route("127.0.0.1", server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


def to(*addresses: str) -> Parcel:
    return Parcel(SENDER, tuple(Recipient(one) for one in addresses), DOMAIN, whole(CONTENT))


@pytest.mark.parametrize("extensions", [("PIPELINING", "CHUNKING"), ("PIPELINING",), ("CHUNKING",), ("SIZE 9999",)])
async def test_one_connection_many_messages_as_the_peer_announces(space: Space, extensions: tuple[str, ...]) -> None:
    peer, courier = Scripted(space.server_context(), extensions), space.courier()
    with listening(peer) as route:
        for _ in range(3):
            results = await courier.deliver([route], to(A, B, C))
            assert results[A] == results[C] == Accepted("127.0.0.1", False)
            refused = results[B]
            assert isinstance(refused, Problem)
            assert (refused.permanent, refused.status) == (True, "5.1.1")
        assert peer.got == [([A, C], CONTENT)] * 3
        assert peer.connections == 1
        together = ["MAIL", "RCPT", "RCPT", "RCPT"] in peer.batches
        assert together == ("PIPELINING" in extensions)
        verbs = {verb for batch in peer.batches for verb in batch}
        assert ("BDAT" in verbs, "DATA" in verbs) == ("CHUNKING" in extensions, "CHUNKING" not in extensions)
        await courier.close()


PROMISES, SILENT, DEAD = ("REQUIRETLS",), ("PIPELINING",), None


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ([PROMISES], "taken"),
        ([SILENT, PROMISES], "taken"),  # RFC 8689 4.2.1: every host of the domain is asked
        ([DEAD, PROMISES], "taken"),
        ([SILENT], "5.7.30"),
        ([SILENT, SILENT], "5.7.30"),
        ([SILENT, DEAD], "4.4.1"),  # the one that does not answer may promise it
        ([DEAD, SILENT], "4.4.1"),
    ],
)
async def test_required_tls_goes_only_where_it_is_promised(
    space: Space, hosts: list[tuple[str, ...] | None], expected: str
) -> None:
    courier, routes, peers = space.courier(), list[Route](), list[Scripted]()
    with ExitStack() as open_ones:
        for extensions in hosts:
            peers.append(Scripted(space.server_context(), extensions or ()))
            door = listening(peers[-1])
            routes.append(open_ones.enter_context(door))
            if extensions is DEAD:
                with socket.create_server(("127.0.0.1", 0)) as closed:
                    routes[-1] = Route("127.0.0.1", closed.getsockname()[1])
        found = (await courier.deliver(routes, replace(to(A), terms=Terms(require_tls=True))))[A]
        await courier.close()
    mails = [mail for peer in peers for mail in peer.mails]
    if expected == "taken":
        assert found == Accepted("127.0.0.1", False)
        assert mails == [f"MAIL FROM:<{SENDER}> REQUIRETLS"]
    else:
        assert isinstance(found, Problem)
        assert (found.status, found.permanent, mails) == (expected, expected.startswith("5"), [])


@pytest.mark.parametrize("extensions", [PROMISES, SILENT])
async def test_a_notice_is_not_lost_for_a_promise(space: Space, extensions: tuple[str, ...]) -> None:
    """RFC 8689 5: the option goes with it where it can."""
    peer, courier = Scripted(space.server_context(), extensions), space.courier()
    with listening(peer) as route:
        notice = replace(to(A), reverse_path="", terms=Terms(require_tls=True))
        assert (await courier.deliver([route], notice))[A] == Accepted("127.0.0.1", False)
        await courier.close()
    assert peer.mails == ["MAIL FROM:<> REQUIRETLS" if extensions is PROMISES else "MAIL FROM:<>"]


@pytest.mark.parametrize(("extensions", "said"), [(("MT-PRIORITY",), " MT-PRIORITY=-4"), (("PIPELINING",), "")])
async def test_the_priority_goes_on_to_who_knows_it(space: Space, extensions: tuple[str, ...], said: str) -> None:
    """RFC 6710 4.2, 4.3."""
    peer, courier = Scripted(space.server_context(), extensions), space.courier()
    with listening(peer) as route:
        found = await courier.deliver([route], replace(to(A), terms=Terms(priority=-4)))
        assert found[A] == Accepted("127.0.0.1", False)
        await courier.close()
    assert peer.mails == [f"MAIL FROM:<{SENDER}>{said}"]


# ---------------------------------------------------------------- RFC 2852
LATER = Terms(deadline=NOW + 98_900)


@pytest.mark.parametrize(
    ("announced", "terms", "expected"),
    [
        ("DELIVERBY", LATER, " BY=98;N"),
        ("DELIVERBY 240", LATER, " BY=98;N"),  # the least time is for "Return"
        ("DELIVERBY", replace(LATER, traced=True), " BY=98;NT"),
        ("DELIVERBY", Terms(deadline=NOW - 500), " BY=-1;N"),
        ("DELIVERBY", Terms(), ""),
        ("SIZE 0", LATER, f" SIZE={len(CONTENT)}"),
        ("DELIVERBY", replace(LATER, returns=True), " BY=98;R"),
        ("DELIVERBY 98,FUTURE", replace(LATER, returns=True, traced=True), " BY=98;RT"),
        ("DELIVERBY 99", replace(LATER, returns=True), "5.3.3"),
        ("SIZE 0", replace(LATER, returns=True), "5.3.3"),
        ("DELIVERBY", Terms(deadline=NOW + 999, returns=True), "5.4.7"),
    ],
)
async def test_the_deadline_goes_on_to_who_knows_it(space: Space, announced: str, terms: Terms, expected: str) -> None:
    """RFC 2852 4.1.4: what is left of the time, at MAIL; "Return" only to who can hold it, and no other host is asked (7)."""
    peer, other, courier = (
        Scripted(space.server_context(), (announced,)),
        Scripted(space.server_context()),
        space.courier(),
    )
    with listening(peer) as route, listening(other) as elsewhere:
        found = (await courier.deliver([route, elsewhere], replace(to(A), terms=terms)))[A]
        await courier.close()
    assert other.connections == 0
    if expected[:1] == "5":
        assert isinstance(found, Problem)
        assert (found.status, found.permanent, peer.mails) == (expected, True, [])
    else:
        assert found == Accepted("127.0.0.1", False, announced.startswith("DELIVERBY"))
        assert peer.mails == [f"MAIL FROM:<{SENDER}>{expected}"]


@pytest.mark.parametrize(
    ("deliver_by", "notify", "terms", "said"),
    [
        (False, "", LATER, " NOTIFY=DELAY,FAILURE"),  # RFC 2852 4.1.4.2
        (False, "SUCCESS", LATER, " NOTIFY=DELAY,SUCCESS"),
        (False, "NEVER", LATER, " NOTIFY=NEVER"),
        (False, "", Terms(deadline=NOW - 1), ""),
        (True, "", LATER, ""),
        (True, "SUCCESS", LATER, " NOTIFY=SUCCESS"),
    ],
)
async def test_who_knows_no_deadline_is_asked_to_tell_of_delays(
    space: Space, deliver_by: bool, notify: str, terms: Terms, said: str
) -> None:
    peer, courier = Scripted(space.server_context(), ("DSN", *["DELIVERBY"] * deliver_by)), space.courier()
    wish = Recipient(A, frozenset({notify} - {""}))
    with listening(peer) as route:
        await courier.deliver([route], replace(to(), recipients=(wish,), terms=terms))
        await courier.close()
    assert peer.rcpts == [f"RCPT TO:<{A}>{said}"]


# ---------------------------------------------------------------- RFC 9422
@pytest.mark.parametrize(
    ("announced", "transactions", "connections"),
    [
        ("SIZE 0", [5, 5], 1),
        ("LIMITS RCPTMAX=2", [2, 2, 1, 2, 2, 1], 1),
        ("LIMITS RCPTMAX=2 MAILMAX=2", [2, 2, 1, 2, 2, 1], 3),
        ("LIMITS MAILMAX=1", [5, 5], 2),
        ("LIMITS RCPTDOMAINMAX=1", [5, 5], 2),  # the next message may be for another domain
        ("LIMITS RCPTMAX=2;MAILMAX=1", [5, 5], 1),
    ],
)
async def test_the_limits_of_the_peer(space: Space, announced: str, transactions: list[int], connections: int) -> None:
    peer, courier = Scripted(space.server_context(), ("PIPELINING", announced)), space.courier()
    with listening(peer) as route:
        for run in "xy":
            addresses = [f"{run}{number}@{DOMAIN}" for number in range(5)]
            results = await courier.deliver([route], to(*addresses))
            assert results == dict.fromkeys(addresses, Accepted("127.0.0.1", False))
        await courier.close()
        while peer.over < peer.connections:
            await asyncio.sleep(0.01)
        assert [len(recipients) for recipients, _ in peer.got] == transactions
        assert (peer.connections, peer.parted) == (connections, connections)


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("", {}),
        ("RCPTMAX=20 MAILMAX=5", {"RCPTMAX": 20, "MAILMAX": 5}),
        ("rcptmax=999999", {"RCPTMAX": 999_999}),
        ("RCPTMAX=0 MAILMAX=5", {"MAILMAX": 5}),
        ("RCPTMAX=1000000 MAILMAX=05", {}),
        ("RCPTMAX=many MAILMAX=5 FUTURE", {"MAILMAX": 5}),
        ("RCPTMAX=20 =5", {}),
        ("RCPTMAX=20 MAIL.MAX=5", {}),
        ("RCPTMAX=20 MAILMAX=", {}),
        ("RCPTMAX=20 MAILMAX=5;", {}),
        ("RCPTMAX=٣", {}),
    ],
)
def test_limits_as_announced(parameter: str, expected: dict[str, int]) -> None:
    assert limits(parameter) == expected


async def test_octets_sent_before_tls_end_the_connection(space: Space) -> None:
    """RFC 3207 section 6: « 250 injected » must not be taken for the answer to our EHLO under TLS."""
    peer, courier = Scripted(space.server_context(), injects=True), space.courier()
    with listening(peer) as route:
        found = (await courier.deliver([route], to(A)))[A]
        assert isinstance(found, Problem)
        assert (found.name, found.permanent) == ("unreachable", False)
        assert peer.got == []


REPLIES = 9  # greeting, EHLO, STARTTLS, EHLO, MAIL, three RCPT, BDAT


@pytest.mark.parametrize("extensions", [("PIPELINING", "CHUNKING"), ("SIZE 9999",)])
@pytest.mark.parametrize("first", range(1, REPLIES + 2))
async def test_every_recipient_gets_exactly_one_verdict(
    world: World,  # noqa: F811
    space: Space,
    first: int,
    extensions: tuple[str, ...],
) -> None:
    """The peer leaves at its n-th reply, then again at the same one of the next connection, then behaves."""
    peer = Scripted(space.server_context(), extensions, frozenset({first, 2 * first}))
    courier: Courier = space.courier()
    with listening(peer) as route:

        async def deliver(routes: list[Route], parcel: Parcel) -> dict[str, Result]:
            return await courier.deliver([route], parcel)

        world.deliver = deliver  # type: ignore[method-assign]
        await world.send(A, B, C, content=CONTENT)
        await world.run(100 * HOUR)
        await courier.close()
    assert await world.states() == []
    final = [(address, action) for address, action, _ in world.actions() if action != "delayed"]
    assert final == [(B, "failed")]
    reached = Counter(address for addresses, _ in peer.got for address in addresses)
    assert set(reached) == {A, C}
    # Only a connection lost after the message was taken over may bring it twice (RFC 5321 4.5.5: better than never).
    lost_replies = sum(1 for cut in peer.cuts if cut <= peer.said)
    assert max(reached.values()) <= 1 + lost_replies
    assert all(content == CONTENT for _, content in peer.got)


async def test_a_reply_without_end_is_given_up(space: Space) -> None:
    """Each of its lines is short; the reply would fill the memory."""

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while True:
                writer.write(b"220-still greeting\r\n" * 100)
                await writer.drain()

    courier = space.courier()
    async with asyncio.timeout(10), await asyncio.start_server(endless, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        found = (await courier.deliver([Route("127.0.0.1", port)], to(A)))[A]
        await courier.close()
    assert isinstance(found, Problem)
    assert (found.name, found.permanent) == ("unreachable", False)


async def test_a_closed_courier_is_quiet(space: Space) -> None:
    peer, courier = Scripted(space.server_context()), space.courier()
    with listening(peer) as route:
        await courier.deliver([route], to(A))
        await courier.close()
        await asyncio.sleep(0)
        assert (await courier.deliver([route], to(A)))[A] == Accepted("127.0.0.1", False)
        assert peer.connections == 2
        await courier.close()

"""The Twisted transport over real sockets, with clients nobody here wrote: imaplib, IMAPClient, curl, GNU SASL."""

from __future__ import annotations

import asyncio
import base64
import imaplib
import json
import random
import socket
import ssl
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest
from imapclient import IMAPClient

from certs.contexts import Identity, server_context
from mailserver.imap.context import Settings
from mailserver.imap.factory import ImapFactory
from mailserver.imap.protocol import BACKLOG, ImapProtocol, Limits
from mailserver.imap.session import ImapSession
from tests.mailserver.imap.player import PEOPLE, Store, new_store
from tests.mailserver.test_sasl import Client

PASSWORD = "sésame"
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Server:
    folder: Path
    imap: int
    imaps: int
    programs: int
    process: subprocess.Popen[str]

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / "cert.pem"))

    def client(self) -> IMAPClient:
        client = IMAPClient("localhost", self.imaps, ssl_context=self.tls)
        # LOGIN of imaplib is ASCII only; PLAIN takes the accent.
        client.plain_login("bob", PASSWORD)
        return client

    def raw(self) -> ssl.SSLSocket:
        return self.tls.wrap_socket(socket.create_connection(("127.0.0.1", self.imaps)), server_hostname="localhost")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("imap")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.mailserver.imap.serve", str(folder)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=(folder / "errors").open("w"), text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    ports = json.loads(process.stdout.readline())
    yield Server(folder, ports["imap"], ports["imaps"], ports["programs"], process)
    process.stdin.close()
    assert process.wait(10) == 0
    errors = (folder / "errors").read_text()
    assert "Traceback" not in errors, errors
    assert "Error" not in errors, errors


@pytest.mark.parametrize(("kind", "offered"), [("good", True), ("revoked", False), ("", False)])
def test_a_program_signs_in_by_its_certificate(server: Server, kind: str, offered: bool) -> None:
    """EXTERNAL (RFC 4422 A) is offered to who showed a certificate that is believed; without one, passwords are as ever."""
    tls = server.tls
    if kind:
        tls.load_cert_chain(server.folder / f"{kind}.pem", server.folder / f"{kind}.key")
    client = imaplib.IMAP4_SSL("localhost", server.programs, ssl_context=tls)
    try:
        assert ("AUTH=EXTERNAL" in client.capabilities) is offered
        if offered:
            with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
                client.authenticate("EXTERNAL", lambda _: b"bob@hopital.example")
            assert client.authenticate("EXTERNAL", lambda _: b"")[0] == "OK"
        else:
            with pytest.raises(imaplib.IMAP4.error, match="no such mechanism"):
                client.authenticate("EXTERNAL", lambda _: b"")
            assert client.login("bob", "x")[0] == "OK"
        assert client.select("INBOX") == ("OK", [b"3"])
    finally:
        client.logout()


def test_a_program_whose_certificate_was_revoked_since_does_not_sign_in(server: Server) -> None:
    """No list says so yet; the responder is asked when the certificate is used."""
    tls = server.tls
    tls.load_cert_chain(server.folder / "disowned.pem", server.folder / "disowned.key")
    with imaplib.IMAP4_SSL("localhost", server.programs, ssl_context=tls) as client:
        assert "AUTH=EXTERNAL" in client.capabilities
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            client.authenticate("EXTERNAL", lambda _: b"")


def read_until(connection: ssl.SSLSocket | socket.socket, end: bytes) -> bytes:
    said = b""
    connection.settimeout(20)
    while end not in said:
        piece = connection.recv(65536)
        if not piece:
            break
        said += piece
    return said


PLAIN = b"a AUTHENTICATE PLAIN " + base64.b64encode(f"\0bob\0{PASSWORD}".encode()) + b"\r\n"


def test_deflate_under_tls(server: Server) -> None:
    """A large message both ways while the client is slow to read, then a goodbye that can be read too (RFC 4978)."""
    with server.raw() as connection:
        read_until(connection, b"\r\n")
        connection.sendall(PLAIN + b"b SELECT INBOX\r\n")
        read_until(connection, b"b OK")
        connection.sendall(b"c COMPRESS DEFLATE\r\n")
        assert read_until(connection, b"active\r\n").endswith(b"c OK DEFLATE active\r\n")
        out, into, said = zlib.compressobj(1, zlib.DEFLATED, -15), zlib.decompressobj(-15), b""

        def send(data: bytes) -> None:
            connection.sendall(out.compress(data) + out.flush(zlib.Z_PARTIAL_FLUSH))

        def until(end: bytes) -> bytes:
            nonlocal said
            while end not in said:
                piece = connection.recv(65536)
                assert piece, said[-200:]
                said += into.decompress(piece)
            head, _, said = said.partition(end)
            return head + end

        noise = base64.encodebytes(random.Random(1).randbytes(3_000_000))
        message = b"Subject: deflate\r\n\r\n" + noise.replace(b"\n", b"\r\n")
        send(b"d APPEND Archives {%d+}\r\n%b\r\n" % (len(message), message))
        until(b"APPEND completed\r\n")
        send(b"e SELECT Archives\r\nf FETCH * BODY.PEEK[]\r\n")
        time.sleep(0.3)
        assert message in until(b"f OK FETCH completed\r\n")
        send(b"g MOVE * Corbeille\r\nh LOGOUT\r\n")
        until(b"h OK LOGOUT completed\r\n")
        assert connection.recv(1) == b""


def test_imaplib_over_starttls(server: Server) -> None:
    client = imaplib.IMAP4("127.0.0.1", server.imap)
    client.host = "localhost"
    with pytest.raises(imaplib.IMAP4.error, match="STARTTLS"):
        client.login("bob", "x")
    assert client.starttls(server.tls)[0] == "OK"
    assert "AUTH=PLAIN" in client.capabilities
    assert client.authenticate("PLAIN", lambda _: f"\0bob\0{PASSWORD}".encode())[0] == "OK"
    assert client.select("INBOX", readonly=True) == ("OK", [b"3"])
    assert client.search(None, "UNSEEN")[0] == "OK"
    kind, lines = client.fetch("1", "(RFC822)")
    assert kind == "OK"
    assert isinstance(lines[0], tuple)
    assert lines[0][1].startswith(b"From: Alice")
    client.logout()


def test_idle_hears_another_connection(server: Server) -> None:
    with server.client() as listener, server.client() as writer:
        listener.create_folder("Attente")
        listener.select_folder("Attente")
        listener.idle()
        writer.append("Attente", b"Subject: x\r\n\r\n")
        assert (1, b"EXISTS") in listener.idle_check(timeout=5)
        listener.idle_done()
        assert listener.search() == [1]


def test_a_large_message_goes_in_and_out_whole(server: Server) -> None:
    octets = b"Subject: grand\r\n\r\n" + b"0123456789abcdef" * 600_000
    with server.client() as client:
        client.create_folder("Grand")
        client.append("Grand", octets)
        client.select_folder("Grand")
        assert client.fetch([1], ["BODY[]"])[1][b"BODY[]"] == octets
        assert client.fetch([1], ["BODY.PEEK[TEXT]<5000000.16>"])[1][b"BODY[TEXT]<5000000>"] == octets[5000018:5000034]


def test_a_message_too_large_is_refused_and_the_connection_lives(server: Server) -> None:
    with server.raw() as raw:
        raw.sendall(PLAIN + b"b APPEND INBOX {20000001+}\r\n")
        for _ in range(200):
            raw.sendall(b"x" * 100_000)
        raw.sendall(b"x\r\nc NOOP\r\n")
        said = read_until(raw, b"c OK")
    assert b"b NO [TOOBIG]" in said
    assert b"c OK" in said


def test_who_does_not_read_does_not_fill_our_memory(server: Server) -> None:
    """200 FETCHes of 9.6 MB are asked for and not read: the server stops making them, and serves others meanwhile."""
    with server.client() as client:
        client.create_folder("Lent")
        client.append("Lent", b"Subject: lent\r\n\r\n" + b"x" * 9_600_000)
    before = resident(server.process.pid)
    with server.raw() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.sendall(PLAIN + b"b SELECT Lent\r\n" + b"".join(b"c%d FETCH 1 BODY.PEEK[]\r\n" % i for i in range(200)))
        time.sleep(1)
        with server.client() as other:
            other.noop()
        assert resident(server.process.pid) - before < 8_000_000


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_a_flood_of_commands_is_left_in_the_kernel(server: Server) -> None:
    """Who asks 40 MB of commands and reads no answer is not read either, once the kernel's buffers are full."""
    with server.raw() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.sendall(PLAIN)
        raw.settimeout(2)
        with pytest.raises(TimeoutError):
            raw.sendall(b"n NOOP\r\n" * 5_000_000)


async def test_many_commands_at_once_are_all_answered(server: Server) -> None:
    """By asyncio: an `ssl` socket may not be read in one thread while another one writes."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", server.imaps, ssl=server.tls, server_hostname="localhost"
    )
    writer.write(PLAIN + b"".join(b"n%d NOOP\r\n" % i for i in range(30_000)))
    said = b""
    async with asyncio.timeout(30):
        while b"n29999 OK" not in said[-100:]:
            piece = await reader.read(65_536)
            assert piece, said[-200:]
            said += piece
    assert said.count(b" OK NOOP") == 30_000
    writer.close()


def test_trickling_before_sign_in_ends(server: Server) -> None:
    """Limit of this server: 4 seconds in all, whatever trickles in."""
    with socket.create_connection(("127.0.0.1", server.imap)) as raw:
        raw.settimeout(0.1)
        began = time.monotonic()
        while time.monotonic() - began < 20:
            try:
                raw.send(b"x")
                if not raw.recv(1000):
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        assert time.monotonic() - began < 20


def test_too_many_connections_from_one_address(server: Server) -> None:
    opened = [socket.create_connection(("127.0.0.1", server.imap)) for _ in range(21)]
    try:
        greetings = [read_until(connection, b"\r\n") for connection in opened]
    finally:
        for connection in opened:
            connection.close()
    assert sum(b"* OK" in greeting for greeting in greetings) <= 20
    assert any(b"* BYE too many connections" in greeting for greeting in greetings)
    while b"* OK" not in read_until(socket.create_connection(("127.0.0.1", server.imap)), b"\r\n"):
        pass  # until the server has seen them go: the next test is from the same address


def test_what_comes_in_clear_behind_starttls_is_not_believed(server: Server) -> None:
    raw = socket.create_connection(("127.0.0.1", server.imap))
    read_until(raw, b"\r\n")
    raw.sendall(b"a STARTTLS\r\nb CAPABILITY\r\n")
    assert read_until(raw, b"a OK begin TLS now\r\n") == b"a OK begin TLS now\r\n"
    with server.tls.wrap_socket(raw, server_hostname="localhost") as secure:
        secure.sendall(b"c NOOP\r\n")
        assert read_until(secure, b"c OK") == b"c OK NOOP completed\r\n"


def test_connections_cut_at_any_moment_leave_no_trace(server: Server) -> None:
    """The fixture checks that the server wrote no traceback."""
    for last in (b"", b"b SELECT INBOX\r\n", b"b SELECT INBOX\r\nc IDLE\r\n", b"b APPEND INBOX {100}\r\nxyz"):
        raw = server.raw()
        raw.sendall(PLAIN + last)
        read_until(raw, b"a OK")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not a farewell
        raw.close()
        plain = socket.create_connection(("127.0.0.1", server.imap))
        read_until(plain, b"\r\n")
        plain.sendall(b"a STARTTLS\r\n")
        read_until(plain, b"a OK")
        secure = server.tls.wrap_socket(plain, server_hostname="localhost")
        secure.sendall(b"c NOOP\r\n")
        read_until(secure, b"c OK")
        secure.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        secure.close()
    with server.client() as client:
        assert client.noop()


class Recorder:
    """A transport that only notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[object, ...]]] = []

    def __getattr__(self, name: str) -> Callable[..., object]:
        return lambda *arguments: self.asked.append((name, arguments))

    def names(self) -> list[str]:
        return [name for name, _ in self.asked]

    def getPeer(self) -> SimpleNamespace:
        return SimpleNamespace(host="192.0.2.1")

    def getHandle(self) -> SimpleNamespace:
        return SimpleNamespace(get_protocol_version=lambda: ssl.TLSVersion.TLSv1_2)


def attached(limits: Limits, store: Store, shaken: bool = True) -> tuple[Recorder, ImapProtocol, ImapFactory]:
    """As on port 993; `shaken`: the TLS handshake is over."""
    factory = ImapFactory(lambda address: ImapSession(store, PEOPLE, Settings(), address, True), None, limits)
    transport, protocol = Recorder(), factory.buildProtocol(None)
    protocol.makeConnection(transport)  # type: ignore[no-untyped-call]
    if shaken:
        protocol.handshakeCompleted()
    return transport, protocol, factory


async def test_the_greeting_waits_for_the_handshake_which_decides_what_it_announces() -> None:
    transport, protocol, factory = attached(Limits(), await new_store(), shaken=False)
    await asyncio.sleep(0.01)
    assert "write" not in transport.names()
    await factory.shut_down(patience=0)
    assert transport.names()[-1] == "abortConnection"
    protocol.connectionLost()
    assert len(factory) == 0


async def test_nagle_is_off_before_anything_is_written() -> None:
    transport, protocol, factory = attached(Limits(), await new_store())
    await asyncio.sleep(0.01)
    assert transport.asked[0] == ("setTcpNoDelay", (True,))
    assert transport.asked[-1][0] == "write"
    protocol.connectionLost()
    await asyncio.sleep(0)
    assert len(factory) == 0


@pytest.mark.parametrize(("other", "admitted"), [("2001:db8:1:2:3::4", False), ("2001:db8:1:3::9", True)])
async def test_an_ipv6_client_is_its_network(other: str, admitted: bool) -> None:
    factory = ImapFactory(lambda _: SimpleNamespace(), limits=Limits(per_address=1))
    first, second = ImapProtocol(factory), ImapProtocol(factory)
    first.address, second.address = "2001:db8:1:2::9", other
    assert factory.admit(first)
    assert factory.admit(second) is admitted
    factory.release(first)
    assert factory.admit(ImapProtocol(factory))


async def test_a_signed_in_client_may_be_silent_for_its_time_and_no_longer() -> None:
    transport, protocol, _ = attached(Limits(before_sign_in=0.8, idle=2, farewell=0.1), await new_store())
    protocol.dataReceived(PLAIN)
    await asyncio.sleep(1.2)
    assert "loseConnection" not in transport.names()
    protocol.dataReceived(b"b NOOP\r\n")
    await asyncio.sleep(1.2)
    assert "loseConnection" not in transport.names()
    await asyncio.sleep(1.2)
    assert ("write", (b"* BYE idle for too long\r\n",)) in transport.asked
    assert "loseConnection" in transport.names()
    assert transport.names()[-1] == "abortConnection"  # it does not even take the farewell
    protocol.connectionLost()


@pytest.mark.parametrize(
    "first", [PLAIN + b"b APPEND INBOX {5}", PLAIN + b"b APPEND INBOX {90000}", b"b LOGIN {9999+}"]
)
async def test_no_literal_lets_in_more_than_is_taken(first: bytes) -> None:
    """The client does not read: the session waits, with a literal that it gathers, spools or throws away."""
    transport, protocol, _ = attached(Limits(), await new_store())
    await asyncio.sleep(0.01)
    protocol.pauseProducing()
    protocol.dataReceived(first + b"\r\n")
    await asyncio.sleep(0.05)
    protocol.dataReceived(b"x" * (BACKLOG + 6))
    assert transport.names()[-1] == "pauseProducing"
    protocol.connectionLost()


async def test_who_does_not_sign_in_in_time_is_told() -> None:
    transport, protocol, _ = attached(Limits(before_sign_in=0.1), await new_store())
    await asyncio.sleep(0.5)
    assert ("write", (b"* BYE idle for too long\r\n",)) in transport.asked
    protocol.connectionLost()


async def test_shutting_down_says_so() -> None:
    transport, protocol, factory = attached(Limits(), await new_store())
    await asyncio.sleep(0.01)
    await factory.shut_down(patience=0.05)
    assert ("write", (b"* BYE the server is going down\r\n",)) in transport.asked
    protocol.connectionLost()


def test_idle_connections_give_their_tls_buffers_back(server: Server) -> None:
    from OpenSSL import SSL

    context = server_context(Identity(server.folder / "cert.pem", server.folder / "key.pem"))
    assert context.set_mode(0) & SSL.MODE_RELEASE_BUFFERS


# ---------------------------------------------------------------- SCRAM, by other people's clients
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"])
@pytest.mark.parametrize(("password", "right"), [("pencil", True), ("pencil2", False)])
def test_gsasl_signs_in(server: Server, mechanism: str, password: str, right: bool) -> None:
    """GNU SASL over STARTTLS and TLS 1.3: tls-exporter (RFC 9266) for -PLUS; it checks the server's signature too."""
    done = subprocess.run(
        ["gsasl", "--imap", "--mechanism", mechanism, "--authentication-id", "user", "--authorization-id", "user",
         "--password", password, "--x509-ca-file", f"{server.folder}/cert.pem",
         "--connect", f"localhost:{server.imap}", *([] if mechanism.endswith("-PLUS") else ["--no-cb"])],
        input="", capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert (done.returncode == 0) == right, done.stdout + done.stderr
    assert (". OK [CAPABILITY" in done.stdout) == right


@pytest.mark.parametrize(("kind", "right"), [("tls-server-end-point", True), ("tls-unique", False)])
def test_a_binding_to_our_certificate(server: Server, kind: str, right: bool) -> None:
    """imaplib, with the messages of SCRAM made apart from the code under test."""
    client = imaplib.IMAP4_SSL("localhost", server.imaps, ssl_context=server.tls)
    certificate = client.socket().getpeercert(True)  # type: ignore[attr-defined]
    scram = Client("user", "pencil", f"p={kind},,", sha256(certificate).digest())

    def answer(challenge: bytes) -> bytes:
        if not challenge:
            return scram.first
        if challenge.startswith(b"r="):
            return scram.final(challenge)
        assert scram.believes(challenge)
        return b""

    if right:
        client.authenticate("SCRAM-SHA-256-PLUS", answer)
        client.logout()
    else:
        with pytest.raises(imaplib.IMAP4.error, match="this channel binding is not possible here"):
            client.authenticate("SCRAM-SHA-256-PLUS", answer)
        client.shutdown()


def test_below_tls_1_3_no_binding_is_offered(server: Server) -> None:
    old = server.tls
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with imaplib.IMAP4_SSL("localhost", server.imaps, ssl_context=old) as client:
        assert "AUTH=SCRAM-SHA-256" in client.capabilities
        assert "AUTH=SCRAM-SHA-256-PLUS" not in client.capabilities
    with imaplib.IMAP4_SSL("localhost", server.imaps, ssl_context=server.tls) as client:
        assert "AUTH=SCRAM-SHA-256-PLUS" in client.capabilities  # in the greeting already

"""Contexts of the relay, the web and Twisted over real sockets; rotation without a restart."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from certs import trust_store
from certs.authority import Authority, Issued, load_issued
from certs.chain import Checks, Fault, Purpose, Refused, Trusted
from certs.contexts import (
    Identity,
    TwistedContextFactory,
    asking_context,
    relay_context,
    server_context,
)
from certs.profiles import OPERATOR, ORGANISATION, operator_subject
from certs.rotating import Rotating
from certs.tls_session import TlsError
from certs.tls_switch import start_tls_client
from certs.tls_transport import TlsTransport
from certs.trust_store import TrustStore
from foundation.clock import DAY, SECOND, system_clock
from foundation.dn import CN
from tests.certs.conftest import World

NOW = system_clock()
Made = Callable[[Identity], SSL.Context]
OTHER = operator_subject("mx.deux.example", "1750048886", "OPÉRATEUR DEUX", "Paris (75)")


@asynccontextmanager
async def tls_server(context: ssl.SSLContext) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        certificate = writer.get_extra_info("ssl_object").getpeercert(True)
        writer.write(b"with" if certificate else b"without")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def peer_context(folder: Path, issued: Issued, authority: Authority) -> ssl.SSLContext:
    """Another operator's server, by the standard library: wants our certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*issued.write(folder, "peer"))
    (folder / "peer_anchors.pem").write_bytes(authority.root.certificate_pem())
    context.load_verify_locations(folder / "peer_anchors.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class Heard(asyncio.Protocol):
    def __init__(self) -> None:
        self.said, self.over = b"", asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.said += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set()


async def met(port: int, context: SSL.Context) -> tuple[TlsTransport, Heard]:
    loop = asyncio.get_running_loop()
    transport, heard = await loop.create_connection(Heard, "127.0.0.1", port)
    return await start_tls_client(loop, transport, heard, context, "mx.deux.example"), heard


def shown(tls: TlsTransport) -> tuple[bytes | None, tuple[bytes, ...]]:
    return tls.get_extra_info("peercert_der"), tls.get_extra_info("peer_chain_der")


async def test_relay_shows_our_certificate_and_reads_theirs(world: World, tmp_path: Path) -> None:
    peer = world.ours.issue(OPERATOR, OTHER, NOW)
    async with tls_server(peer_context(tmp_path, peer, world.ours)) as port:
        tls, heard = await met(port, relay_context(world.identity(tmp_path)))
        assert shown(tls) == (
            peer.certificate.public_bytes(Encoding.DER),
            (ssl.PEM_cert_to_DER_cert(world.ours.intermediate.certificate_pem().decode()),),
        )
        assert tls.get_extra_info("cipher")[1] == "TLSv1.3"
        assert tls.get_extra_info("stapled") == b""
        found = world.store().judge(*shown(tls), NOW, Purpose.SERVER)
        assert isinstance(found, Trusted)
        assert found.dn.values(CN) == ("mx.deux.example",)
        await heard.over.wait()
        assert heard.said == b"with"


async def test_peers_that_the_judge_refuses_after_the_handshake(world: World, tmp_path: Path) -> None:
    """Nothing is verified in it: why we send nothing must be told."""
    revoked = world.ours.issue(OPERATOR, OTHER, NOW)
    world.ours.revoke(revoked.certificate, NOW)
    context = relay_context(world.identity(tmp_path))
    good = world.ours.issue(OPERATOR, OTHER, NOW)
    for issued, at, fault in (
        (revoked, NOW, Fault.REVOKED),
        (good, NOW + 30 * DAY, Fault.CRL_TOO_OLD),
        (world.expired, NOW, Fault.EXPIRED),
        (world.future, NOW, Fault.NOT_YET_VALID),
        (world.stranger, NOW, Fault.UNTRUSTED),
        (world.ours.issue(ORGANISATION, OTHER, NOW), NOW, Fault.WRONG_USAGE),
    ):
        async with tls_server(peer_context(tmp_path, issued, world.ours)) as port:
            tls, _ = await met(port, context)
            found = world.store().judge(*shown(tls), at, Purpose.SERVER)
            assert isinstance(found, Refused)
            assert found.fault is fault
            tls.close()


async def test_a_peer_that_forgets_its_intermediate(world: World, tmp_path: Path) -> None:
    """Is believed where that one is an anchor itself, or known."""
    good = world.ours.issue(OPERATOR, OTHER, NOW)
    store, both = world.store(), (world.ours.root.certificate, world.ours.intermediate.certificate)
    async with tls_server(peer_context(tmp_path, Issued(good.certificate, good.key), world.ours)) as port:
        tls, _ = await met(port, relay_context(world.identity(tmp_path)))
        assert isinstance(store.judge(*shown(tls), NOW, Purpose.SERVER), Refused)
        assert isinstance(TrustStore(both, store.crls).judge(*shown(tls), NOW, Purpose.SERVER), Trusted)
        tls.close()


async def test_a_server_that_speaks_no_tls_we_know(world: World, tmp_path: Path) -> None:
    context = peer_context(tmp_path, world.ours.issue(OPERATOR, OTHER, NOW), world.ours)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA")  # no forward secrecy
    async with tls_server(context) as port:
        with pytest.raises(TlsError):
            await met(port, relay_context(world.identity(tmp_path)))


def test_loading_a_store_from_files(world: World, tmp_path: Path) -> None:
    world.ours.save(tmp_path, NOW)
    store = trust_store.load(
        tmp_path / "root.pem", tmp_path / "crl.pem", tmp_path / "intermediate.pem", Checks(crl_grace=0)
    )
    leaf = ssl.PEM_cert_to_DER_cert(Issued(world.good.certificate, world.good.key).certificate_pem().decode())
    assert isinstance(store.judge(leaf, (), NOW), Trusted)
    with pytest.raises(OSError):
        trust_store.load(tmp_path / "none.pem")
    (tmp_path / "empty.pem").write_bytes(b"")
    with pytest.raises(ValueError):
        trust_store.load(tmp_path / "empty.pem")


# -- our servers ------------------------------------------------------------------------------------------------------


def handshake(context: SSL.Context, *, tls12: bool = False, suites: str = "DEFAULT") -> tuple[str, str] | None:
    """(version, suite) agreed with an ordinary client in memory; None when they cannot agree."""
    server = SSL.Connection(context, None)
    server.set_accept_state()
    ordinary = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ordinary.check_hostname, ordinary.verify_mode = False, ssl.CERT_NONE
    ordinary.set_ciphers(suites)
    if tls12:
        ordinary.maximum_version = ssl.TLSVersion.TLSv1_2
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ordinary.wrap_bio(incoming, outgoing)
    for _ in range(10):
        try:
            client.do_handshake()
            agreed = client.cipher()
            assert agreed is not None
            return agreed[1], agreed[0]
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            return None
        server.bio_write(outgoing.read())
        try:
            server.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error:
            return None
        try:
            incoming.write(server.bio_read(65536))
        except SSL.WantReadError:
            return None
    return None


SUITES = [
    (False, "DEFAULT", ("TLSv1.3", "TLS_AES_256_GCM_SHA384")),
    (True, "DEFAULT", ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")),
    (True, "ECDHE-ECDSA-AES128-GCM-SHA256", ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256")),
    (True, "ECDHE-ECDSA-AES128-SHA256", None),  # CBC
    (True, "AES256-GCM-SHA384", None),  # no forward secrecy
]


@pytest.mark.parametrize("make", [server_context, asking_context])
@pytest.mark.parametrize(("tls12", "suites", "agreed"), SUITES)
def test_suites(
    world: World,
    tmp_path: Path,
    make: Made,
    tls12: bool,
    suites: str,
    agreed: tuple[str, str] | None,
) -> None:
    assert handshake(make(world.identity(tmp_path)), tls12=tls12, suites=suites) == agreed


def test_idle_connections_give_their_buffers_back(world: World, tmp_path: Path) -> None:
    for make in (server_context, asking_context):
        assert make(world.identity(tmp_path)).set_mode(0) & SSL.MODE_RELEASE_BUFFERS


def test_faults_of_files_are_errors_in_words(world: World, tmp_path: Path) -> None:
    identity = world.identity(tmp_path)
    with pytest.raises(FileNotFoundError):
        server_context(Identity(tmp_path / "none.pem", identity.key))
    other = world.identity(tmp_path, world.stranger, "other")
    with pytest.raises(SSL.Error):
        server_context(Identity(identity.certificate, other.key))


def served_name(context: SSL.Context) -> str:
    server = SSL.Connection(context, None)
    certificate = server.get_certificate(as_cryptography=True)
    assert certificate is not None
    return str(certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)


def test_rotation_without_restart(world: World, tmp_path: Path) -> None:
    now = NOW
    identity = world.identity(tmp_path)
    rotating = Rotating(identity.files, lambda: server_context(identity), lambda: now)
    factory = TwistedContextFactory(rotating.get)
    first = rotating.get()
    assert served_name(first) == "mx.un.example"

    renewed = world.ours.issue(OPERATOR, OTHER, NOW)
    renewed.write(tmp_path, "server")
    assert rotating.get() is first, "the files are not looked at for every connection"
    now += 5 * SECOND
    assert served_name(factory.serverConnectionForTLS(None).get_context()) == "mx.deux.example"
    assert (rotating.loaded_at, rotating.fault) == (now, None)

    (tmp_path / "server.key").write_bytes(b"half a k")
    now += 5 * SECOND
    kept = rotating.get()
    assert served_name(kept) == "mx.deux.example", "the last good pair stays"
    assert rotating.fault is not None
    (tmp_path / "server.pem").unlink()
    now += 5 * SECOND
    assert rotating.get() is kept

    world.good.write(tmp_path, "server")
    now += 5 * SECOND
    assert served_name(factory.serverConnectionForTLS(None).get_context()) == "mx.un.example"
    assert rotating.fault is None


def test_rotation_needs_a_first_good_value(world: World, tmp_path: Path) -> None:
    identity = Identity(tmp_path / "none.pem", tmp_path / "none.key")
    with pytest.raises(OSError):
        Rotating(identity.files, lambda: server_context(identity), system_clock)


async def test_twisted_takes_the_factory(world: World, tmp_path: Path) -> None:
    """In memory: Twisted's TLS protocol over our context, an ordinary client; no reactor."""
    from twisted.internet.protocol import Factory, Protocol
    from twisted.internet.task import Clock
    from twisted.internet.testing import StringTransport
    from twisted.protocols.tls import TLSMemoryBIOFactory

    class Echo(Protocol):
        transport: Any  # Twisted types it by an interface of zope's

        def dataReceived(self, data: bytes) -> None:
            self.transport.write(data.upper())

    identity = world.identity(tmp_path)
    clock = Clock()  # not the reactor: Twisted puts small writes off by a zero delay
    made: Any = TLSMemoryBIOFactory  # typed by interfaces too
    factory = made(TwistedContextFactory(lambda: server_context(identity)), False, Factory.forProtocol(Echo), clock)
    protocol = factory.buildProtocol(None)
    transport = StringTransport()
    protocol.makeConnection(transport)
    ordinary = ssl.create_default_context(cafile=str(world.anchors(tmp_path)))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ordinary.wrap_bio(incoming, outgoing, server_hostname="mx.un.example")
    said = b""
    for step in range(10):
        try:
            if step < 5:
                client.do_handshake()
                client.write(b"hello")
            said = client.read()
            break
        except ssl.SSLWantReadError:
            pass
        if data := outgoing.read():
            protocol.dataReceived(data)
        clock.advance(0)
        incoming.write(transport.value())
        transport.clear()
    assert said.startswith(b"HELLO")


def test_the_authority_on_disk(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    authority = Authority.create(NOW)
    gone = authority.issue(OPERATOR, OTHER, NOW)
    authority.revoke(gone.certificate, NOW)
    authority.save(folder, NOW)
    assert sorted(path.name for path in folder.iterdir()) == [
        "crl.pem", "intermediate.key", "intermediate.pem", "revoked.json", "root.key", "root.pem",
    ]  # fmt: skip
    assert {path.stat().st_mode & 0o777 for path in folder.glob("*.key")} == {0o600}
    again = Authority.load(folder)
    assert again.root.certificate == authority.root.certificate
    assert again.revoked == authority.revoked
    fresh = again.issue(OPERATOR, OTHER, NOW)
    fresh.write(folder, "mx")
    assert load_issued(folder, "mx").chain == (authority.intermediate.certificate,)
    store = trust_store.load(folder / "root.pem", folder / "crl.pem", folder / "intermediate.pem")
    for issued, kind in ((fresh, Trusted), (gone, Refused)):
        der = ssl.PEM_cert_to_DER_cert(Issued(issued.certificate, issued.key).certificate_pem().decode())
        assert isinstance(store.judge(der, (), NOW), kind)
    with pytest.raises(OSError):
        Authority.load(tmp_path / "none")

"""What it costs us to refuse a peer whose authority we do not know: judged after the handshake, as the courier does, or in it.

    .venv/bin/python -m benchmarks.refused_peers [CONNECTIONS]

A peer of its own process on loopback; ours connects, says EHLO and STARTTLS, and gives up. CPU of our side only, both ways by
turns, with certificates of elliptic curves and of RSA.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path

from OpenSSL import SSL, crypto

from certs.authority import Authority, KeyKind
from certs.chain import Purpose, Refused
from certs.contexts import Identity, asking_context, relay_context
from certs.ocsp_client import OcspClient
from certs.profiles import OPERATOR, operator_subject
from certs.tls_session import TlsError
from certs.tls_switch import start_tls_server
from certs.trust_store import TrustStore, load
from foundation.clock import system_clock
from mailserver.outbound.client import Lost, connect
from mailserver.outbound.peer import peer_judge
from mssante.trust_list import TrustList

ROUNDS = 5
AT_ONCE = 4  # as towards one domain


class Peer(asyncio.Protocol):
    """As much SMTP as it takes to be refused."""

    def __init__(self, context: SSL.Context) -> None:
        self._context, self._plain = context, True
        self._task: asyncio.Task[object] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 peer.example\r\n")

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"STARTTLS"):
            self._task = asyncio.ensure_future(self._secure())
        elif data.startswith(b"EHLO"):
            self._transport.write(b"250-peer.example\r\n250 STARTTLS\r\n" if self._plain else b"250 peer.example\r\n")
        else:
            self._transport.close()

    async def _secure(self) -> None:
        loop, self._plain = asyncio.get_running_loop(), False
        try:
            self._transport = await start_tls_server(loop, self._transport, self, self._context, reply=b"220 go\r\n")
        except TlsError:
            return


def serve(identity: Identity, port: multiprocessing.Queue[int]) -> None:
    async def run() -> None:
        context = asking_context(identity)
        server = await asyncio.get_running_loop().create_server(lambda: Peer(context), "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def refusing(identity: Identity, store: TrustStore) -> SSL.Context:
    """Judges while the handshake runs: no question to an OCSP responder can be asked there."""
    context = relay_context(identity)

    def verify(_connection: SSL.Connection, certificate: crypto.X509, _error: int, depth: int, _good: int) -> bool:
        if depth:
            return True
        verdict = store.judge_certificate(certificate.to_cryptography(), (), system_clock(), Purpose.SERVER)
        return not isinstance(verdict, Refused)

    context.set_verify(SSL.VERIFY_PEER, verify)
    return context


async def refused(port: int, context: SSL.Context, store: TrustStore, count: int) -> float:
    """Microseconds of CPU for one."""
    judge = peer_judge(lambda: store, lambda: TrustList(system_clock(), {}), OcspClient(system_clock))
    turn, told = asyncio.Semaphore(AT_ONCE), 0

    async def one() -> None:
        nonlocal told
        async with turn:
            client, _ = await connect("127.0.0.1", port)
            try:
                await client.hello("mail.alpha.example")
                await client.ask([b"STARTTLS"])
                await client.start_tls(context, "peer.example")
                await client.hello("mail.alpha.example")
                assert client.tls is not None
                told += await judge(client.tls, "peer.example") is not None
                client.leave()
            except (TlsError, Lost):
                told += 1
            finally:
                client.close()

    begun = time.process_time()
    await asyncio.gather(*(one() for _ in range(count)))
    used = time.process_time() - begun
    assert told == count
    return used / count * 1e6


def measure(folder: Path, kind: KeyKind, count: int) -> None:
    now, subject = system_clock(), operator_subject("mail.alpha.example", "1990000001", "Alpha", "Villefleur (99)")
    ours, stranger = Authority.create(now), Authority.create(now)
    for authority, name in ((ours, "ours"), (stranger, "stranger")):
        authority.save(folder / name, now)
        authority.issue(OPERATOR, subject, now, kind=kind).write(folder / name, "server")
    identity, peer = (
        Identity(folder / name / "server.pem", folder / name / "server.key") for name in ("ours", "stranger")
    )
    store = load(folder / "ours" / "root.pem", folder / "ours" / "crl.pem")
    queue: multiprocessing.Queue[int] = multiprocessing.Queue()
    process = multiprocessing.Process(target=serve, args=(peer, queue), daemon=True)
    process.start()
    port, ways = queue.get(), {"after": relay_context(identity), "in": refusing(identity, store)}
    found: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, context in ways.items():
            found[way].append(asyncio.run(refused(port, context, store, count // ROUNDS)))
    process.terminate()
    after, within = (statistics.median(found[way]) for way in ways)
    print(f"{kind.name}: after the handshake {after:.0f} µs, in it {within:.0f} µs, ratio {within / after:.2f}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        for key_kind in KeyKind:
            measure(Path(temporary) / key_kind.name, key_kind, int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)

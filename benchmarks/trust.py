"""What the trust space costs: the list at its real size, connections of operators at the MX door, and refusing them."""

from __future__ import annotations

import random
import socket
import ssl
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.figures import address_of, bench_of, cpu_seconds, pss_kib
from certs.authority import Authority, KeyKind
from certs.chain import Checks
from certs.profiles import LIST_SIGNER, organisation_subject
from certs.trust_store import TrustStore
from foundation.clock import system_clock
from foundation.dn import parse
from mssante.trust_list import Entry, Signer, TrustList, read_list, sign_list
from tests.support.demo import Demo
from tests.support.peer import authority, certificate_of, client_context, issue

Figures = Iterator[tuple[str, str]]

ENTRIES, DOMAINS, NAMES = 8_700, 6_600, 450  # of the real list, mid-2026, by its proportions of 2025
PEERS, AT_ONCE = 1_000, 20


def figure_trust_list(_demo: Demo) -> Figures:
    now, dice = system_clock(), random.Random(1)
    ca = Authority.create(now, KeyKind.RSA)
    signer = ca.issue(LIST_SIGNER, organisation_subject("alb.mssante.fr", "1", "A", "P"), now, kind=KeyKind.RSA)
    names = [
        f"CN=mx{i}.mssante.example,OU=3{i:014d},O=OPÉRATEUR DE SANTÉ N° {i},ST=Bouches-du-Rhône (13),C=FR"
        for i in range(NAMES)
    ]
    entries = [
        Entry(
            f"etablissement-{i % DOMAINS}.region.mssante.example",
            names[dice.randrange(NAMES)],
            "Un établissement de soins",
        )
        for i in range(ENTRIES)
    ]
    data = sign_list(entries, signer.key, signer.certificate, now, signer.chain)  # type: ignore[arg-type]
    rule = Signer(TrustStore((ca.root.certificate,), checks=Checks(crl_required=False)).signer_judge())
    times = []
    for _ in range(7):
        start = time.perf_counter()
        found = read_list(data, rule, now)
        times.append(time.perf_counter() - start)
    assert isinstance(found, TrustList)
    assert len(found.entries) == DOMAINS
    yield (
        f"trust list of {ENTRIES:,} entries ({len(data) / 1e6:.1f} MB): verify and read",
        f"{statistics.median(times) * 1000:.0f} ms",
    )
    dn, count = parse(names[7]), 200_000
    start = time.perf_counter()
    for i in range(count):
        found.allows(entries[i % ENTRIES].domain, dn)
    yield "look-ups: may this name speak for this domain", f"{count / (time.perf_counter() - start):,.0f} /s"


def figure_border(demo: Demo) -> Figures:
    """Connections of another operator: TCP, EHLO, STARTTLS with its certificate (P-256), EHLO, MAIL, QUIT."""
    pids, door = bench_of(demo)["pids"], address_of(demo.operator()["smtp"])
    listed, stranger = certificate_of(demo), issue(authority(demo))
    sender = "antoine.vidal@medecins.beta.example"
    for label, context, expected in (
        ("recognised", client_context(demo, listed), b"250"),
        ("refused: name not listed", client_context(demo, stranger), b"550"),
        ("refused: no certificate", client_context(demo, None), b"550"),
    ):
        _connections(door, context, sender, expected, AT_ONCE)  # warm
        memory, cpu, start = pss_kib(pids), cpu_seconds(pids), time.perf_counter()
        _connections(door, context, sender, expected, PEERS)
        took, cost = time.perf_counter() - start, cpu_seconds(pids) - cpu
        yield (
            f"{PEERS:,} connections with TLS 1.3, {label}",
            f"{PEERS / took:,.0f} /s ({cost / PEERS * 1000:.2f} ms of server CPU each; memory {pss_kib(pids) - memory:+,} KiB)",
        )


def _connections(door: tuple[str, int], context: ssl.SSLContext, sender: str, expected: bytes, count: int) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for reply in pool.map(lambda _: _connect(door, context, sender), range(count)):
            assert reply.startswith(expected), reply


def _connect(door: tuple[str, int], context: ssl.SSLContext, sender: str) -> bytes:
    """The reply to MAIL."""
    with socket.create_connection(door, 30) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.recv(1000)
        raw.sendall(b"EHLO mail.beta.example\r\n")
        raw.recv(4000)
        raw.sendall(b"STARTTLS\r\n")
        raw.recv(1000)
        with context.wrap_socket(raw) as tls:
            tls.sendall(b"EHLO mail.beta.example\r\n")
            tls.recv(4000)
            tls.sendall(f"MAIL FROM:<{sender}>\r\n".encode())
            reply = tls.recv(4000)
            tls.sendall(b"QUIT\r\n")
            tls.recv(1000)
            return reply

"""Certificates are renewed while mail flows both ways: every door shows the new one within seconds, no message is lost."""

from __future__ import annotations

import smtplib
import socket
import ssl
from functools import partial
from ipaddress import IPv4Address
from time import monotonic

from cryptography import x509

from certs.profiles import OPERATOR
from foundation.clock import system_clock
from tests.support.demo import Demo, uids_of, wait_until
from tests.support.flow import Flow, running
from tests.support.peer import authority, certificate_of

LOOKED_AT = 7  # seconds; files are looked at every five


def flow_of(demo: Demo, sender: str, to: str) -> Flow:
    return Flow(lambda subject: demo.send(sender, demo.person(to)["address"], subject), f"Rotation {sender}")


def arrived(demo: Demo, flow: Flow, to: str) -> int:
    with demo.imap(demo.person(to)) as imap:
        return len(uids_of(imap, f"{flow.name} "))


def all_arrived(demo: Demo, flow: Flow, to: str) -> bool:
    return arrived(demo, flow, to) >= flow.sent


def shows(demo: Demo, door: str, operator: str, certificate: x509.Certificate) -> bool:
    return shown(demo, door, operator) == certificate.serial_number


def shown(demo: Demo, door: str, operator: str) -> int:
    """The serial number of the certificate that a door shows to a new connection."""
    if door == "smtp":
        with smtplib.SMTP(*demo.door(door, operator), timeout=10) as smtp:
            smtp.starttls(context=demo.trust(operator))
            assert isinstance(smtp.sock, ssl.SSLSocket)
            der = smtp.sock.getpeercert(True)
    else:
        with socket.create_connection(demo.door(door, operator), 10) as raw:
            with demo.trust(operator).wrap_socket(raw) as tls:
                der = tls.getpeercert(True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


def test_certificates_are_renewed_under_traffic(demo: Demo) -> None:
    loopback = (x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1")))
    flows = {"confrere": flow_of(demo, "medecin", "confrere"), "medecin": flow_of(demo, "confrere", "medecin")}
    with running([*flows.values()]):
        for operator in ("alpha", "beta"):
            old = certificate_of(demo, operator).certificate
            new = authority(demo).issue(OPERATOR, old.subject, system_clock(), also=loopback)
            new.write(demo.data / operator / "tls", "server")
            assert (demo.data / operator / "tls" / "server.key").stat().st_mode & 0o077 == 0
            for door in ("smtp", "imaps", "submissions"):
                wait_until(partial(shows, demo, door, operator, new.certificate), 20, door)
    for to, flow in flows.items():
        assert not flow.failed
        assert flow.sent > 10
        wait_until(partial(all_arrived, demo, flow, to), 30, "all messages arrive")
        assert arrived(demo, flow, to) == flow.sent


def test_a_half_written_certificate_leaves_the_doors_open(demo: Demo) -> None:
    """What cannot be used is not taken up: new connections still get the last good one, also once it was looked at."""
    path = demo.data / "beta" / "tls" / "server.pem"
    good, serial = path.read_bytes(), certificate_of(demo).certificate.serial_number
    flow = flow_of(demo, "medecin", "confrere")
    already = arrived(demo, flow, "confrere")
    try:
        path.write_bytes(good[:100])
        with running([flow]):
            until = monotonic() + LOOKED_AT
            while monotonic() < until:
                assert {shown(demo, door, "beta") for door in ("smtp", "imaps", "submissions")} == {serial}
            assert flow.sent >= 5
    finally:
        path.write_bytes(good)
    assert not flow.failed
    wait_until(lambda: arrived(demo, flow, "confrere") - already == flow.sent, 30)


def test_the_context_of_a_connection_under_way_stays(demo: Demo) -> None:
    """A session begun before the renewal goes on under its own certificate."""
    context: ssl.SSLContext = demo.trust("beta")
    with smtplib.SMTP(*demo.door("smtp", "beta"), timeout=20) as smtp:
        smtp.starttls(context=context)
        before = shown(demo, "smtp", "beta")
        old = certificate_of(demo, "beta").certificate
        authority(demo).issue(OPERATOR, old.subject, system_clock()).write(demo.data / "beta" / "tls", "server")
        wait_until(lambda: shown(demo, "smtp", "beta") != before, 20)
        assert smtp.noop()[0] == 250

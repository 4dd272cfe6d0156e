"""The doors over real sockets and real TLS, on asyncio and uvloop, with clients that nobody here wrote: smtplib and swaks."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import uvloop

from certs import contexts, crl, trust_store
from certs.authority import Authority, Issued
from certs.chain import Purpose
from certs.ocsp_client import OcspClient
from certs.profiles import OPERATOR, operator_subject
from foundation.clock import DAY, HOUR, system_clock
from mailserver.sign_in import SignedIn
from mailserver.smtp import ports
from mailserver.smtp.doors import by_certificate, open_door, tls_by_openssl
from mailserver.smtp.limits import Limits
from mailserver.smtp.ports import DoorRules, House
from tests.mailserver.smtp.smtp_house import BETA_DN, CAMILLE, List, Memory, house, opened
from tests.mailserver.test_sasl import Client
from tests.support.people import People

Play = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Play:
    """Runs a scenario on a loop of each kind."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def run(scenario: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(asyncio.wait_for(scenario, 60))

    return run


@dataclass(frozen=True)
class Pki:
    folder: Path
    authority: Authority
    server: contexts.Identity

    def file(self, issued: Issued, name: str) -> contexts.Identity:
        return contexts.Identity(*issued.write(self.folder, name))

    def certificate(self, kind: str) -> contexts.Identity | None:
        """What a peer presents, good or faulty."""
        now, ca, start, end = system_clock(), self.authority, None, None
        match kind:
            case "none":
                return None
            case "self-signed":
                ca = Authority.create(now, label="AUTRE")
            case "expired":
                start, end = now - 20 * DAY, now - DAY
            case "not yet valid":
                start, end = now + DAY, now + 20 * DAY
        host = "mail.other.example" if kind == "unlisted" else "mail.beta.example"
        subject = operator_subject(host, "1990000011", "HOPITAL BETA", "Villefleur (99)")
        issued = ca.issue(OPERATOR, subject, now, start=start, end=end)
        if kind == "revoked":
            self.authority.revoke(issued.certificate, now - HOUR)
        return self.file(issued, kind.replace(" ", "-"))

    def store(self) -> trust_store.TrustStore:
        crls = crl.from_x509(self.authority.crls(system_clock()))
        # swaks sends its certificate without the intermediate, as peers do: we know ours
        return trust_store.TrustStore(
            (self.authority.root.certificate,), crls, (self.authority.intermediate.certificate,)
        )

    @property
    def ca(self) -> Path:
        return self.folder / "root.pem"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    folder, now = tmp_path_factory.mktemp("pki"), system_clock()
    authority = Authority.create(now)
    authority.save(folder, now)
    ours = authority.issue(OPERATOR, operator_subject("localhost", "1990000029", "ALPHA", "Villefleur (99)"), now)
    return Pki(folder, authority, contexts.Identity(*ours.write(folder, "ours")))


def mx_house(folder: Path, pki: Pki, acceptor: Memory) -> House:
    context = contexts.asking_context(pki.server)
    return house(
        folder,
        acceptor,
        start_tls=tls_by_openssl(lambda: context),
        judge_peer=by_certificate(pki.store, OcspClient(system_clock)),
        clock=system_clock,
    )


def submission_house(folder: Path, pki: Pki, acceptor: Memory) -> House:
    context = contexts.server_context(pki.server)
    return house(folder, acceptor, start_tls=tls_by_openssl(lambda: context), clock=system_clock)


def client_context(pki: Pki, identity: contexts.Identity | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=pki.ca)
    if identity is not None:
        context.load_cert_chain(identity.certificate, identity.key)
    return context


# ---------------------------------------------------------------- MX
@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("beta", 250, b""),
        ("none", 550, b"no operator certificate"),
        ("self-signed", 550, b"authority"),
        ("expired", 550, b"has expired"),
        ("not yet valid", 550, b"not valid yet"),
        ("revoked", 550, b"revoked"),
        ("unlisted", 550, b"CN=mail.other.example"),
    ],
)
def test_the_mx_judges_each_certificate_in_words(
    kind: str, code: int, words: bytes, pki: Pki, tmp_path: Path, play: Play
) -> None:
    acceptor, identity = Memory(), pki.certificate(kind)

    def client(port: int) -> None:
        with smtplib.SMTP("localhost", port, timeout=10) as peer:
            assert peer.ehlo("mail.beta.example")[0] == 250
            assert peer.docmd("MAIL FROM:<a@beta.example>")[0] == 530
            assert peer.starttls(context=client_context(pki, identity))[0] == 220
            assert peer.ehlo("mail.beta.example")[0] == 250
            found, text = peer.docmd("MAIL FROM:<a@beta.example>")
            assert (found, words in text) == (code, True), text
            if code == 250:
                assert peer.docmd("RCPT TO:<b@alpha.example>")[0] == 250
                assert peer.data(b"Subject: x\r\n\r\nhello\r\n.\r\n")[0] == 250
            assert peer.docmd("NOOP")[0] == 250

    async def scenario() -> None:
        async with opened(ports.MX, mx_house(tmp_path, pki, acceptor)) as door:
            await asyncio.to_thread(client, door.port)

    play(scenario())
    assert acceptor.bodies == ([b"Subject: x\r\n\r\nhello\r\n.\r\n"] if code == 250 else [])
    if code == 250:
        assert acceptor.accepted[0][0].sender.peer_domains == frozenset({"beta.example"})
        assert b" with ESMTPS id " in acceptor.accepted[0][1]


def test_the_listed_name_of_these_tests_is_the_certificates(pki: Pki) -> None:
    assert List().entries["beta.example"] == BETA_DN
    verdict = pki.store().judge_certificate(
        pki.authority.issue(
            OPERATOR,
            operator_subject("mail.beta.example", "1990000011", "HOPITAL BETA", "Villefleur (99)"),
            system_clock(),
        ).certificate,
        [pki.authority.intermediate.certificate],
        system_clock(),
        Purpose.CLIENT,
    )
    assert verdict.dn.text == BETA_DN  # type: ignore[union-attr]


def test_a_broken_handshake_costs_one_connection(pki: Pki, tmp_path: Path, play: Play) -> None:
    def client(port: int) -> None:
        for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b""):
            with socket.create_connection(("localhost", port), 10) as raw:
                raw.recv(100)
                raw.sendall(b"EHLO x\r\nSTARTTLS\r\n")
                while b"220 2.0.0" not in raw.recv(4096):
                    pass
                raw.sendall(noise)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):
                    pass
        with smtplib.SMTP("localhost", port, timeout=10) as peer:
            assert peer.starttls(context=client_context(pki))[0] == 220

    async def scenario() -> None:
        async with opened(ports.MX, mx_house(tmp_path, pki, Memory())) as door:
            await asyncio.to_thread(client, door.port)
            await asyncio.sleep(0.1)
            assert door._live == set()

    play(scenario())


@pytest.mark.parametrize("rules", [ports.MX, ports.SUBMISSIONS], ids=["25", "465"])
def test_a_handshake_that_never_comes_is_given_up(rules: DoorRules, pki: Pki, tmp_path: Path, play: Play) -> None:
    def client(port: int) -> None:
        with socket.create_connection(("localhost", port), 5) as raw:
            if rules is ports.MX:
                raw.recv(100)
                raw.sendall(b"EHLO x\r\nSTARTTLS\r\n")
            try:
                while raw.recv(4096):
                    pass
            except ConnectionResetError:
                return

    async def scenario() -> None:
        make = mx_house if rules is ports.MX else submission_house
        made = replace(make(tmp_path, pki, Memory()), limits=Limits(handshake_s=0.2))
        async with opened(rules, made) as door:
            await asyncio.to_thread(client, door.port)
            await asyncio.sleep(0.1)
            assert door._live == set()

    play(scenario())


def test_a_large_message_through_tls(pki: Pki, tmp_path: Path, play: Play) -> None:
    acceptor, identity = Memory(), pki.certificate("beta")
    body = b"".join(b"%08d" % i * 9 + b"\r\n" for i in range(40_000))

    def client(port: int) -> None:
        with smtplib.SMTP("localhost", port, timeout=30) as peer:
            peer.starttls(context=client_context(pki, identity))
            assert peer.sendmail("a@beta.example", ["b@alpha.example", "c@alpha.example"], body) == {}

    async def scenario() -> None:
        async with opened(ports.MX, mx_house(tmp_path, pki, acceptor)) as door:
            await asyncio.to_thread(client, door.port)

    play(scenario())
    assert acceptor.bodies == [body]


# ---------------------------------------------------------------- submission
BOUND = replace(ports.SUBMISSION, channel_binding=True)  # by the setting `tls.bind_submission`


def user_of(
    rules: DoorRules, port: int, pki: Pki, version: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED
) -> smtplib.SMTP:
    """Under TLS, greeted."""
    context = client_context(pki)
    context.maximum_version = version
    if rules.tls is ports.Tls.STARTTLS:
        user = smtplib.SMTP("localhost", port, timeout=10)
        user.starttls(context=context)
    else:
        user = smtplib.SMTP_SSL("localhost", port, timeout=10, context=context)
    user.ehlo()
    return user


@pytest.mark.parametrize("rules", [ports.SUBMISSION, ports.SUBMISSIONS], ids=["587", "465"])
def test_submission_with_a_password(rules: DoorRules, pki: Pki, tmp_path: Path, play: Play) -> None:
    acceptor = Memory()

    def client(port: int) -> None:
        with user_of(rules, port, pki) as user:
            user.user, user.password = "camille", "café-au-lait"
            with pytest.raises(smtplib.SMTPSenderRefused) as refusal:
                user.sendmail("camille.roche@alpha.example", ["b@beta.example"], b"x")
            assert refusal.value.smtp_code == 530
            token = b"AGNhbWlsbGUAY2Fmw6ktYXUtbGFpdA=="
            assert user.docmd("AUTH", "PLAIN " + token.decode())[0] == 235
            user.sendmail("camille.roche@alpha.example", ["b@beta.example"], "Subject: x\r\n\r\nBonjour\r\n")

    async def scenario() -> None:
        async with opened(rules, submission_house(tmp_path, pki, acceptor)) as door:
            await asyncio.to_thread(client, door.port)

    play(scenario())
    assert acceptor.bodies == [b"Subject: x\r\n\r\nBonjour\r\n"]
    assert acceptor.accepted[0][0].sender.box_id == 7


@pytest.mark.parametrize(("password", "right"), [("pencil", True), ("pencil2", False)])
def test_msmtp_proves_its_password(password: str, right: bool, pki: Pki, tmp_path: Path, play: Play) -> None:
    """SCRAM-SHA-256 by GNU SASL, which checks our signature too."""
    acceptor = Memory()

    def client(port: int) -> None:
        done = subprocess.run(
            ["msmtp", "--file=/dev/null", "--host=localhost", f"--port={port}", "--tls=on", f"--tls-trust-file={pki.ca}",
             "--auth=scram-sha-256", "--user=user", f"--passwordeval=echo {password}",
             "--from=camille.roche@alpha.example", "b@beta.example"],
            input="Subject: x\n\nBonjour\n", capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert (done.returncode == 0) == right, done.stderr

    async def scenario() -> None:
        async with opened(ports.SUBMISSION, submission_house(tmp_path, pki, acceptor)) as door:
            await asyncio.to_thread(client, door.port)

    play(scenario())
    assert len(acceptor.accepted) == right


@pytest.mark.parametrize("rules", [BOUND, ports.SUBMISSIONS], ids=["587", "465"])
def test_a_proof_bound_to_our_certificate(rules: DoorRules, pki: Pki, tmp_path: Path, play: Play) -> None:
    """SCRAM-SHA-256-PLUS; behind another certificate, as of somebody in between, the same client is refused."""

    def client(port: int) -> None:
        with user_of(rules, port, pki) as user:
            certificate = user.sock.getpeercert(True)  # type: ignore[union-attr]
            for seen, code in ((b"another", 535), (certificate, 235)):
                scram = Client("user", "pencil", "p=tls-server-end-point,,", sha256(seen).digest())
                said, challenge = user.docmd("AUTH", "SCRAM-SHA-256-PLUS " + b64encode(scram.first).decode())
                assert said == 334
                said, answer = user.docmd(b64encode(scram.final(b64decode(challenge))).decode())
                if said == 334:
                    assert scram.believes(b64decode(answer))
                    said, _ = user.docmd("")
                assert said == code

    async def scenario() -> None:
        async with opened(rules, submission_house(tmp_path, pki, Memory())) as door:
            await asyncio.to_thread(client, door.port)

    play(scenario())


MACHINE = SignedIn(9, "resultats@alpha.example", "Laboratoire")


@pytest.mark.parametrize("rules", [ports.SUBMISSIONS, ports.SUBMISSION])
@pytest.mark.parametrize(
    ("kind", "offered"),
    [
        ("beta", True), ("none", False), ("self-signed", False), ("expired", False), ("not yet valid", False), ("revoked", False),
    ],
)  # fmt: skip
def test_a_program_signs_in_by_its_certificate(
    pki: Pki, tmp_path: Path, play: Play, rules: ports.DoorRules, kind: str, offered: bool
) -> None:
    """EXTERNAL (RFC 4422 A) is offered to who showed a certificate that is believed; without one, passwords are as ever."""
    context = contexts.asking_context(pki.server)
    machines = People({"camille": ("x", CAMILLE)}, certificates={BETA_DN: [MACHINE]})
    given = house(
        tmp_path,
        Memory(),
        start_tls=tls_by_openssl(lambda: context),
        judge_client=by_certificate(pki.store, OcspClient(system_clock)),
        sign_in=machines,
        clock=system_clock,
    )

    def client(port: int) -> None:
        identity = pki.certificate(kind)
        if rules is ports.SUBMISSIONS:
            user: smtplib.SMTP = smtplib.SMTP_SSL("localhost", port, context=client_context(pki, identity), timeout=10)
        else:
            user = smtplib.SMTP("localhost", port, timeout=10)
            user.starttls(context=client_context(pki, identity))
        with user:
            user.ehlo()
            assert ("EXTERNAL" in user.esmtp_features["auth"].split()) is offered
            said, _ = user.docmd("AUTH EXTERNAL " + b64encode(b"camille.roche@alpha.example").decode())
            assert said == (535 if offered else 504)
            said, _ = user.docmd("AUTH EXTERNAL =")
            assert said == (235 if offered else 504)
            if offered:
                assert user.docmd("MAIL FROM:<resultats@alpha.example>")[0] == 250
            else:
                assert user.login("camille", "x")[0] == 235

    async def scenario() -> None:
        async with opened(rules, given) as door:
            await asyncio.to_thread(client, door.port)

    play(scenario())


@pytest.mark.parametrize(
    ("rules", "version", "offered"),
    [
        (ports.SUBMISSIONS, ssl.TLSVersion.TLSv1_3, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"),
        (ports.SUBMISSIONS, ssl.TLSVersion.TLSv1_2, "SCRAM-SHA-256 PLAIN LOGIN"),
        (ports.SUBMISSION, ssl.TLSVersion.TLSv1_3, "SCRAM-SHA-256 PLAIN LOGIN"),  # mutt, see `ports`
        (BOUND, ssl.TLSVersion.TLSv1_3, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"),
        (BOUND, ssl.TLSVersion.TLSv1_2, "SCRAM-SHA-256 PLAIN LOGIN"),
    ],
)
def test_channel_binding_is_offered_where_it_is_safe(
    rules: DoorRules, version: ssl.TLSVersion, offered: str, pki: Pki, tmp_path: Path, play: Play
) -> None:
    def client(port: int) -> None:
        with user_of(rules, port, pki, version) as user:
            assert user.esmtp_features["auth"].strip() == offered

    async def scenario() -> None:
        async with opened(rules, submission_house(tmp_path, pki, Memory())) as door:
            await asyncio.to_thread(client, door.port)

    play(scenario())


def test_wrong_passwords_wait_and_never_lock(pki: Pki, tmp_path: Path, play: Play) -> None:
    def client(port: int) -> None:
        with smtplib.SMTP_SSL("localhost", port, timeout=10, context=client_context(pki)) as user:
            user.ehlo()
            for _ in range(5):
                assert user.docmd("AUTH", "PLAIN AGEAYg==")[0] == 535
            assert user.docmd("AUTH", "PLAIN AGNhbWlsbGUAY2Fmw6ktYXUtbGFpdA==")[0] == 235

    async def scenario() -> None:
        async with opened(ports.SUBMISSIONS, submission_house(tmp_path, pki, Memory())) as door:
            begun = asyncio.get_running_loop().time()
            await asyncio.to_thread(client, door.port)
            assert asyncio.get_running_loop().time() - begun >= 5 * 0.03

    play(scenario())


# ---------------------------------------------------------------- swaks
def swaks(port: int, *options: str) -> str:
    command = ["swaks", "--server", "localhost", "--port", str(port), "--to", "b@alpha.example", "--timeout", "10"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


def test_swaks_with_a_client_certificate(pki: Pki, tmp_path: Path, play: Play) -> None:
    acceptor, identity = Memory(), pki.certificate("beta")
    assert identity is not None
    tls = ["--tls", "--tls-cert", str(identity.certificate), "--tls-key", str(identity.key)]

    async def scenario() -> None:
        async with opened(ports.MX, mx_house(tmp_path, pki, acceptor)) as door:
            text = await asyncio.to_thread(swaks, door.port, "--from", "a@beta.example", *tls, "--pipeline")
            assert "250 2.0.0 Accepted as mid-1" in text, text
            text = await asyncio.to_thread(swaks, door.port, "--from", "a@gamma.example", *tls)
            assert "550 5.7.1" in text, text
            text = await asyncio.to_thread(swaks, door.port, "--from", "a@beta.example")
            assert "530 5.7.0" in text, text

    play(scenario())
    assert len(acceptor.accepted) == 1


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize(("rules", "tls"), [(ports.SUBMISSION, "--tls"), (ports.SUBMISSIONS, "--tls-on-connect")])
def test_swaks_signs_in(rules: DoorRules, tls: str, mechanism: str, pki: Pki, tmp_path: Path, play: Play) -> None:
    acceptor = Memory()
    options = [tls, "--auth", mechanism, "--auth-user", "camille", "--from", "camille.roche@alpha.example"]

    async def scenario() -> None:
        async with opened(rules, submission_house(tmp_path, pki, acceptor)) as door:
            text = await asyncio.to_thread(swaks, door.port, *options, "--auth-password", "café-au-lait")
            assert "250 2.0.0 Accepted as mid-1" in text, text
            text = await asyncio.to_thread(swaks, door.port, *options, "--auth-password", "wrong")
            assert "535 5.7.8" in text, text

    play(scenario())
    assert len(acceptor.accepted) == 1


# ---------------------------------------------------------------- plain sockets
def test_the_last_word_arrives_though_the_client_goes_on_sending(tmp_path: Path, play: Play) -> None:
    """A close on unread octets would reset the connection: the 554 must be read, and nothing after it."""

    def client(port: int) -> bytes:
        with socket.create_connection(("localhost", port), 10) as raw:
            raw.sendall(b"HELO x\r\nMAIL FROM:<a@beta.example>\r\nRCPT TO:<b@alpha.example>\r\nDATA\r\n")
            heard = b""
            while b"354" not in heard:
                heard += raw.recv(4096)
            raw.sendall(b"hello\n.\n" + b"MAIL FROM:<a@beta.example>\r\n" * 5_000)
            heard = b""
            while piece := raw.recv(4096):
                heard += piece
            return heard

    async def scenario() -> None:
        made = house(tmp_path, Memory(), limits=Limits(linger_s=0.3))
        async with opened(ports.BENCH, made) as door:
            heard = await asyncio.to_thread(client, door.port)
            assert heard.count(b"\r\n") == 1
            assert heard.startswith(b"554 5.5.2")

    play(scenario())


def test_a_client_that_closes_its_half_still_hears_us(tmp_path: Path, play: Play) -> None:
    acceptor = Memory()

    def client(port: int) -> bytes:
        with socket.create_connection(("localhost", port), 10) as raw:
            raw.sendall(b"HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@alpha.example>\r\nDATA\r\nhi\r\n.\r\n")
            raw.shutdown(socket.SHUT_WR)
            heard = b""
            while piece := raw.recv(4096):
                heard += piece
            return heard

    async def scenario() -> None:
        async with opened(ports.BENCH, house(tmp_path, acceptor)) as door:
            heard = await asyncio.to_thread(client, door.port)
            assert heard.splitlines()[-1].startswith(b"250 2.0.0 Accepted")

    play(scenario())
    assert acceptor.bodies == [b"hi\r\n"]


def test_closing_a_door_waits_for_the_message_begun(tmp_path: Path, play: Play) -> None:
    async def scenario() -> None:
        acceptor = Memory(gate=asyncio.Event())
        assert acceptor.gate is not None
        sock = socket.create_server(("127.0.0.1", 0))
        door = await open_door(ports.BENCH, house(tmp_path, acceptor), sock)
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@alpha.example>\r\nDATA\r\nhi\r\n.\r\n")
        await reader.readuntil(b"354")
        closing = asyncio.create_task(door.close(5))
        await asyncio.sleep(0.1)
        assert not closing.done()
        acceptor.gate.set()
        await closing
        assert (await reader.read()).splitlines()[-1].startswith(b"250 2.0.0 Accepted")
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", door.port)

    play(scenario())


def test_a_door_says_all_that_it_lacks(tmp_path: Path) -> None:
    async def scenario() -> None:
        bare = house(tmp_path, Memory(), start_tls=None, sign_in=None, judge_peer=None, trust=None)
        with socket.create_server(("127.0.0.1", 0)) as sock:
            with pytest.raises(
                ValueError, match="TLS is not set up, nobody judges certificates, there is no trust list"
            ):
                await open_door(ports.MX, bare, sock)
            with pytest.raises(ValueError, match="nobody checks passwords"):
                await open_door(ports.SUBMISSION, bare, sock)
        with socket.create_server(("0.0.0.0", 0)) as sock, pytest.raises(ValueError, match="loopback"):
            await open_door(ports.BENCH, bare, sock)

    asyncio.run(scenario())

"""What a session does beyond its dialogue: smuggling, limits, time, loss, faults of ours, and what must never reach a log."""

from __future__ import annotations

import asyncio
import gc
import re
import weakref
from pathlib import Path

import aiosmtpd
import pytest
from aiosmtpd.smtp import SMTP
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from foundation.blob_receiver import LONGEST
from mailserver.delivery.api import Door, Terms
from mailserver.smtp import ports
from mailserver.smtp.engine import SmtpSession
from mailserver.smtp.limits import Limits
from mailserver.smtp.link import PRIVATE_NAMES, Link
from tests.mailserver.smtp.smtp_house import Memory, Wire, house, wire
from tests.support.properties import examples

HELLO = b"HELO client.example\r\n"
BEGIN = b"MAIL FROM:<a@beta.example>\r\nRCPT TO:<b@alpha.example>\r\nDATA\r\n"


async def in_data(folder: Path, acceptor: Memory, limits: Limits) -> Wire:
    connection = wire(ports.BENCH, house(folder, acceptor, limits=limits))
    said = await connection.send(HELLO + BEGIN)
    assert said.splitlines()[-1].startswith(b"354")
    return connection


# ---------------------------------------------------------------- smuggling
FALSE_ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\n.\r",
    b"\r.\n",
    b"\n\n.\r\n",
    b"\n\r.\r\n",
    b"\r\n\r.\r\n",
    b"\r\r\n.\r\n",
    b"\r\n.\r\r\n",
    b"\r\n\x00.\n",
]


@pytest.mark.parametrize("step", [0, 1, 5])
@pytest.mark.parametrize("end", FALSE_ENDS, ids=repr)
async def test_only_crlf_dot_crlf_ends_a_message(end: bytes, step: int, tmp_path: Path) -> None:
    acceptor = Memory()
    connection = await in_data(tmp_path, acceptor, Limits(linger_s=0.02))
    said = await connection.send(b"Subject: carrier\r\n\r\nhello" + end + BEGIN + b"smuggled\r\n.\r\nQUIT\r\n", step)
    await asyncio.sleep(0.05)
    assert connection.said == said
    assert [line[:9] for line in said.splitlines()] == [b"554 5.5.2"]
    assert connection.closed
    assert acceptor.accepted == []


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("line", [b"NOOP\n", b"NOOP\rNOOP\r\n", b"NOOP\r\r\n", b"\n", b"\r", b"NOOP\n\r\n"], ids=repr)
async def test_a_command_with_a_bare_line_end_ends_the_session(line: bytes, step: int, tmp_path: Path) -> None:
    acceptor = Memory()
    connection = wire(ports.BENCH, house(tmp_path, acceptor))
    await connection.send(HELLO)
    said = await connection.send(line + BEGIN + b"x\r\n.\r\n", step)
    await asyncio.sleep(0.1)
    assert [reply[:9] for reply in said.splitlines()] == [b"554 5.5.2"]
    assert connection.closed
    assert (acceptor.judged, acceptor.accepted) == ([], [])


async def test_commands_sent_before_tls_are_not_heard_after_it(tmp_path: Path) -> None:
    acceptor = Memory()
    connection = wire(ports.MX, house(tmp_path, acceptor))
    said = await connection.send(b"EHLO x\r\nSTARTTLS\r\nEHLO x\r\nMAIL FROM:<a@beta.example>\r\nNO")
    assert said.splitlines()[-1] == b"220 2.0.0 Ready to start TLS"
    assert (await connection.send(b"NOOP\r\n")).splitlines() == [b"250 2.0.0 OK"]


# ---------------------------------------------------------------- content
@pytest.mark.parametrize("step", [0, 1, 3, 1_000])
async def test_the_message_arrives_whole_behind_its_trace(step: int, tmp_path: Path) -> None:
    acceptor = Memory()
    connection = await in_data(tmp_path, acceptor, Limits())
    body = b"Subject: x\r\n\r\n..one\r\n.two\r\n" + b"three" * 40 + b"\r\n"
    await connection.send(body + b".\r\n", step)
    envelope, content = acceptor.accepted[0]
    assert content == (
        b"Return-Path: <a@beta.example>\r\n"
        b"Received: from client.example ([192.0.2.7])\r\n\tby mx.alpha.example with SMTP id id-1;\r\n"
        b"\tSat, 22 Nov 2025 08:26:40 -0000\r\nSubject: x\r\n\r\n.one\r\ntwo\r\n" + b"three" * 40 + b"\r\n"
    )
    assert envelope.sender.door is Door.BENCH
    assert envelope.sender.peer_domains == frozenset({"beta.example"})
    assert [r.address for r in envelope.recipients] == ["b@alpha.example"]


async def test_a_large_message_takes_the_road_of_files(tmp_path: Path) -> None:
    acceptor = Memory()
    connection = await in_data(tmp_path, acceptor, Limits())
    body = b"".join(b"%09d" % i * 100 + b"\r\n" for i in range(1_500))
    await connection.send(body + b".\r\n", 100_000)
    await asyncio.sleep(0.2)
    assert connection.said.startswith(b"250 ")
    assert acceptor.bodies == [body]


async def test_dsn_and_utf8_reach_the_envelope(tmp_path: Path) -> None:
    acceptor = Memory()
    connection = wire(ports.BENCH, house(tmp_path, acceptor))
    await connection.send(
        b"EHLO c\r\nMAIL FROM:<a@beta.example> RET=FULL ENVID=x SMTPUTF8\r\n"
        b"RCPT TO:<b@alpha.example> NOTIFY=SUCCESS ORCPT=rfc822;z@alpha.example\r\nDATA\r\n"
    )
    await connection.send(b"x\r\n.\r\n")
    envelope, content = acceptor.accepted[0]
    assert (envelope.ret, envelope.envid, envelope.smtp_utf8) == ("FULL", "x", True)
    assert envelope.terms == Terms()
    assert (envelope.recipients[0].notify, envelope.recipients[0].orcpt) == (
        frozenset({"SUCCESS"}),
        "rfc822;z@alpha.example",
    )
    assert b" with UTF8SMTP id " in content


@pytest.mark.parametrize(
    ("parameters", "terms", "traced"),
    [
        (b"REQUIRETLS", Terms(require_tls=True), b""),
        (b"MT-PRIORITY=4", Terms(priority=4), b"\r\n\tPRIORITY 4"),  # RFC 6710 4.1
        (b"MT-PRIORITY=-4", Terms(priority=-4), b"\r\n\tPRIORITY -4"),
        (b"MT-PRIORITY=0", Terms(), b""),
        (b"BY=60;RT", Terms(deadline=1_763_800_060_000, returns=True, traced=True), b""),
    ],
)
async def test_the_terms_reach_the_envelope(parameters: bytes, terms: Terms, traced: bytes, tmp_path: Path) -> None:
    acceptor = Memory()
    connection = wire(ports.SUBMISSIONS, house(tmp_path, acceptor))
    await connection.send(b"EHLO c\r\nAUTH PLAIN AGNhbWlsbGUAY2Fmw6ktYXUtbGFpdA==\r\n")
    await connection.send(b"MAIL FROM:<camille.roche@alpha.example> " + parameters + b"\r\n")
    await connection.send(b"RCPT TO:<b@beta.example>\r\nDATA\r\n")
    await connection.send(b"x\r\n.\r\n")
    [(envelope, content)] = acceptor.accepted
    assert envelope.terms == terms
    assert b" with ESMTPSA id id-1" + traced + b";\r\n" in content


async def test_submission_hides_where_the_user_is(tmp_path: Path) -> None:
    acceptor = Memory()
    connection = wire(ports.SUBMISSIONS, house(tmp_path, acceptor), "198.51.100.9")
    assert (await connection.rest()).startswith(b"220 ")
    await connection.send(b"EHLO home-of-camille\r\nAUTH PLAIN AGNhbWlsbGUAY2Fmw6ktYXUtbGFpdA==\r\n")
    await connection.send(BEGIN.replace(b"a@beta", b"camille.roche@alpha"))
    await connection.send(b"x\r\n.\r\n")
    envelope, content = acceptor.accepted[0]
    assert (envelope.sender.box_id, envelope.sender.actor) == (7, "Camille Roche")
    assert b"with ESMTPSA" in content
    assert b"198.51.100.9" not in content
    assert b"home-of" not in content


SECRETS = (
    b"Bcc: <secret@alpha.example>,\r\n <other@alpha.example>\r\nSubject: x\r\nRETURN-PATH: <a@x.example>\r\n"
    b"resent-bcc : <secret@alpha.example>\r\nTo: b@alpha.example\r\n\r\nBcc: in the text\r\n.\r\n"
)


@pytest.mark.parametrize("step", [0, 1, 7])
async def test_to_whom_it_goes_in_secret_stays_with_the_sender(tmp_path: Path, step: int) -> None:
    """RFC 5322 3.6.3: some programs leave the field in the message; and no message begins with a Return-Path (RFC 5321 4.4)."""
    acceptor = Memory()
    connection = wire(ports.SUBMISSIONS, house(tmp_path, acceptor), "198.51.100.9")
    await connection.send(b"EHLO x\r\nAUTH PLAIN AGNhbWlsbGUAY2Fmw6ktYXUtbGFpdA==\r\n")
    await connection.send(BEGIN.replace(b"a@beta", b"camille.roche@alpha"))
    await connection.send(SECRETS, step)
    assert acceptor.bodies == [b"Subject: x\r\nTo: b@alpha.example\r\n\r\nBcc: in the text\r\n"]


async def test_what_comes_from_elsewhere_is_left_as_it_was_signed(tmp_path: Path) -> None:
    acceptor = Memory()
    connection = await in_data(tmp_path, acceptor, Limits())
    await connection.send(SECRETS)
    assert acceptor.bodies == [SECRETS.removesuffix(b".\r\n")]


# ---------------------------------------------------------------- limits
async def test_too_large_is_drained_and_told_once(tmp_path: Path) -> None:
    acceptor = Memory()
    connection = await in_data(tmp_path, acceptor, Limits(message_octets=10_000))
    said = await connection.send(b"x" * 900 + b"\r\n" + (b"y" * 900 + b"\r\n") * 20 + b".\r\nNOOP\r\n", 4_000)
    assert [line[:9] for line in said.splitlines()] == [b"552-5.3.4", b"552 5.3.4", b"250 2.0.0"]
    assert acceptor.accepted == []
    assert list(tmp_path.rglob("*.*")) == []


async def test_far_too_large_is_given_up(tmp_path: Path) -> None:
    connection = await in_data(tmp_path, Memory(), Limits(message_octets=10_000, linger_s=0.02))
    said = await connection.send((b"y" * 900 + b"\r\n") * 60)
    await asyncio.sleep(0.05)
    assert [line[:9] for line in said.splitlines()] == [b"552 5.3.4"]
    assert connection.closed


async def test_a_line_too_long_voids_the_message_not_the_session(tmp_path: Path) -> None:
    acceptor = Memory()
    connection = await in_data(tmp_path, acceptor, Limits())
    said = await connection.send(b"x" * 999 + b"\r\n.\r\nNOOP\r\n")
    assert [line[:9] for line in said.splitlines()] == [b"554 5.6.0", b"250 2.0.0"]
    assert acceptor.accepted == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"NOOP " + b"x" * 505, b"250"),
        (b"NOOP " + b"x" * 506, b"500"),
        (b"MAIL FROM:<> ENVID=" + b"x" * 100, b"250"),
        (b"MAIL FROM:<>" + b" " * 1_300 + b"SIZE=1", b"500"),
        (b"X" * 20_000, b"500"),
    ],
    ids=["512", "513", "longer MAIL", "MAIL", "20 KB"],
)
@pytest.mark.parametrize("step", [0, 1_000])
async def test_command_lines_have_their_length(line: bytes, code: bytes, step: int, tmp_path: Path) -> None:
    connection = wire(ports.BENCH, house(tmp_path, Memory()))
    await connection.send(HELLO)
    said = await connection.send(line + b"\r\nRSET\r\n", step)
    assert [reply[:3] for reply in said.splitlines()] == [code, b"250"]


async def test_ten_thousand_recipients_cost_little(tmp_path: Path) -> None:
    acceptor = Memory()
    connection = wire(ports.BENCH, house(tmp_path, acceptor))
    await connection.send(HELLO + b"MAIL FROM:<a@beta.example>\r\n")
    said = await connection.send(b"".join(b"RCPT TO:<p%d@alpha.example>\r\n" % i for i in range(10_000)), 50_000)
    await asyncio.sleep(0.1)
    lines = connection.said.splitlines() or said.splitlines()
    assert [line[:9] for line in lines] == [b"250 2.1.5"] * 1_000 + [b"452 4.5.3"] * 9_000
    assert len(acceptor.judged) == 1_000
    assert (await connection.send(b"DATA\r\n")).startswith(b"354")
    await connection.send(b"x\r\n.\r\n")
    assert len(acceptor.accepted[0][0].recipients) == 1_000


async def test_rcptmax_counts_every_rcpt(tmp_path: Path) -> None:
    """RFC 9422 4.2: what is announced is what is taken, refused or not."""
    connection = wire(ports.BENCH, house(tmp_path, Memory(), limits=Limits(recipients=3)))
    said = await connection.send(b"EHLO c\r\nMAIL FROM:<>\r\n")
    assert b"250-LIMITS RCPTMAX=3 MAILMAX=10000\r\n" in said
    rcpts = b"RCPT TO:<unknown@alpha.example>\r\nRCPT TO:<?>\r\n" + b"RCPT TO:<b@alpha.example>\r\n" * 2
    for _ in range(2):
        said = await connection.send(rcpts + b"RSET\r\nMAIL FROM:<>\r\n")
        codes = [line[:9] for line in said.splitlines() if line[3:4] == b" "]
        assert codes == [b"550 5.1.1", b"553 5.1.3", b"250 2.1.5", b"452 4.5.3", b"250 2.0.0", b"250 2.1.0"]


async def test_mailmax_counts_every_mail_and_then_the_session_ends(tmp_path: Path) -> None:
    """RFC 9422 4.1."""
    connection = wire(ports.BENCH, house(tmp_path, Memory(), limits=Limits(messages=3, linger_s=0.02)))
    said = await connection.send(b"EHLO c\r\n")
    assert b"250-LIMITS RCPTMAX=1000 MAILMAX=3\r\n" in said
    said = await connection.send(b"MAIL FROM:<>\r\nMAIL FROM:<>\r\nMAIL FROM:<a@>\r\nMAIL FROM:<>\r\nNOOP\r\n")
    await asyncio.sleep(0.05)
    codes = [line[:9] for line in said.splitlines() if line[3:4] == b" "]
    assert codes == [b"250 2.1.0", b"503 5.5.1", b"503 5.5.1", b"421 4.7.0"]
    assert connection.closed


async def test_an_address_harvester_stops_being_answered(tmp_path: Path) -> None:
    acceptor = Memory()
    connection = wire(ports.BENCH, house(tmp_path, acceptor, limits=Limits(refused_recipients=50)))
    await connection.send(HELLO + b"MAIL FROM:<a@beta.example>\r\n")
    said = await connection.send(b"RCPT TO:<unknown@alpha.example>\r\n" * 60)
    codes = [line[:4] for line in said.splitlines()]
    assert codes == [b"550-", b"550 "] * 50 + [b"452 "] * 10
    assert len(acceptor.judged) == 50


async def test_too_many_errors_end_the_session(tmp_path: Path) -> None:
    connection = wire(ports.BENCH, house(tmp_path, Memory(), limits=Limits(errors=5, linger_s=0.02)))
    said = await connection.send(b"WHAT\r\n" * 30)
    await asyncio.sleep(0.05)
    assert [line[:3] for line in said.splitlines()[1:]] == [b"500"] * 5 + [b"421"]
    assert connection.closed


async def test_too_many_idle_commands_are_errors_and_a_message_forgives(tmp_path: Path) -> None:
    acceptor = Memory()
    limits = Limits(idle_commands=10, errors=5, linger_s=0.02)
    connection = wire(ports.BENCH, house(tmp_path, acceptor, limits=limits))
    await connection.send(HELLO + b"NOOP\r\n" * 12 + BEGIN)
    await connection.send(b"x\r\n.\r\n")
    assert len(acceptor.accepted) == 1
    assert (await connection.send(b"NOOP\r\n" * 15)).count(b"250 ") == 15
    said = await connection.send(b"NOOP\r\n")
    assert said.startswith(b"421 4.7.0")


async def test_connections_are_counted_per_address(tmp_path: Path) -> None:
    made = house(tmp_path, Memory(), limits=Limits(connections_per_address=2, linger_s=0.02))
    from mailserver.smtp.doors import Template

    template = Template(ports.BENCH, made, asyncio.get_running_loop())
    first, second, third = (Wire(template, "192.0.2.1") for _ in range(3))
    other = Wire(template, "192.0.2.2")
    await asyncio.sleep(0.01)
    assert third.said.startswith(b"421 4.7.0 Too many connections")
    assert third.closed
    assert first.said[:3] == second.said[:3] == other.said[:3] == b"220"
    first.close()
    await asyncio.sleep(0.01)
    again = Wire(template, "192.0.2.1")
    await asyncio.sleep(0.01)
    assert again.said.startswith(b"220")
    for connection in (second, other, again):
        connection.close()
    await asyncio.sleep(0.01)
    assert (template.live, again.session.guard.total) == (set(), 0)


async def test_sessions_share_no_state(tmp_path: Path) -> None:
    from mailserver.smtp.doors import Template

    template = Template(ports.BENCH, house(tmp_path, Memory()), asyncio.get_running_loop())
    one, two = Wire(template), Wire(template)
    limits = dict(SMTP.command_size_limits)
    await one.send(b"EHLO one\r\nMAIL FROM:<a@beta.example>\r\n")
    assert (await two.send(b"MAIL FROM:<a@beta.example>\r\n")).startswith(b"503 5.5.1 Send EHLO")
    assert dict(SMTP.command_size_limits) == limits
    shared = {
        name
        for name, value in (vars(type(one.session)) | vars(one.session)).items()
        if getattr(two.session, name) is value and isinstance(value, list | dict | set | asyncio.Future)
    }
    assert shared == {"live", "_handle_hooks"}  # the door's register; aiosmtpd's hooks, of which there are none


async def test_a_session_that_is_over_needs_no_garbage_collector(tmp_path: Path) -> None:
    connection = wire(ports.BENCH, house(tmp_path, Memory()))
    gc.disable()
    try:
        await connection.send(HELLO + BEGIN)
        await connection.send(b"x\r\n.\r\nQUIT\r\n")
        await asyncio.sleep(0.01)
        assert connection.closed
        over = weakref.ref(connection.session)
        del connection.session  # as transports of a loop do once they are closed
        assert over() is None
    finally:
        gc.enable()


# ---------------------------------------------------------------- time and loss
async def test_silence_is_told_then_hung_up(tmp_path: Path) -> None:
    connection = wire(ports.BENCH, house(tmp_path, Memory(), limits=Limits(command_s=0.1, linger_s=0.05)))
    await connection.send(b"NO")
    await asyncio.sleep(0.05)
    await connection.send(b"OP")  # a line sent drop by drop gets no more time
    await asyncio.sleep(0.3)
    assert connection.said.startswith(b"421 4.4.2")
    assert connection.closed


async def test_silence_inside_a_message_stores_nothing(tmp_path: Path) -> None:
    acceptor = Memory()
    connection = await in_data(tmp_path, acceptor, Limits(data_block_s=0.1, linger_s=0.05))
    await connection.send(b"x\r\n" * 50_000)
    await asyncio.sleep(0.4)
    assert connection.said.startswith(b"421 4.4.2")
    assert connection.closed
    assert acceptor.accepted == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_our_own_slowness_is_not_the_clients(tmp_path: Path) -> None:
    acceptor = Memory(gate=asyncio.Event())
    assert acceptor.gate is not None
    connection = await in_data(tmp_path, acceptor, Limits(command_s=0.05, data_block_s=0.05))
    connection.session.data_received(b"x\r\n.\r\n")
    await asyncio.sleep(0.3)
    acceptor.gate.set()
    await asyncio.sleep(0.01)
    assert connection.said.splitlines()[-1].startswith(b"250 2.0.0 Accepted")


async def test_a_client_gone_while_we_store_loses_nothing(tmp_path: Path) -> None:
    acceptor = Memory(gate=asyncio.Event())
    assert acceptor.gate is not None
    connection = await in_data(tmp_path, acceptor, Limits())
    connection.session.data_received(b"x\r\n.\r\n")
    await asyncio.sleep(0.01)
    connection.close()
    await asyncio.sleep(0.01)
    acceptor.gate.set()
    await asyncio.sleep(0.01)
    assert acceptor.bodies == [b"x\r\n"]
    assert connection.session.task is None


async def test_a_connection_lost_inside_a_message_stores_nothing(tmp_path: Path) -> None:
    acceptor = Memory()
    connection = await in_data(tmp_path, acceptor, Limits())
    await connection.send(b"half a mess")
    connection.close()
    await asyncio.sleep(0.01)
    assert acceptor.accepted == []
    assert connection.session.task is None


async def test_stopping_says_goodbye_and_finishes_what_is_begun(tmp_path: Path) -> None:
    acceptor = Memory(gate=asyncio.Event())
    assert acceptor.gate is not None
    made = house(tmp_path, acceptor)
    idle, busy = wire(ports.BENCH, made), await in_data(tmp_path, acceptor, Limits())
    await idle.send(b"NOOP\r\n")
    busy.session.data_received(b"x\r\n.\r\n")
    await asyncio.sleep(0.01)
    for connection in (idle, busy):
        connection.session.stop()
    await asyncio.sleep(0.01)
    assert idle.said.splitlines()[-1].startswith(b"421 4.3.2")
    assert (idle.closed, busy.closed) == (True, False)
    acceptor.gate.set()
    await asyncio.sleep(0.01)
    assert busy.said.splitlines()[-1].startswith(b"250 ")
    assert busy.closed


async def test_replies_wait_for_a_client_that_does_not_read(tmp_path: Path) -> None:
    connection = wire(ports.BENCH, house(tmp_path, Memory()))
    await connection.send(HELLO)
    connection.session.pause_writing()
    connection.said = b""
    for _ in range(200):
        connection.session.data_received(b"HELP\r\n" * 100)
        await asyncio.sleep(0)
    assert len(connection.said) < 100_000
    connection.session.resume_writing()
    await asyncio.sleep(0.1)
    assert connection.closed  # 20,000 idle commands are too many, and it is told so
    assert connection.said.splitlines()[-1].startswith(b"421")


# ---------------------------------------------------------------- faults of ours
async def test_a_fault_in_accept_is_451_and_leaves_no_words_in_the_log(tmp_path: Path) -> None:
    acceptor = Memory(fault=RuntimeError("INSERT ... 'b@alpha.example' failed"))
    with capture_logs() as logs:
        connection = await in_data(tmp_path, acceptor, Limits(linger_s=0.02))
        said = await connection.send(b"x\r\n.\r\n")
        await asyncio.sleep(0.05)
    assert said.startswith(b"451 4.3.0")
    assert connection.closed
    assert [entry["event"] for entry in logs] == ["smtp_fault"]
    assert logs[0]["kind"] == "RuntimeError"
    assert "alpha.example" not in str(logs)


@pytest.mark.parametrize("lines", [200, 2 + LONGEST // 900])
async def test_a_full_disk_is_452_and_the_message_is_not_taken_for_commands(lines: int, tmp_path: Path) -> None:
    acceptor = Memory()
    connection = await in_data(tmp_path, acceptor, Limits())
    (tmp_path / "incoming").rmdir()
    said = await connection.send(b"\r\n" + (b"z" * 900 + b"\r\n") * lines + b"NOOP\r\n.\r\nRSET\r\n", 10_000)
    assert [line[:9] for line in said.splitlines()] == [b"452 4.3.1", b"250 2.0.0"]
    assert acceptor.accepted == []


async def test_no_address_in_the_logs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    with capture_logs() as logs:
        connection = await in_data(tmp_path, Memory(), Limits(command_s=0.1, linger_s=0.02))
        await connection.send(b"Subject: secret\r\n\r\nx\r\n.\r\nVRFY b@alpha.example\r\nWHAT b@alpha.example\r\n")
        await asyncio.sleep(0.3)
    text = str(logs) + caplog.text
    assert "smtp_timeout" in text
    for word in ("alpha.example", "beta.example", "192.0.2.7", "secret", "client.example"):
        assert word not in text.replace("mx.alpha.example", "")


# ---------------------------------------------------------------- anything at all
WORDS = st.sampled_from(
    [
        b"EHLO c", b"HELO c", b"MAIL FROM:<a@beta.example>", b"MAIL FROM:<>", b"RCPT TO:<b@alpha.example>", b"DATA", b"RSET",
        b"RCPT TO:<unknown@alpha.example>", b"NOOP", b"QUIT", b"AUTH PLAIN", b"AUTH LOGIN", b"STARTTLS", b"*", b"", b".", b"..x",
        b"MAIL FROM:<camille.roche@alpha.example>", b"AUTH PLAIN AGNhbWlsbGUAY2Fmw6ktYXUtbGFpdA==", b"Subject: x", b"\xff\x00",
    ]
)  # fmt: skip


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rules=st.sampled_from([ports.BENCH, ports.MX, ports.SUBMISSION]),
    lines=st.lists(
        WORDS | st.binary(max_size=20).filter(lambda line: b"\n" not in line and b"\r" not in line), max_size=25
    ),
    cut=st.integers(0, 30),
)
def test_any_dialogue_is_answered_and_nothing_breaks(
    rules: ports.DoorRules, lines: list[bytes], cut: int, tmp_path: Path
) -> None:
    """Each line gets one reply at most, the transcript is well formed, and no fault of ours is found."""

    async def talk() -> list[bytes]:
        made = house(tmp_path, Memory(), limits=Limits(linger_s=0.001, password_wait_s=0.001))
        connection = wire(rules, made)
        said = await connection.rest()
        for line in lines:
            said += await connection.send(line + b"\r\n", cut)
        connection.close()
        await asyncio.sleep(0)
        return said.splitlines(keepends=True)

    with capture_logs() as logs:
        replies = asyncio.run(talk())
    assert [entry for entry in logs if entry["event"] == "smtp_fault"] == []
    assert all(re.fullmatch(rb"[2345][0-9]{2}[ -][ -~]*\r\n", reply) for reply in replies)
    assert sum(reply[3:4] == b" " for reply in replies) <= len(lines) + 2


# ---------------------------------------------------------------- aiosmtpd
def test_the_private_names_exist_in_the_pinned_version() -> None:
    assert aiosmtpd.__version__ == "1.4.6"
    loop = asyncio.new_event_loop()
    stock = SMTP(object(), hostname="x", loop=loop)
    missing = [name for name in PRIVATE_NAMES if not hasattr(stock, name)]
    loop.close()
    assert missing == []


def test_no_other_private_name_is_touched() -> None:
    """What our classes define or set and aiosmtpd or asyncio have too must be on the list."""
    loop = asyncio.new_event_loop()
    stock = SMTP(object(), hostname="x", loop=loop)
    loop.close()
    ours = {name for kind in (Link, SmtpSession) for name in (*vars(kind), *kind.__annotations__)}
    private = {name for name in ours if name.startswith("_") and not name.startswith("__")}
    assert {name for name in private if hasattr(stock, name)} <= PRIVATE_NAMES

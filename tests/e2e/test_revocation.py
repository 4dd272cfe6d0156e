"""What the operator takes away on the command line holds at once in the running server, in all its processes."""

from __future__ import annotations

import imaplib
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.demo import ROOT, Demo, compose, free_port_base

pytestmark = pytest.mark.xdist_group("revocation")  # a demo of its own
TEAM, THOMAS, NADIA = (
    "cardiologie@chu.alpha.example",
    "thomas.girard@chu.alpha.example",
    "nadia.benali@chu.alpha.example",
)


SHARED = f'"Bo&AO4-tes partag&AOk-es/{TEAM}/INBOX"'


@pytest.fixture
def two_workers(tmp_path: Path) -> Iterator[Demo]:
    running = Demo(tmp_path / "demo", free_port_base(), ("--operators", "1", "--workers", "2"))
    try:
        yield running.start()
    finally:
        running.stop()


def mssante(demo: Demo, *words: str) -> None:
    config = str(demo.data / "alpha" / "mssante.toml")
    subprocess.run([sys.executable, "-m", "runtime.cli", *words, "--config", config], cwd=ROOT, check=True)


def person(demo: Demo, login: str) -> dict[str, str]:
    return next(one for one in demo.facts["people"] if one["login"] == login)


def idling(demo: Demo, stack: ExitStack, who: dict[str, str], folder: str = "INBOX") -> imaplib.IMAP4_SSL:
    imap = imaplib.IMAP4_SSL(*demo.door("imaps"), ssl_context=demo.trust(), timeout=20)
    stack.callback(imap.shutdown)
    imap.login(who["login"], who["password"])
    assert imap.select(folder)[0] == "OK"
    imap.send(b"i IDLE\r\n")
    assert imap.readline().startswith(b"+")
    return imap


def test_a_seat_taken_away_ends_the_sessions_in_the_shared_mailbox_and_leaves_one_s_own(two_workers: Demo) -> None:
    demo = two_workers
    nadia = demo.person("cardiologue")
    with ExitStack() as stack:
        own = idling(demo, stack, nadia)
        shared = [idling(demo, stack, nadia, SHARED) for _ in range(8)]  # on both workers, whichever the kernel chose
        smtp = stack.enter_context(smtplib.SMTP(*demo.door("submission"), timeout=20))
        smtp.starttls(context=demo.trust())
        smtp.login(nadia["login"], nadia["password"])
        assert smtp.mail(TEAM)[0] == 250
        smtp.rset()

        mssante(demo, "mailbox", "members", "role", TEAM, THOMAS, "holder")  # the last holder stays
        mssante(demo, "mailbox", "members", "suspend", TEAM, NADIA)
        for imap in shared:
            assert imap.readline().startswith(b"* BYE")
        assert smtp.mail(TEAM)[0] == 550
        assert smtp.mail(nadia["address"])[0] == 250
        own.send(b"DONE\r\n")
        assert own.readline().startswith(b"i OK")
        assert own.select(SHARED)[0] == "NO"
        mssante(demo, "mailbox", "members", "resume", TEAM, NADIA)
        assert own.select(SHARED)[0] == "OK"


def test_a_member_suspended_is_out_of_every_session_and_a_colleague_is_not(two_workers: Demo) -> None:
    demo = two_workers
    thomas, nadia = person(demo, THOMAS), person(demo, NADIA)
    with ExitStack() as stack:
        his = [idling(demo, stack, thomas) for _ in range(8)]  # on both workers, whichever the kernel chose
        hers = idling(demo, stack, nadia)
        smtp = stack.enter_context(smtplib.SMTP(*demo.door("submission"), timeout=20))
        smtp.starttls(context=demo.trust())
        smtp.login(thomas["login"], thomas["password"])

        mssante(demo, "mailbox", "members", "suspend", TEAM, THOMAS)
        for imap in his:
            assert imap.readline().startswith(b"* BYE signed out")
        assert smtp.docmd("MAIL", f"FROM:<{TEAM}>")[0] == 421
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"), demo.imap(thomas):
            pass
        hers.send(b"DONE\r\n")
        assert hers.readline().startswith(b"i OK")

        mssante(demo, "mailbox", "members", "resume", TEAM, THOMAS)
        with demo.imap(thomas) as again:
            assert again.select("INBOX")[0] == "OK"

        mssante(demo, "mailbox", "members", "role", TEAM, THOMAS, "reader")
        with (
            demo.submission(thomas) as reading,
            pytest.raises(smtplib.SMTPSenderRefused, match="sans pouvoir y ecrire"),
        ):
            reading.send_message(compose(TEAM, NADIA, "a", "b"))


def test_a_mailbox_suspended_sends_no_more_and_one_closed_is_shut(two_workers: Demo) -> None:
    demo = two_workers
    nadia, doctor = person(demo, NADIA), demo.person("medecin")
    with ExitStack() as stack:
        imap = idling(demo, stack, nadia)
        mssante(demo, "mailbox", "suspend", TEAM, "--refuse")
        with demo.submission(nadia) as smtp, pytest.raises(smtplib.SMTPRecipientsRefused, match="suspendue"):
            smtp.send_message(compose(TEAM, doctor["address"], "a", "b"))
        with demo.submission(doctor) as smtp, pytest.raises(smtplib.SMTPRecipientsRefused, match="suspendue"):
            smtp.send_message(compose(doctor["address"], TEAM, "a", "b"))
        mssante(demo, "mailbox", "close", TEAM)
        assert imap.readline().startswith(b"* BYE signed out")
        with demo.submission(doctor) as smtp, pytest.raises(smtplib.SMTPRecipientsRefused, match="fermee"):
            smtp.send_message(compose(doctor["address"], TEAM, "a", "b"))

"""PostgreSQL crashes and comes back under traffic: what had its 250 is there, nobody is told a lie meanwhile, and all goes on."""

from __future__ import annotations

import imaplib
import os
import smtplib
import subprocess
import threading
import time
from contextlib import suppress
from email.policy import SMTP
from pathlib import Path

import pytest
from imapclient import IMAPClient
from sqlalchemy import create_engine, text

from tests.e2e.test_crash import kept
from tests.support.browser_session import WebSession
from tests.support.demo import Demo, compose, free_port_base, wait_until
from tests.support.postgres import Server, cluster, other_database

AWAY = 6.0  # seconds: longer than between two looks of a worker
pytestmark = [pytest.mark.xdist_group("postgresql away"), pytest.mark.timeout(300)]


class Sender(threading.Thread):
    """Submits one message after the other until `stop`; `said`: number -> the code that answered it."""

    def __init__(self, demo: Demo, to: str) -> None:
        super().__init__()
        self.demo, self.to = demo, to
        self.said: dict[int, int] = {}
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.is_set():
            with (
                suppress(OSError, smtplib.SMTPException),
                self.demo.submission(self.demo.person("cardiologie")) as smtp,
            ):
                self.send(smtp)

    def send(self, smtp: smtplib.SMTP) -> None:
        sender = self.demo.person("cardiologie")["address"]
        while not self.stop.is_set():
            number = len(self.said)
            message = compose(sender, self.to, f"Ledger {number:04d}", "Bonjour.").as_bytes(policy=SMTP)
            self.said[number] = self.one(smtp, sender, message)
            time.sleep(0.02)

    def one(self, smtp: smtplib.SMTP, sender: str, message: bytes) -> int:
        for line in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{self.to}>"):
            code, _ = smtp.docmd(line)
            if code != 250:
                time.sleep(0.2)  # nobody who is put off comes back at once
                smtp.rset()
                return code
        return smtp.data(message)[0]


def test_what_was_acknowledged_is_there_and_all_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster() as server:
        url = other_database(server.url, "product")
        monkeypatch.setenv("MSSANTE_STORAGE__DATABASE", url)
        demo = Demo(tmp_path / "demo", free_port_base(), ("--operators", "1", "--workers", "2"))
        try:
            away_and_back(demo.start(), server)
            citizen_is_told(demo, url)
        finally:
            demo.stop()


def away_and_back(demo: Demo, server: Server) -> None:
    doctor, pids = demo.person("medecin"), demo.operator()["pids"]
    sender, web = Sender(demo, doctor["address"]), WebSession(demo, "jacqueline")
    host, port = demo.door("imaps")
    with IMAPClient(host, port, ssl_context=demo.trust()) as watching:
        watching.login(doctor["login"], doctor["password"])
        watching.select_folder("INBOX")
        watching.idle()
        sender.start()
        heard(watching)
        server.stop()
        gone = len(sender.said) + 1  # one was under way
        time.sleep(AWAY)
        doors_say_so(demo, web)
        meanwhile = len(sender.said)
        server.start()
        wait_until(
            lambda: 250 in [sender.said[n] for n in range(meanwhile, len(sender.said))], 30, "mail is taken again"
        )
        sender.stop.set()
        sender.join(30)
        while watching.idle_check(timeout=1):
            pass
        demo.send("cardiologie", doctor["address"], "Après", "Bonjour.")
        heard(watching)
        watching.idle_done()
    assert {sender.said[n] for n in range(gone, meanwhile)} == {451}
    assert set(sender.said.values()) == {250, 451}
    with demo.imap(doctor) as imap:
        assert kept(imap) >= {number for number, code in sender.said.items() if code == 250}
    assert demo.operator()["pids"] == pids, "no process had to be started anew"


def doors_say_so(demo: Demo, web: WebSession) -> None:
    """A failure that passes, in each protocol's words: no password is asked for anew, no defect reported."""
    stranger = demo.person("pharmacie")  # whose password nobody has checked yet
    with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"), demo.imap(stranger):
        pass
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused, demo.submission(stranger):
        pass
    assert refused.value.smtp_code == 454
    page = web.get("/messagerie")
    assert page.status == 503
    assert "revient dans un instant" in page.words
    host, port = demo.door("ldaps")
    name = ("-D", stranger["login"], "-w", stranger["password"])
    asked = ["ldapsearch", "-x", "-H", f"ldaps://{host}:{port}", *name, "-b", "", "(cn=martin)"]
    assert subprocess.run(asked, env=os.environ | {"LDAPTLS_REQCERT": "never"}, capture_output=True).returncode == 52


def citizen_is_told(demo: Demo, url: str) -> None:
    """The workers take what is owed again."""
    demo.send("medecin", demo.person("jacqueline")["address"], "Votre bilan", "Tout va bien.")
    engine = create_engine(url)
    try:
        with engine.connect() as conn:
            owed = text("SELECT count(*) FROM jobs WHERE kind = 'notify'")
            wait_until(lambda: conn.execute(owed).scalar_one() == 0, 30, "the notice went out")
    finally:
        engine.dispose()


def heard(watching: IMAPClient) -> None:
    """New mail, in IDLE."""
    deadline = time.monotonic() + 15
    while not any(b"EXISTS" in one for one in watching.idle_check(timeout=1)):
        assert time.monotonic() < deadline, "nothing was heard"

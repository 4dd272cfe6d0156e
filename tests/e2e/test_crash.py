"""Nothing that had its 250 is ever lost: killed (-9) in the middle of deliveries, with a ledger of what was promised."""

from __future__ import annotations

import imaplib
import os
import re
import signal
import threading
import time

import pytest

from tests.support.demo import Demo
from tests.support.peer import Peer, certificate_of, mail
from tests.support.there import there

BETA = "antoine.vidal@medecins.beta.example"
GP = "camille.roche@medecins.alpha.example"
DELIVERIES, SENDERS = 200, 8
pytestmark = pytest.mark.xdist_group("crash")  # a demo of its own


@pytest.mark.parametrize("size", [500, 90_000], ids=["in the database", "in a file"])
def test_every_acknowledged_message_survives_a_kill(own_demo: Demo, size: int) -> None:
    ledger: list[int] = []
    numbers = iter(range(DELIVERIES))
    body = ("z" * 70 + "\r\n") * (size // 72)

    def deliver() -> None:
        try:
            with Peer(own_demo, certificate_of(own_demo)) as peer:
                for number in numbers:
                    code, _ = peer.send(BETA, GP, mail(BETA, GP, f"Ledger {number:04d}", body))
                    if code == 250:
                        ledger.append(number)
        except (OSError, ConnectionError, ValueError):
            return  # killed under us: this one had no 250

    threads = [threading.Thread(target=deliver) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    while len(ledger) < DELIVERIES // 3:
        time.sleep(0.005)
    for pid in own_demo.operator("alpha")["pids"]:
        os.kill(pid, signal.SIGKILL)
    for thread in threads:
        thread.join(30)
    acknowledged = sorted(ledger)
    assert DELIVERIES // 3 <= len(acknowledged) < DELIVERIES, "the kill must fall in the middle"

    own_demo.stop()
    own_demo.start()
    person = own_demo.person("medecin")
    with own_demo.imap(person) as imap:
        assert kept(imap) >= set(acknowledged)
        assert imap.check()[0] == "OK"


def kept(imap: imaplib.IMAP4) -> set[int]:
    imap.select("INBOX")
    _, found = imap.uid("SEARCH", "SUBJECT", '"Ledger "')
    if not found[0]:
        return set()
    _, parts = imap.uid("FETCH", found[0].replace(b" ", b",").decode(), "(BODY.PEEK[])")
    return {int(there(re.search(rb"Ledger (\d{4})", part[1]))[1]) for part in parts if isinstance(part, tuple)}

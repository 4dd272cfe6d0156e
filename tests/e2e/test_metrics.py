"""The door for machines: `/metrics`, `/livez`, `/readyz`, on their own address; and the month that the same figures make."""

from __future__ import annotations

import http.client
import re
import time
from datetime import UTC, datetime
from functools import partial

from tests.support.demo import Demo, mssante, printed, wait_until
from tests.support.peer import Peer, certificate_of, mail

SAMPLE = re.compile(r'mssante_[a-z_]+(\{[a-z]+="[\w.?-]*"(,[a-z]+="[\w.?-]*")*\})? \d+')


def ask(demo: Demo, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*demo.door("metrics"), timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def value(demo: Demo, sample: str) -> int:
    _, body = ask(demo, "/metrics")
    return next((int(line.rpartition(" ")[2]) for line in body.splitlines() if line.startswith(sample)), 0)


def grown(demo: Demo, sample: str, before: int) -> bool:
    return value(demo, sample) > before


def test_alive_and_ready(demo: Demo) -> None:
    assert ask(demo, "/livez") == (200, "ok\n")
    assert ask(demo, "/readyz") == (200, "ok\n")
    assert ask(demo, "/accueil")[0] == 404, "no page of people here"


def test_what_happens_is_counted(demo: Demo) -> None:
    delivered = 'mssante_messages_total{from="professional",to="citizen",fate="delivered"}'
    unknown = 'mssante_refusals_total{door="submission",reason="box_unknown"}'
    stranger = 'mssante_refusals_total{door="mx",reason="certificate_missing"}'
    marked = 'mssante_headers_total{name="X-MSS-INS",value="O"}'
    samples = (delivered, unknown, stranger, marked, 'mssante_connections_total{door="imaps"}')
    before = {sample: value(demo, sample) for sample in samples}
    doctor = demo.person("medecin")
    subject = f"Bilan {time.time_ns()}"
    demo.send("medecin", demo.person("jacqueline")["address"], subject, headers={"X-MSS-INS": "O"})
    with demo.submission(doctor) as smtp:
        smtp.mail(doctor["address"])
        assert smtp.rcpt("personne@medecins.alpha.example")[0] == 550
    with Peer(demo) as peer:
        assert peer.mail("x@medecins.beta.example")[0] == 550
    with demo.imap(doctor):
        pass
    for sample in samples:
        wait_until(partial(grown, demo, sample, before[sample]), 30, sample)

    _, body = ask(demo, "/metrics")
    assert [line for line in body.splitlines() if not line.startswith("# TYPE ") and not SAMPLE.fullmatch(line)] == []
    month = datetime.now(UTC).strftime("%Y-%m")
    rows = printed(mssante(demo.data / "alpha", "stats", "month", month, "--json"))
    found = {(row["figure"], row["labels"]): row["count"] for row in rows}
    assert found["messages", "professional citizen delivered"] >= 1
    assert found["mailboxes_active", "PER"] >= 1
    assert found["refusals", "mx certificate_missing"] >= 1


def test_a_message_refused_after_its_data_is_counted_once(demo: Demo) -> None:
    sample = 'mssante_refusals_total{door="mx",reason="from_domain_not_served"}'
    before = value(demo, sample)
    sender, to = "antoine.vidal@medecins.beta.example", "camille.roche@medecins.alpha.example"
    with Peer(demo, certificate_of(demo)) as peer:
        assert peer.send(sender, to, mail("x@elsewhere.example", to, "Bonjour"))[0] == 550
    wait_until(lambda: value(demo, sample) > before, 30, "the refusal")
    assert value(demo, sample) == before + 1

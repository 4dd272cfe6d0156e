"""The calls that programs make with imap-tools, and what it makes of the answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from imap_tools import AND, NOT, MailBox, MailboxLoginError, MailMessageFlags, U

from tests.clients import corpus
from tests.clients.sides import fill
from tests.support import files
from tests.support.demo import Demo, compose

COUNT = 48


@pytest.fixture
def mailbox(server: Demo, box: dict[str, Any]) -> Iterator[MailBox]:
    fill(server, box, range(COUNT))
    host, port = server.door("imaps")
    with MailBox(host, port, ssl_context=server.trust(), timeout=30).login(box["login"], box["password"]) as opened:
        yield opened


def test_read(mailbox: MailBox) -> None:
    """One by one, in lots and headers alone: the same messages; they have \\Seen when asked."""
    whole = list(mailbox.fetch(mark_seen=False))
    subjects = [corpus.subject(n) for n in range(COUNT) if corpus.folder(n) == "INBOX"]
    assert sorted(message.subject for message in whole) == sorted(subjects)
    assert [message.uid for message in mailbox.fetch(mark_seen=False, bulk=10, reverse=True)] == mailbox.uids()[::-1]
    assert [message.uid for message in mailbox.fetch(headers_only=True, limit=3)] == ["1", "2", "3"]
    assert "résultats.pdf" in {one.filename for message in whole for one in message.attachments}
    assert whole[0].date_str
    seen = mailbox.uids(AND(seen=True))
    list(mailbox.fetch(AND(uid=U("1", "4"))))
    assert mailbox.uids(AND(seen=True)) == sorted({*seen, "1", "2", "3", "4"}, key=int)


def test_search(mailbox: MailBox) -> None:
    mailbox.append(compose("c.roche@x", "c@d", "Œdème léger", "Potassium élevé").as_bytes(), flag_set=["a-revoir"])
    (uid,) = mailbox.uids(AND(subject="œdème"), charset="UTF-8")
    for criteria in (AND(text="POTASSIUM élevé"), AND(from_="roche", seen=False), AND(keyword="a-revoir")):
        assert mailbox.uids(criteria, charset="UTF-8") == [uid]
    assert mailbox.uids(NOT(AND(subject="Compte rendu"))) == [uid]
    assert mailbox.uids(sort="REVERSE DATE")[0] != mailbox.uids(sort="DATE")[0]


def test_change(mailbox: MailBox) -> None:
    first, second, third, *_ = mailbox.uids()
    mailbox.flag([first, second], (MailMessageFlags.FLAGGED, "a-rappeler"), True)
    assert mailbox.uids(AND(flagged=True, keyword="a-rappeler")) == [first, second]
    mailbox.flag([first], MailMessageFlags.FLAGGED, False)
    assert first not in mailbox.uids(AND(flagged=True))
    mailbox.copy([first], "Archives")
    mailbox.move([second], "Patients/Été")
    mailbox.delete([third])
    assert set(mailbox.uids()) & {second, third} == set()
    for folder in ("Archives", "Patients/Été"):
        mailbox.folder.set(folder)
        assert len(mailbox.uids(AND(keyword="a-rappeler"))) == 1


def test_folders(mailbox: MailBox) -> None:
    mailbox.folder.create("Études/2026")
    assert mailbox.folder.exists("Études/2026")
    mailbox.folder.rename("Études/2026", "Études/2027")
    mailbox.folder.subscribe("Études/2027", False)
    assert "Études/2027" not in [one.name for one in mailbox.folder.list(subscribed_only=True)]
    assert [one.name for one in mailbox.folder.list("Études")] == ["Études", "Études/2027"]
    assert "\\Sent" in next(one.flags for one in mailbox.folder.list() if one.name == "Envoyés")
    assert mailbox.folder.status("Archives")["MESSAGES"] == COUNT // 3
    mailbox.folder.delete("Études/2027")


def test_wait(mailbox: MailBox, server: Demo) -> None:
    """IDLE, by a mail that arrives with a document."""
    doctor, stamp = server.member("pharmacie", 1), str(time.time_ns())
    host, port = server.door("imaps")
    with MailBox(host, port, ssl_context=server.trust()).login(doctor["login"], doctor["password"]) as waiting:
        with waiting.idle as idle:
            document = ("ordonnance.pdf", files.pdf(), "application", "pdf")
            server.send("laboratoire", doctor["address"], stamp, "Ci-joint.", attachments=[document])
            assert any(b"EXISTS" in line for line in idle.poll(timeout=10))
        (message,) = waiting.fetch(AND(subject=stamp))
        assert message.text.strip() == "Ci-joint."
        assert [(one.filename, one.payload) for one in message.attachments] == [document[:2]]


def test_a_wrong_password_is_said(server: Demo) -> None:
    host, port = server.door("imaps")
    with pytest.raises(MailboxLoginError, match="AUTHENTICATIONFAILED"):
        MailBox(host, port, ssl_context=server.trust()).login(server.person("laboratoire")["login"], "faux")

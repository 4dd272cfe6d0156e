"""A doctor in IMAPClient, signed in to her own mailbox: her team's below « Boîtes partagées », work in it, mail between the two."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import Any

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from tests.clients.sides import imap
from tests.support.demo import Demo, compose

TEAM = "Boîtes partagées/cardiologie@chu.alpha.example"
LETTER = b"From: a@chu.alpha.example\r\nSubject: %b\r\nMessage-ID: <%b@x>\r\n\r\nbonjour\r\n"


@pytest.fixture
def nadia(server: Demo) -> dict[str, Any]:
    return server.person("cardiologue")


@pytest.fixture
def hers(server: Demo, nadia: dict[str, Any]) -> Iterator[IMAPClient]:
    with imap(server, nadia) as client:
        yield client


def test_the_namespace_and_its_folders(hers: IMAPClient) -> None:
    assert hers.namespace().personal == (("", "/"),)
    assert hers.namespace().shared == (("Boîtes partagées/", "/"),)
    found = {name: flags for flags, _, name in hers.list_folders()}
    assert {f"{TEAM}/INBOX", f"{TEAM}/Envoyés", f"{TEAM}/Conversations closes"} <= found.keys()
    assert b"\\Noselect" in found[TEAM]
    assert hers.find_special_folder(b"\\Sent") == "Envoyés", "hers, whatever else there is"
    assert [name for name, flags in found.items() if b"\\Sent" in flags] == ["Envoyés"]
    assert hers.folder_status(f"{TEAM}/INBOX", ["MESSAGES"])[b"MESSAGES"] >= 0


def test_who_is_no_member_has_no_such_namespace(server: Demo) -> None:
    with imap(server, server.person("medecin")) as stranger:
        assert stranger.namespace().shared is None
        for name in (f"{TEAM}/INBOX", "Boîtes partagées/personne@chu.alpha.example/INBOX"):
            with pytest.raises(IMAPClientError, match="no such folder"):
                stranger.select_folder(name)


def test_messages_go_from_one_mailbox_to_the_other_and_back(server: Demo, hers: IMAPClient) -> None:
    with imap(server, server.member("cardiologie", 1)) as colleague:
        hers.create_folder(f"{TEAM}/Tri")
        hers.append("INBOX", LETTER % (b"egare", b"egare"), [b"\\Flagged"])
        hers.select_folder("INBOX")
        [uid] = hers.search(["SUBJECT", "egare"])
        hers.move([uid], f"{TEAM}/Tri")
        assert hers.search(["SUBJECT", "egare"]) == []

        colleague.select_folder("Tri")
        [there] = colleague.search()
        data = colleague.fetch([there], ["BODY.PEEK[]", "FLAGS"])[there]
        assert data[b"BODY[]"] == LETTER % (b"egare", b"egare")
        assert data[b"FLAGS"] == (b"\\Flagged",)
        assert colleague.search(["TEXT", "bonjour"]) == [there]

        hers.select_folder(f"{TEAM}/Tri")
        hers.copy([there], "Archives")
        hers.select_folder("Archives")
        assert len(hers.search(["SUBJECT", "egare"])) == 1
        hers.delete_folder(f"{TEAM}/Tri")


def test_a_colleague_s_mail_wakes_her(server: Demo, hers: IMAPClient) -> None:
    with imap(server, server.member("cardiologie", 1)) as colleague:
        hers.select_folder(f"{TEAM}/Archives")
        hers.idle()
        colleague.append("Archives", LETTER % (b"garde", b"garde"))
        assert any(response[1:] == (b"EXISTS",) for response in hers.idle_check(timeout=20))
        hers.idle_done()


def test_she_writes_in_her_team_s_name_and_the_message_says_who_wrote(server: Demo, nadia: dict[str, Any]) -> None:
    doctor, stamp = server.person("medecin"), str(time.time_ns())
    team = server.person("cardiologie")["address"]
    message = compose(team, doctor["address"], stamp, "Bonjour")
    with server.submission(nadia) as smtp:
        smtp.send_message(message, from_addr=team)
        with pytest.raises(smtplib.SMTPSenderRefused, match="not that of your mailbox"):
            smtp.send_message(message, from_addr="officine@pharmacie.alpha.example")
        with pytest.raises(smtplib.SMTPDataError, match="not that of your mailbox"):
            smtp.send_message(message, from_addr=nadia["address"])
    received = message_from_bytes(server.wait_for(doctor, stamp), policy=policy.default)
    assert received["From"].addresses[0].addr_spec == team
    assert (received["Sender"].address.display_name, received["Sender"].address.addr_spec) == ("Dr Nadia Benali", team)


def test_a_colleague_who_signs_in_to_the_team_s_mailbox_is_named_too(server: Demo) -> None:
    doctor, thomas, stamp = server.person("medecin"), server.member("cardiologie", 1), str(time.time_ns())
    with server.submission(thomas) as smtp:
        smtp.send_message(compose(thomas["address"], doctor["address"], stamp, "Bonjour"))
    sender = message_from_bytes(server.wait_for(doctor, stamp), policy=policy.default)["Sender"].address
    assert (sender.display_name, sender.addr_spec) == ("Thomas Girard, infirmier", thomas["address"])


def test_one_s_own_message_bears_no_sender(server: Demo) -> None:
    doctor, stamp = server.person("medecin"), str(time.time_ns())
    server.send("medecin", doctor["address"], stamp)
    assert message_from_bytes(server.wait_for(doctor, stamp))["Sender"] is None


def test_her_answer_lies_in_the_team_s_sent_mail_once(server: Demo, nadia: dict[str, Any], hers: IMAPClient) -> None:
    """Filed by the server; the copy that her client then stores there, as mail clients do, is that one."""
    doctor, team, stamp = server.person("medecin"), server.person("cardiologie")["address"], str(time.time_ns())
    question = server.send("medecin", team, f"question {stamp}")
    server.wait_for(server.member("cardiologie", 1), f"question {stamp}")
    answer = compose(team, doctor["address"], f"réponse {stamp}", "Oui.")
    answer["In-Reply-To"] = question["Message-ID"]
    with server.submission(nadia) as smtp:
        smtp.send_message(answer, from_addr=team)
    hers.append(f"{TEAM}/Envoyés", answer.as_bytes(policy=policy.SMTP), [b"\\Seen"])

    with imap(server, server.member("cardiologie", 1)) as colleague:
        colleague.select_folder("Envoyés")
        found = colleague.fetch(colleague.search(["HEADER", "Message-ID", answer["Message-ID"]]), ["ENVELOPE", "FLAGS"])
        assert len(found) == 1
        [copy] = found.values()
        assert copy[b"FLAGS"] == (b"\\Seen",)
        assert (copy[b"ENVELOPE"].from_[0].mailbox, copy[b"ENVELOPE"].sender[0].name) == (
            b"cardiologie",
            b"Dr Nadia Benali",
        )

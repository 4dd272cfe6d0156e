"""A doctor in IMAPClient, signed in to her own mailbox: her team's below « Boîtes partagées », work in it, mail between the two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from tests.clients.sides import imap
from tests.support.demo import Demo

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

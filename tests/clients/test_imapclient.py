"""The calls that programs make with IMAPClient, and what it makes of the answers."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError

from tests.clients import corpus
from tests.clients.sides import fill, imap
from tests.support.demo import Demo, compose


def test_folders(server: Demo, box: dict[str, Any]) -> None:
    with imap(server, box) as client:
        assert client.namespace().personal == (("", "/"),)
        assert client.find_special_folder(b"\\Sent") == "Envoyés"
        client.create_folder("Patients/Été 2026")
        client.rename_folder("Patients/Été 2026", "Patients/Œuvre & « soins »")
        client.unsubscribe_folder("Patients/Œuvre & « soins »")
        names = {name for *_, name in client.list_folders()}
        assert {"INBOX", "Patients", "Patients/Œuvre & « soins »"} <= names
        assert {name for *_, name in client.list_sub_folders()} == names - {"Patients/Œuvre & « soins »"}
        assert [name for *_, name in client.list_folders("Patients/", "%")] == ["Patients/Œuvre & « soins »"]
        client.delete_folder("Patients/Œuvre & « soins »")
        assert not client.folder_exists("Patients/Œuvre & « soins »")
        with pytest.raises(IMAPClientError, match="NONEXISTENT"):
            client.select_folder("Patients/Œuvre & « soins »")


def test_a_day(server: Demo) -> None:
    doctor, stamp = server.person("medecin"), str(time.time_ns())
    with imap(server, doctor) as client:
        client.select_folder("INBOX")
        client.idle()
        server.send("laboratoire", doctor["address"], f"Résultat {stamp}", "Potassium 4,1 mmol/L")
        assert any(b"EXISTS" in line for line in client.idle_check(timeout=10))
        client.idle_done()
        (uid,) = client.search(["SUBJECT", f"Résultat {stamp}"], "UTF-8")
        assert client.search(["BODY", "Potassium 4,1", "SUBJECT", stamp, "UNSEEN"]) == [uid]
        client.add_flags([uid], [b"\\Flagged", b"\\Seen", b"a-rappeler"])
        assert set(client.get_flags([uid])[uid]) == {b"\\Flagged", b"\\Seen", b"a-rappeler"}
        assert client.search(["KEYWORD", "a-rappeler", "SUBJECT", stamp]) == [uid]
        found = client.fetch([uid], ["ENVELOPE", "BODYSTRUCTURE", "RFC822.SIZE", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]"])
        assert found[uid][b"ENVELOPE"].from_[0].mailbox == b"resultats"
        assert found[uid][b"BODYSTRUCTURE"][:2] == (b"text", b"plain")
        folder = f"Patients/Été {stamp}"
        client.create_folder(folder)
        client.move([uid], folder)
        assert client.search(["SUBJECT", stamp]) == []
        client.select_folder(folder)
        (moved,) = client.search()
        assert b"a-rappeler" in client.get_flags([moved])[moved]
        said = client.append("Envoyés", compose("a@b", "c@d", stamp, "Copie").as_bytes(), [b"\\Seen"])
        [kept] = map(int, re.findall(rb"APPENDUID \d+ (\d+)", said))
        client.select_folder("Envoyés")
        assert client.search(["SUBJECT", stamp]) == [kept]
        client.delete_messages([kept])
        client.uid_expunge([kept])
        assert client.search(["SUBJECT", stamp]) == []
        client.unselect_folder()


def test_what_changed_since(server: Demo, box: dict[str, Any]) -> None:
    """CONDSTORE: flags of those that changed and no others."""
    fill(server, box, range(60))
    with imap(server, box) as client:
        client.enable("CONDSTORE")
        before = client.select_folder("INBOX")[b"HIGHESTMODSEQ"]
        with imap(server, box) as other:
            other.select_folder("INBOX")
            other.set_flags([3, 5], [b"\\Flagged"])
        changed = client.fetch(client.search(), ["FLAGS"], [f"CHANGEDSINCE {before}"])
        assert {uid: one[b"FLAGS"] for uid, one in changed.items()} == {3: (b"\\Flagged",), 5: (b"\\Flagged",)}
        assert all(one[b"MODSEQ"][0] > before for one in changed.values())
        assert client.search(["MODSEQ", before + 1]) == [3, 5]


def test_in_order_and_in_threads(server: Demo, box: dict[str, Any]) -> None:
    with imap(server, box) as client:
        for number, subject, parent in ((1, "Œdème", 0), (2, "Avis", 0), (3, "Re: Œdème", 1), (4, "Re: Avis", 2)):
            headers = {"In-Reply-To": f"<{parent}@x>", "References": f"<{parent}@x>"} if parent else {}
            message = compose("a@b", "c@d", subject, "x" * 100 * number, message_id=f"<{number}@x>", headers=headers)
            client.append("INBOX", message.as_bytes(), msg_time=None)
        client.select_folder("INBOX")
        assert client.sort(["REVERSE SIZE"]) == [4, 3, 2, 1]
        assert client.sort(["SUBJECT", "ARRIVAL"]) == [2, 4, 1, 3]
        assert client.thread() == ((1, 3), (2, 4))


def test_room(server: Demo, box: dict[str, Any]) -> None:
    fill(server, box, range(20))
    with imap(server, box) as client:
        root, (quota,) = client.get_quota_root("INBOX")
        assert root.quota_roots == [quota.quota_root]
        used = sum(len(corpus.message(number)) for number in range(20))
        assert quota.resource == "STORAGE"
        assert 0 <= quota.usage - used // 1024 <= 1


def test_a_wrong_password_is_said(server: Demo) -> None:
    with pytest.raises(LoginError, match="AUTHENTICATIONFAILED"):
        with imap(server, server.person("laboratoire") | {"password": "faux"}):
            pass


def test_a_citizen_has_no_mail_client(server: Demo) -> None:
    with pytest.raises(LoginError, match="AUTHENTICATIONFAILED"):
        with imap(server, server.person("jacqueline")):
            pass


def test_starttls(server: Demo, box: dict[str, Any]) -> None:
    host, port = server.door("imap")
    with IMAPClient(host, port, ssl=False, timeout=30) as client:
        with pytest.raises(IMAPClientError, match="STARTTLS"):
            client.login(box["login"], box["password"])
        client.starttls(server.trust())
        client.plain_login(box["login"], box["password"])
        assert b"name" in client.id_({"name": "tests"})[0]
        assert client.noop()

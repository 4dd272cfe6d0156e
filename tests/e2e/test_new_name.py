"""An operator takes another name (DN) under traffic: a list with both names, the new certificate, a list without the old name.
No message is lost, none comes back; who still shows the old name afterwards reads why.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from certs.authority import load_issued
from certs.names import of_name
from foundation.clock import MINUTE
from mailserver.smtp.replies import ascii_text
from mssante.reasons import CERTIFICATE_NOT_FOR_DOMAIN
from tests.support.demo import uids_of, wait_until
from tests.support.flow import Flow, running
from tests.support.peer import Peer
from tests.support.space import Space

pytestmark = pytest.mark.xdist_group("operators")
DOMAIN, SENDER = "medecins.deux.example", "dr@medecins.deux.example"
FOLLOWED = 60  # seconds; each server looks at its file every 30


@pytest.fixture
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    made = Space(tmp_path_factory.mktemp("space"), ("un", "deux"))
    made.publish()
    try:
        yield made.start()
    finally:
        made.stop()


def subjects(space: Space, key: str, flow: Flow) -> int:
    with space.imap(key) as imap:
        return len(uids_of(imap, f"{flow.name} "))


def all_arrived(space: Space, key: str, flow: Flow) -> bool:
    return subjects(space, key, flow) >= flow.sent


def messages(space: Space, key: str) -> int:
    with space.imap(key) as imap:
        return int(imap.select("INBOX", readonly=True)[1][0] or 0)


def test_another_name_under_traffic(space: Space) -> None:
    old = load_issued(space.data / "deux" / "tls", "server")
    old_name = of_name(old.certificate.subject).text
    new_name = old_name.replace("CN=mail.deux.example", "CN=mx2.deux.example")
    assert new_name != old_name

    def said(certificate: object) -> tuple[int, str]:
        with Peer(space, certificate, operator="un") as peer:  # type: ignore[arg-type]
            return peer.mail(SENDER)

    def publish(minute: int, *names: str) -> None:
        made = space.list_with(minute, {"deux": names})
        for key in ("un", "deux"):
            space.mssante(key, "trust-list", "fetch", str(made))
            assert space.mssante(key, "trust-list", "show", "--domain", DOMAIN) == sorted(names)

    to_deux = Flow(lambda subject: space.send("un", "deux", subject), "Vers deux")
    to_un = Flow(lambda subject: space.send("deux", "un", subject), "Vers un")
    with running([to_deux, to_un], pause=0.1):
        wait_until(lambda: to_deux.sent > 5 and to_un.sent > 5, 30)
        publish(2, old_name, new_name)
        new = space.issue("deux", "mx2.deux.example")
        wait_until(lambda: said(new)[0] == 250, FOLLOWED, "un follows the list with both names")
        assert said(old)[0] == 250

        space.certify("deux", "mx2.deux.example")
        before = to_un.sent
        wait_until(lambda: subjects(space, "un", to_un) > before + 5, 30, "mail goes on under the new name")

        publish(3, new_name)
        wait_until(lambda: said(old)[0] == 550, FOLLOWED, "un follows the list without the old name")
        sent = to_deux.sent, to_un.sent
        wait_until(lambda: to_deux.sent > sent[0] + 20 and to_un.sent > sent[1] + 20, 30)

    for flow, to in ((to_deux, "deux"), (to_un, "un")):
        assert not flow.failed
        wait_until(partial(all_arrived, space, to, flow), 60, "all messages arrive")
        assert messages(space, to) == flow.sent, "each once, and no report of failure or delay"
        assert space.queue(to, "list") == []

    code, text = said(old)
    date = str((space.now + 3 * MINUTE) // 1000 * 1000)
    told = " ".join(text.replace("\n5.7.1", "").split())
    assert (code, text[:5]) == (550, "5.7.1")
    facts = {"dn": old_name, "domain": DOMAIN, "list_at": date}
    assert ascii_text(CERTIFICATE_NOT_FOR_DOMAIN.in_english(facts)) in told
    assert ascii_text(CERTIFICATE_NOT_FOR_DOMAIN.in_french(facts)) in told
    both, one = space.mssante("un", "trust-list", "diff", "--last", "2")
    assert (both["names_added"], both["names_removed"]) == ({DOMAIN: [new_name]}, {})
    assert (one["names_added"], one["names_removed"]) == ({}, {DOMAIN: [old_name]})

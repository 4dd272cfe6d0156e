"""docs/rules.md section 1 among three operators, each a process on an address of its own: who is recognised writes to whom; at one
border each fault of the table is told with its code and both sentences, while mail goes on at the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

import certs.authority as authority_module
from certs.authority import Authority, Issued, Points, load_issued, new_key, pem
from certs.names import of_name
from certs.profiles import INTERMEDIATE, LIST_SIGNER, OPERATOR, ORGANISATION, operator_subject
from foundation.clock import DAY, HOUR, MINUTE
from mailserver.smtp.replies import ascii_text
from mssante import reasons
from mssante.reason import Reason
from mssante.trust_list import Entry
from tests.support.demo import wait_until
from tests.support.peer import Peer, mail
from tests.support.space import Space

pytestmark = pytest.mark.xdist_group("operators")


QUATRE = operator_subject("mail.quatre.example", "1990000004", "Opérateur quatre", "Villefleur (99)")


def knows_quatre(space: Space, operator: str) -> bool:
    quatre = space.pki.authority.issue(OPERATOR, QUATRE, space.now)
    with Peer(space, quatre, operator=operator) as peer:  # type: ignore[arg-type]
        return peer.mail("dr@medecins.quatre.example")[0] == 250


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """`trois` is in the list, but comes with another certificate than the listed one."""
    made = Space(tmp_path_factory.mktemp("space"), ("un", "deux", "trois"), unlisted=("trois",))
    made.publish(Entry("medecins.quatre.example", of_name(QUATRE).text))  # the list on disk does not name it
    try:
        made.start()
        for key in made.operators:  # each fetches the newer list by itself
            wait_until(partial(knows_quatre, made, key), 20, key)
        yield made
    finally:
        made.stop()


def test_two_recognise_each_other_and_the_third_is_refused_both_ways(space: Space) -> None:
    for sender, to in (("un", "deux"), ("deux", "un"), ("un", "trois"), ("trois", "un")):
        space.send(sender, to, f"De {sender} pour {to}")
    wait_until(lambda: space.has("deux", "De un pour deux") and space.has("un", "De deux pour un"))

    # un does not give its message to a server that it does not recognise; nothing is lost
    [waiting] = wait_until(lambda: [one for one in space.queue("un", "list") if one["last_reason"]])
    assert (waiting["domain"], waiting["last_reason"]) == ("medecins.trois.example", "peer_untrusted")
    # the border of un refuses trois, and its sender reads why
    report = wait_until(lambda: space.newest("trois"))
    assert "\nStatus: 5.7.1\n" in report.replace("\r", "")
    assert "(CN=autre.trois.example,OU=1990000003,O=Operateur trois" in said(report)
    assert "is not listed for the domain medecins.trois.example in the trust list of" in said(report)
    assert "n'est pas inscrit pour le domaine medecins.trois.example dans la liste de confiance du" in said(report)
    assert not space.has("un", "De trois pour un")

    space.certify("trois", "mail.trois.example")  # the listed name

    def recognised() -> bool:
        space.queue("un", "retry", "--all")
        return space.has("trois", "De un pour trois")

    wait_until(recognised, 30, "the peer's certificate is judged anew")

    def written_again() -> bool:
        space.send("trois", "un", "De trois, reconnu")  # a connection begun under the old name may live 20 seconds more
        return space.has("un", "De trois, reconnu")

    wait_until(written_again, 40)
    space.send("trois", "deux", "De trois pour deux")
    wait_until(lambda: space.has("deux", "De trois pour deux"))


def test_an_operator_of_a_newer_list_is_recognised_by_all(space: Space) -> None:
    assert all(knows_quatre(space, operator) for operator in space.operators)
    assert "/liste.xml" in space.lists.asked


# -- one border, each fault of the table ------------------------------------------------------------------------------


@dataclass
class Border:
    """The MX door of `un`, with what a stranger may show there."""

    space: Space

    @property
    def listed(self) -> Issued:
        return load_issued(self.space.data / "deux" / "tls", "server")

    def issue(self, profile: object = OPERATOR, **dates: int) -> Issued:
        """A certificate of the name that is listed for `deux`, by the authority of the space."""
        name = self.listed.certificate.subject
        return self.space.pki.authority.issue(profile, name, self.space.now, **dates)  # type: ignore[arg-type]

    def unlisted(self) -> Issued:
        subject = operator_subject("mail.rogue.example", "1990000999", "Opérateur inconnu", "Villefleur (99)")
        return self.space.pki.authority.issue(OPERATOR, subject, self.space.now)

    def stranger(self) -> Issued:
        return Authority.create(self.space.now).issue(OPERATOR, self.listed.certificate.subject, self.space.now)

    def weak(self) -> Issued:
        """RSA of 1,024 bits."""
        key = rsa.generate_private_key(65537, 1024)
        made, by, at = authority_module._sign, self.space.pki.authority.intermediate, self.space.now
        name = self.listed.certificate.subject
        leaf = made(OPERATOR, name, key, by.certificate.subject, by.key, at - HOUR, at + DAY)
        return Issued(leaf, key, (by.certificate,))


DEUX, UN = "dr@medecins.deux.example", "dr@medecins.un.example"
Detail = dict[str, str | Callable[[Border], str]]
OURS: Detail = {"dn": lambda border: of_name(border.listed.certificate.subject).text}
R = reasons

FAULTS: list[tuple[str, Callable[[Border], Issued | None], Reason, Detail]] = [
    ("no certificate", lambda border: None, R.CERTIFICATE_MISSING, {}),
    ("of another authority", Border.stranger, R.CERTIFICATE_UNTRUSTED, OURS),
    ("weak key", Border.weak, R.CERTIFICATE_UNTRUSTED, OURS),
    ("expired", lambda b: b.issue(start=b.space.now - 9 * DAY, end=b.space.now - DAY), R.CERTIFICATE_EXPIRED, OURS),
    ("not yet valid", lambda b: b.issue(start=b.space.now + DAY), R.CERTIFICATE_NOT_YET_VALID, OURS),
    ("of a list's signer", lambda b: b.issue(LIST_SIGNER), R.CERTIFICATE_WRONG_USAGE, OURS),
    ("not the listed name", Border.unlisted, R.CERTIFICATE_NOT_FOR_DOMAIN,
     {"dn": "CN=mail.rogue.example,OU=1990000999,O=Opérateur inconnu,ST=Villefleur (99),C=FR",
      "domain": "medecins.deux.example", "list_at": lambda b: str((b.space.now + MINUTE) // 1000 * 1000)}),
]  # fmt: skip


def said(text: str) -> str:
    """A reply of several lines as one text."""
    return " ".join(text.replace("\n5.7.1", "").replace("\n4.7.1", "").replace("\n5.7.0", "").split())


def assert_reply(
    answer: tuple[int, str], reason: Reason, detail: Detail | None = None, space: Space | None = None
) -> None:
    code, text = answer
    border = Border(space) if space is not None else None
    found = {name: one(border) if callable(one) else one for name, one in (detail or {}).items()}  # type: ignore[arg-type]
    assert (code, text[:5]) == (reason.code, reason.enhanced), text
    for sentence in (reason.in_english(found), reason.in_french(found)):
        assert ascii_text(sentence) in said(text), text


@pytest.mark.parametrize(("show", "reason", "detail"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_each_faulty_certificate_has_its_code_and_its_sentences(
    space: Space, show: Callable[[Border], Issued | None], reason: Reason, detail: Detail
) -> None:
    with Peer(space, show(Border(space)), operator="un") as peer:  # type: ignore[arg-type]
        assert_reply(peer.mail(DEUX), reason, detail, space)


def test_a_client_certificate_without_server_usage_serves_both_ways(space: Space) -> None:
    """Our decision: the operators' profile is not public."""
    with Peer(space, Border(space).issue(ORGANISATION), operator="un") as peer:  # type: ignore[arg-type]
        assert peer.mail(DEUX)[0] == 250


def test_without_tls(space: Space) -> None:
    with Peer(space, tls=False, operator="un") as peer:  # type: ignore[arg-type]
        assert peer.smtp.has_extn("starttls")
        assert_reply(peer.mail(DEUX), R.TLS_REQUIRED)


def test_domains_out_of_the_space_on_both_sides(space: Space) -> None:
    with Peer(space, Border(space).listed, operator="un") as peer:  # type: ignore[arg-type]
        assert_reply(peer.mail("x@ailleurs.example"), R.SENDER_DOMAIN_NOT_TRUSTED, {"domain": "ailleurs.example"})
        assert peer.mail(DEUX)[0] == 250
        assert_reply(peer.rcpt("x@ailleurs.example"), R.RECIPIENT_DOMAIN_NOT_TRUSTED, {"domain": "ailleurs.example"})
        assert_reply(peer.rcpt("dr@medecins.trois.example"), R.RELAY_DENIED)


def test_the_null_return_path(space: Space) -> None:
    """A bounce is taken from any listed operator, and from nobody else."""
    with Peer(space, Border(space).unlisted(), operator="un") as peer:  # type: ignore[arg-type]
        assert_reply(peer.mail(""), R.NULL_PATH_NOT_ALLOWED)
    with Peer(space, Border(space).listed, operator="un") as peer:  # type: ignore[arg-type]
        assert peer.mail("")[0] == 250
        assert peer.rcpt(UN)[0] == 250


def test_a_from_that_the_peer_does_not_serve(space: Space) -> None:
    with Peer(space, Border(space).listed, operator="un") as peer:  # type: ignore[arg-type]
        answer = peer.send(DEUX, UN, mail("dr@medecins.trois.example", UN))
        assert_reply(answer, R.FROM_DOMAIN_NOT_SERVED, {"domain": "medecins.trois.example"})


def test_one_operators_name_does_not_speak_for_anothers_domain(space: Space) -> None:
    with Peer(space, Border(space).listed, operator="un") as peer:  # type: ignore[arg-type]
        detail: Detail = OURS | {
            "domain": "medecins.trois.example",
            "list_at": lambda b: str((b.space.now + MINUTE) // 1000 * 1000),
        }
        assert_reply(peer.mail("dr@medecins.trois.example"), R.CERTIFICATE_NOT_FOR_DOMAIN, detail, space)


def test_a_peer_of_an_authority_without_a_list_is_recognised_at_its_next_try(space: Space) -> None:
    """A second authority below the same root, whose list only its certificates name: it is fetched while the peer waits."""
    root, key, now = space.pki.authority.root, new_key(), space.now
    name = authority_module._authority_name("AC NEUVE ORGANISATIONS")
    above = root.certificate.subject
    made = authority_module._sign(INTERMEDIATE, name, key, above, root.key, now - HOUR, now + 90 * DAY)
    other = Authority(root, Issued(made, key))
    space.lists.give("/neuve", pem(other.crls(now)[0]))
    points = Points(crl=f"{space.lists.url}/neuve")
    peer = other.issue(OPERATOR, Border(space).listed.certificate.subject, now, points=points)

    def says() -> tuple[int, str]:
        with Peer(space, peer, operator="un") as one:  # type: ignore[arg-type]
            return one.mail(DEUX)

    code, text = says()
    assert (code, "no revocation list of the authority is available" in said(text)) == (450, True), text
    wait_until(lambda: says()[0] == 250, 30)


def test_revocation_at_one_border_while_the_other_stays_open(space: Space) -> None:
    """Each operator has its own lists: `un` knows of the revocation, then lacks a list; `deux` takes the mail all along."""
    trois = space.certify("trois", "mail.trois.example")
    name, sender = of_name(trois.certificate.subject).text, "dr@medecins.trois.example"
    ca, crl = space.pki.authority, space.data / "un" / "tls" / "crl.pem"

    def answers(reason: Reason, fault: str = "", shown: Issued = trois) -> bool:
        with Peer(space, shown, operator="un") as peer:  # type: ignore[arg-type]
            answer = peer.mail(sender)
        if ascii_text(reason.in_english({"dn": name})) not in said(answer[1]) or fault not in said(answer[1]):
            return False  # files are looked at every five seconds
        assert_reply(answer, reason, {"dn": name})
        return True

    with Peer(space, trois, operator="un") as peer:  # type: ignore[arg-type]
        assert peer.mail(sender)[0] == 250
    ca.revoke(trois.certificate, space.now - HOUR)
    lists = ca.crls(space.now)
    crl.write_bytes(b"".join(map(pem, lists)))
    wait_until(lambda: answers(R.CERTIFICATE_REVOKED), 15)
    crl.write_bytes(pem(lists[1]))  # the root's only
    wait_until(lambda: answers(R.REVOCATION_UNKNOWN, "no revocation list of the authority is available"), 15)
    other = space.issue("trois", "mail.trois.example")  # of which no list says that it is revoked
    old = b"".join(map(pem, Authority(ca.root, ca.intermediate).crls(space.now - 9 * DAY)))  # for seven days

    def out_of_date() -> bool:
        if crl.read_bytes() != old:  # the job that looks for the missing list may have written at that moment
            crl.write_bytes(old)
        return answers(R.REVOCATION_UNKNOWN, "the revocation list of the authority is out of date", other)

    wait_until(out_of_date, 25)
    with Peer(space, trois, operator="deux") as peer:  # type: ignore[arg-type]
        assert peer.mail(sender)[0] == 250

"""Every refusal of docs/rules.md that a client can meet, with its exact code, over the real doors of the running product."""

from __future__ import annotations

import imaplib
import smtplib
import socket
import sqlite3
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.policy import SMTP
from random import randrange
from threading import Thread
from typing import Any

import pytest

from mssante.identity import demo_ins
from tests.support.browser_session import WebSession
from tests.support.clients import swaks
from tests.support.demo import Demo, T, compose, uids_of
from tests.support.peer import Peer, certificate_of, mail

FAR = "antoine.vidal@medecins.beta.example"


class Submission:
    """One signed-in conversation with the submission door; every step returns (code, enhanced code, text)."""

    def __init__(self, demo: Demo, role: str = "medecin") -> None:
        self.person = demo.person(role)
        self.smtp = smtplib.SMTP(*demo.door("submission"), timeout=20)
        self.smtp.starttls(context=demo.trust())
        self.smtp.login(self.person["login"], self.person["password"])

    def __enter__(self) -> Submission:
        return self

    def __exit__(self, *_: object) -> None:
        self.smtp.close()

    def do(self, line: str) -> tuple[int, str, str]:
        return told(self.smtp.docmd(line))

    def send(self, to: str, content: bytes, reverse_path: str | None = None) -> tuple[int, str, str]:
        """The answer of the first step that refuses, or the last."""
        answer = self.do(f"MAIL FROM:<{reverse_path or self.person['address']}>")
        if answer[0] == 250:
            answer = self.do(f"RCPT TO:<{to}>")
        return told(self.smtp.data(content)) if answer[0] == 250 else answer


def told(answer: tuple[int, bytes]) -> tuple[int, str, str]:
    code, text = answer[0], answer[1].decode()
    enhanced, _, rest = text.partition(" ")
    return code, enhanced, rest.replace(f"\n{enhanced}", "")


def letter(demo: Demo, to: str, subject: str = "Essai", role: str = "medecin") -> bytes:
    return compose(demo.person(role)["address"], to, subject, "Bonjour.").as_bytes(policy=SMTP)


# -------------------------------------------------------------------- recipients
@pytest.mark.parametrize(
    ("to", "code", "enhanced", "words"),
    [
        ("personne@medecins.alpha.example", 550, "5.1.1", "does not exist"),
        ("quelquun@inconnu.example", 550, "5.7.1", "outside the trust space"),
        ("246059999900103@patient.example", 553, "5.1.3", "wrong INS number"),
        (f"{demo_ins(99).value}@patient.example", 550, "5.1.1", "No health space"),
        ("denise", 550, "5.2.1", "opposed"),
        ("pas une adresse", 553, "5.1.3", ""),
        ("a..b@medecins.alpha.example", 553, "5.1.3", "not well formed"),
    ],
    ids=["unknown", "unlisted domain", "wrong INS key", "no profile", "opposed", "no address", "two dots"],
)
def test_a_recipient_refused_at_submission(demo: Demo, to: str, code: int, enhanced: str, words: str) -> None:
    to = demo.person(to)["address"] if to == "denise" else to
    with Submission(demo) as door:
        answer = door.send(to, letter(demo, "x@medecins.alpha.example"))
    assert answer[0] == code or (code == 553 and answer[0] == 501 and " " in to), answer
    assert words in answer[2]
    if answer[0] != 501:
        assert answer[1] == enhanced


def test_one_wrong_recipient_does_not_stop_the_others(demo: Demo) -> None:
    subject = f"Deux destinataires {time.time_ns()}"
    near = demo.person("cardiologie")["address"]
    with Submission(demo) as door:
        door.do(f"MAIL FROM:<{door.person['address']}>")
        assert door.do("RCPT TO:<personne@medecins.alpha.example>")[:2] == (550, "5.1.1")
        assert door.do(f"RCPT TO:<{near}>")[0] == 250
        assert told(door.smtp.data(letter(demo, near, subject)))[0] == 250
    demo.wait_for(demo.person("cardiologie"), subject)


# -------------------------------------------------------------------- senders
def test_nobody_writes_in_anothers_name(demo: Demo) -> None:
    colleague, near = demo.person("cardiologie")["address"], demo.person("pharmacie")["address"]
    stamp = str(time.time_ns())
    with Submission(demo) as door:
        assert door.send(near, letter(demo, near), reverse_path=colleague)[:2] == (550, "5.7.1")
    for header in (f"From: {colleague}", f"From: {colleague}\r\nSender: {demo.person('medecin')['address']}"):
        with Submission(demo) as door:
            content = f"{header}\r\nTo: {near}\r\nSubject: {stamp}\r\n\r\nBonjour.\r\n".encode()
            code, enhanced, words = door.send(near, content)
            assert (code, enhanced) == (550, "5.7.1")
            assert "From" in words
    forged = swaks(demo, demo.person("medecin"), near, "--h-From", colleague, "--header", f"Subject: {stamp}")
    assert forged.code == 26, forged.out
    assert "550-5.7.1" in forged.out
    with demo.imap(demo.person("pharmacie")) as imap:
        assert uids_of(imap, stamp) == []


def test_nobody_sends_without_signing_in_or_in_the_clear(demo: Demo) -> None:
    with smtplib.SMTP(*demo.door("submission"), timeout=20) as smtp:
        smtp.ehlo("client.example")
        assert not smtp.has_extn("auth"), "no password in the clear"
        assert told(smtp.docmd("AUTH PLAIN AGEAYg=="))[0] in (530, 538)
        assert told(smtp.docmd(f"MAIL FROM:<{demo.person('medecin')['address']}>"))[:2] == (530, "5.7.0")
        smtp.starttls(context=demo.trust())
        assert told(smtp.docmd(f"MAIL FROM:<{demo.person('medecin')['address']}>"))[:2] == (530, "5.7.0")
    host, port = demo.door("imap")
    imap = imaplib.IMAP4(host, port, timeout=20)
    assert "LOGINDISABLED" in imap.capabilities
    person = demo.person("medecin")
    with pytest.raises(imaplib.IMAP4.error):
        imap.login(person["login"], person["password"])
    imap.shutdown()


def test_a_citizen_has_no_mail_program(demo: Demo) -> None:
    """Her page is her only door: her password opens neither IMAP nor submission."""
    person = demo.person("jacqueline")
    refused = swaks(demo, person, demo.person("medecin")["address"])
    assert refused.code == 28, refused.out
    assert "535 5.7.8" in refused.out
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"), demo.imap(person):
        pass


# -------------------------------------------------------------------- messages
@pytest.mark.parametrize(
    ("content", "code", "enhanced"),
    [
        (b"Subject: sans auteur\r\n\r\nBonjour\r\n", 550, "5.6.0"),
        (b"From: pas une adresse\r\nSubject: x\r\n\r\nBonjour\r\n", 550, "5.6.0"),
        (b"\r\n\r\n", 550, "5.6.0"),
        (b"Bonjour", 550, "5.6.0"),
    ],
    ids=["no From", "From without address", "nothing", "no header"],
)
def test_a_malformed_message_is_refused_in_words(demo: Demo, content: bytes, code: int, enhanced: str) -> None:
    with Submission(demo) as door:
        answer = door.send(demo.person("cardiologie")["address"], content)
    assert answer[:2] == (code, enhanced), answer
    assert "its From header bears no valid address" in answer[2]


def broken(sender: str, stamp: str) -> dict[str, bytes]:
    """Malformed MIME that must be delivered all the same: a patient's result is not lost for a program's fault."""
    head = f"From: {sender}\r\nSubject: {{}} {stamp}\r\nMIME-Version: 1.0\r\n"
    return {
        "never closed": head.format("never closed").encode()
        + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nBonjour le texte",
        "boundary never used": head.format("boundary never used").encode()
        + b"Content-Type: multipart/mixed; boundary=y\r\n\r\nBonjour le texte\r\n",
        "wrong base64": head.format("wrong base64").encode()
        + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!*not base64*!!!\r\n",
        "unknown charset": head.format("unknown charset").encode()
        + b"Content-Type: text/plain; charset=x-klingon\r\n\r\nBonjour le texte \xe9\r\n",
        "deep": head.format("deep").encode()
        + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(300)),
    }


@pytest.mark.parametrize("fault", list(broken("", "")))
def test_malformed_mime_is_delivered_and_shown_as_well_as_it_can_be(
    demo: Demo, jacqueline: WebSession, fault: str
) -> None:
    stamp, patient = str(time.time_ns()), demo.person("jacqueline")["address"]
    with Submission(demo) as door:
        answer = door.send(patient, broken(door.person["address"], stamp)[fault])
    assert answer[0] == 250, answer
    page = jacqueline.get(jacqueline.conversation(f"{fault} {stamp}"))
    assert page.status == 200
    if fault not in ("wrong base64", "deep"):
        assert "Bonjour le texte" in page.words


def test_a_full_mailbox_answers_452_and_takes_mail_again_once_there_is_room(demo: Demo) -> None:
    near, stamp = demo.person("pharmacie")["address"], str(time.time_ns())
    with full(demo, near), Submission(demo) as door:
        answer = door.send(near, letter(demo, near, f"Trop plein {stamp}"))
        assert answer[:2] == (452, "4.2.2"), answer
        assert "full" in answer[2]
        with Peer(demo, certificate_of(demo)) as peer:
            code, text = peer.send(FAR, near, mail(FAR, near))
            assert (code, text[:5]) == (452, "4.2.2"), text
    with Submission(demo) as door:
        assert door.send(near, letter(demo, near, f"Place {stamp}"))[0] == 250
    with demo.imap(demo.person("pharmacie")) as imap:
        assert len(uids_of(imap, f"Place {stamp}")) == 1
        assert uids_of(imap, f"Trop plein {stamp}") == []


@contextmanager
def full(demo: Demo, address: str) -> Iterator[None]:
    """The mailbox's quota is lowered to nothing in the database, as an operator would, and put back."""
    from sqlalchemy import create_engine

    from foundation.keys import KeyRing
    from mssante.address import Address, parse_address
    from mssante.mailboxes import Mailboxes
    from runtime.settings import read

    settings = read(demo.data / "alpha" / "mssante.toml")
    keys = KeyRing.load(settings.storage.master_key)
    parsed = parse_address(address)
    assert isinstance(parsed, Address)
    engine = create_engine(settings.storage.database)
    with engine.connect() as conn:
        box = Mailboxes(keys).resolve(conn, parsed)
    engine.dispose()
    assert box is not None

    def quota(octets: int) -> int:
        with sqlite3.connect(settings.storage.database.removeprefix("sqlite:///"), timeout=10) as rows:
            before = rows.execute("SELECT quota_bytes FROM mailboxes WHERE id = ?", (box.id,)).fetchone()[0]
            rows.execute("UPDATE mailboxes SET quota_bytes = ? WHERE id = ?", (octets, box.id))
        return int(before)

    before = quota(1)
    try:
        yield
    finally:
        quota(before)


# -------------------------------------------------------------------- citizens, on their page
def test_a_citizen_writes_neither_to_a_citizen_nor_to_whom_never_wrote(demo: Demo, jacqueline: WebSession) -> None:
    """The form names exchanges by number: forged numbers, addresses and neighbours' exchanges send nothing."""
    for forged in (
        demo.person("sarah")["address"],
        demo.person("confrere")["address"],
        demo.person("cardiologie")["address"],
        "999999",
        "-1",
        "0 OR 1=1",
    ):
        page = jacqueline.post("/messagerie/nouveau", {"destinataire": forged, "objet": "Bonjour", "texte": "Bonjour."})
        assert page.status == 422
        assert "Choisissez un destinataire." in page.words


def test_a_citizens_message_from_the_border_does_not_reach_a_citizen(demo: Demo) -> None:
    other, patient = f"{demo_ins(77).value}@patient.example", demo.person("jacqueline")["address"]
    with Peer(demo, certificate_of(demo)) as peer:
        code, text = peer.send(other, patient, mail(other, patient))
        assert (code, text[:5]) == (550, "5.7.1"), text
        assert peer.smtp.rset()[0] == 250
        code, text = peer.send(FAR, patient, mail(other, patient))
        assert (code, text[:5]) == (550, "5.7.1"), "nor in the From header"


def test_a_forged_answer_to_a_closed_exchange_sends_nothing(demo: Demo, sarah: WebSession) -> None:
    stamp, patient = str(time.time_ns()), demo.person("sarah")["address"]
    demo.send("medecin", patient, f"Avant {stamp}", "Bonjour.")
    conversation = sarah.conversation(f"Avant {stamp}")
    token = sarah.get(conversation).token
    assert sarah.get(conversation).tree.css_first("textarea[name=texte]") is not None
    demo.send("medecin", patient, "[FIN]", "")
    page = sarah.post(conversation, {"texte": f"Trop tard {stamp}"}, token)
    assert page.status == 422
    assert "Rien n'a été envoyé." in page.words
    assert "a mis fin à cette conversation" in page.words
    assert f"Trop tard {stamp}" in page.text, "what she wrote is given back"
    with demo.imap(demo.person("medecin")) as imap:
        imap.select("INBOX")
        assert imap.uid("SEARCH", "BODY", f'"Trop tard {stamp}"')[1] == [b""]


def test_a_form_from_elsewhere_or_without_its_token_sends_nothing(demo: Demo, sarah: WebSession) -> None:
    stamp, patient = str(time.time_ns()), demo.person("sarah")["address"]
    demo.send("medecin", patient, f"Jeton {stamp}", "Bonjour.")
    conversation = sarah.conversation(f"Jeton {stamp}")
    for token in ("0" * 32, "é", WebSession(demo).get("/connexion").token):
        assert sarah.post(conversation, {"texte": "Volé"}, token).status == 403
    assert "Volé" not in sarah.get(conversation).words


# -------------------------------------------------------------------- guessing
def somewhere() -> str:
    """A loopback address that nobody came from yet: guesses are counted by place."""
    return f"127.{randrange(1, 255)}.{randrange(256)}.{randrange(1, 255)}"


@pytest.mark.parametrize("door", ["submission", "imaps"])
def test_guessing_is_slowed_and_never_locks_the_owner_out_for_ever(demo: Demo, door: str) -> None:
    """From places of its own, so that the other tests' is not blamed; on a login that no other test uses."""
    says = {"submission": submission_says, "imaps": imap_says}[door]
    person, place = demo.member("pharmacie", 1), somewhere()
    login, right = person["login"], person["password"]
    spent = [timed(says, demo, login, f"faux {number}", place) for number in range(4)]
    assert [answer for _, answer in spent] == [{"submission": "535", "imaps": "NO"}[door]] * 4
    assert [took > least for (took, _), least in zip(spent, (0.25, 0.5, 1, 2), strict=True)] == [True] * 4, spent
    good = {"submission": "235", "imaps": "OK"}[door]
    guess = Thread(target=says, args=(demo, login, "faux encore", place))
    guess.start()  # held for four seconds
    took, answer = timed(says, demo, login, right, somewhere())
    assert (answer, took < 3) == (good, True), "the owner, elsewhere, waits for nobody"
    guess.join(10)
    assert says(demo, login, right, place) == good, "the wait is over with the answer"


def test_guessing_on_the_web_page_is_held_then_told_to_wait(demo: Demo) -> None:
    session = WebSession(demo, place=somewhere())
    login, took = f"personne.{time.time_ns()}", list[float]()
    for number in range(6):
        form = {"identifiant": login, "mot_de_passe": f"faux {number}"}
        seconds, page = timed(session.post, "/connexion", form, session.get("/connexion").token)
        took.append(seconds)
        assert page.status == 422
        assert "L'identifiant ou le mot de passe est inexact." in page.words
        if number < 4:
            assert "Attendez" not in page.words, "someone who mistypes once never notices"
    assert [took[number] > least for number, least in enumerate((0.25, 0.5, 1, 2))] == [True] * 4, took
    assert "Attendez 4 secondes avant de réessayer." in page.words


def timed(what: Callable[..., T], *args: Any) -> tuple[float, T]:
    started = time.monotonic()
    found = what(*args)
    return time.monotonic() - started, found


def submission_says(demo: Demo, login: str, password: str, place: str) -> str:
    with smtplib.SMTP(*demo.door("submission"), timeout=40, source_address=(place, 0)) as smtp:
        smtp.starttls(context=demo.trust())
        smtp.ehlo("client.example")
        secret = b64encode(f"\0{login}\0{password}".encode()).decode()
        return str(smtp.docmd(f"AUTH PLAIN {secret}")[0])  # not `login`, which would guess once per mechanism


def imap_says(demo: Demo, login: str, password: str, place: str) -> str:
    with socket.create_connection(demo.door("imaps"), 40, source_address=(place, 0)) as raw:
        with demo.trust().wrap_socket(raw, server_hostname="mail.alpha.example") as tls:
            reader = tls.makefile("rb")
            reader.readline()
            tls.sendall(f'a LOGIN "{login}" "{password}"\r\n'.encode())
            while not (line := reader.readline()).startswith(b"a "):
                assert line, "the door closed"
            return line.split()[1].decode()

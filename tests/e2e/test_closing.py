"""docs/rules.md section 4, each row from a doctor's mail program to Jacqueline's page and back to the doctor."""

from __future__ import annotations

import imaplib
import re
import time
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from tests.support import files
from tests.support.browser_session import Page, WebSession
from tests.support.demo import Demo, compose, uids_of, wait_until
from tests.support.html import plain
from tests.support.peer import Peer, certificate_of
from tests.support.there import there

CLOSED, LEFT_OPEN = "Conversations closes", "Conversations restées ouvertes"
QUOTE = "Le 12 novembre 2026 à 09:40, Jacqueline a écrit :\n> Bonjour docteur\n> Merci"
ORIGINAL = (
    "-----Message d'origine-----\nDe : Jacqueline Morel\nEnvoyé : lundi 3 mai 2026 09:40\nObjet : Bonjour\n\nBonjour"
)


@dataclass(frozen=True)
class Case:
    """`shown`: subject that Jacqueline sees, None = not delivered; `told`: title of what the sender gets, None = nothing.

    `{}` in a subject or body is a number that makes it unique.
    """

    subject: str
    body: str = ""
    html: str | None = None
    pdf: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    raw_subject: bytes | None = None
    shown: str | None = None
    closed: bool = True
    told: str | None = CLOSED


CASES = {
    "empty": Case("[FIN]"),
    "white space": Case("[FIN]", "  \n\t\n\u00a0\n"),
    "signature only": Case("[FIN]", "-- \nDr Camille Roche\n01 99 00 10 10"),
    "telephone's signature only": Case("[FIN]", "Envoyé de mon iPhone"),
    "quoted text only": Case("[FIN]", QUOTE),
    "original message only": Case("RE: [FIN]", ORIGINAL),
    "in the middle of a subject": Case("Suivi [FIN] du 3 mai"),
    "html, empty": Case("[FIN]", html="<html><body><p>&nbsp;</p><br></body></html>"),
    "html, quote only": Case("[FIN]", html="<p></p><blockquote type='cite'><p>Bonjour docteur</p></blockquote>"),
    "encoded word, empty": Case("", raw_subject=b"=?utf-8?q?=5BFIN=5D?="),
    "content": Case("[FIN] Résultats {}", "Vos résultats sont bons.", shown="Résultats {}"),
    "content in html only": Case("[FIN] Lettre {}", html="<p>Vos résultats sont <b>bons</b>.</p>", shown="Lettre {}"),
    "content over a signature": Case("[FIN] Mot {}", "D'accord.\n\n-- \nDr Camille Roche", shown="Mot {}"),
    "content after a reply mark": Case(
        "RE: [FIN] Avis {}", f"Voici.\n\n{QUOTE}", shown="Avis {}"
    ),  # the page shows no reply mark
    "content, middle of a subject": Case("Bilan [FIN] {}", "Tout va bien.", shown="Bilan {}"),
    "content, encoded word": Case(
        "", "Bonnes vacances.", raw_subject=b"=?utf-8?q?=5BFIN=5D_=C3=89t=C3=A9_?= {}", shown="Été {}"
    ),
    "attachment alone": Case("[FIN] Courrier {}", pdf=True, shown="Courrier {}"),
    "header": Case("Dernier mot {}", "Bonne suite.", headers={"X-MSS-MES": "FIN"}, shown="Dernier mot {}", told=None),
    "header, loose case": Case("Salut {}", "Bien à vous.", headers={"X-MSS-MES": " fin "}, shown="Salut {}", told=None),
    "lower case": Case("[fin] {}", shown="[fin] {}", closed=False, told=LEFT_OPEN),
    "spaces inside": Case("[ FIN ] {}", "Bonjour.", shown="[ FIN ] {}", closed=False, told=LEFT_OPEN),
    "another word": Case("[FIN de traitement] {}", "Bonjour.", shown="[FIN de traitement] {}", closed=False, told=None),
    "no brackets": Case("FIN {}", "Bonjour.", shown="FIN {}", closed=False, told=None),
}


def written(case: Case, sender: str, to: str, stamp: str) -> bytes:
    message = compose(sender, to, case.subject.format(stamp), case.body, headers=case.headers)
    if case.html is not None:
        message.set_content(case.html, subtype="html")
    if case.pdf:
        message.add_attachment(files.pdf(stamp), maintype="application", subtype="pdf", filename="courrier.pdf")
    octets = message.as_bytes(policy=policy.SMTP)
    if case.raw_subject is not None:
        subject = case.raw_subject.replace(b"{}", stamp.encode())
        octets = re.sub(rb"(?m)^Subject:[^\r\n]*", lambda _: b"Subject: " + subject, octets, count=1)
    return octets


class Notices:
    """What our own server wrote to a professional since it was made."""

    def __init__(self, demo: Demo, role: str) -> None:
        self._demo, self._person = demo, demo.person(role)
        with demo.imap(self._person) as imap:
            self._before = max(self._uids(imap), default=0)

    def _uids(self, imap: imaplib.IMAP4) -> list[int]:
        imap.select("INBOX")
        return [int(uid) for uid in imap.uid("SEARCH", "HEADER", "Auto-Submitted", "auto-")[1][0].split()]

    def one(self, timeout: float = 15) -> EmailMessage:
        """The first, once it is there."""
        with self._demo.imap(self._person) as imap:
            found = wait_until(
                lambda: [uid for uid in self._uids(imap) if uid > self._before], timeout, "our word to the sender"
            )
            octets = imap.uid("FETCH", str(found[0]), "(BODY.PEEK[])")[1][0][1]
        message = message_from_bytes(octets, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message

    def none(self) -> bool:
        with self._demo.imap(self._person) as imap:
            return not [uid for uid in self._uids(imap) if uid > self._before]


def opened(demo: Demo, jacqueline: WebSession, role: str = "medecin") -> tuple[str, str]:
    """A new message of the professional, which opens or reopens the exchange: (its subject, her conversation)."""
    subject = f"Avant {time.time_ns()}"
    demo.send(role, demo.person("jacqueline")["address"], subject, "Bonjour.")
    conversation = jacqueline.conversation(subject)
    assert can_answer(jacqueline.get(conversation))
    return subject, conversation


def can_answer(page: Page) -> bool:
    """The page has the form, or else says that the conversation is closed: never both, never neither."""
    form, notice = "Envoyer ma réponse" in page.words, "Cette conversation est close" in page.words
    assert form != notice, page.words
    return form


def closed_by(page: Page, who: str) -> None:
    words = page.words
    assert re.search(
        rf"{who} a mis fin à cette conversation le \d{{1,2}}(er)? \w+( \d{{4}})? à \d{{1,2}} h( \d\d)?\.", words
    ), words
    assert "Ce professionnel peut vous réécrire à tout moment" in words


@pytest.mark.parametrize("name", CASES)
def test_row(demo: Demo, jacqueline: WebSession, name: str) -> None:
    case, stamp = CASES[name], str(time.time_ns())
    doctor, patient = demo.person("medecin"), demo.person("jacqueline")["address"]
    before, conversation = opened(demo, jacqueline)
    notices = Notices(demo, "medecin")
    with demo.submission(doctor) as smtp:
        smtp.sendmail(doctor["address"], [patient], written(case, doctor["address"], patient, stamp))

    page = jacqueline.get(conversation)
    assert can_answer(page) is not case.closed
    if case.closed:
        closed_by(page, "Dr Camille Roche")
        refused = jacqueline.post(conversation, {"texte": "J'ai une question."})
        assert refused.status == 422
        assert "Rien n'a été envoyé." in refused.words

    listed = list(jacqueline.get("/messagerie").links("/messagerie/").values())
    rows = [label for label in listed if stamp in label or before in label or "[FIN]" in label]
    if case.shown is None:
        assert len(rows) == 1, rows
        assert before in rows[0], "nothing came after"
    else:
        shown = jacqueline.get(jacqueline.conversation(case.shown.format(stamp)))
        assert plain(shown.first("h1").text()) == case.shown.format(stamp)

    if case.told is None:
        # it would have been written with the message: a later word to the same sender is there first
        demo.send("medecin", patient, "[fin]", "Repère.")
        assert notices.one()["Subject"] == LEFT_OPEN
    else:
        notice = notices.one()
        assert notice["Subject"] == case.told
        text = notice.get_content()
        assert patient in text
        assert ("n’a pas été remis" in text) is (case.shown is None)
        assert ("X-MSS-MES" in text) is (case.shown is not None)
        closed = "toutes vos conversations avec cette personne" in text.replace("\n", " ")
        assert closed is case.closed
        assert notice["Return-Path"] == "<>"


def test_moving_to_the_closing_folder_closes_and_says_which_member_did(demo: Demo, jacqueline: WebSession) -> None:
    nadia = demo.member("cardiologie", 0)
    subject, conversation = opened(demo, jacqueline, "cardiologie")
    jacqueline.answer(conversation, "Merci.")
    with demo.imap(nadia) as imap:
        (uid,) = wait_until(lambda: uids_of(imap, subject), 10, "her answer")
        assert imap.uid("MOVE", str(uid), '"Conversations closes"')[0] == "OK"
    page = jacqueline.get(conversation)
    assert not can_answer(page)
    closed_by(page, "Dr Nadia Benali")
    # closing twice is harmless: the first closing stays
    demo.send("cardiologie", demo.person("jacqueline")["address"], "[FIN]", "")
    closed_by(jacqueline.get(conversation), "Dr Nadia Benali")
    # a later message reopens, whatever closed it
    demo.send("cardiologie", demo.person("jacqueline")["address"], "Encore une question", "Pouvez-vous venir ?")
    assert can_answer(jacqueline.get(conversation))
    assert jacqueline.answer(conversation, "Oui, lundi.").status == 200


def test_fin_is_an_ordinary_word_elsewhere(demo: Demo, jacqueline: WebSession) -> None:
    stamp = str(time.time_ns())
    demo.send("medecin", demo.person("cardiologie")["address"], f"[FIN] {stamp}", "")
    demo.wait_for(demo.person("cardiologie"), f"[FIN] {stamp}")
    _, conversation = opened(demo, jacqueline)
    form = jacqueline.get("/messagerie/nouveau")
    doctor = next(
        there(node.attributes["value"])
        for node in form.tree.css("[name=destinataire], [name=destinataire] option")
        if node.attributes.get("value") and "Roche" in (there(node.parent).text() + node.text())
    )
    sent = jacqueline.post(
        "/messagerie/nouveau", {"destinataire": doctor, "objet": f"[FIN] merci {stamp}", "texte": "À bientôt."}
    )
    assert "Votre message est envoyé." in sent.words, sent.words
    demo.wait_for(demo.person("medecin"), f"[FIN] merci {stamp}")
    assert can_answer(jacqueline.get(conversation)), "a citizen closes nothing so"


def test_the_other_operators_doctor_closes_over_the_border_and_is_told(demo: Demo, jacqueline: WebSession) -> None:
    far, patient = demo.person("confrere"), demo.person("jacqueline")["address"]
    subject = f"Avant {time.time_ns()}"
    demo.send("confrere", patient, subject, "Bonjour.")
    conversation = jacqueline.conversation(subject, 20)
    notices = Notices(demo, "confrere")
    with Peer(demo, certificate_of(demo)) as peer:  # a hand-made message: no client of ours in between
        code, text = peer.send(
            far["address"], patient, f"From: Antoine Vidal <{far['address']}>\r\nSubject: [FIN]\r\n\r\n".encode()
        )
        assert code == 250, text
    page = jacqueline.get(conversation)
    assert not can_answer(page)
    closed_by(page, "(Dr )?Antoine Vidal")
    assert notices.one(20)["Subject"] == CLOSED

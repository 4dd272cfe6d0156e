"""Known INS numbers, names and subjects go in by every door, rightly and wrongly; none comes out in what operators look at.

Each door has its own person, so that a word that is found tells by which door it came.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import imaplib
import smtplib
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mssante.identity import demo_ins
from tests.e2e.test_metrics import ask
from tests.e2e.test_secrets import stored_files
from tests.support import files
from tests.support.browser_session import WebSession
from tests.support.demo import Demo, mssante, printed, wait_until
from tests.support.peer import Peer, certificate_of, mail

BETA = "antoine.vidal@medecins.beta.example"
GP = "camille.roche@medecins.alpha.example"


@dataclass(frozen=True)
class Person:
    """`name`, `subject` and `file` are words that exist nowhere else."""

    ins: str
    name: str
    subject: str
    file: str

    @property
    def address(self) -> str:
        return f"{self.ins}@patient.beta.example"

    @property
    def words(self) -> tuple[str, ...]:
        return (self.ins, self.ins[:13], self.name, self.subject, self.file)


def smtp_of_operators(demo: Demo, who: Person) -> None:
    with Peer(demo, certificate_of(demo)) as peer:
        peer.do(f"VRFY {who.name}")
        peer.do(f"{who.name} {who.ins}")
        peer.do(f"MAIL FROM:<{who.ins}>")
        peer.send(BETA, who.address, b"")
        peer.do("RSET")
        peer.mail(BETA, f" ENVID={who.name}")
        peer.do(f"RCPT TO:<{GP}> ORCPT=rfc822;{who.address}")
        sent = mail(f"{who.name} <{BETA}>", GP, who.subject, f"Bonjour {who.name}, {who.ins}", X_MSS_INS=who.ins)
        assert peer.data(sent)[0] == 250
        wrong = mail(f"{who.name} <{who.address}>", GP, who.subject, X_MSS_CODECDA=who.name)
        assert peer.send(BETA, GP, wrong)[0] == 550
        peer.send(BETA, GP, mail(BETA, GP, who.subject) + who.name.encode() + b"\nbare line end\r\n")
    with Peer(demo) as stranger:
        stranger.mail(who.address)


def smtp_of_mail_clients(demo: Demo, who: Person) -> None:
    doctor = demo.person("medecin")
    with smtplib.SMTP(*demo.door("submission"), timeout=20) as smtp:
        smtp.ehlo(who.name)
        smtp.starttls(context=demo.trust())
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login(who.ins, who.name)
    with demo.submission(doctor) as smtp:
        assert smtp.mail(who.address)[0] == 550
        smtp.mail(doctor["address"])
        smtp.rcpt(who.address)
        smtp.rcpt(f"{who.name}@medecins.alpha.example")
        smtp.rcpt(f"{who.name}@[{who.ins}]")
    attached = (f"{who.file}.pdf", b"%PDF-1.4 broken " + who.name.encode(), "application", "pdf")
    demo.send("medecin", demo.person("jacqueline")["address"], who.subject, who.name, attachments=[attached])
    demo.send("medecin", f"{who.name}@medecins.beta.example", who.subject, who.ins)
    wait_until(lambda: demo.wait_for(doctor, who.subject), 30, "the bounce")


def imap(demo: Demo, who: Person) -> None:
    doctor = demo.person("medecin")
    with contextlib.suppress(imaplib.IMAP4.error):
        imaplib.IMAP4_SSL(*demo.door("imaps"), ssl_context=demo.trust(), timeout=20).login(who.ins, who.name)
    with demo.imap(doctor) as box:
        box.create(f'"{who.name}"')
        box.append(f'"{who.name}"', None, None, mail(GP, who.address, who.subject, who.file))
        box.select(f'"{who.name}"')
        for words in (("SUBJECT", who.subject), ("FROM", who.name), ("TEXT", who.ins), (who.name,)):
            with contextlib.suppress(imaplib.IMAP4.error):
                box.uid("SEARCH", *words)
        for line in (
            f'ID ("name" "{who.name}" "version" "{who.ins}")',
            f"{who.name} {who.ins}",
            f'RENAME {who.name} "{who.file}',
        ):
            with contextlib.suppress(imaplib.IMAP4.error):
                box.xatom(*line.split(" ", 1))
        with contextlib.suppress(imaplib.IMAP4.error):
            box.setannotation(f'"{who.name}"', f'/private/comment ("value.priv" "{who.ins}")')
        box.delete(f'"{who.name}"')


def web(demo: Demo, who: Person) -> None:
    session = WebSession(demo, "jacqueline")
    session.post("/messagerie/recherche", {"mots": who.name})
    anyone = WebSession(demo)
    anyone.post("/connexion", {"identifiant": who.ins, "mot_de_passe": who.name})
    host, port = demo.door("web")
    cookie = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
    form = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie, "User-Agent": who.name}
    multipart = form | {"Content-Type": f"multipart/form-data; boundary={who.name}"}
    for method, path, body, headers in (
        ("GET", f"/messagerie/{who.ins}", None, form),
        ("GET", f"/{who.name}?q={who.subject}", None, form),
        ("GET", f"/messagerie/1/1/pieces/{who.file}", None, form),
        ("POST", "/messagerie/nouveau", f"objet={who.subject}&texte={who.name}&a={who.ins}", form),
        ("POST", "/documents/ajouter", f'--{who.name}\r\nContent-Disposition: form-data; name="{who.file}"', multipart),
        ("GET", f"/mail/config-v1.1.xml?emailaddress={who.address}", None, form),
        ("POST", "/autodiscover/autodiscover.xml", f"<EMailAddress>{who.address}</EMailAddress>", form),
        (who.name.upper(), "/", None, form),
        ("PROPFIND", f"/carddav/{who.name}/", f"<{who.ins}>", form),
    ):
        connection = http.client.HTTPConnection(host, port, timeout=20)
        connection.request(method, path, body, headers)
        connection.getresponse().read()
        connection.close()


def directory_of_mail_clients(demo: Demo, who: Person) -> None:
    host, port = demo.door("ldaps")
    doctor = demo.person("medecin")
    for login, password in ((who.ins, who.name), (doctor["login"], doctor["password"])):
        subprocess.run(
            ["env", "LDAPTLS_REQCERT=never", "ldapsearch", "-x", "-H", f"ldaps://{host}:{port}", "-D", login, "-w", password,
             "-b", f"cn={who.name}", f"(|(cn=*{who.name}*)(mail={who.address}))"], capture_output=True, timeout=30,
        )  # fmt: skip
    with contextlib.suppress(OSError):
        context = ssl._create_unverified_context()
        with context.wrap_socket(socket.create_connection((host, port), 20)) as raw:
            raw.sendall(who.name.encode() + who.ins.encode())
            raw.recv(100)


def command_line(demo: Demo, who: Person) -> None:
    alpha = demo.data / "alpha"
    for words in (
        ("message", "trace", "--address", who.address),
        ("message", "trace", "--id", f"<{who.name}@{who.ins}>"),
        ("mailbox", "show", f"{who.name}@medecins.alpha.example"),
        (
            "mailbox",
            "create",
            f"{who.name}@nowhere.example",
            "--kind",
            "PER",
            "--name",
            who.name,
            "--holder-id",
            who.ins,
        ),
        ("mailbox", "suspend", who.address),
        ("queue", "list", "--domain", who.name),
        ("directory", "search", who.name),
    ):
        mssante(alpha, *words)


def reports(demo: Demo, who: Person) -> None:
    """Of other operators: about a message that went to them, with names where a server puts its words; and a receipt."""
    beta = f"{who.name}@medecins.beta.example"
    ident = demo.send("medecin", BETA, who.subject, who.name)["Message-ID"]
    wait_until(lambda: _accepted(demo, ident), 30, "beta's answer")
    for kind, words in (
        (
            "delivery-status",
            f"Reporting-MTA: dns; {who.name}.example\r\n\r\nFinal-Recipient: rfc822; {BETA}\r\nAction: failed\r\n"
            f"Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 {who.name} {who.ins} unknown",
        ),
        (
            "disposition-notification",
            f"Reporting-UA: {who.name}\r\nFinal-Recipient: rfc822; {BETA}\r\nOriginal-Message-ID: {ident}\r\n"
            "Disposition: manual-action/MDN-sent-manually; displayed",
        ),
        ("disposition-notification", f"{who.name} {who.ins}"),
    ):
        body = (
            f"--{who.name}\r\nContent-Type: text/plain\r\n\r\n{who.name}\r\n"
            f"--{who.name}\r\nContent-Type: message/{kind}\r\n\r\n{words}\r\n"
            f"--{who.name}\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {ident}\r\nSubject: {who.subject}\r\n"
            f"--{who.name}--"
        )
        structure = f"multipart/report; report-type={kind}; boundary={who.name}"
        octets = mail(BETA, GP, who.subject, body, Content_Type=structure, MIME_Version="1.0")
        with Peer(demo, certificate_of(demo)) as peer:
            assert peer.send("", GP, octets)[0] == 250
    wait_until(lambda: _marked(demo, ident), 30, "the marks of the trace")
    with Peer(demo, certificate_of(demo)) as peer:  # a receipt is asked for, of nobody there
        peer.send(BETA, GP, mail(BETA, GP, who.subject, who.name, Disposition_Notification_To=beta))


def _accepted(demo: Demo, ident: str) -> bool:
    return '"accepted"' in mssante(demo.data / "alpha", "message", "trace", "--id", ident, "--json").stdout


def _marked(demo: Demo, ident: str) -> bool:
    said = mssante(demo.data / "alpha", "message", "trace", "--id", ident, "--json").stdout
    return '"opened"' in said and '"failed"' in said


def attachments(demo: Demo, who: Person) -> None:
    """What the policy refuses or warns of, and what the bridge files or refuses, by the names people give to files."""
    to = demo.person("jacqueline")["address"]
    for content in (b"MZ" + who.name.encode(), b"x()"):
        with contextlib.suppress(smtplib.SMTPDataError):
            attached = (f"{who.file}.js", content, "application", "octet-stream")
            demo.send("medecin", to, who.subject, who.name, attachments=[attached])
    for content in (b"PK\x03\x04" + who.name.encode(), files.pdf(who.name), b"%PDF-1.4 " + who.ins.encode()):
        demo.send("medecin", to, who.subject, attachments=[(f"{who.file}.pdf", content, "application", "pdf")])
    wait_until(lambda: demo.wait_for(demo.person("medecin"), f"non rangée : {who.subject}"), 30, "the bridge's answer")
    page = WebSession(demo, "jacqueline")
    page.get(page.conversation(who.subject))
    page.get("/documents")
    page.get(f"/documents/{who.file}")


def queue(demo: Demo, who: Person) -> None:
    """What waits: seen, tried and called off."""
    doctor = demo.person("medecin")
    with demo.submission(doctor) as smtp:
        smtp.mail(doctor["address"], ["HOLDFOR=3600", f"ENVID={who.name}"])
        smtp.rcpt(BETA, [f"ORCPT=rfc822;{who.address}", "NOTIFY=DELAY,FAILURE"])
        assert smtp.data(mail(doctor["address"], BETA, who.subject, who.name))[0] == 250
    alpha = demo.data / "alpha"
    rows = printed(mssante(alpha, "queue", "list", "--json"))
    held = [str(row["id"]) for row in rows if row["state"] == "held"]
    assert held
    for words in (("show", held[0]), ("retry", held[0]), ("retry", "--domain", who.name), ("cancel", *held)):
        mssante(alpha, "queue", *words)


def care_desk(demo: Demo, who: Person) -> None:
    """The professional's pages, and the address book of mail clients."""
    session = WebSession(demo)
    session.post("/mon-compte/connexion", {"identifiant": who.ins, "mot_de_passe": who.name})
    doctor = demo.person("medecin")
    session.post("/mon-compte/connexion", {"identifiant": doctor["login"], "mot_de_passe": doctor["password"]})
    session.post("/mon-compte/connexion/code", {"code": who.ins[:6]}, token=who.name)
    host, port = demo.door("web")
    asked = (
        '<C:addressbook-query xmlns:C="urn:ietf:params:xml:ns:carddav" xmlns="DAV:"><prop><C:address-data/></prop>'
        f'<C:filter><C:prop-filter name="FN"><C:text-match>{who.name}</C:text-match></C:prop-filter></C:filter>'
        "</C:addressbook-query>"
    )
    for login, password in ((who.ins, who.name), (doctor["login"], doctor["password"])):
        basic = base64.b64encode(f"{login}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Depth": "1", "Content-Type": "text/xml", "User-Agent": who.name}
        for method, path, body in (
            ("PROPFIND", "/carddav/", None),
            ("REPORT", "/carddav/annuaire/", asked),
            ("REPORT", f"/carddav/{who.name}/", asked),
            ("GET", f"/carddav/annuaire/{who.name}.vcf", None),
            ("PUT", f"/carddav/annuaire/{who.name}.vcf", f"BEGIN:VCARD\r\nFN:{who.name}\r\nEND:VCARD"),
            ("GET", f"/mon-compte/mots-de-passe/{who.name}/supprimer", None),
            ("GET", f"/regler-ma-messagerie?adresse={who.address}", None),
        ):
            connection = http.client.HTTPConnection(host, port, timeout=20)
            connection.request(method, path, body, headers)
            connection.getresponse().read()
            connection.close()


def machines(demo: Demo, who: Person) -> None:
    for path in (f"/metrics?name={who.name}", f"/{who.ins}", f"/readyz/{who.subject}"):
        ask(demo, path)


DOORS: tuple[Callable[[Demo, Person], None], ...] = (
    smtp_of_operators,
    smtp_of_mail_clients,
    imap,
    web,
    directory_of_mail_clients,
    command_line,
    reports,
    attachments,
    queue,
    care_desk,
    machines,
)


@pytest.fixture(scope="module")
def people(demo: Demo) -> dict[str, Person]:
    """Everybody has gone through their door."""
    stamp = "".join(chr(ord("a") + int(digit)) for digit in str(time.time_ns())[-9:])
    found = {}
    for number, door in enumerate(DOORS):
        letter = chr(ord("a") + number)
        ins = demo_ins(time.time_ns() % 1000, birth_year=1940 + number).value
        found[door.__name__] = Person(ins, f"Quev{letter}{stamp}", f"Biop{letter}{stamp}", f"echo{letter}{stamp}")
        door(demo, found[door.__name__])
    return found


def leaks(people: dict[str, Person], text: str) -> list[tuple[str, str]]:
    folded = text.casefold()
    return [(door, word) for door, who in people.items() for word in who.words if word.casefold() in folded]


def looked_at(demo: Demo, folder: Path) -> Iterator[tuple[str, str]]:
    """What operators and their machines see."""
    alpha = demo.data / "alpha"
    yield "log", demo.log()
    yield "metrics", ask(demo, "/metrics")[1]
    month = time.strftime("%Y-%m", time.gmtime())
    for words in (
        ("stats", "month", month, "--csv"),
        ("queue", "list", "--json"),
        ("audit", "verify", "--json"),
        ("doctor", "--running"),
    ):
        done = mssante(alpha, *words)
        yield " ".join(words), done.stdout + done.stderr
    assert mssante(alpha, "audit", "export", str(folder / "trail")).returncode == 0
    for path in (folder / "trail").iterdir():
        yield path.name, path.read_text()


def test_nothing_personal_where_operators_look(demo: Demo, people: dict[str, Person], tmp_path: Path) -> None:
    seen = dict(looked_at(demo, tmp_path))
    assert len(seen["log"]) > 100
    assert "mssante_messages_total" in seen["metrics"]
    assert seen["trail.jsonl"].count("\n") > 5
    assert {name: found for name, text in seen.items() if (found := leaks(people, text))} == {}


def test_traces_and_all_that_is_stored_are_sealed(demo: Demo, people: dict[str, Person]) -> None:
    found = mssante(demo.data / "alpha", "message", "trace", "--address", people["smtp_of_operators"].address)
    assert found.returncode == 0, "there is a trace to be sealed"
    stored = b"\n".join(path.read_bytes() for path in stored_files(demo.data)).decode("latin-1")
    assert leaks(people, stored) == []

"""Run inside the machine, as the server's account in its folder: the papers and people of a trust space for tests, then their mail.

python -m tests.systemd.inside settings|people|send SUBJECT|count SUBJECT|flow SUBJECT|filed
"""

from __future__ import annotations

import imaplib
import smtplib
import ssl
import sys
import time
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path

from sqlalchemy import func, select

from foundation.clock import system_clock
from foundation.tables import jobs
from health_space.dossier.tables import documents
from runtime.demo import world
from runtime.demo.people import ALPHA, CITIZEN_DOMAIN
from runtime.demo.pki import SIGNER_NAME, Pki
from runtime.house import House
from runtime.settings import read
from tests.support.files import pdf

CONFIG = Path("mssante.toml")
PASSWORD = "foin-quai-nord-50"
DOCTOR, PATIENT = ALPHA.professionals[0].address, ALPHA.citizens[0].address
OFFICIAL = {"8025": "25", "8087": "587", "8065": "465", "8043": "143", "8093": "993"}


def settings() -> None:
    """What the guide asks for after `mssante init`: names, official ports, certificates, the trust list."""
    pki, domains = Pki(Path("pki"), system_clock()), ", ".join(f'"{domain}"' for domain in ALPHA.domains)
    changes = {f":{port}": f":{official}" for port, official in OFFICIAL.items()} | {
        "mail.exemple.example": ALPHA.host,
        'domains = ["medecins.exemple.example"]': f"domains = [{domains}]",
        "# citizen_domain = ": f'citizen_domain = "{CITIZEN_DOMAIN}"\ncitizen_domain_of_space = "{CITIZEN_DOMAIN}"\n# ',
        "[trust_list]": f'[trust_list]\nsigner = "CN={SIGNER_NAME}"',
    }
    text = "workers = 2\n" + CONFIG.read_text()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    CONFIG.write_text(text)
    pki.sign_trust_list({ALPHA: pki.operator(ALPHA, Path("tls"))}, bench=False)
    for made, name in ((pki.root, "tls/anchors.pem"), (pki.crl, "tls/crl.pem"), (pki.trust_list, "trust-list.xml")):
        Path(name).write_bytes(made.read_bytes())


def people() -> None:
    house = House(read(CONFIG.absolute()))
    world.fill(house, ALPHA, {DOCTOR: PASSWORD}, bench=False)
    house.db.close_now()


def send(subject: str) -> None:
    """To oneself, and with a document to a citizen, whose dossier opens it in a process of its own."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = DOCTOR, f"{DOCTOR}, {PATIENT}", subject
    message.set_content("Bonjour.")
    message.add_attachment(pdf(subject), maintype="application", subtype="pdf", filename="compte-rendu.pdf")
    with smtplib.SMTP("127.0.0.1", 587, timeout=20) as smtp:
        smtp.starttls(context=_trust())
        smtp.login(DOCTOR, PASSWORD)
        smtp.send_message(message)


def flow(subject: str) -> None:
    """Sends until the server says it goes away; prints how many it took."""
    taken = 0
    with suppress(OSError, smtplib.SMTPException):
        while True:
            send(f"{subject} {taken}")
            taken += 1
    print(taken)


def count(subject: str) -> None:
    with imaplib.IMAP4_SSL("127.0.0.1", 993, ssl_context=_trust(), timeout=20) as imap:
        imap.login(DOCTOR, PASSWORD)
        imap.select("INBOX")
        print(len(imap.uid("SEARCH", "SUBJECT", f'"{subject}"')[1][0].split()))


def filed() -> None:
    """How many documents lie in dossiers, when no job waits for it any more."""
    house = House(read(CONFIG.absolute()))
    waiting = select(func.count()).select_from(jobs).where(jobs.c.kind == "file")
    while house.db.read_now(lambda conn: conn.execute(waiting).scalar_one()):
        time.sleep(0.2)
    print(house.db.read_now(lambda conn: conn.execute(select(func.count()).select_from(documents)).scalar_one()))
    house.db.close_now()


def _trust() -> ssl.SSLContext:
    context = ssl.create_default_context(cafile="tls/anchors.pem")
    context.check_hostname = False
    return context


if __name__ == "__main__":
    {one.__name__: one for one in (settings, people, send, flow, count, filed)}[sys.argv[1]](*sys.argv[2:])

"""A trust space of three operators, each a process of its own on a loopback address of its own; `Peer` speaks to them too."""

from __future__ import annotations

import imaplib
import json
import os
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509

from certs.authority import Issued
from certs.profiles import OPERATOR, operator_subject
from foundation.clock import MINUTE, system_clock
from mssante.kinds import BoxKind
from mssante.trust_list import Entry
from runtime import start
from runtime.demo import world
from runtime.demo.operator_files import Ports, settings_text
from runtime.demo.people import Member, Operator, Professional
from runtime.demo.pki import Pki
from runtime.house import House
from runtime.settings import read
from tests.support.child import ends_with_us
from tests.support.demo import ROOT, compose, uids_of, wait_until
from tests.support.http_server import HttpServer

PASSWORD = "foin-quai-nord-50"
LOW_PORT = 8000


@dataclass(frozen=True, slots=True)
class At(Ports):
    host: str = ""

    def doors(self) -> dict[str, str]:
        return {name: door.replace("127.0.0.1", self.host) for name, door in super(At, self).doors().items()}


def an_operator(key: str, number: int) -> Operator:
    address = f"dr@medecins.{key}.example"
    doctor = Professional(
        "dr", BoxKind.PER, f"Dr {key.title()}", address, "", "Médecin", "Villefleur", "",
        (Member(f"Dr {key.title()}", address),),
    )  # fmt: skip
    office = replace(doctor, role="office", kind=BoxKind.ORG, address=f"postmaster@medecins.{key}.example", members=())
    return Operator(key, f"Opérateur {key}", f"199000000{number}", (f"medecins.{key}.example",), None, (doctor, office))


class Space:
    """`unlisted`: keys of operators whose certificate is not the one in the list. `lists`: the agency's server, which all fetch the
    list from.
    """

    def __init__(self, folder: Path, keys: Sequence[str], unlisted: Sequence[str] = ()) -> None:
        self.data, self.now = folder, system_clock()
        self.pki = Pki(folder / "pki", self.now)
        loopback = (x509.IPAddress(IPv4Address("127.0.0.1")),)
        agency = operator_subject("listes.example", "1990000003", "Agence", "Villefleur (99)")
        self.lists = HttpServer(folder, self.pki.authority.issue(OPERATOR, agency, self.now, also=loopback))
        self.operators = {key: an_operator(key, number) for number, key in enumerate(keys, 1)}
        self._ports = {
            key: At(LOW_PORT, web=False, bench=False, host=f"127.77.{os.getpid() % 250}.{number}")
            for number, key in enumerate(keys, 1)
        }
        self._running: list[subprocess.Popen[bytes]] = []
        self._listed = {one: self.pki.operator(one, folder / key / "tls") for key, one in self.operators.items()}
        self.pki.sign_trust_list(self._listed, bench=False)
        self.pki.publish({one: self.pki.dkim_keys(folder / key / "keys") for key, one in self.operators.items()})
        for key in unlisted:
            self.certify(key, f"autre.{key}.example")
        for key in keys:
            self._build(key)

    def publish(self, *also: Entry) -> None:
        """A newer list on the agency's server, with more operators."""
        made = self.data / "offered.xml"
        Pki(self.data / "pki", self.now + MINUTE).sign_trust_list(self._listed, bench=False, also=also, to=made)
        self.lists.give("/liste.xml", made.read_bytes())

    def list_with(self, minute: int, names: dict[str, Sequence[str]]) -> Path:
        """A list of that many minutes later, in which the operators of these keys have these certificates' names."""
        made, listed = (
            self.data / "newer.xml",
            {one: issued for one, issued in self._listed.items() if one.key not in names},
        )
        also = [
            Entry(domain, name)
            for key, those in names.items()
            for domain in self.operators[key].all_domains
            for name in those
        ]
        Pki(self.data / "pki", self.now + minute * MINUTE).sign_trust_list(listed, bench=False, also=also, to=made)
        return made

    def certify(self, key: str, host: str) -> Issued:
        """Puts a certificate of this name in the operator's place; a running one takes it up within seconds."""
        issued = self.issue(key, host)
        issued.write(self.data / key / "tls", "server")
        return issued

    def issue(self, key: str, host: str) -> Issued:
        operator = self.operators[key]
        return self.pki.authority.issue(
            OPERATOR, operator_subject(host, operator.structure, operator.name, "Villefleur (99)"), self.now
        )

    def _build(self, key: str) -> None:
        operator, folder = self.operators[key], self.data / key
        others = {one: self._ports[other] for other, one in self.operators.items() if other != key}
        text = settings_text(operator, self._ports[key], others, self.pki, folder)
        text = text.replace("[trust_list]", f'[trust_list]\nurl = "{self.lists.url}/liste.xml"')
        (folder / "mssante.toml").write_text(text.replace(str(self.pki.crl), "tls/crl.pem"))
        shutil.copy(self.pki.crl, folder / "tls" / "crl.pem")
        settings = read(folder / "mssante.toml")
        start.prepare(settings)
        house = House(settings)
        world.fill(house, operator, {f"dr@medecins.{key}.example": PASSWORD}, bench=False)
        house.db.close_now()

    def start(self) -> Space:
        for key in self.operators:
            log = open(self.data / f"{key}.log", "ab")  # noqa: SIM115
            command = [sys.executable, "-m", "runtime.cli", "serve", "--config", str(self.data / key / "mssante.toml")]
            self._running.append(subprocess.Popen(ends_with_us(*command), cwd=ROOT, stdout=log, stderr=log))
        for key in self.operators:
            wait_until(partial(self._answers, key), 40, (self.data / f"{key}.log").read_text())
        return self

    def stop(self) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.wait(30)
        self.lists.__exit__()

    def _answers(self, key: str) -> bool:
        try:
            with socket.create_connection(self.door("imap", key), 5) as probe:  # opened after the MX
                return bool(probe.recv(10))
        except OSError:
            return False

    # ---------------------------------------------------------------- as a Demo, for `Peer`
    def door(self, name: str, operator: str) -> tuple[str, int]:
        host, port = self._ports[operator].named()[name].rsplit(":", 1)
        return host, int(port)

    def operator(self, _name: str = "") -> dict[str, Any]:
        return {"ca": str(self.pki.root)}

    # ---------------------------------------------------------------- people
    def address(self, key: str) -> str:
        return f"dr@medecins.{key}.example"

    def trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.pki.root)
        context.check_hostname = False
        return context

    def send(self, sender: str, to: str, subject: str) -> None:
        with smtplib.SMTP(*self.door("submission", sender), timeout=20) as smtp:
            smtp.starttls(context=self.trust())
            smtp.login(self.address(sender), PASSWORD)
            smtp.send_message(compose(self.address(sender), self.address(to), subject, "Bonjour."))

    @contextmanager
    def imap(self, key: str) -> Any:
        with imaplib.IMAP4_SSL(*self.door("imaps", key), ssl_context=self.trust(), timeout=20) as imap:
            imap.login(self.address(key), PASSWORD)
            yield imap

    def has(self, key: str, subject: str) -> bool:
        with self.imap(key) as imap:
            return bool(uids_of(imap, subject))

    def newest(self, key: str) -> str:
        """The last message of an inbox, as it is kept; "" when there is none."""
        with self.imap(key) as imap:
            imap.select("INBOX")
            found = imap.fetch("*", "(BODY.PEEK[])")[1][0]
            return found[1].decode() if isinstance(found, tuple) else ""

    def queue(self, key: str, *words: str) -> Any:
        return self.mssante(key, "queue", *words)

    def mssante(self, key: str, *words: str) -> Any:
        command = [sys.executable, "-m", "runtime.cli", *words, "--json"]
        config = str(self.data / key / "mssante.toml")
        done = subprocess.run([*command, "--config", config], cwd=ROOT, capture_output=True)  # 1: nothing matched
        return json.loads(done.stdout or b"[]")

"""The whole product in a process of its own, for end-to-end tests: started on free ports, driven through var/demo.json."""

from __future__ import annotations

import imaplib
import json
import os
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal, TypeVar

from runtime.demo.show import STOP_SECONDS
from tests.support.child import ends_with_us

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]


PLACES = 37  # for each of two workers, between 10,000 and 32,767


def free_port_base() -> int:
    """A base whose 300 ports above look free on loopback; below those that the kernel gives to clients, and in a range of this
    worker's own: another one may be about to open what still looks free.
    """
    worker, first = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")), os.getpid()
    for number in range(PLACES):
        base = 10_000 + (worker % 2 * PLACES + (first + number) % PLACES) * 300
        try:
            for offset in (25, 26, 43, 65, 80, 87, 90, 93, 125, 143, 165, 180, 187, 190, 193):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", base + offset))
        except OSError:
            continue
        return base
    raise RuntimeError("no free ports")


@dataclass
class Demo:
    """A running demo. `person("medecin")` and `operator("alpha")` give the entries of var/demo.json."""

    data: Path
    base: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def start(self, timeout: float = 60) -> Demo:
        self.data.mkdir(parents=True, exist_ok=True)
        log = open(self.data / "demo.log", "ab")  # noqa: SIM115
        read = log.tell()
        command = [sys.executable, "-m", "runtime.cli", "demo", "--data", str(self.data), "--port-base", str(self.base)]
        command = ends_with_us(*command, *self.options)
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + timeout
        while b"Ctrl-C" not in (self.data / "demo.log").read_bytes()[read:]:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the demo did not start:\n" + (self.data / "demo.log").read_text()[-3000:])
            time.sleep(0.05)
        self.facts = json.loads((self.data / "demo.json").read_text())
        return self

    def attach(self) -> Demo:
        """To a demo that runs already, whose output goes to demo.log in its folder."""
        self.facts = json.loads((self.data / "demo.json").read_text())
        return self

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_SECONDS + 10)  # it kills a server that does not stop
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise

    # ---------------------------------------------------------------- facts
    def person(self, role: str) -> dict[str, Any]:
        return self.member(role, 0)

    def member(self, role: str, number: int) -> dict[str, Any]:
        people: list[dict[str, Any]] = self.facts["people"]
        return [person for person in people if person["role"] == role][number]

    def operator(self, name: str = "alpha") -> dict[str, Any]:
        operators: list[dict[str, Any]] = self.facts["operators"]
        return next(operator for operator in operators if operator["name"] == name)

    def door(self, name: str, operator: str = "alpha") -> tuple[str, int]:
        host, port = self.operator(operator)[name].rsplit(":", 1)
        return host, int(port)

    def url(self, path: str = "/") -> str:
        host, port = self.door("web")
        return f"http://{host}:{port}{path}"

    def trust(self, operator: str = "alpha") -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.operator(operator)["ca"])
        context.check_hostname = False  # the certificate names mail.alpha.example, we come through loopback
        return context

    def code(self, role: str, since: float, timeout: float = 10) -> str:
        """The one-time code that was sent after `since` (time.time())."""
        path = Path(self.person(role)["codes"])
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if path.exists() and path.stat().st_mtime >= since - 0.01:
                found = re.findall(r"\b\d{6}\b", path.read_text())
                if found:
                    return str(found[-1])
            time.sleep(0.05)
        raise AssertionError(f"no code for {role}")

    def log(self) -> str:
        """What the servers logged: all that was printed but the demo's own table of people and passwords."""
        printed = (self.data / "demo.log").read_text(errors="replace")
        table = r"\n +MSSanté demo is running.*?Ctrl-C stops[^\n]*\n|(?m:^Stopping….*$)"
        return re.sub(table, "\n", printed, flags=re.DOTALL)

    # ---------------------------------------------------------------- doors
    @contextmanager
    def submission(self, person: dict[str, Any]) -> Iterator[smtplib.SMTP]:
        with smtplib.SMTP(*self.door("submission", person["operator"]), timeout=20) as smtp:
            smtp.starttls(context=self.trust(person["operator"]))
            smtp.login(person["login"], person["password"])
            yield smtp

    def send(self, role: str, to: str, subject: str, text: str = "Bonjour.", **options: Any) -> EmailMessage:
        """A message by submission; `attachments` are (name, bytes, maintype, subtype); `headers` are added."""
        person = self.person(role)
        message = compose(person["address"], to, subject, text, **options)
        with self.submission(person) as smtp:
            smtp.send_message(message)
        return message

    @contextmanager
    def imap(self, person: dict[str, Any]) -> Iterator[imaplib.IMAP4_SSL]:
        host, port = self.door("imaps", person["operator"])
        connection = imaplib.IMAP4_SSL(host, port, ssl_context=self.trust(person["operator"]), timeout=20)
        connection.login(person["login"], person["password"])
        try:
            yield connection
        finally:
            connection.logout()

    def wait_for(self, person: dict[str, Any], subject: str, folder: str = "INBOX", timeout: float = 15) -> bytes:
        """The message whose subject holds `subject`, once it is there."""
        deadline = time.monotonic() + timeout
        with self.imap(person) as imap:
            while time.monotonic() < deadline:
                if found := uids_of(imap, subject, folder):
                    _, parts = imap.uid("FETCH", str(found[-1]), "(BODY.PEEK[])")
                    return bytes(parts[0][1])
                time.sleep(0.05)
        raise AssertionError(f"no message {subject!r} in {folder} of {person['role']}")


def mssante(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of the operator whose settings are in `folder`, in a process of its own."""
    command = [sys.executable, "-m", "runtime.cli", *words, "--config", str(folder / "mssante.toml")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def printed(done: subprocess.CompletedProcess[str]) -> Any:
    """The JSON value of a command that went well."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def uids_of(imap: imaplib.IMAP4, subject: str, folder: str = "INBOX") -> list[int]:
    """UIDs of the messages whose subject holds `subject`, oldest first; selects the folder."""
    assert imap.select(quoted(folder))[0] == "OK"
    imap.literal = subject.encode()  # type: ignore[assignment]  # imaplib sends it at the end of the next command
    _, found = imap.uid("SEARCH", "CHARSET", "UTF-8", "SUBJECT")
    return [int(uid) for uid in found[0].split()]


def wait_until(what: Callable[[], T | Literal[False] | None], timeout: float = 15, why: str = "") -> T:
    """The first true answer of `what`."""
    deadline = time.monotonic() + timeout
    while not (answer := what()):
        assert time.monotonic() < deadline, f"not within {timeout} s: {why}"
        time.sleep(0.05)
    return answer


def compose(sender: str, to: str, subject: str, text: str, **options: Any) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Message-ID"] = options.get("message_id") or f"<{time.time_ns()}@tests.example>"
    for name, value in options.get("headers", {}).items():
        message[name] = value
    message.set_content(text)
    for name, data, maintype, subtype in options.get("attachments", ()):
        message.add_attachment(data, maintype=maintype, subtype=subtype, filename=name)
    return message


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

"""A foreign operator's mail server, as the MX door sees it: STARTTLS with a certificate of our choice, raw replies."""

from __future__ import annotations

import smtplib
import ssl
import tempfile
from pathlib import Path

from certs.authority import Authority, Issued
from certs.profiles import OPERATOR, operator_subject
from foundation.clock import system_clock
from tests.support.demo import Demo


def authority(demo: Demo) -> Authority:
    """The demo's own development authority, to issue certificates of every kind."""
    return Authority.load(demo.data / "pki")


def certificate_of(demo: Demo, operator: str = "beta") -> Issued:
    from certs.authority import load_issued

    return load_issued(demo.data / operator / "tls", "server")


def issue(ca: Authority, host: str = "mail.rogue.example", start: int | None = None, end: int | None = None) -> Issued:
    subject = operator_subject(host, "1990000999", "Opérateur Inconnu", "Villefleur (99)")
    return ca.issue(OPERATOR, subject, system_clock(), start=start, end=end)


def client_context(demo: Demo, certificate: Issued | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # a careless peer, which may show a weak key
    context.load_verify_locations(demo.operator()["ca"])
    if certificate is not None:
        with tempfile.TemporaryDirectory() as folder:
            pem, key = certificate.write(Path(folder), "peer")
            context.load_cert_chain(pem, key)
    return context


class Peer:
    """One SMTP conversation with the MX door; every verb returns (code, text)."""

    def __init__(
        self, demo: Demo, certificate: Issued | None = None, tls: bool = True, operator: str = "alpha"
    ) -> None:
        self.smtp = smtplib.SMTP(*demo.door("smtp", operator), timeout=20)
        self.smtp.ehlo("mail.peer.example")
        if tls:
            code, text = self.smtp.starttls(context=client_context(demo, certificate))
            assert code == 220, (code, text)
            self.smtp.ehlo("mail.peer.example")

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.smtp.close()

    def mail(self, reverse_path: str, options: str = "") -> tuple[int, str]:
        return self.do(f"MAIL FROM:<{reverse_path}>{options}")

    def rcpt(self, recipient: str) -> tuple[int, str]:
        return self.do(f"RCPT TO:<{recipient}>")

    def data(self, content: bytes) -> tuple[int, str]:
        code, text = self.do("DATA")
        if code != 354:
            return code, text
        self.smtp.send(content + b".\r\n")
        return self._reply()

    def send(self, reverse_path: str, recipient: str, content: bytes) -> tuple[int, str]:
        for answer in (self.mail(reverse_path), self.rcpt(recipient)):
            if answer[0] != 250:
                return answer
        return self.data(content)

    def do(self, line: str) -> tuple[int, str]:
        self.smtp.send(line.encode() + b"\r\n")
        return self._reply()

    def _reply(self) -> tuple[int, str]:
        code, text = self.smtp.getreply()
        return code, text.decode()


def mail(sender: str, to: str, subject: str = "Compte rendu", body: str = "Bonjour.", **headers: str) -> bytes:
    extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\n{extra}\r\n{body}\r\n".encode()

"""Programs that keep Maildirs and a mailbox the same: mbsync and offlineimap, each with its settings below `folder`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from tests.clients.sides import Maildirs
from tests.support.clients import run
from tests.support.demo import Demo


class Mbsync:
    keeps_dates = True

    def __init__(self, server: Demo, box: dict[str, Any], folder: Path) -> None:
        self.near = Maildirs(folder / "mail")
        self.near.top.mkdir(parents=True)
        (folder / "state").mkdir()
        self._config = folder / "mbsyncrc"
        host, port = server.door("imaps", box["operator"])
        # a certificate given itself, not its authority, is trusted under any name: we come through loopback
        certificate = server.data / box["operator"] / "tls" / "server.pem"
        self._config.write_text(
            f"""IMAPAccount far
Host {host}
Port {port}
User {box["login"]}
Pass {box["password"]}
SSLType IMAPS
AuthMechs SCRAM-SHA-256
CertificateFile {certificate}

IMAPStore far
Account far

MaildirStore near
Path {self.near.top}/
Inbox {self.near.top}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
CopyArrivalDate yes
SyncState {folder}/state/
"""
        )

    def sync(self) -> None:
        done = run("mbsync", "--config", str(self._config), "--all")
        assert done.code == 0, done.out


class OfflineImap:
    keeps_dates = False  # APPENDs with the date of the Date field

    def __init__(self, server: Demo, box: dict[str, Any], folder: Path) -> None:
        self.near = Maildirs(folder / "mail")
        self._config = folder / "offlineimaprc"
        host, port = server.door("imaps", box["operator"])
        certificate = x509.load_pem_x509_certificate((server.data / "alpha" / "tls" / "server.pem").read_bytes())
        self._config.write_text(
            f"""[general]
accounts = a
metadata = {folder}/state
ui = quiet
fsync = no

[Account a]
localrepository = near
remoterepository = far

[Repository near]
type = Maildir
localfolders = {self.near.top}
sep = /

[Repository far]
type = IMAP
remotehost = {host}
remoteport = {port}
remoteuser = {box["login"]}
remotepass = {box["password"]}
ssl = yes
cert_fingerprint = {certificate.fingerprint(SHA256()).hex()}
maxconnections = 2
"""
        )

    def sync(self) -> None:
        done = run("offlineimap", "-o", "-c", str(self._config))
        assert done.code == 0, done.out

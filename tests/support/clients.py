"""Mail clients that nobody here wrote, run as programs against a demo: swaks and curl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.demo import Demo

SECONDS = 100


@dataclass(frozen=True)
class Ran:
    code: int
    out: str


def run(*command: str, **options: Any) -> Ran:
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, **options)
    return Ran(done.returncode, done.stdout + done.stderr)


# -------------------------------------------------------------------- swaks
def swaks(
    demo: Demo, person: dict[str, Any], to: str, *options: str, door: str = "submission", auth: str = "PLAIN"
) -> Ran:
    """One message; `options` are swaks' own. Its exit codes: 0 sent, 23 MAIL, 24 RCPT, 26 DATA refused, 28 sign-in refused."""
    host, port = demo.door(door, person["operator"])
    command = ["swaks", "--server", f"{host}:{port}", "--from", person["address"], "--to", to]
    command += ["--auth", auth, "--auth-user", person["login"], "--auth-password", person["password"]]
    command += [
        "--tls-on-connect" if door == "submissions" else "--tls",
        "--tls-sni",
        f"mail.{person['operator']}.example",
    ]
    return run(*command, *options)


# -------------------------------------------------------------------- curl
def curl(demo: Demo, person: dict[str, Any], scheme: str, path: str, *options: str) -> Ran:
    """`scheme` imap, imaps, smtp or smtps. Verifies the demo's certificate under its real name."""
    door = {"imap": "imap", "imaps": "imaps", "smtp": "submission", "smtps": "submissions"}[scheme]
    host, port = demo.door(door, person["operator"])
    command = ["curl", "--silent", "--show-error", "--cacert", demo.operator(person["operator"])["ca"], "--ssl-reqd"]
    command += ["--connect-to", f"::{host}:{port}", "--user", f"{person['login']}:{person['password']}"]
    return run(*command, f"{scheme}://mail.{person['operator']}.example{path}", *options)


def curl_send(demo: Demo, person: dict[str, Any], to: str, content: bytes, folder: Path, scheme: str = "smtp") -> Ran:
    """`content` is the whole message, with any line ends: curl sends what it is given, and SMTP wants CRLF."""
    message = folder / "message.eml"
    message.write_bytes(b"\r\n".join(content.splitlines()) + b"\r\n")
    options = ["--mail-from", person["address"], "--mail-rcpt", to, "--upload-file", str(message)]
    return curl(demo, person, scheme, "/client.example", *options)

"""Mail clients that nobody here wrote, run as programs against a demo."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Any

from tests.support.demo import Demo

SECONDS = 100


@dataclass(frozen=True)
class Ran:
    code: int
    out: str


def run(*command: str, **options: Any) -> Ran:
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False, **options
    )
    return Ran(done.returncode, done.stdout + done.stderr)


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

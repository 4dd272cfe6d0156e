"""What the newcomer sees: doors, people with their passwords, four lines to try."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WIDTH = 118


def text(facts: dict[str, Any], data: Path) -> str:
    lines = ["", "MSSanté demo is running (invented people; nothing leaves this machine)".center(WIDTH).rstrip(), ""]
    lines += [_operator(operator) for operator in facts["operators"]]
    lines += ["", f"{'who':<42} {'address':<44} {'sign-in':<38} password"]
    lines += [_person(person) for person in facts["people"]]
    lines += ["", *_to_try(facts, data), "", "Ctrl-C stops; the data stay (make demo-reset forgets them)."]
    return "\n".join(lines)


def _operator(operator: dict[str, Any]) -> str:
    doors = "  ".join(
        f"{label} {operator[name].rsplit(':', 1)[1]}"
        for label, name in (
            ("MX", "smtp"),
            ("submission", "submission"),
            ("submissions", "submissions"),
            ("IMAP", "imap"),
            ("IMAPS", "imaps"),
        )
    )
    page = f"  page http://{operator['web']}/" if "web" in operator else ""
    return f"{operator['title']:<18} 127.0.0.1: {doors}{page}"


def _person(person: dict[str, Any]) -> str:
    login, password = person["login"], person["password"]
    if not login:
        login = "(no sign-in: child, not activated, or opposed)"
    return f"{person['name']:<42} {person['address']:<44} {login:<38} {password}".rstrip()


def _to_try(facts: dict[str, Any], data: Path) -> list[str]:
    first = facts["operators"][0]
    doctor = next(person for person in facts["people"] if person["role"] == "medecin")
    citizen = next((person for person in facts["people"] if person["role"] == "jacqueline"), doctor)
    host, port = first["submission"].rsplit(":", 1)
    # swaks verifies nothing by default; curl is given the demo's own authority
    return [
        "Try, in this order:",
        f"  1. a doctor writes to Jacqueline:   swaks --server {host}:{port} --tls --auth PLAIN --auth-user {doctor['login']}"
        f" --auth-password {doctor['password']} --from {doctor['address']} --to {citizen['address']}"
        " --header 'Subject: Votre bilan' --body 'Bonjour, tout va bien.'",
        f"  2. she reads it and answers:        http://{first['web']}/  sign in as {citizen['login']} / {citizen['password']};"
        f" after that her one-time code appears in {citizen['codes'] or data}",
        f"  3. the doctor sees the answer:      curl -s --cacert {first['ca']} --ssl-reqd"
        f" --connect-to ::{first['imap']} 'imap://mail.alpha.example/INBOX;MAILINDEX=*'"
        f" -u {doctor['login']}:{doctor['password']}",
        f"  4. settings for a mail program:     http://{first['web']}/regler-ma-messagerie",
    ]

"""What the newcomer sees: doors, people with their passwords, four things to try."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WIDTH = 118


def text(facts: dict[str, Any], data: Path) -> str:
    lines = ["", "MSSanté demo is running (invented people; nothing leaves this machine)".center(WIDTH).rstrip(), ""]
    lines += [_operator(operator) for operator in facts["operators"]]
    lines += ["", f"{'who':<42} {'address':<44} {'sign-in':<38} password"]
    lines += [_person(person) for person in facts["people"]]
    lines += [
        "",
        *_to_try(facts, data),
        "",
        "Ctrl-C stops; the data stay (make demo-reset forgets them). Below: the servers' log.",
    ]
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
    page = f"  page {_page(operator)}/" if "web" in operator else ""
    return f"{operator['title']:<18} 127.0.0.1: {doors}{page}"


def _page(operator: dict[str, Any]) -> str:
    """By name, as `web.origin` has it: browsers make no passkey for an IP address."""
    return f"http://localhost:{operator['web'].rsplit(':', 1)[1]}"


def _person(person: dict[str, Any]) -> str:
    login, password = person["login"], person["password"]
    if not login:
        login = "(no sign-in: child, not activated, or opposed)"
    return f"{person['name']:<42} {person['address']:<44} {login:<38} {password}".rstrip()


def _to_try(facts: dict[str, Any], data: Path) -> list[str]:
    first = facts["operators"][0]
    doctor = next(person for person in facts["people"] if person["role"] == "medecin")
    citizen = next((person for person in facts["people"] if person["role"] == "jacqueline"), doctor)
    curl = f"curl -sS --cacert {first['ca']} --ssl-reqd -u {doctor['login']}:{doctor['password']} --connect-to"
    head = f"From: {doctor['address']}\\nTo: {citizen['address']}\\nSubject: Votre bilan\\n"
    return [
        "Try, in this order, the commands in another terminal:",
        "  1. a doctor writes to Jacqueline (curl says nothing when all is well):",
        f"     printf '{head}\\nBonjour, tout va bien.\\n' | {curl} ::{first['submission']} smtp://mail.alpha.example --crlf"
        f" --mail-from {doctor['address']} --mail-rcpt {citizen['address']} -T -",
        f"  2. she reads it on {_page(first)}/ and answers: sign in as {citizen['login']} / {citizen['password']},"
        f" then take her one-time code from {citizen['codes'] or data}",
        "  3. the doctor sees the answer, the last message of the inbox:",
        f"     {curl} ::{first['imap']} 'imap://mail.alpha.example/INBOX;MAILINDEX=*'",
        f"  4. settings for a mail program: {_page(first)}/regler-ma-messagerie",
    ]

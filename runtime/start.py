"""What the operator's commands do: read the settings, say every fault in words, then act."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import structlog

from care_desk.mail_doors import srv_records
from foundation.clock import system_clock
from foundation.keys import KeyRing
from foundation.settings import BadSettings
from mailserver.outbound.dkim import BadKey
from runtime import logs, workers
from runtime.doctor import Finding, examine, openid_answers
from runtime.doors import doors_of
from runtime.house import operator_of
from runtime.loop import run
from runtime.mail_doors import mail_doors, mx_records
from runtime.schema import StoreTooOld, upgrade
from runtime.settings import Settings, read
from runtime.signing import signing_keys, txt_records
from runtime.sockets import DoorsBusy, open_doors, split_door

log = structlog.get_logger()

OK, FAILED, WRONG = 0, 1, 2
HEALTH_SECONDS = 4

FIRST_SETTINGS = """# Settings of one operator's server; docs/settings.md explains them all.
[operator]
name = "Opérateur Exemple"
host = "mail.exemple.example"
domains = ["medecins.exemple.example"]
# citizen_domain = "patient.exemple.example"

[doors]
mx = "0.0.0.0:8025"
submission = "0.0.0.0:8087"
submissions = "0.0.0.0:8065"
imap = "0.0.0.0:8043"
imaps = "0.0.0.0:8093"
web = "127.0.0.1:8080"

[tls]
certificate = "tls/server.pem"
key = "tls/server.key"
anchors = "tls/anchors.pem"
crl = "tls/crl.pem"

[trust_list]
file = "trust-list.xml"
"""


def serve(config: Path, count: int | None, worker: int | None) -> int:
    settings = _settings(config)
    if settings is None:
        return WRONG
    if worker is None and _stopped_by(examine(settings, system_clock())):
        return WRONG
    logs.configure()
    if not _upgraded(settings):
        return WRONG
    processes = settings.workers if count is None else count
    if worker is None and processes > 1:
        return workers.supervise(["serve", "--config", str(config)], processes)
    return _play(settings, first=worker in (None, 0))


def _play(settings: Settings, first: bool) -> int:
    try:
        sockets = open_doors(doors_of(settings))
    except DoorsBusy as busy:
        print("\n".join(busy.faults), file=sys.stderr)
        return FAILED

    def main(stop: asyncio.Event) -> Coroutine[Any, Any, None]:
        from runtime.serve import serve as play  # brings Twisted's reactor users in: after the loop is set

        return play(settings, sockets, stop, first=first)

    run(main)
    return OK


def init(config: Path) -> int:
    if not config.exists():
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(FIRST_SETTINGS, encoding="utf-8")
        print(f"{config}: written; put your names, doors and certificates there")
    settings = _settings(config)
    if settings is None:
        return WRONG
    if not prepare(settings):
        return WRONG
    print(
        f"{settings.storage.master_key}: the master key. Without it nothing stored can be read: back it up, apart from the data."
    )
    print(f"{settings.storage.database}: the database is ready")
    return OK


def prepare(settings: Settings) -> bool:
    """Master key and database, made when they are missing; a database is never left without its key.

    False, and said in words, when the database cannot become what this version needs.
    """
    if not settings.storage.master_key.exists():
        KeyRing.create(settings.storage.master_key)
    settings.storage.blobs.mkdir(parents=True, exist_ok=True, mode=0o700)
    return _upgraded(settings)


def _upgraded(settings: Settings) -> bool:
    try:
        upgrade(settings.storage.database)
    except StoreTooOld as fault:
        print(f"{settings.storage.database}: {fault}", file=sys.stderr)
        return False
    return True


def doctor(config: Path, ports: bool) -> int:
    settings = _settings(config)
    if settings is None:
        return WRONG
    findings = [*examine(settings, system_clock(), ports=ports), *openid_answers(settings, system_clock())]
    for finding in findings:
        print(finding)
    if not findings:
        print("Everything is in order.")
    return FAILED if any(finding.fatal for finding in findings) else OK


def health(config: Path) -> int:
    """Whether the page answers or, without one, whether the first door takes a connection. Our own certificate is not judged."""
    settings = _settings(config)
    if settings is None:
        return WRONG
    door = settings.doors.web or next(iter(doors_of(settings).values()), None)
    if door is None or _answers(settings, door):
        return OK
    print(f"{door} does not answer", file=sys.stderr)
    return FAILED


def dns(config: Path) -> int:
    settings = _settings(config)
    if settings is None:
        return WRONG
    print(*mx_records(settings), *srv_records(mail_doors(settings)), sep="\n")
    try:
        for record in txt_records(operator_of(settings).domains, signing_keys(settings.dkim)):
            print(record)
    except (BadKey, OSError) as fault:
        print(f"dkim: {fault}", file=sys.stderr)
        return FAILED
    return OK


def _answers(settings: Settings, door: str) -> bool:
    try:
        if settings.doors.web:
            return _page_answers(settings)
        socket.create_connection(_own(door), HEALTH_SECONDS).close()
    except (OSError, http.client.HTTPException):
        return False
    return True


def _page_answers(settings: Settings) -> bool:
    host, port = _own(settings.doors.web)
    connection = (
        http.client.HTTPSConnection(host, port, timeout=HEALTH_SECONDS, context=ssl._create_unverified_context())  # noqa: S323
        if settings.web.certificate
        else http.client.HTTPConnection(host, port, timeout=HEALTH_SECONDS)
    )
    connection.request("GET", "/livez")
    return connection.getresponse().status == 200


def _own(door: str) -> tuple[str, int]:
    """The door as seen from this machine."""
    host, port = split_door(door)
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104


def _settings(config: Path) -> Settings | None:
    try:
        return read(config.absolute())
    except BadSettings as bad:
        print("\n".join(bad.faults), file=sys.stderr)
        return None


def _stopped_by(findings: list[Finding]) -> bool:
    for finding in findings:
        print(finding, file=sys.stderr)
    return any(finding.fatal for finding in findings)

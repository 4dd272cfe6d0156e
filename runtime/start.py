"""What the operator's commands do: read the settings, say every fault in words, then act."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import ssl
import sys
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from care_desk.mail_doors import srv_records
from foundation import cores
from foundation.clock import system_clock
from foundation.keys import KeyRing
from foundation.settings import BadSettings
from foundation.wording import Lang, of_error, said
from mailserver.outbound.dkim import BadKey
from runtime import logs, schema, workers
from runtime.doctor import Finding, ask, examine, machine, told
from runtime.doors import doors_of
from runtime.house import operator_of
from runtime.loop import run
from runtime.mail_doors import mail_doors, mx_records
from runtime.schema import StoreTooOld, upgrade
from runtime.settings import Settings, read
from runtime.signing import signing_keys, txt_records
from runtime.sockets import DoorsBusy, open_doors, own_address

log = structlog.get_logger()

OK, FAILED, WRONG = 0, 1, 2
HEALTH_SECONDS = 4

_ABOUT = (
    "# Réglages du serveur d’un opérateur ; docs/settings.md les explique tous. // "
    "# Settings of one operator's server; docs/settings.md explains them all."
)
FIRST_SETTINGS = """
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


def serve(config: Path, count: int | None, worker: int | None, lang: Lang = "fr") -> int:
    settings = _settings(config, lang)
    if settings is None:
        return WRONG
    logs.configure()
    if worker is None and _stopped_by(examine(settings, system_clock()), lang):
        return WRONG
    if not _upgraded(settings, lang):
        return WRONG
    processes = settings.workers if count is None else count
    if worker is None and processes > 1:
        command = ["serve", "--config", str(config), "--lang", lang]
        return workers.supervise(command, processes, lambda: _may_reload(config, lang))
    return _play(settings, config, worker, lang)


def _may_reload(config: Path, lang: Lang) -> bool:
    """Whether new processes could start now; what is against it is said."""
    settings = _settings(config, lang)
    return settings is not None and not _stopped_by(examine(settings, system_clock(), running=True), lang)


def _play(settings: Settings, config: Path, worker: int | None, lang: Lang) -> int:
    try:
        sockets = open_doors(doors_of(settings))
    except DoorsBusy as busy:
        _complain(busy.faults, lang)
        return FAILED
    if worker is not None and settings.one_core_each:
        cores.keep_to_one(worker)

    def main(stop: asyncio.Event) -> Coroutine[Any, Any, None]:
        from runtime.serve import serve as play  # brings Twisted's reactor users in: after the loop is set

        return play(settings, sockets, stop, first=worker in (None, 0), config=config if worker is None else None)

    run(main)
    return OK


def init(config: Path, lang: Lang = "fr") -> int:
    """What is there already is left alone, and said to be: it can be called again."""
    written = not config.exists()
    if written and not _first_settings(config, lang):
        return WRONG
    settings = _settings(config, lang)
    if settings is None:
        return WRONG
    key, url = settings.storage.master_key, make_url(settings.storage.database).render_as_string(hide_password=True)
    made = not key.exists()
    if not prepare(settings, lang):
        return WRONG
    if not written:
        _say(f"{config} : déjà là, inchangé // {config}: there already, unchanged", lang)
    if made:
        _say(
            f"{key} : la clé maîtresse. Sans elle, rien de ce qui est gardé ne peut être lu : copiez-la hors des données. // "
            f"{key}: the master key. Without it nothing stored can be read: back it up, apart from the data.",
            lang,
        )
    else:
        _say(f"{key} : la clé maîtresse, déjà là, inchangée // {key}: the master key, there already, unchanged", lang)
    _say(f"{url} : la base est prête // {url}: the database is ready", lang)
    return OK


def _first_settings(config: Path, lang: Lang) -> bool:
    try:
        config.parent.mkdir(parents=True, exist_ok=True)
        config.touch(mode=0o600)  # the database's password may come to stand in it
        config.write_text(said(_ABOUT, lang) + FIRST_SETTINGS, encoding="utf-8")
    except OSError as fault:
        _complain([f"{config} : {said(of_error(fault), lang)}"], lang)
        return False
    _say(
        f"{config} : écrit ; mettez-y vos noms, vos portes et vos certificats, puis mssante doctor // "
        f"{config}: written; put your names, doors and certificates there, then mssante doctor",
        lang,
    )
    return True


def prepare(settings: Settings, lang: Lang = "fr") -> bool:
    """Master key and database, made when they are missing; a database is never left without its key.

    False, and said in words, when one cannot be made, or the database cannot become what this version needs; and when there is a
    database whose key is gone: a new one would open nothing of it.
    """
    key, url = settings.storage.master_key, settings.storage.database
    try:
        if not key.exists() and schema.found(url):
            lost = (
                f"{key} manque, et la base existe : une nouvelle clé n’en lirait rien ; remettez celle de la copie // "
                f"{key} is missing, and there is a database: a new key would read nothing of it; restore it from its copy"
            )
            _complain([lost], lang)
            return False
        if not key.exists():
            KeyRing.create(key)
        settings.storage.blobs.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as fault:
        _complain([f"{fault.filename} : {said(of_error(fault), lang)}"], lang)
        return False
    except SQLAlchemyError as fault:
        _complain([_silent_database(url, fault)], lang)
        return False
    return _upgraded(settings, lang)


def _silent_database(url: str, fault: SQLAlchemyError) -> str:
    shown, name = make_url(url).render_as_string(hide_password=True), type(fault).__name__
    return f"{shown} : la base ne répond pas ({name}) // {shown}: the database does not answer ({name})"


def _upgraded(settings: Settings, lang: Lang) -> bool:
    shown = make_url(settings.storage.database).render_as_string(hide_password=True)
    try:
        upgrade(settings.storage.database)
    except StoreTooOld as fault:
        old = f"{shown} : faite avant la version 0.1, inutilisable : commencez par une base vide // {shown}: {fault}"
        _complain([old], lang)
        return False
    except SQLAlchemyError as fault:
        _complain([_silent_database(settings.storage.database, fault)], lang)
        return False
    return True


def doctor(config: Path, running: bool, lang: Lang = "fr", as_json: bool = False) -> int:
    settings = _settings(config, lang)
    if settings is None:
        return WRONG
    now = system_clock()
    findings = [*examine(settings, now, running=running), *ask(settings, now)]
    facts = [finding.facts(lang) for finding in findings]
    print(json.dumps(facts, indent=1, ensure_ascii=False) if as_json else told(findings, lang))
    return FAILED if any(finding.fatal for finding in findings) else OK


def health(config: Path, lang: Lang = "fr") -> int:
    """Whether the page answers or, without one, whether the first door takes a connection. Our own certificate is not judged."""
    settings = _settings(config, lang)
    if settings is None:
        return WRONG
    door = settings.doors.web or next(iter(doors_of(settings).values()), None)
    if door is None or _answers(settings, door):
        return OK
    _complain([f"{door} ne répond pas // {door} does not answer"], lang)
    return FAILED


def dns(config: Path, lang: Lang = "fr") -> int:
    settings = _settings(config, lang)
    if settings is None:
        return WRONG
    print(*mx_records(settings), *srv_records(mail_doors(settings)), sep="\n")
    try:
        for record in txt_records(operator_of(settings).domains, signing_keys(settings.dkim)):
            print(record)
    except (BadKey, OSError):
        unusable = machine.dkim(settings, system_clock())
        _complain([finding.line(lang) for finding in unusable], lang)
        return FAILED
    return OK


def _answers(settings: Settings, door: str) -> bool:
    try:
        if settings.doors.web:
            return _page_answers(settings)
        socket.create_connection(own_address(door), HEALTH_SECONDS).close()
    except (OSError, http.client.HTTPException):
        return False
    return True


def _page_answers(settings: Settings) -> bool:
    host, port = own_address(settings.doors.web)
    connection = (
        http.client.HTTPSConnection(host, port, timeout=HEALTH_SECONDS, context=ssl._create_unverified_context())  # noqa: S323
        if settings.web.certificate
        else http.client.HTTPConnection(host, port, timeout=HEALTH_SECONDS)
    )
    connection.request("GET", "/livez")
    return connection.getresponse().status == 200


def _settings(config: Path, lang: Lang) -> Settings | None:
    try:
        return read(config.absolute())
    except BadSettings as bad:
        _complain(bad.faults, lang)
        return None


def _stopped_by(findings: list[Finding], lang: Lang) -> bool:
    """What is fatal is said to who starts the server, the rest to who reads its log."""
    for finding in findings:
        if finding.fatal:
            print(finding.line(lang), file=sys.stderr)
        else:
            log.warning("noted", **finding.facts("en"))
    return any(finding.fatal for finding in findings)


def _say(text: str, lang: Lang) -> None:
    print(said(text, lang))


def _complain(texts: Iterable[str], lang: Lang) -> None:
    for text in texts:
        print(said(text, lang), file=sys.stderr)

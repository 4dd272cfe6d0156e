"""The doctor: a healthy operator has no finding; each thing broken has its own, in words."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import dns.rdata
import dns.rdatatype
import dns.resolver
import pytest

from certs.authority import Authority
from certs.profiles import OPERATOR, operator_subject
from foundation.clock import DAY, HOUR, KernelClock, kernel_clock, system_clock
from mailserver.contents.opening import LIBRARY
from runtime import start
from runtime.demo.operator_files import Ports, settings_text
from runtime.demo.people import BETA
from runtime.demo.pki import ED25519_KEY, Pki
from runtime.doctor import examine, told
from runtime.doctor.faults import kept, machine, others, trusted
from runtime.doctor.finding import Fault
from runtime.doctor.machine import archives, help_named, reload
from runtime.doctor.others import antivirus_takes_all, dns_records, expected, openid_answers
from runtime.openid_settings import OpenId
from runtime.settings import Annuaire, Antivirus, Settings, read
from tests.support.clamd import Clamd, clamd
from tests.support.demo import ROOT, free_port_base
from tests.support.languages import english_in

__all__ = ["clamd"]  # a fixture
RIGHT = KernelClock(synchronised=True, error_ms=20)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """One operator in order: certificate, lists, key, database."""
    pki = Pki(tmp_path / "pki", system_clock())
    pki.sign_trust_list({BETA: pki.operator(BETA, tmp_path / "beta" / "tls")}, bench=False)
    path = tmp_path / "beta" / "mssante.toml"
    pki.publish({BETA: pki.dkim_keys(tmp_path / "beta" / "keys")})
    path.write_text(settings_text(BETA, Ports(free_port_base(), web=False, bench=False), {}, pki, tmp_path))
    found = read(path)
    start.prepare(found)
    return found


def said(settings: Settings, now: int | None = None) -> str:
    return "\n".join(finding.head("en") for finding in examine(settings, now or system_clock(), kernel=lambda: RIGHT))


def test_a_healthy_operator_has_no_finding(settings: Settings) -> None:
    assert said(settings) == ""


def other_key(settings: Settings) -> None:
    pki = Authority.create(system_clock())
    pki.issue(OPERATOR, operator_subject("x.example", "1", "X", "Y"), system_clock()).write(
        settings.tls.key.parent, "x"
    )
    shutil.copy(settings.tls.key.parent / "x.key", settings.tls.key)


def rsa_key(settings: Settings) -> Path:
    assert settings.dkim.rsa_key is not None
    return settings.dkim.rsa_key


def zone(settings: Settings) -> Path:
    assert settings.dkim.records is not None
    return settings.dkim.records


def small_key(settings: Settings, bits: int) -> None:
    command = f"openssl genrsa -out {rsa_key(settings)} {bits}"
    subprocess.run(command.split(), check=True, capture_output=True)


BREAKAGES: dict[str, tuple[Callable[[Settings], object], str]] = {
    "key file gone": (lambda s: s.storage.master_key.unlink(), "master.key is missing"),
    "key file readable by all": (lambda s: s.storage.master_key.chmod(0o644), "can be read by other users"),
    "certificate gone": (lambda s: s.tls.certificate.unlink(), "server.pem: missing"),
    "key of another certificate": (other_key, "is not the key of"),
    "unreadable certificate": (lambda s: s.tls.certificate.write_text("x"), "not a PEM certificate"),
    "no revocation list": (lambda s: s.tls.crl.unlink(), "crl.pem: missing"),
    "trust list cut short": (
        lambda s: s.trust_list.file.write_bytes(s.trust_list.file.read_bytes()[:-30]),
        "trust list: ",
    ),
    "certificate's key cut short": (
        lambda s: s.tls.key.write_bytes(s.tls.key.read_bytes()[:-50]),
        "not an unencrypted PEM",
    ),
    "certificate's key readable by all": (lambda s: s.tls.key.chmod(0o644), "server.key can be read by other users"),
    "anchors that are none": (lambda s: s.tls.anchors.write_text("x"), "no PEM certificate"),
    "revocation lists that are none": (lambda s: s.tls.crl.write_text("x"), "revocation lists: "),
    "database of a newer version": (
        lambda s: execute(s, "UPDATE alembic_version SET version_num = '9999'"),
        "newer version",
    ),
    "trust list that waits for its anchors": (
        lambda s: s.trust_list.anchors.unlink(),
        "trust list: cannot be judged without",
    ),
    "trust list gone": (lambda s: s.trust_list.file.unlink(), "trust-list.xml is missing"),
    "no database": (lambda s: Path(s.storage.database.removeprefix("sqlite:///")).unlink(), "does not exist"),
    "DKIM key gone": (lambda s: rsa_key(s).unlink(), "dkim-rsa.pem: missing"),
    "DKIM key readable by all": (lambda s: rsa_key(s).chmod(0o640), "can be read by other users"),
    "DKIM key of the other kind": (
        lambda s: rsa_key(s).write_bytes((rsa_key(s).parent / ED25519_KEY).read_bytes()),
        "not an unencrypted PEM key of the kind rsa",
    ),
    "DKIM key cut short": (
        lambda s: rsa_key(s).write_bytes(rsa_key(s).read_bytes()[:-50]),
        "not an unencrypted PEM key of the kind rsa",
    ),
    "no zone of others' keys": (lambda s: zone(s).unlink(), "dkim.zone: missing"),
    "a zone of others' keys that is none": (lambda s: zone(s).write_text("x y"), "dkim.zone: "),
    "DKIM key too small": (lambda s: small_key(s, 512), "512 bits"),
    "empty database": (
        lambda s: Path(s.storage.database.removeprefix("sqlite:///")).write_bytes(b""),
        "it is empty",
    ),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_each_breakage_is_told(settings: Settings, name: str) -> None:
    breakage, expected = BREAKAGES[name]
    breakage(settings)
    findings = examine(settings, system_clock(), kernel=lambda: RIGHT)
    assert any(finding.fatal and expected in finding.head("en") for finding in findings), findings


def test_a_weak_or_lonely_dkim_key_is_noted(settings: Settings) -> None:
    """Not fatal: the mail is still signed."""
    small_key(settings, 1024)
    assert said(settings) == f"note    dkim: {rsa_key(settings)}: 1024 bits, 2,048 are asked for"
    alone = settings.model_copy(update={"dkim": settings.dkim.model_copy(update={"rsa_key": None})})
    assert said(alone) == "note    dkim: without an RSA key, some operators cannot check our signatures"


def test_a_trust_list_of_another_signer_is_told(settings: Settings) -> None:
    """With whom it was signed by, and the setting that asks for somebody else."""
    other = settings.trust_list.model_copy(update={"signer": "CN=alb.mssante.fr"})
    told = said(settings.model_copy(update={"trust_list": other}))
    assert "signed by someone else than trust_list.signer (CN=alb.mssante.example," in told
    assert told.endswith("trust_list.signer asks for CN=alb.mssante.fr")


def test_health_says_which_door_is_silent(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    config = Path(settings.storage.database.removeprefix("sqlite:///")).parent / "mssante.toml"
    assert start.health(config) == start.FAILED
    assert capsys.readouterr().err == f"{settings.doors.mx} ne répond pas\n"
    host, port = settings.doors.mx.split(":")
    with socket.create_server((host, int(port))):
        assert start.health(config) == start.OK


def with_provider(settings: Settings, **values: object) -> Settings:
    folder = settings.tls.key.parent
    (folder / "secret").write_text("x")
    (folder / "secret").chmod(0o600)
    given = {"issuer": "http://127.0.0.1:9", "audience": "us", "client_id": "us", "client_secret": folder / "secret"}
    return settings.model_copy(update={"openid": OpenId.model_validate({**given, **values})})


def test_the_openid_provider(settings: Settings) -> None:
    found = with_provider(settings)
    assert said(found) == ""
    assert [one.head("en") for one in openid_answers(settings, 0)] == []  # none is set
    [silent] = openid_answers(found, system_clock())
    assert silent.head("en") == "note    openid: http://127.0.0.1:9 does not answer as an OpenID provider does"
    assert "however weakly" in said(with_provider(settings, acr=[]))
    assert found.openid.client_secret is not None
    found.openid.client_secret.chmod(0o644)
    assert "openid: " in said(found)
    found.openid.client_secret.unlink()
    assert "secret: cannot be read" in said(found)
    assert "telephone: cannot be read" in said(
        with_provider(settings, ciba_client_id="compte", ciba_client_secret=found.storage.blobs / "telephone")
    )


def test_pages_that_name_nobody_to_call(settings: Settings) -> None:
    paged = settings.model_copy(update={"doors": settings.doors.model_copy(update={"web": "127.0.0.1:9"})})
    assert [one.head("en") for one in help_named(paged, 0)] == ["note    pages: they name nobody to call"]
    named = paged.model_copy(update={"web": paged.web.model_copy(update={"help": "01 99 00 10 00"})})
    assert list(help_named(named, 0)) == list(help_named(settings, 0)) == []


def test_connections_that_wait_at_a_reload(settings: Settings, tmp_path: Path) -> None:
    """Only where one process takes the place of another; an older kernel has no such switch."""
    several, switch = settings.model_copy(update={"workers": 2}), tmp_path / "tcp_migrate_req"

    def found(own: Settings) -> list[str]:
        return [one.head("en") for one in reload(own, 0, switch)]

    assert found(several) == []
    switch.write_text("0\n")
    assert found(settings) == []
    assert found(several) == [
        "note    reload: the kernel is not set to pass waiting connections from one process to another"
    ]
    switch.write_text("1\n")
    assert found(several) == []


def test_a_busy_port_is_told(settings: Settings) -> None:
    host, port = settings.doors.imap.split(":")
    with socket.create_server((host, int(port))):
        assert "imap: " in said(settings)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (1080, "ends within 30 days"),
        (8, "ended 24 hours ago"),  # the revocation list, promised for 7 days
        (1200, "has expired"),
        (-2, "clock"),
    ],
)
def test_time_passing_is_told(settings: Settings, days: int, expected: str) -> None:
    assert expected in said(settings, system_clock() + days * DAY)


def test_the_exit_code_tells_a_script(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    config = Path(settings.storage.database.removeprefix("sqlite:///")).parent / "mssante.toml"
    assert start.doctor(config, running=False) == start.OK
    capsys.readouterr()
    settings.tls.crl.unlink()
    assert start.doctor(config, running=False) == start.FAILED
    assert f"DÉFAUT  listes de révocation : {settings.tls.crl} : absent" in capsys.readouterr().out
    assert start.doctor(config, running=False, lang="en", as_json=True) == start.FAILED
    found = json.loads(capsys.readouterr().out)
    [lists] = [one for one in found if one["subject"] == "revocation lists"]
    assert (lists["text"], lists["fatal"]) == (f"{settings.tls.crl}: missing", True)
    assert "mssante certificate fetch" in lists["remedy"]
    assert start.doctor(config.with_name("nowhere.toml"), running=False) == start.WRONG


def test_all_is_told_in_french_and_in_english() -> None:
    assert told([], "fr") == "Tout est en ordre."
    assert told([], "en") == "Everything is in order."
    fault = Fault("a // b", "{n} c // {n} d", "e // f", "g // h")
    french, english = told([fault.at(n=1)], "fr"), told([fault.noted(n="2 // 3")], "en")
    assert french == "DÉFAUT  a : 1 c\n        conséquence : e\n        à faire : g"
    twice = told([fault.at(n=1), fault.at(n=2)], "fr")
    assert twice == "DÉFAUT  a : 1 c\nDÉFAUT  a : 2 c\n        conséquence : e\n        à faire : g"
    assert english == "note    b: 3 d\n        meaning: f\n        to do: h"


TABLES = (kept, machine, others, trusted)
FAULTS = {name: one for table in TABLES for name, one in vars(table).items() if isinstance(one, Fault)}
TO_TYPE = re.compile(  # a command, a setting, or a file
    r"journalctl|mssante [a-z]|chmod|chown|systemctl|chronyc|apt-get|openssl |resolvectl|curl |\bcp |\bss |"
    r"\b(?:annuaire|dkim|limits|openid|operator|outbox|storage|tls)\.[a-z_]+|\[[a-z]+\]|/etc/|docs/|\{path\}"
)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_says_what_is_wrong_what_it_means_and_what_to_type(name: str) -> None:
    fault = FAULTS[name]
    for text in (fault.text, fault.means, fault.remedy):
        french, _, english = text.partition(" // ")
        assert french
        assert english
        assert set(re.findall(r"{\w+}", french)) == set(re.findall(r"{\w+}", english))
        assert english_in(re.sub(r"{\w+}|\(file\)|mssante [a-z -]+|« .+ »", "", french)) == []
    assert TO_TYPE.search(fault.remedy.partition(" // ")[0])
    assert TO_TYPE.search(fault.remedy.partition(" // ")[2])


def test_each_fault_is_found_by_a_check() -> None:
    checks = "".join(path.read_text() for path in (ROOT / "runtime" / "doctor").glob("*.py"))
    assert [name for name in FAULTS if not re.search(rf"\b{name}\b", checks)] == []


# -------------------------------------------------------------------- what is kept
def database_of(settings: Settings) -> Path:
    return Path(settings.storage.database.removeprefix("sqlite:///"))


def execute(settings: Settings, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(database_of(settings))) as conn, conn:
        conn.execute(sql, values)


def recorded(settings: Settings, event: str, at: int) -> None:
    row = ("chain", 0, at, event, "operator x", "{}", b"")
    execute(
        settings,
        "INSERT INTO audit (chain, seq, at, event, actor, details, digest, severity) VALUES (?,?,?,?,?,?,?,0)",
        *row,
    )


def test_a_new_database_is_for_its_owner_only(settings: Settings) -> None:
    assert database_of(settings).stat().st_mode & 0o077 == 0
    database_of(settings).chmod(0o640)
    assert said(settings) == f"note    secrets: {database_of(settings)} can be read by other users"


def test_a_database_of_an_older_version_is_migrated_at_the_start(settings: Settings) -> None:
    execute(settings, "UPDATE alembic_version SET version_num = '0001'")
    assert "its schema (0001) will be migrated" in said(settings)
    assert not any(one.fatal for one in examine(settings, system_clock(), kernel=lambda: RIGHT))


def test_the_age_of_the_last_backup(settings: Settings) -> None:
    now = system_clock()
    recorded(settings, "operator:backup:make", now - 47 * HOUR)
    assert said(settings, now) == ""
    assert said(settings, now + 2 * HOUR) == "note    backup: the last one is 49 hours old"
    storage = settings.storage.model_copy(update={"backup_hours": 0})
    assert said(settings.model_copy(update={"storage": storage}), now + 2 * HOUR) == ""


def test_no_backup_at_all(settings: Settings) -> None:
    now = system_clock()
    recorded(settings, "operator:mailbox:create", now - 49 * HOUR)
    assert said(settings, now) == "note    backup: none, after 49 hours of service"


def test_a_directory_that_nobody_follows_any_more(settings: Settings) -> None:
    key = settings.tls.key.with_name("annuaire.key")
    with_server = settings.model_copy(update={"annuaire": Annuaire(url="https://annuaire.example/fhir", key=key)})
    assert said(with_server) == f"FAULT   secrets: {key}: missing"
    key.write_text("x")
    key.chmod(0o644)
    assert said(with_server) == f"FAULT   secrets: {key} can be read by other users"
    key.chmod(0o600)
    now = system_clock()
    columns = "digest, position, lines, faults, started_at, finished_at"
    execute(settings, f"INSERT INTO directory_imports ({columns}) VALUES ('', 0, 0, 0, 0, ?)", now - 9 * DAY)
    execute(settings, f"INSERT INTO directory_imports ({columns}) VALUES ('', 9, 0, 0, 0, ?)", now)  # a file
    assert "note    directory: last followed 9 days ago" in said(with_server, now)


def test_while_it_runs_its_doors_must_answer_and_its_jobs_be_worked(settings: Settings) -> None:
    now = system_clock()
    columns = "kind, state, due_at, lease_until, attempts, created_at, payload"
    execute(settings, f"INSERT INTO jobs ({columns}) VALUES ('sweep', 'waiting', ?, 0, 0, 0, x'')", now - 2 * HOUR)
    findings = [one.head("en") for one in examine(settings, now, running=True, kernel=lambda: RIGHT)]
    doors = [name for name, door in settings.doors.model_dump().items() if door]
    assert sum(": does the server run?" in one or "does not answer" in one for one in findings) == len(doors)
    assert any("recurring jobs: « sweep » waits" in one for one in findings)


def test_mail_that_nobody_takes_and_jobs_given_up(settings: Settings) -> None:
    now = system_clock()
    columns = "kind, state, lane, due_at, lease_until, attempts, created_at, last_reason, payload"
    for kind, state, lane, hours, reason in (
        ("relay", "waiting", "chu.beta.example", 5, "unreachable"),
        ("relay", "waiting", "chu.beta.example", 30, "unreachable"),
        ("relay", "waiting", "chu.gamma.example", 1, "unreachable"),
        ("notify", "failed", "", 9, "crashed"),
    ):
        values = (kind, state, lane, now, 0, 1, now - hours * HOUR, reason, b"")
        execute(settings, f"INSERT INTO jobs ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *values)
    assert said(settings, now).splitlines() == [
        "note    queue: 2 messages for chu.beta.example have waited for 30 h (unreachable)",
        "note    jobs given up: 1 of « notify » (crashed)",
    ]


def test_every_certificate_has_an_end(settings: Settings) -> None:
    """Not only ours: an anchor that ends closes every door."""
    told_ = said(settings, system_clock() + 10_000 * DAY)
    assert "note    certificate: the root authority" in told_
    assert "has expired" in told_


# -------------------------------------------------------------------- the machine
@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (KernelClock(False, 0), "note    clock: nothing keeps it right"),
        (KernelClock(True, 16_000), "note    clock: it may be up to 16 s off"),
        (KernelClock(True, 1_900), ""),
    ],
)
def test_the_clock(settings: Settings, kernel: KernelClock, expected: str) -> None:
    assert "\n".join(one.head("en") for one in examine(settings, system_clock(), kernel=lambda: kernel)) == expected


def test_the_kernel_is_asked() -> None:
    found = kernel_clock()
    assert found is not None
    assert found.error_ms >= 0


def test_the_library_that_opens_archives_is_looked_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(archives(settings, 0)) == []
    monkeypatch.setitem(LIBRARY, "LIBARCHIVE", "libarchive.so.0")
    [finding] = archives(settings, 0)
    assert "libarchive13" in finding.line("en")
    assert not finding.fatal


def test_the_antivirus_must_take_the_largest_message(settings: Settings, clamd: Clamd) -> None:
    """clamd's StreamMaxLength is 1 MB here, and it tells nobody."""
    limits = settings.limits.model_copy(update={"message_bytes": 900_000})
    found = settings.model_copy(update={"antivirus": Antivirus(clamd=clamd.address), "limits": limits})
    assert list(antivirus_takes_all(found, 0)) == []
    limits = limits.model_copy(update={"message_bytes": 2_000_000})
    [finding] = antivirus_takes_all(found.model_copy(update={"limits": limits}), 0)
    assert "refuses 2000000 octets, the size of a message" in finding.head("en")
    assert "StreamMaxLength 3M in /etc/clamav/clamd.conf" in finding.line("en")
    clamd.stop()
    assert said(found).endswith("does not answer")
    assert list(antivirus_takes_all(found, 0)) == []  # told already


# -------------------------------------------------------------------- DNS
class Names(dns.resolver.Resolver):
    """A resolver that knows what it is given: (name, type) -> answer lines; all else is absent, or silent."""

    def __init__(self, known: dict[tuple[str, str], list[str]], silent: bool = False) -> None:
        super().__init__(configure=False)
        self.known, self.silent = known, silent

    def resolve(self, qname: Any, rdtype: Any = "A", *_: Any, **__: Any) -> Any:
        if self.silent:
            raise dns.resolver.LifetimeTimeout(timeout=1, errors=[])
        found = self.known.get((qname.to_text(omit_final_dot=True), dns.rdatatype.to_text(rdtype)))
        if found is None:
            raise dns.resolver.NXDOMAIN
        return [dns.rdata.from_text("IN", rdtype, line) for line in found]


def test_dns_must_say_what_mssante_dns_prints(settings: Settings) -> None:
    known: dict[tuple[str, str], list[str]] = {}
    for record in expected(settings):
        key = record.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(record.rdtype)
        known[key] = [one.to_text() for one in record]
    assert {kind for _, kind in known} == {"MX", "SRV", "CNAME", "TXT"}
    assert list(dns_records(settings, 0, Names(known))) == []
    domain = settings.operator.domains[0]
    known[domain, "MX"] = ["10 elsewhere.example."]
    del known[f"autoconfig.{domain}", "CNAME"]
    lines = [one.head("en") for one in dns_records(settings, 0, Names(known))]
    assert f"note    DNS: MX {domain}: 10 elsewhere.example., not what mssante dns prints" in lines
    assert f"note    DNS: CNAME autoconfig.{domain}: absent, not what mssante dns prints" in lines
    assert len(lines) == 2
    [silent] = dns_records(settings, 0, Names({}, silent=True))
    assert silent.head("en") == "note    DNS: no DNS server answers"

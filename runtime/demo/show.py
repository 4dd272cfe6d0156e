"""`mssante demo`: makes the demo's world if it is not there, starts one server per operator, says what to try, waits for Ctrl-C.

Everything lies below one folder: `pki/`, one folder per operator, `codes/`, `demo.json` (and `bench.json`) for scripts.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from foundation.clock import system_clock
from runtime import start
from runtime.demo import table, world
from runtime.demo.operator_files import Ports, settings_text
from runtime.demo.passphrases import passphrase
from runtime.demo.people import BENCH_BOXES, BENCH_SENDER, OPERATORS, Operator
from runtime.demo.pki import Pki
from runtime.house import House
from runtime.notify import Listener
from runtime.settings import read
from runtime.sockets import is_free
from runtime.workers import end_with_parent

START_SECONDS = 60.0
STOP_SECONDS = 30.0


def show(data: Path, port_base: int, count: int, workers: int, bench: bool) -> int:
    """Returns the exit code."""
    operators = OPERATORS[:count]
    ports = {
        operator: Ports(port_base + 100 * number, operator.citizen_domain is not None, bench)
        for number, operator in enumerate(operators)
    }
    os.umask(0o077)
    data.mkdir(parents=True, exist_ok=True)
    lock = os.open(data / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held until this process ends
    except BlockingIOError:
        print(f"A demo that uses {data} is running: stop it first (Ctrl-C).", file=sys.stderr)
        return start.FAILED
    busy = [door for each in ports.values() for door in each.doors().values() if not is_free(door)]
    if busy:
        print(
            f"These ports are in use: {', '.join(busy)}.\n"
            f"Stop what holds them, or take others: make run PORT_BASE={port_base + 1000}",
            file=sys.stderr,
        )
        return start.FAILED
    _clear_codes(data)
    passwords = _passwords(data)
    if not _build(data, operators, ports, passwords, bench):
        return start.FAILED
    listener = Listener()
    servers = {
        operator: _start(data / operator.key / "mssante.toml", workers, listener.address) for operator in operators
    }
    try:
        if not _wait_until_ready(servers, listener):
            return start.FAILED
        facts = _facts(data, ports, servers, passwords)
        _write(data / "demo.json", facts)
        if bench:
            _write(data / "bench.json", _bench_facts(operators[0], ports[operators[0]], servers[operators[0]].pid))
        print(table.text(facts, data), flush=True)
        return _until_stopped(servers)
    finally:
        _stop(list(servers.values()))
        listener.close()


# -------------------------------------------------------------------- the world
def _clear_codes(data: Path) -> None:
    """The folder of one-time codes is there from the start, and empty: an old code is worth nothing."""
    folder = data / "codes"
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.txt"):
        path.unlink()


def _passwords(data: Path) -> dict[str, str]:
    """login -> password; those of an earlier start are kept."""
    path = data / "passwords.json"
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    logins = [account.login for operator in OPERATORS for account in world.accounts(operator) if account.login]
    passwords = {login: known.get(login) or passphrase() for login in logins}
    _write(path, passwords)  # before they are hashed into the database: an interrupted start must not forget them
    return passwords


def _build(
    data: Path, operators: tuple[Operator, ...], ports: dict[Operator, Ports], passwords: dict[str, str], bench: bool
) -> bool:
    pki = Pki(data / "pki", system_clock())
    certificates = {operator: pki.operator(operator, data / operator.key / "tls") for operator in operators}
    pki.sign_trust_list(certificates, bench)
    pki.publish({operator: pki.dkim_keys(data / operator.key / "keys") for operator in operators})
    for operator in operators:
        folder = data / operator.key
        others = {other: ports[other] for other in operators if other is not operator}
        (folder / "mssante.toml").write_text(settings_text(operator, ports[operator], others, pki, data))
        settings = read(folder / "mssante.toml")
        if not start.prepare(settings):
            print("The demo's data can go: make demo-reset, then make run again.", file=sys.stderr)
            return False
        house = House(settings)
        own = {account.login for account in world.accounts(operator)}
        mine = {login: password for login, password in passwords.items() if login in own}
        world.fill(house, operator, mine, bench and operator is operators[0])
        house.db.close_now()
    return True


# -------------------------------------------------------------------- processes
def _start(config: Path, workers: int, notify: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "runtime.cli", "serve", "--config", str(config), "--workers", str(workers)]
    environment = os.environ | {"NOTIFY_SOCKET": notify}
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, cwd=root, env=environment, start_new_session=True, preexec_fn=end_with_parent)


def _wait_until_ready(servers: dict[Operator, subprocess.Popen[bytes]], listener: Listener) -> bool:
    missing, deadline = len(servers), time.monotonic() + START_SECONDS
    while missing:
        missing -= listener.ready(0.2)
        for operator, server in servers.items():
            if server.poll() is not None or time.monotonic() > deadline:
                print(f"{operator.name} did not start (see the lines above).", file=sys.stderr)
                return False
    return True


def _until_stopped(servers: dict[Operator, subprocess.Popen[bytes]]) -> int:
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    while not stopping:
        time.sleep(0.1)
        for operator, server in servers.items():
            if server.poll() is not None:
                print(f"{operator.name} ended by itself (exit code {server.returncode}).", file=sys.stderr)
                return start.FAILED
    print("Stopping… the data stay.", flush=True)
    return start.OK


def _stop(servers: list[subprocess.Popen[bytes]]) -> None:
    for server in servers:
        if server.poll() is None:
            server.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for server in servers:
        try:
            server.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


# -------------------------------------------------------------------- facts for scripts
def _facts(
    data: Path,
    ports: dict[Operator, Ports],
    servers: dict[Operator, subprocess.Popen[bytes]],
    passwords: dict[str, str],
) -> dict[str, Any]:
    operators = [
        {
            "name": operator.key,
            "title": operator.name,
            "domains": list(operator.all_domains),
            **ports[operator].named(),
            "ca": str(data / "pki" / "root.pem"),
            "pids": [servers[operator].pid],
        }
        for operator in servers
    ]
    people = [
        {
            "operator": account.operator,
            "role": account.role,
            "kind": account.kind.value,
            "name": account.name,
            "address": account.address,
            "login": account.login,
            "password": passwords.get(account.login, ""),
            "codes": str(data / "codes" / f"{account.role}.txt") if account.kind.value == "CIT" else "",
        }
        for operator in servers
        for account in world.accounts(operator)
    ]
    return {"operators": operators, "people": people}


def _bench_facts(operator: Operator, ports: Ports, pid: int) -> dict[str, Any]:
    def user(number: int) -> dict[str, str]:
        address = world.bench_address(operator, number)
        return {"user": address, "password": world.bench_password(number), "address": address}

    return {
        "name": "mssante",
        "smtp": ports.doors()["bench"],
        "imaps": ports.doors()["imaps"],
        "users": [user(number) for number in range(1, BENCH_BOXES + 1)],
        "fastauth": user(BENCH_BOXES),  # verified once, then remembered: what a mail client's many connections meet
        "pids": [pid],
        "sender": BENCH_SENDER,
    }


def _write(path: Path, facts: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    part.chmod(0o600)
    part.replace(path)

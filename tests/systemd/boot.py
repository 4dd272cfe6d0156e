"""The units of runtime/systemd under a real systemd: start, sandbox, mail, reload, deaths, watchdog, timers, stop. Outside CI.

    apt-get install debootstrap systemd-container
    sudo .venv/bin/python -m tests.systemd.boot [FOLDER]

FOLDER keeps the Debian tree for the next time (default: /var/tmp/mssante-machine). Prints each step; stops at the first that fails.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.systemd.machine import AS_USER, HOME, SOFTWARE, Machine, booted, install, make_tree

UNIT = "mssante.service"
INSIDE = "tests.systemd.inside"
DOORS = (25, 143, 465, 587, 993)
STEPS: list[Callable[[Machine], object]] = []


def step(work: Callable[[Machine], object]) -> Callable[[Machine], object]:
    STEPS.append(work)
    return work


@step
def first_day(at: Machine) -> str:
    """`init`, a start that cannot be, names and papers, `doctor`."""
    at.run("systemctl daemon-reload")
    at.mss("init")
    assert not at.holds(f"systemctl start {UNIT}")  # no certificates yet
    at.python(INSIDE, "settings")
    found = at.mss("doctor", check=False)
    assert "DÉFAUT" not in found, found
    at.python(INSIDE, "people")
    return f"starts by itself once it can, after {at.wait_for(f'systemctl is-active -q {UNIT}', 90):.0f} s"


@step
def started(at: Machine) -> str:
    """`systemctl start` returns when every door is open."""
    at.run(f"systemctl stop {UNIT} && systemctl enable -q --now {UNIT} mssante-backup.timer mssante-doctor.timer")
    listening = at.run("ss -Hltn | awk '{print $4}'")
    assert all(re.search(rf":{port}$", listening, re.MULTILINE) for port in DOORS), listening
    return f"exposure {at.run('systemd-analyze security --no-pager mssante.service | tail -1')}"


@step
def fenced(at: Machine) -> str:
    """What the kernel says of the processes, and what they may not do."""
    for pid in _processes(at):
        status = dict(re.findall(r"^(\w+):\s+(.*)$", at.run(f"cat /proc/{pid}/status"), re.MULTILINE))
        assert (status["CapEff"], status["CapBnd"]) == ("0000000000000400",) * 2, status  # CAP_NET_BIND_SERVICE
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), status
        assert status["Uid"].split()[0] == at.run("id -u mssante")
    main = at.show(UNIT, "MainPID")
    within = f"nsenter --target {main} --mount --root --wd -- {AS_USER}"
    for path in ("/etc/x", f"{SOFTWARE}/x", "/usr/x"):
        assert "Read-only" in at.run(f"{within} touch {path} 2>&1", check=False), path
    assert at.run(f"{within} touch {HOME}/x && rm {HOME}/x && echo yes") == "yes"
    assert not set(at.run(f"{within} ls /dev").split()) & {"vda", "sda", "kmsg", "mem"}
    return f"{len(_processes(at))} processes"


@step
def mail(at: Machine) -> str:
    """Sent by port 587, read by 993, its document in a citizen's dossier."""
    at.python(INSIDE, "send", "Bonjour")
    assert at.python(INSIDE, "count", "Bonjour") == "1"
    assert at.python(INSIDE, "filed") == "1"
    return "one message, one document"


@step
def reloaded(at: Machine) -> None:
    """New processes in the places of the old ones; bad settings change nothing."""
    before, flowing = _workers(at), _Flow(at, "Courant")
    at.run(f"sed -i '$a [limits]\\nrecipients = 7' {HOME}/mssante.toml && systemctl reload {UNIT}")
    at.wait_for(" && ".join(f"! test -d /proc/{pid}" for pid in before), 120)
    new = _workers(at)
    assert len(new) == 2
    at.run(f"sed -i 's/^recipients = 7/recipients = 0/' {HOME}/mssante.toml")
    assert not at.holds(f"systemctl reload {UNIT}")
    assert _workers(at) == new
    at.run(f"sed -i 's/^recipients = 0/recipients = 7/' {HOME}/mssante.toml")
    assert at.show(UNIT, "ActiveState") == "active"
    at.run(f"systemctl stop {UNIT}")
    taken = flowing.taken()
    at.run(f"systemctl start {UNIT}")
    found = int(at.python(INSIDE, "count", "Courant"))
    assert taken <= found <= taken + 1, (taken, found)
    assert taken > 0


@step
def a_worker_dies(at: Machine) -> str:
    """kill -9: its neighbour answers meanwhile, the parent starts another one."""
    before = at.show(UNIT, "NRestarts")
    at.run(f"kill -9 {_workers(at)[0]}")
    at.python(INSIDE, "send", "Voisin")
    took = at.wait_for(f"test $(pgrep -P {at.show(UNIT, 'MainPID')} | wc -l) = 2", 30)
    assert at.show(UNIT, "NRestarts") == before
    return f"replaced after {took:.1f} s"


@step
def the_parent_dies(at: Machine) -> str:
    """kill -9 of the main process: nothing of it stays, systemd starts it again."""
    workers, main = _workers(at), at.show(UNIT, "MainPID")
    at.run(f"kill -9 {main}")
    took = _started_again(at, main, 60)
    assert not any(at.holds(f"test -d /proc/{pid}") for pid in workers)
    at.python(INSIDE, "send", "Reprise")
    return f"back after {took:.1f} s"


@step
def the_watchdog(at: Machine) -> str:
    """The main process stands still: killed after WatchdogSec=, started again."""
    main = at.show(UNIT, "MainPID")
    at.run(f"kill -STOP {main}")
    took = _started_again(at, main, 200)
    said = at.run(f"journalctl -u {UNIT} --no-pager -o cat | grep -i watchdog")
    assert "Watchdog timeout" in said, said
    at.python(INSIDE, "send", "Chien de garde")
    return f"back after {took:.0f} s"


@step
def one_process_stands_still(at: Machine) -> str:
    """With one process, its own loop tells the watchdog."""
    at.run(f"sed -i 's/^workers = 2/workers = 1/' {HOME}/mssante.toml && systemctl restart {UNIT}")
    assert _workers(at) == []
    at.run(f"systemctl reload {UNIT}")
    main = at.show(UNIT, "MainPID")
    at.run(f"kill -STOP {main}")
    took = _started_again(at, main, 200)
    return f"back after {took:.0f} s"


@step
def the_timers(at: Machine) -> None:
    """The backup and the doctor, in their own sandboxes, of the running server."""
    for unit in ("mssante-backup.service", "mssante-doctor.service"):
        at.run(f"systemctl start {unit}")
        assert at.show(unit, "Result") == "success"
    assert at.holds(f"test -s {HOME}/backup/*/manifest.json")
    assert "DÉFAUT" not in at.run("journalctl -u mssante-doctor.service --no-pager -o cat")
    assert at.run("systemctl list-timers --no-legend --no-pager 'mssante-*' | wc -l") == "2"


@step
def stopped(at: Machine) -> str:
    """SIGTERM: everything that runs ends well; no unit is left failed."""
    at.run(f"systemctl stop {UNIT}")
    assert (at.show(UNIT, "Result"), at.show(UNIT, "ExecMainStatus")) == ("success", "0")
    assert at.run("systemctl list-units --failed --no-legend 'mssante*'") == ""
    faults = at.run(
        f"journalctl -u {UNIT} --no-pager -o cat | grep -E 'Traceback|crashed|fault_ignored|SIGSYS' || true"
    )
    assert faults == "", faults
    return at.run(f"journalctl -u {UNIT} --no-pager -o cat | wc -l") + " lines of log, none of a fault"


class _Flow:
    """Mail, one after the other, from a thread of here, until the server goes away."""

    def __init__(self, at: Machine, subject: str) -> None:
        self._said = ""
        self._thread = threading.Thread(target=self._run, args=(at, subject))
        self._thread.start()
        at.wait_for(f"journalctl -u {UNIT} | grep -q . && sleep 2", 10)

    def _run(self, at: Machine, subject: str) -> None:
        self._said = at.python(INSIDE, "flow", subject)

    def taken(self) -> int:
        self._thread.join(60)
        return int(self._said)


def _started_again(at: Machine, main: str, seconds: float) -> float:
    """How long until another main process than `main` says it is ready."""
    ready = f"test $(systemctl show --value -p ActiveState {UNIT}) = active"
    return at.wait_for(f"{ready} && test $(systemctl show --value -p MainPID {UNIT}) != {main}", seconds)


def _workers(at: Machine) -> list[int]:
    found = at.run(f"pgrep -P {at.show(UNIT, 'MainPID')} -f -- --worker || true")
    return [int(pid) for pid in found.split()]


def _processes(at: Machine) -> list[int]:
    return [int(at.show(UNIT, "MainPID")), *_workers(at)]


def main() -> None:
    tree = Path(sys.argv[1] if len(sys.argv) > 1 else "/var/tmp/mssante-machine")
    make_tree(tree)
    install(tree)
    with booted(tree) as machine:
        for work in STEPS:
            begun = time.monotonic()
            said = work(machine) or "as it should"
            print(f"{work.__name__.replace('_', ' ')}: {said} ({time.monotonic() - begun:.0f} s)", flush=True)


if __name__ == "__main__":
    main()

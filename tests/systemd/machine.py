"""A Debian machine of its own for the unit files: made by debootstrap, installed as docs/operator.md says, booted by nspawn.

Its network is its own loopback; nothing outside can be reached once it runs. It keeps its cgroups, processes and mounts to itself.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "python3",
    "python3-venv",
    "make",
    "ca-certificates",
    "libarchive13",
    "iproute2",
    "procps",
)
HOME, SOFTWARE = Path("/var/lib/mssante"), Path("/opt/mssante")
FROM_HERE = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/ssl/certs/ca-certificates.crt",
)  # so that the tree reaches the registries
AS_USER = "setpriv --reuid=mssante --regid=mssante --init-groups"  # unlike runuser it is gone when the command runs
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
NSPAWN = ("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--resolv-conf=off")


def make_tree(tree: Path) -> None:
    """debootstrap takes minutes: a tree that is there already is kept."""
    if not (tree / "usr/bin/python3").exists():
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", "bookworm", tree], check=True
        )
    for name in FROM_HERE:
        shutil.copyfile(name, tree / name[1:])


def install(tree: Path) -> None:
    """The steps of « Install »: the files that a clone has, and those to come; the account; the units."""
    software, home = tree / SOFTWARE.relative_to("/"), tree / HOME.relative_to("/")
    shutil.rmtree(home, ignore_errors=True)
    for old in software.glob("*"):
        if old.name != ".venv":  # `make install` looks whether it is still the right one
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in listed.splitlines():
        if (ROOT / name).is_file():  # not what is deleted and not yet committed
            (software / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, software / name)
    steps = (
        f"cd {SOFTWARE} && make install",
        f"id mssante >/dev/null 2>&1 || useradd --system --home-dir {HOME} --shell /usr/sbin/nologin mssante",
        f"install -d -o mssante -g mssante -m 700 {HOME}",
        "rm -rf /etc/systemd/system/*.wants/mssante* /var/log/journal",  # of the last time
        f"cp {SOFTWARE}/runtime/systemd/mssante* /etc/systemd/system/",
    )
    subprocess.run([*NSPAWN, "-D", tree, "sh", "-ec", "\n".join(steps)], check=True)


class Machine:
    """A booted tree. `run` is a command of its root; `mss` one of the server's account, in its folder."""

    def __init__(self, tree: Path) -> None:
        with (tree.parent / f"{tree.name}.console").open("wb") as console:
            command = [*NSPAWN, "--private-network", "--boot", "-D", str(tree)]
            self._nspawn = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        self._init = self._first_process()
        self.wait_for("systemctl is-system-running | grep -qE 'running|degraded'", 60)

    def _first_process(self) -> int:
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children")
        for _ in range(100):
            found = children.read_text().split()
            if found and Path(f"/proc/{found[0]}/comm").read_text().strip() == "systemd":
                return int(found[0])
            time.sleep(0.1)
        raise RuntimeError("systemd did not start: see the console beside the tree")

    def run(self, command: str, check: bool = True) -> str:
        whole = ["nsenter", "--target", str(self._init), "--all", "sh", "-c", command]
        done = subprocess.run(
            whole,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=ENVIRONMENT,
        )
        if check and done.returncode:
            raise RuntimeError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def mss(self, command: str, check: bool = True) -> str:
        return self.run(f"cd {HOME} && umask 077 && {AS_USER} {SOFTWARE}/.venv/bin/mssante {command} 2>&1", check)

    def python(self, module: str, *words: str) -> str:
        whole = shlex.join([f"{SOFTWARE}/.venv/bin/python", "-m", module, *words])
        return self.run(f"cd {HOME} && umask 077 && PYTHONPATH={SOFTWARE} {AS_USER} {whole}")

    def show(self, unit: str, name: str) -> str:
        return self.run(f"systemctl show --value -p {name} {unit}")

    def holds(self, command: str) -> bool:
        return bool(self.run(f"({command}) >/dev/null 2>&1 && echo yes || true"))

    def wait_for(self, command: str, seconds: float) -> float:
        """How long it took until `command` succeeded."""
        begun = time.monotonic()
        while not self.holds(command):
            if time.monotonic() - begun > seconds:
                raise RuntimeError(
                    f"not within {seconds} s: {command}\n" + self.run("journalctl -n 40 --no-pager -o cat")
                )
            time.sleep(0.3)
        return time.monotonic() - begun

    def halt(self) -> None:
        self._nspawn.send_signal(signal.SIGTERM)  # an orderly shutdown of what it booted
        try:
            self._nspawn.wait(90)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait()


@contextmanager
def booted(tree: Path) -> Iterator[Machine]:
    if os.geteuid():
        sys.exit("root only: it boots a machine of its own")
    machine = Machine(tree)
    try:
        yield machine
    finally:
        machine.halt()

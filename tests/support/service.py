"""One operator's server as systemd starts it: told of its state by sd_notify, reloaded by SIGHUP, stopped by SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from runtime.notify import Listener
from tests.support.child import ends_with_us
from tests.support.demo import ROOT
from tests.support.space import Space


class Service:
    """`said`: what it told systemd, in order. `stop` waits for its end and gives its exit code."""

    def __init__(self, space: Space, key: str, workers: int = 1, watchdog: float = 20) -> None:
        self.space, self.key, self.workers, self.watchdog = space, key, workers, watchdog
        self.config = space.data / key / "mssante.toml"
        self.log = space.data / f"{key}.log"
        self.listener = Listener()
        self.said: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Service:
        environment = os.environ | {
            "NOTIFY_SOCKET": self.listener.address, "WATCHDOG_USEC": str(int(self.watchdog * 1_000_000)),
        }  # fmt: skip
        options = ("--config", str(self.config), "--workers", str(self.workers))
        command = ends_with_us(sys.executable, "-m", "runtime.cli", "serve", *options)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        self.hears("READY=1", 60)
        return self

    def hears(self, word: str, timeout: float = 20) -> None:
        """Waits until it says `word` once more."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            heard = self.listener.heard(0.2)
            if heard is not None:
                self.said += heard[1]
                if word in heard[1]:
                    return
            elif self.process is not None and self.process.poll() is not None:
                break
        raise AssertionError(f"{word} was not said:\n{self.log.read_text()[-3000:]}")

    def reload(self) -> None:
        self.signal(signal.SIGHUP)
        self.hears("RELOADING=1")
        self.hears("READY=1", 60)

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(60)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.listener.close()

    def children(self) -> list[int]:
        assert self.process is not None
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]

    def change(self, old: str, new: str) -> Callable[[], None]:
        """Of the settings' file; the answer undoes it."""
        before = self.config.read_text()
        assert old in before
        self.config.write_text(before.replace(old, new))

        def undo() -> None:
            self.config.write_text(before)

        return undo


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False

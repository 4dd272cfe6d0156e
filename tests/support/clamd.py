"""Debian's clamd with one signature: the file of EICAR that every antivirus must find and that harms nobody."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.child import ends_with_us

# In two parts, so that an antivirus lets this file live (https://www.eicar.org/download-anti-malware-testfile/).
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-" + rb"ANTIVIRUS-TEST-FILE!$H+H*"
NAME = "Eicar-Test"  # clamd adds ".UNOFFICIAL": not from its own database


class Clamd:
    """`address`: its socket. `start` waits until it answers; it can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "clamd.ctl")
        self._config = folder / "clamd.conf"
        (folder / "db").mkdir()
        (folder / "db" / "eicar.ndb").write_text(f"{NAME}:0:*:{EICAR.hex()}\n")
        lines = [
            f"DatabaseDirectory {folder / 'db'}", f"LocalSocket {self.address}", "Foreground yes", "MaxThreads 4",
            f"TemporaryDirectory {folder}", "StreamMaxLength 1M", "SelfCheck 0",
        ]  # fmt: skip
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Clamd:
        quiet = subprocess.DEVNULL
        command = ends_with_us("/usr/sbin/clamd", f"--config-file={self._config}")
        self._process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
        deadline = time.monotonic() + 30
        while not self._listens():
            assert self._process.poll() is None, "clamd did not start"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return self

    def _listens(self) -> bool:
        """Its socket has a name before it listens."""
        with socket.socket(socket.AF_UNIX) as wire:
            return wire.connect_ex(self.address) == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None
        Path(self.address).unlink(missing_ok=True)


@pytest.fixture
def clamd() -> Iterator[Clamd]:
    with tempfile.TemporaryDirectory(prefix="clamd-") as folder:  # a short path: sockets' names are
        running = Clamd(Path(folder))
        try:
            yield running.start()
        finally:
            running.stop()

"""N processes of one server on the same ports (SO_REUSEPORT), watched by a parent that restarts what dies.

The parent does nothing else, so that it does not die. A child that keeps dying within seconds is not restarted for ever: the parent
stops with an error, because an operator must see it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import deque
from types import FrameType

import structlog

log = structlog.get_logger()

QUICK_DEATHS = 5  # within QUICK_WINDOW seconds: something is wrong that a restart does not mend
QUICK_WINDOW = 30.0
STOP_SECONDS = 20.0


def supervise(command: list[str], count: int) -> int:
    """Runs `count` processes of `command`, each with `--worker n` appended; returns the exit code of the whole."""
    stopping = False

    def stop(_signum: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    children = {number: _start(command, number) for number in range(count)}
    deaths: deque[float] = deque(maxlen=QUICK_DEATHS)
    code = 0
    while not stopping and code == 0:
        time.sleep(0.2)
        for number, child in children.items():
            if child.poll() is None or stopping:
                continue
            deaths.append(time.monotonic())
            log.error("worker died", worker=number, code=child.returncode)
            if len(deaths) == QUICK_DEATHS and deaths[-1] - deaths[0] < QUICK_WINDOW:
                log.error("workers keep dying: giving up")
                code = 1
                break
            children[number] = _start(command, number)
    for child in children.values():
        child.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for child in children.values():
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
    return code


def _start(command: list[str], number: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "runtime.cli", *command, "--worker", str(number)])

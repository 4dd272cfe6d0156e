"""N processes of one server on the same ports (SO_REUSEPORT), watched by a parent that restarts what dies or falls silent.

The parent does nothing else, so that it does not die. SIGHUP replaces the processes one by one by new ones, which read the settings
anew: a new one opens its doors before the old one closes. A child that keeps dying within seconds is not restarted for ever: the
parent stops with an error, because an operator must see it. Children end with their parent.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from runtime.notify import Listener, notify, reloading, watchdog

log = structlog.get_logger()

QUICK_DEATHS = 5  # within QUICK_WINDOW seconds: something is wrong that a restart does not mend
QUICK_WINDOW = 30.0
STOP_SECONDS = 30.0
TURN = 0.2
_PDEATHSIG = 1  # prctl(2)
_prctl = ctypes.CDLL(None).prctl  # found before any fork: another thread may hold the loader's lock at one


def supervise(command: Sequence[str], count: int, may_reload: Callable[[], bool] = lambda: True) -> int:
    """Runs `count` processes of `command`, each with `--worker n` appended; returns the exit code of the whole. `may_reload`: asked
    at SIGHUP, says itself what is wrong with the settings.
    """
    return _Parent(command, count, may_reload).run()


def end_with_parent() -> None:
    """For `preexec_fn`: the child stops when its parent is gone, however that went."""
    _prctl(_PDEATHSIG, signal.SIGTERM)


@dataclass(eq=False, slots=True)
class _Child:
    number: int
    process: subprocess.Popen[bytes]
    ready: bool = False
    heard_at: float = field(default_factory=time.monotonic)


class _Parent:
    def __init__(self, command: Sequence[str], count: int, may_reload: Callable[[], bool]) -> None:
        self._command, self._may_reload = command, may_reload
        self._listener, self._silence = Listener(), watchdog()
        self._stopping = self._reload_asked = self._told_ready = False
        self._children = {number: self._start(number) for number in range(count)}
        self._to_replace: list[int] = []
        self._fresh: _Child | None = None
        self._leaving: list[tuple[_Child, float]] = []
        self._deaths: deque[float] = deque(maxlen=QUICK_DEATHS)
        self._spoke_at = 0.0

    def run(self) -> int:
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: setattr(self, "_stopping", True))
        signal.signal(signal.SIGHUP, lambda *_: setattr(self, "_reload_asked", True))
        code = 0
        while not self._stopping and code == 0:
            self._hear()
            self._speak()
            code = self._bury()
            self._replace()
        notify("STOPPING=1")
        self._end(
            [*self._children.values(), *([self._fresh] if self._fresh else []), *(one for one, _ in self._leaving)]
        )
        return code

    # ---------------------------------------------------------------- what children say
    def _hear(self) -> None:
        heard = self._listener.heard(TURN)
        everybody = [*self._children.values(), *([self._fresh] if self._fresh else [])]
        if heard is None:
            return
        pid, said = heard
        for child in everybody:
            if child.process.pid == pid:
                child.heard_at = time.monotonic()
                child.ready = child.ready or "READY=1" in said

    def _speak(self) -> None:
        if not self._told_ready and all(child.ready for child in self._children.values()):
            self._told_ready = True
            notify("READY=1")
        now = time.monotonic()
        if self._silence is None:
            return
        if now - self._spoke_at > self._silence / 2:
            self._spoke_at = now
            notify("WATCHDOG=1")
        for child in self._children.values():
            if child.ready and now - child.heard_at > self._silence:
                log.error("worker silent", worker=child.number)
                child.process.kill()

    # ---------------------------------------------------------------- who dies
    def _bury(self) -> int:
        """1 when it is time to give up."""
        for number, child in self._children.items():
            if child.process.poll() is None or self._stopping:
                continue
            self._deaths.append(time.monotonic())
            log.error("worker died", worker=number, code=child.process.returncode)
            if len(self._deaths) == QUICK_DEATHS and self._deaths[-1] - self._deaths[0] < QUICK_WINDOW:
                log.error("workers keep dying: giving up")
                return 1
            self._children[number] = self._start(number)
        now = time.monotonic()
        for old, since in self._leaving:
            if old.process.poll() is None and now - since > STOP_SECONDS:
                old.process.kill()
        self._leaving = [(old, since) for old, since in self._leaving if old.process.poll() is None]
        return 0

    # ---------------------------------------------------------------- SIGHUP
    def _replace(self) -> None:
        """One step: the next new child, or the old one's leave once the new one is ready."""
        if self._reload_asked and not self._to_replace and self._told_ready:
            self._reload_asked = False
            reloading()
            if not self._may_reload():
                notify("READY=1")
                return
            log.info("reloading")
            self._to_replace = list(self._children)
        if not self._to_replace:
            return
        number = self._to_replace[0]
        if self._fresh is None:
            self._fresh = self._start(number)
        elif self._fresh.process.poll() is not None:
            log.error("reload failed", code=self._fresh.process.returncode)
            self._to_replace, self._fresh = [], None
            notify("READY=1")
        elif self._fresh.ready:
            old, self._children[number], self._fresh = self._children[number], self._fresh, None
            old.process.terminate()
            self._leaving.append((old, time.monotonic()))
            self._to_replace.pop(0)
            if not self._to_replace:
                log.info("reloaded")
                notify("READY=1")

    # ---------------------------------------------------------------- processes
    def _start(self, number: int) -> _Child:
        command = [sys.executable, "-m", "runtime.cli", *self._command, "--worker", str(number)]
        environment = os.environ | {"NOTIFY_SOCKET": self._listener.address}
        environment.pop("WATCHDOG_PID", None)  # it was ours
        return _Child(number, subprocess.Popen(command, env=environment, preexec_fn=end_with_parent))

    def _end(self, children: Sequence[_Child]) -> None:
        for child in children:
            child.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in children:
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()

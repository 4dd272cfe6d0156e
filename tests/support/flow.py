"""Mail that goes on while a test changes something: one message after the other, until told to stop."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread


class Flow:
    """`send(subject)` sends one; the subjects are `name` and a number. What went wrong ends it, and is in `failed`."""

    def __init__(self, send: Callable[[str], object], name: str) -> None:
        self.sent, self.name, self._send = 0, name, send
        self.failed: list[Exception] = []

    def run(self, stop: Event, pause: float) -> None:
        while not stop.is_set():
            try:
                self._send(f"{self.name} {self.sent}")
            except (OSError, smtplib.SMTPException) as error:
                self.failed.append(error)
                return
            self.sent += 1
            stop.wait(pause)


@contextmanager
def running(flows: Sequence[Flow], pause: float = 0) -> Iterator[None]:
    stop = Event()
    threads = [Thread(target=flow.run, args=(stop, pause)) for flow in flows]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()

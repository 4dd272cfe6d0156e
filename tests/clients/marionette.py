"""Mozilla's remote protocol, as far as a script needs it: start the program, run JavaScript with its own rights."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.support.child import ends_with_us

PORT = 2828
SECONDS = 60  # for the program to start, for a script, for it to leave
BODY = """
const done = arguments[arguments.length - 1];
(async (...arguments) => { SCRIPT })(...[...arguments].slice(0, -1))
  .then(value => done({ value: value ?? null }), error => done({ error: `${error}\\n${error.stack}` }));
"""


class JavaScriptError(Exception):
    """The script failed there; its message and stack."""


class Marionette:
    """Length-prefixed JSON over TCP: `[0, id, command, parameters]` is answered by `[1, id, error, result]`."""

    def __init__(self, command: list[str], log: Path) -> None:
        with log.open("a") as said:
            self.process = subprocess.Popen(ends_with_us(*command, "--marionette"), stdout=said, stderr=said)
        try:
            self._socket = self._connect(time.monotonic() + SECONDS)
            self._stream = self._socket.makefile("rb")
            self._number = 0
            self._read()  # its greeting
            self.ask("WebDriver:NewSession", {})
            self.ask("WebDriver:SetTimeouts", {"script": 1000 * SECONDS})
            self.ask("Marionette:SetContext", {"value": "chrome"})
        except BaseException:
            self.process.kill()
            raise

    def _connect(self, deadline: float) -> socket.socket:
        while True:
            try:
                return socket.create_connection(("127.0.0.1", PORT), SECONDS + 10)
            except ConnectionRefusedError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.2)

    def ask(self, command: str, parameters: dict[str, Any]) -> Any:
        self._number += 1
        text = json.dumps([0, self._number, command, parameters]).encode()
        self._socket.sendall(b"%d:%b" % (len(text), text))
        _, _, error, result = self._read()
        if error:
            raise JavaScriptError(error["message"], error["stacktrace"])
        return result

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of an async function's body in the program's first window; `arguments` are its own."""
        parameters = {
            "script": BODY.replace("SCRIPT", script),
            "args": arguments,
            "newSandbox": True,
            "sandbox": "system",
        }
        answer = self.ask("WebDriver:ExecuteAsyncScript", parameters)["value"]
        if "error" in answer:
            raise JavaScriptError(answer["error"])
        return answer["value"]

    def close(self) -> None:
        """As a person does, so that all it knows is written."""
        try:
            self.ask("Marionette:Quit", {"flags": ["eAttemptQuit"]})
            self.process.wait(SECONDS)
        finally:
            self.process.kill()
            self._socket.close()

    def _read(self) -> Any:
        length = b""
        while (octet := self._stream.read(1)) != b":":
            if not octet:
                raise ConnectionError("it left")
            length += octet
        return json.loads(self._stream.read(int(length)))

"""imapflow, of Node.js: imapflow/daily.mjs holds the tests; `make test` installs it from its package-lock.json."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.clients.sides import fill
from tests.support.clients import run
from tests.support.demo import Demo

FOLDER = Path(__file__).parent / "imapflow"


def test_daily(server: Demo, box: dict[str, Any]) -> None:
    assert (FOLDER / "node_modules").exists(), "make clients"
    fill(server, box, range(60))
    host, port = server.door("imaps")
    place = {"HOST": host, "PORT": str(port), "CA": server.operator()["ca"]}
    person = {"LOGIN": box["login"], "PASSWORD": box["password"]}
    done = run("node", "--test-reporter=spec", str(FOLDER / "daily.mjs"), env={**os.environ, **place, **person})
    assert done.code == 0, done.out

"""One server for all tests of a process, over real TLS on free ports; a mailbox of its own for each test that asks for one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.demo import Demo, free_port_base


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo(tmp_path_factory.mktemp("server"), free_port_base(), ("--operators", "1", "--bench"))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="session")
def boxes(server: Demo) -> Iterator[dict[str, Any]]:
    """The mailboxes of the benchmarks, empty and wide: entries as those of `Demo.person`."""
    facts = json.loads((server.data / "bench.json").read_text())
    return ({**one, "login": one["user"], "operator": "alpha"} for one in facts["users"])


@pytest.fixture
def box(boxes: Iterator[dict[str, Any]]) -> dict[str, Any]:
    return next(boxes)

"""One running demo for all end-to-end tests of a test process (they share one xdist group)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.demo import Demo, free_port_base


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/e2e/" in str(item.path) and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("e2e"))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    data: Path = tmp_path_factory.mktemp("demo")
    running = Demo(data, free_port_base(), ("--operators", "2"))
    try:
        yield running.start()
    finally:
        running.stop()

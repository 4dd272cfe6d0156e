"""One running demo for all end-to-end tests of a test process (they share one xdist group)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser_session import WebSession
from tests.support.chromium import on_the_loop_of_chromium
from tests.support.demo import Demo, free_port_base


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/e2e/" in str(item.path) and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("e2e"))
    on_the_loop_of_chromium(items, "e2e")
    items.sort(key=lambda item: item.path.name == "test_logs.py")  # stable: it reads what all others left behind


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    if running_at := os.environ.get("E2E_DEMO"):  # while writing tests: no start, no stop
        yield Demo(Path(running_at), 0).attach()
        return
    data: Path = tmp_path_factory.mktemp("demo")
    running = Demo(data, free_port_base(), ("--operators", "2"))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def own_demo(tmp_path: Path) -> Iterator[Demo]:
    """For a test that stops it, or kills it."""
    running = Demo(tmp_path / "demo", free_port_base(), ("--operators", "2"))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="session")
def jacqueline(demo: Demo) -> WebSession:
    """Her page, signed in once for all tests."""
    return WebSession(demo, "jacqueline")


@pytest.fixture(scope="session")
def sarah(demo: Demo) -> WebSession:
    return WebSession(demo, "sarah")

"""One of the tests has a browser: all are on its loop."""

from __future__ import annotations

import pytest

from tests.support.chromium import on_the_loop_of_chromium


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    on_the_loop_of_chromium(items, "openid")

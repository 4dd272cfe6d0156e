"""For all folders: one browser and one PostgreSQL a worker, where files go, what passwords cost, how many examples are tried."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import hypothesis

import tests.support.cheap_passwords  # noqa: F401
from tests.support.chromium import browser, chromium
from tests.support.postgres import postgres_server, postgres_url

__all__ = ["browser", "chromium", "postgres_server", "postgres_url"]  # fixtures

# Databases wait for the disk at each commit, and a test that ends needs none of it: memory, where there is enough of it.
MEMORY, ENOUGH = Path("/dev/shm"), 2 << 30
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))  # pytest's own setting

# Properties look elsewhere at each run; what fails is printed as a line that plays it again.
hypothesis.settings.register_profile("everyday", deadline=None, print_blob=True)
hypothesis.settings.register_profile("nightly", deadline=None, print_blob=True, max_examples=2_000)
hypothesis.settings.load_profile("everyday")  # another: pytest --hypothesis-profile=nightly

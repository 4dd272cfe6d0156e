"""What all folders share: fixtures of a whole worker."""

from tests.support.chromium import browser, chromium

__all__ = ["browser", "chromium"]  # fixtures

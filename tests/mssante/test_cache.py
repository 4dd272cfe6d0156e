"""The bounded memory: size, time to live, forgetting, and no value kept that was read before something was forgotten."""

from __future__ import annotations

from mssante.cache import Cache


def test_least_recently_used_goes_first() -> None:
    cache: Cache[str, int] = Cache(2, 10)
    cache.keep("a", 1, 0, cache.generation)
    cache.keep("b", 2, 0, cache.generation)
    assert cache.get("a", 1) == 1
    cache.keep("c", 3, 0, cache.generation)
    assert [cache.get(key, 1) for key in "abc"] == [1, None, 3]


def test_nothing_older_than_its_time_to_live() -> None:
    cache: Cache[str, int] = Cache(2, 10)
    cache.keep("a", 1, 5, cache.generation)
    assert cache.get("a", 14) == 1
    assert cache.get("a", 15) is None


def test_forgets_what_is_stale_only() -> None:
    cache: Cache[str, int] = Cache(9, 10)
    for key, value in (("a", 1), ("b", 2)):
        cache.keep(key, value, 0, cache.generation)
    cache.forget(lambda _, value: value == 1)
    assert [cache.get(key, 1) for key in "ab"] == [None, 2]


def test_a_value_read_before_a_change_is_not_kept() -> None:
    cache: Cache[str, int] = Cache(9, 10)
    before = cache.generation
    old = 1  # read from the table here, then changed by another thread
    cache.forget(lambda _key, _value: True)
    cache.keep("a", old, 0, before)
    assert cache.get("a", 1) is None

"""Reading without the database: what is remembered answers at once, what is not says so.

A function that reads takes a connection and asks its caches first. Called with `MEMORY` instead, it either answers from them or
raises `NotRemembered`: the caller then asks again with a real connection, in a reader's thread. Saves the thread's wake-up, most
of the price of a small read.
"""

from __future__ import annotations

from typing import Any, Never, cast

from sqlalchemy import Connection


class NotRemembered(Exception):
    """The answer is in the database only."""


class _Memory:
    def __getattr__(self, name: str) -> Never:
        raise NotRemembered(name)


MEMORY = cast(Connection, cast(Any, _Memory()))

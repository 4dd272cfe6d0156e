"""Values: what is made once, compared by what it holds, and never changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def value(kind: type[T]) -> type[T]:
    """`dataclass(frozen=True, slots=True)` for what each message makes by the dozen; only the type checker sees that it stays so.

    When the interpreter sees to it too, each field that is made takes a call: a twentieth of all that it does for a mail.
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)

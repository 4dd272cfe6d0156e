"""The program that opens archives, in a process of its own (`foundation.fence`): what is worth a word in one file."""

from __future__ import annotations

from typing import Any

from foundation.fence import Answer, serve
from mailserver.contents.descent import Descent


def run(head: dict[str, Any], data: bytes) -> Answer:
    try:
        found = Descent(frozenset(head["scripts"])).look(data, head["name"])
    except (MemoryError, RecursionError):
        return {}, b""
    return {"found": [[one.kind.value, one.label] for one in found]}, b""


if __name__ == "__main__":
    serve(run)

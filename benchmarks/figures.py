"""What every benchmark reads of a running demo: its doors, its processes' CPU and memory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.support.demo import Demo


def bench_of(demo: Demo) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((demo.data / "bench.json").read_text())
    return facts


def address_of(door: str) -> tuple[str, int]:
    host, _, port = door.rpartition(":")
    return host, int(port)


def _tree(pids: list[int]) -> list[int]:
    """These processes and all below them."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            children.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(entry))
    todo, found = list(pids), []
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def cpu_seconds(pids: list[int]) -> float:
    """CPU seconds of the processes and what is below them."""
    ticks = 0
    for pid in _tree(pids):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def pss_kib(pids: list[int]) -> int:
    total = 0
    for pid in _tree(pids):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total

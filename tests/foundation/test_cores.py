"""Which cores threads and programs may run on; each case in a process of its own, for what is given is read when it begins."""

from __future__ import annotations

import json
import os
import subprocess
import sys

SCRIPT = """
import asyncio, json, os, sys, threading
from concurrent.futures import ThreadPoolExecutor
from foundation import cores

given = sorted(os.sched_getaffinity(0))
cores.keep_to_one(int(sys.argv[1]))

def mine() -> list[int]:
    return sorted(os.sched_getaffinity(0))

def in_a_thread() -> list[int]:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(mine).result()

def in_a_roaming_thread() -> list[int]:
    with ThreadPoolExecutor(1, initializer=cores.roam) as pool:
        return pool.submit(mine).result()

async def in_a_program() -> list[int]:
    code = "import os; input(); print(*sorted(os.sched_getaffinity(0)))"
    pipe = asyncio.subprocess.PIPE
    program = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=pipe, stdout=pipe)
    cores.roam(program.pid)
    said, _ = await program.communicate(b"go on\\n")
    return [int(word) for word in said.split()]

print(json.dumps([given, mine(), in_a_thread(), in_a_roaming_thread(), asyncio.run(in_a_program())]))
"""


def ask(number: int, given: set[int] | None = None) -> list[list[int]]:
    def limit() -> None:
        os.sched_setaffinity(0, given or os.sched_getaffinity(0))

    command = [sys.executable, "-c", SCRIPT, str(number)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, preexec_fn=limit)
    answer: list[list[int]] = json.loads(done.stdout)
    return answer


def test_each_has_its_own_and_what_it_starts_stays_there() -> None:
    given = sorted(os.sched_getaffinity(0))
    for number in range(len(given) + 1):  # one more than there are: it shares the first one's
        seen, mine, thread, roaming, program = ask(number)
        assert seen == given
        assert mine == thread == [given[number % len(given)]]
        assert roaming == program == given


def test_what_the_operator_took_away_stays_away() -> None:
    last = max(os.sched_getaffinity(0))
    assert ask(0, {last}) == [[last]] * 5

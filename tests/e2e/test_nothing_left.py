"""A demo that is killed, or a run of tests, leaves no process behind: Linux tells the children of their parent's end."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support import postgres
from tests.support.demo import ROOT, Demo, free_port_base, wait_until
from tests.support.service import alive

RUN = """
import sys, time
from pathlib import Path
from tests.support import postgres
from tests.support.demo import Demo
with postgres.cluster() as server:
    Demo(Path(sys.argv[1]), int(sys.argv[2]), ("--operators", "1", "--workers", "2")).start()
    print(server.url, flush=True)
    time.sleep(600)
"""


def below(pid: int) -> Iterator[int]:
    """Its children and theirs."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield int(child)
        yield from below(int(child))


def programs(pids: list[int]) -> list[str]:
    return [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids]


def test_a_killed_demo_leaves_no_server(own_demo: Demo) -> None:
    assert own_demo.process is not None
    servers = list(below(own_demo.process.pid))
    assert sum("\0serve\0" in program for program in programs(servers)) == 2  # operators
    own_demo.process.kill()
    wait_until(lambda: not any(map(alive, servers)), 30, "every server ended")


def test_a_killed_run_of_tests_leaves_neither_server_nor_postgresql(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUN, str(tmp_path / "demo"), str(free_port_base())]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        folder = Path(run.stdout.readline().strip().partition("host=")[2])
        started = list(below(run.pid))
        said = programs(started)
        run.send_signal(signal.SIGKILL)
    assert sum("\0--worker\0" in program for program in said) == 2
    assert any("postgres\0" in program for program in said)
    wait_until(lambda: not any(map(alive, started)), 30, "everything ended")
    assert folder.is_dir()  # nobody was there to remove it: the next run does
    with postgres.cluster():
        assert not folder.exists()

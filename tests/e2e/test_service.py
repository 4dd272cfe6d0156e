"""The server under systemd: ready, turning, reloading, stopping are told; a reload and a stop under traffic lose no message."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.support.demo import uids_of, wait_until
from tests.support.flow import Flow, running
from tests.support.service import Service, alive
from tests.support.space import Space

pytestmark = pytest.mark.xdist_group("operators")


@pytest.fixture
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    made = Space(tmp_path_factory.mktemp("service"), ("un",))
    made.publish()
    yield made
    made.stop()


@pytest.fixture
def one(space: Space) -> Iterator[Service]:
    service = Service(space, "un", watchdog=2)
    yield service.start()
    service.close()


@pytest.fixture
def two(space: Space) -> Iterator[Service]:
    service = Service(space, "un", workers=2, watchdog=6)
    yield service.start()
    service.close()


def cores_of(pid: int) -> frozenset[int]:
    return frozenset(os.sched_getaffinity(pid))


def flow_to_itself(space: Space) -> Flow:
    return Flow(lambda subject: space.send("un", "un", subject), "Courant")


def test_where_the_operator_says_so_processes_roam(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSSANTE_ONE_CORE_EACH", "false")
    service = Service(space, "un", workers=2).start()
    try:
        assert {cores_of(pid) for pid in service.children()} == {cores_of(os.getpid())}
    finally:
        service.close()


def arrived(space: Space, flow: Flow) -> int:
    with space.imap("un") as imap:
        return len(uids_of(imap, f"{flow.name} "))


def test_one_process_tells_its_state(space: Space, one: Service) -> None:
    one.hears("WATCHDOG=1")
    one.hears("WATCHDOG=1")
    space.send("un", "un", "Bonjour")
    wait_until(lambda: space.has("un", "Bonjour"))
    undo = one.change("[operator]", "[antivirus]\nseconds = 7\n[operator]")
    one.reload()
    assert '"sections": ["antivirus"]' in one.log.read_text()
    undo()
    undo = one.change("[operator]", "[nulle_part]\n[operator]")
    one.reload()
    assert "nulle_part: no such setting" in one.log.read_text()
    undo()
    space.send("un", "un", "Encore")
    assert one.stop() == 0
    one.hears("STOPPING=1")
    assert one.said.count("RELOADING=1") == 2


def test_several_processes_are_replaced_one_by_one(space: Space, two: Service) -> None:
    before = two.children()
    assert len(before) == 2
    assert len({cores_of(pid) for pid in before}) == min(2, len(os.sched_getaffinity(0))), (
        "each keeps to a core of its own"
    )
    assert two.said.count("READY=1") == 1, "once for all"
    two.hears("WATCHDOG=1")
    flow = flow_to_itself(space)
    with running([flow], pause=0.02):
        wait_until(lambda: flow.sent > 10)
        undo = two.change("[operator]", "[antivirus]\nseconds = 7\n[operator]")
        two.reload()
        wait_until(lambda: not any(map(alive, before)), 30, "the old ones end")
        after = flow.sent
        wait_until(lambda: flow.sent > after + 10 or flow.failed)
    assert not flow.failed, flow.failed
    wait_until(lambda: arrived(space, flow) == flow.sent, 20)
    assert set(two.children()).isdisjoint(before)
    undo()

    new = two.children()
    undo = two.change("[operator]", "[nulle_part]\n[operator]")
    two.reload()
    assert two.children() == new, "settings that cannot be used change nothing"
    assert "nulle_part : ce réglage n’existe pas" in two.log.read_text()
    undo()
    assert two.stop() == 0
    assert not any(map(alive, new))


def test_a_process_that_hangs_is_replaced(space: Space, two: Service) -> None:
    hung = two.children()[0]
    os.kill(hung, signal.SIGSTOP)
    wait_until(lambda: not alive(hung), 30, "killed")
    wait_until(lambda: len([pid for pid in two.children() if alive(pid)]) == 2)
    assert '"worker silent"' in two.log.read_text()
    wait_until(lambda: two.log.read_text().count('"ready"') == 3, 30)
    space.send("un", "un", "Toujours là")


def test_children_do_not_outlive_their_parent(two: Service) -> None:
    children = two.children()
    two.signal(signal.SIGKILL)
    wait_until(lambda: not any(map(alive, children)), 30)


def test_a_stop_under_traffic_loses_nothing(space: Space, two: Service) -> None:
    """What was answered with 250 is there after the next start; clients are told to come back (421) or find the doors closed."""
    flows = [flow_to_itself(space) for _ in range(3)]
    for number, flow in enumerate(flows):
        flow.name = f"Courant {number}"
    with running(flows):
        wait_until(lambda: all(flow.sent > 10 for flow in flows), 30)
        assert two.stop() == 0
    assert all(len(flow.failed) == 1 for flow in flows)
    two.start()
    for flow in flows:
        found = arrived(space, flow)
        assert flow.sent <= found <= flow.sent + 1, "one whose answer was lost may be there too"

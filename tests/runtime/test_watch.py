"""What will soon stop working is said in time, once; a new trust list is taken up without a restart."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from certs.authority import Issued
from certs.profiles import OPERATOR
from foundation.clock import DAY, HOUR, MINUTE, SECOND, is_synchronised, system_clock
from mssante.trust_list import Entry
from runtime.demo.operator_files import Ports, settings_text
from runtime.demo.people import BETA
from runtime.demo.pki import Pki
from runtime.house import Trust
from runtime.settings import read
from runtime.watch import Watch


class World:
    def __init__(self, folder: Path) -> None:
        self.now = system_clock()
        self.pki = Pki(folder / "pki", self.now)
        self.issued = self.pki.operator(BETA, folder / "beta" / "tls")
        self.pki.sign_trust_list({BETA: self.issued}, bench=False)
        self.tls = folder / "beta" / "tls"
        path = folder / "beta" / "mssante.toml"
        path.write_text(settings_text(BETA, Ports(9000, web=False, bench=False), {}, self.pki, folder))
        self.settings = settings = read(path)
        self.trust = Trust(settings, lambda: self.now)
        self.synchronised, self.set_forth = True, 0  # ms that somebody put the clock on
        self.watch = Watch(
            settings, self.trust, lambda: self.now, lambda: self.now - self.set_forth, lambda: self.synchronised
        )

    async def look(self) -> list[dict[str, Any]]:
        with capture_logs() as said:
            await self.watch.look()
        return [dict(one) for one in said]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_all_in_order_says_nothing(world: World) -> None:
    assert await world.look() == []


async def test_each_end_is_said_once_per_threshold(world: World) -> None:
    await world.look()
    said: list[tuple[str, int | None]] = []
    for days in (1036, 1037, 1067, 1089, 1094, 1096):
        world.now = system_clock() + days * DAY
        os.utime(world.pki.trust_list, (world.now / 1000, world.now / 1000))
        said += [
            (one["event"], one.get("days_left")) for one in await world.look() if one["event"] == "certificate_ending"
        ]
    assert [event for event, _ in said] == ["certificate_ending"] * 5
    assert [days for _, days in said] == [58, 27, 5, 0, -2]


async def test_a_stale_list_and_old_revocation_lists_are_alarms(world: World) -> None:
    world.now += 8 * DAY
    assert {one["event"] for one in await world.look()} == {"trust_list_stale", "revocation_list_ended"}
    world.now += 2 * HOUR
    assert {one["event"] for one in await world.look()} == {"revocation_list_ended"}


async def test_a_new_list_is_taken_up(world: World) -> None:
    before = world.trust.trust_list().generated_at
    newer = Pki(world.pki.root.parent, world.now + 60_000)
    newer.sign_trust_list({BETA: world.issued}, bench=True)
    [said] = await world.look()
    assert (said["event"], said["added"], said["removed"]) == ("trust_list_changed", 1, 0)
    assert world.trust.trust_list().generated_at > before
    assert world.trust.trust_list().has("operator.example")


@pytest.mark.parametrize(
    ("spoil", "files"),
    [
        (lambda tls, other: (tls / "server.pem").write_bytes(other.certificate_pem()), "server.pem, server.key: "),
        (lambda tls, other: (tls / "server.key").write_bytes(b"half a ke"), "server.pem, server.key: "),
        (lambda tls, other: (tls / "server.key").unlink(), "server.pem, server.key: "),
    ],
    ids=["not the key's certificate", "cut short", "missing"],
)
async def test_files_that_would_not_start_again_are_an_alarm(world: World, spoil: Any, files: str) -> None:
    """The doors keep what they have: without a word of it the next start would fail. Two looks, as files are renamed one by one."""
    tls, good = world.tls, world.issued
    assert await world.look() == []
    spoil(tls, world.pki.authority.issue(OPERATOR, good.certificate.subject, world.now))
    said = []
    for _ in range(3):
        world.now += 30 * SECOND
        said.append([one["fault"].startswith(files) for one in await world.look() if one["event"] == "files_unusable"])
    assert said == [[], [True], []]
    world.now += HOUR
    assert "files_unusable" in {one["event"] for one in await world.look()}, "again with each hour"
    good.write(tls, "server")
    world.now += HOUR
    assert "files_unusable" not in {one["event"] for one in await world.look()}


async def test_anchors_that_cannot_be_read_are_an_alarm(world: World) -> None:
    await world.look()
    world.pki.root.write_bytes(b"-----BEGIN CERTIFICATE-----\nx")
    told = []
    for _ in range(2):
        world.now += MINUTE
        told += [one["fault"] for one in await world.look() if one["event"] == "files_unusable"]
    assert [fault.partition(":")[0] for fault in told] == ["root.pem, crl.pem"]


async def test_a_list_without_us_is_an_alarm(world: World) -> None:
    """Or with another certificate of ours: in both cases nobody else takes our mail. Said when it begins, of each domain."""
    ours = set(BETA.all_domains)

    async def said(minute: int, *also: Entry, issued: Issued | None = None) -> set[tuple[str, bool]]:
        newer = Pki(world.pki.root.parent, world.now + minute * 60_000)
        newer.sign_trust_list({BETA: issued} if issued else {}, bench=False, also=also)
        found = [one for one in await world.look() if one["event"] == "we_are_not_listed"]
        assert {one["log_level"] for one in found} <= {"error"}
        return {(one["domain"], one["another_certificate"]) for one in found}

    other, stranger = Entry(min(ours), "CN=mx.ancien.example,C=FR"), Entry("autre.example", "CN=mx.autre.example,C=FR")
    assert await said(1, other) == {(domain, domain == min(ours)) for domain in ours}
    assert await said(2, other) == set(), "once"
    assert await said(3, stranger) == {(min(ours), False)}
    assert await said(4, issued=world.issued) == set()
    assert await said(5, other, issued=world.issued) == set(), "a domain may have several: a rotation"


@pytest.mark.parametrize(
    ("gone", "event", "level"), [(1, "trust_list_changed", "info"), (2, "trust_list_lost_many", "warning")]
)
async def test_a_list_that_lost_many_is_an_alarm_and_in_use_all_the_same(
    world: World, gone: int, event: str, level: str
) -> None:
    """More than one in ten of 15, ours among them; who comes in the same list does not make up for them."""
    domains = 15 - len(BETA.all_domains)
    others = [Entry(f"d{number}.example", "CN=mx.autre.example,C=FR") for number in range(domains)]
    Pki(world.pki.root.parent, world.now + 60_000).sign_trust_list({BETA: world.issued}, bench=False, also=others)
    assert [one["event"] for one in await world.look()] == ["trust_list_changed"]
    after = [*others[gone:], Entry("neuf.example", "CN=mx.autre.example,C=FR")]
    Pki(world.pki.root.parent, world.now + 120_000).sign_trust_list({BETA: world.issued}, bench=False, also=after)
    [said] = await world.look()
    assert (said["event"], said["log_level"], said["removed"], said["added"]) == (event, level, gone, 1)
    assert world.trust.trust_list().has("neuf.example")
    assert not world.trust.trust_list().has("d0.example")


async def test_of_several_processes_one_tells_and_all_take_up_a_new_list(world: World) -> None:
    world.watch = Watch(world.settings, world.trust, lambda: world.now, tells=False)
    (world.tls / "server.key").write_bytes(b"")
    Pki(world.pki.root.parent, world.now + 60_000).sign_trust_list({}, bench=True)
    for days in range(4):
        world.now += days * 400 * DAY
        assert await world.look() == []
    assert world.trust.trust_list().has("operator.example")


async def test_a_bad_list_put_there_by_hand_is_told_once_and_not_used(world: World) -> None:
    before = world.trust.trust_list()
    world.pki.trust_list.write_bytes(world.pki.trust_list.read_bytes()[:-40])
    [said] = await world.look()
    assert (said["event"], "cut short" in said["reason"]) == ("trust_list_refused", True)
    assert await world.look() == []
    assert world.trust.trust_list() is before


@pytest.mark.parametrize(("step", "said"), [(90_000, [90]), (-3_600_000, [-3600]), (4_000, [])])
async def test_a_clock_that_somebody_sets_is_told_once(world: World, step: int, said: list[int]) -> None:
    await world.look()
    world.now, world.set_forth = world.now + step, step
    assert [one["seconds"] for one in await world.look() if one["event"] == "clock_jumped"] == said
    assert "clock_jumped" not in {one["event"] for one in await world.look()}


async def test_a_clock_that_nothing_keeps_right_is_told_once(world: World) -> None:
    world.synchronised = False
    assert [one["event"] for one in await world.look()] == ["clock_not_synchronised"]
    world.now += 2 * HOUR
    assert await world.look() == []


def test_the_kernel_says_whether_the_clock_is_kept_right() -> None:
    assert is_synchronised() in (True, False)

"""A month of messages made at random: its figures are what its traces say, and hold words and numbers only."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from foundation.clock import DAY, MINUTE
from foundation.tally import at_most, sums
from mailserver.delivery.accept import Delivery
from mailserver.delivery.api import Door, Fate, Sender
from mailserver.delivery.counting import documents, product
from mailserver.delivery.traces import Trace, Traces
from runtime.figures import LABELS, month
from tests.mailserver.delivery.conftest import CHILD, CITIZEN, DOCTOR, PEER, SERVICE, World, mail, make_world

DAYS = 30
NOV_1 = 1_793_491_200_000  # 1 November 2026, UTC
MARKS = (
    (),
    ("X-MSS-INS: O", "X-MSS-CODECDA: 11488-4"),
    ("X-MSS-INS: n", "X-MSS-CODECDA: 11488-4, 11502-2"),
    ("X-MSS-INS: 279035121518989", "X-MSS-CODECDA: Jacqueline MOREL"),
    ("X-MSS-MES: FIN",),
    ("X-MSS-MES: NOREPLY", "X-MSS-NIL: MOREL-279035121518989"),
)
SUBJECTS = ("Résultats", "[FIN] Résultats", "XDM/1.0/DDM+123", "Jacqueline MOREL")
ADDRESSES = (DOCTOR, SERVICE, CITIZEN, CHILD, PEER, "personne@cabinet.example", "x@ailleurs.example")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = await make_world(f"sqlite:///{tmp_path}/mail.db", tmp_path)
    yield made
    await made.space.db.close()


async def a_month(world: World, messages: int = 150) -> list[Trace]:
    draw = random.Random(11)
    moments = sorted(draw.randrange(NOV_1, NOV_1 + DAYS * DAY) for _ in range(messages))
    for number, at in enumerate(moments):
        world.now = at
        sender = draw.choice((DOCTOR, SERVICE, CITIZEN, PEER))
        to = draw.sample(ADDRESSES, draw.randint(1, 3))
        content = mail(sender, to[0], draw.choice(SUBJECTS), "Bonjour", f"g{number}", draw.choice(MARKS))
        await world.send(sender, to, content)
        if draw.random() < 0.1:
            await world.send("", DOCTOR, mail(DOCTOR, DOCTOR, ident=f"n{number}"), who=Sender(Door.SYSTEM))
        await world.space.tally.pour(world.space.db, world.now)
    find = Traces(world.space.keys).find
    return await world.space.db.read(find, None, None, NOV_1, NOV_1 + DAYS * DAY, 10 * messages)


async def test_the_sums_are_what_the_traces_say(world: World) -> None:
    traces = await a_month(world)
    figures: Counter[tuple[str, str]] = Counter()
    for row in await world.space.db.read(month, 2026, 11):
        figures[row["figure"], row["labels"]] += row["count"]

    def summed(figure: str, label: int) -> Counter[str]:
        """By one label of the figure."""
        found: Counter[str] = Counter()
        for (name, labels), count in figures.items():
            if name == figure:
                found[labels.split(" ")[label]] += count
        return found

    told = [(one.door, fate, reason) for one in traces for _, fate, reason in one.recipients]
    assert summed("messages", 2) == Counter(fate for _, fate, _ in told)
    assert {name: count for name, count in figures.items() if name[0] == "refusals"} == Counter(
        ("refusals", f"{door} {reason}") for door, _, reason in told if reason
    )
    accepted = [one for one in traces if any(fate != Fate.REFUSED.value for _, fate, _ in one.recipients)]
    assert summed("kinds", 0) == Counter(one.door for one in accepted)
    assert summed("headers", 0) == Counter(name for one in accepted for name in one.headers)
    assert set(summed("kinds", 1)) == {"message", "notice", "closing", "no_reply", "xdm"}
    assert {"11488-4", "11502-2", "?"} == set(summed("documents", 0))
    assert sum(summed("messages", 0).values()) == len(told) > 150
    assert await world.space.db.read(month, 2026, 10) == []


async def test_words_of_closed_lists_and_numbers_only(world: World) -> None:
    """Whatever a sender wrote: names, INS numbers in fields that are counted, addresses."""
    await a_month(world, 60)
    rows = await world.space.db.read(month, 2026, 11)
    for row in rows:
        assert re.fullmatch(r"[a-z_]+", row["figure"])
        assert re.fullmatch(r"[\w.?-]+( [\w.?-]+)*", row["labels"])
        if row["figure"] in LABELS:
            assert len(row["labels"].split(" ")) == len(LABELS[row["figure"]])
    text = repr(rows)
    for secret in ("MOREL", "279035121518989", "cabinet.example", "@", "Résultats"):
        assert secret not in text


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("11488-4", ["11488-4"]),
        ("11502-2, 11488-4,11488-4", ["11488-4", "11502-2"]),
        ("11488-5", ["?"]),  # its check digit is wrong
        ("279035121518989", ["?"]),
        ("279035-1", ["?"]),
        ("Jacqueline MOREL, 11488-4", ["11488-4", "?"]),
        (" , ", []),
        (",".join(["11488-4"] * 4 + ["x", "11502-2"]), ["11488-4", "?"]),  # no endless list
    ],
)
def test_codes_of_documents(value: str, found: list[str]) -> None:
    assert documents(value) == found


@pytest.mark.parametrize(
    ("counts", "p50", "p95"),
    [
        ({}, None, None),
        ({"1s": 1}, 1, 1),
        ({"1s": 50, "5m": 50}, 1, 300),
        ({"1s": 49, "5m": 51}, 300, 300),
        ({"1s": 95, "4h": 5}, 1, 1),
        ({"1s": 94, "4h": 6}, 1, 14_400),
        ({"1s": 90, "more": 10}, 1, None),
        ({"more": 3}, None, None),
    ],
)
def test_shares_of_delays(counts: dict[str, int], p50: int | None, p95: int | None) -> None:
    assert (at_most(counts, 0.5), at_most(counts, 0.95)) == (p50, p95)


async def test_delays_are_shown_with_the_month(world: World) -> None:
    for label in ("1s", "1s", "5m"):
        world.space.tally.count("relayed", label)
    await world.space.tally.pour(world.space.db, NOV_1 + MINUTE)
    rows = {(row["figure"], row["labels"]): row["count"] for row in await world.space.db.read(month, 2026, 11)}
    assert (rows["relayed_seconds", "p50"], rows["relayed_seconds", "p95"]) == (1, 300)
    assert await world.space.db.read(sums) == {("relayed", "1s"): 2, ("relayed", "5m"): 1}


@pytest.mark.parametrize(
    ("value", "counted"),
    [
        ("DEV935997", "DEV935997"),
        (" dev935997 ", "DEV935997"),
        ("MSSPY0001", "MSSPY0001"),
        ("DEV935998", "?"),
        ("MOREL1959", "?"),
        ("279035121518989", "?"),
    ],
)
def test_products_that_the_operator_knows(value: str, counted: str) -> None:
    assert product(value, frozenset({"DEV935997", "MSSPY0001"})) == counted


async def test_each_message_is_counted_by_its_product(world: World) -> None:
    space = replace(world.space, products=frozenset({"DEV935997", "PRODUIT-42"}))
    knowing = replace(world, space=space, delivery=Delivery(space))
    for number, value in enumerate(("DEV935997", "dev935997", "Jacqueline MOREL")):
        await knowing.send(PEER, DOCTOR, mail(PEER, DOCTOR, ident=f"p{number}", more=(f"X-MSS-NIL: {value}",)))
    await knowing.send(DOCTOR, SERVICE, mail(DOCTOR, SERVICE, ident="own"))
    await space.tally.pour(space.db, world.now)
    found = {label: count for (name, label), count in (await space.db.read(sums)).items() if name == "headers"}
    assert found == {"X-MSS-NIL DEV935997": 2, "X-MSS-NIL ?": 1, "X-MSS-NIL PRODUIT-42": 1}

"""Figures: counted in memory, once, poured for all processes; shown by month, for programs and for Prometheus."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner, Result

from foundation.clock import DAY, HOUR, MINUTE
from foundation.database import Transaction
from foundation.tally import Tally, sums, within
from mailserver.contents.kinds import Kind
from mailserver.delivery.api import Fate
from mailserver.outbound import peer
from mailserver.outbound.queue import CALLED_OFF
from mssante.kinds import BoxKind, Party
from mssante.mailbox import Holder, NewMailbox
from mssante.reasons import REASONS
from runtime import figure_words, figures, start
from runtime.cli import app
from runtime.figures import exposition
from runtime.house import House
from runtime.settings import read
from tests.support.languages import english_in

NOV_1 = 1_793_491_200_000  # 1 November 2026, UTC


@pytest.fixture
def config(tmp_path: Path) -> Path:
    assert start.init(tmp_path / "mssante.toml") == start.OK
    return tmp_path / "mssante.toml"


@pytest.fixture
def house(config: Path) -> Iterator[House]:
    found = House(read(config), lambda: NOV_1 + HOUR)
    yield found
    found.db.close_now()


def stats(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["stats", "month", *words, "--config", str(config)])


def test_a_month_in_each_form(config: Path, house: House) -> None:
    for at in (NOV_1 - 1, NOV_1, NOV_1 + 30 * DAY - 1, NOV_1 + 30 * DAY):
        house.tally.count("messages", "professional", "citizen", "delivered")
        asyncio.run(house.tally.pour(house.db, at))
    new = NewMailbox("a@medecins.exemple.example", BoxKind.PER, Holder("A"))
    box = house.db.write_now(lambda tx: house.mailboxes.create(tx, new, NOV_1 + DAY))
    for _ in range(2):  # a box is active once a month
        house.activity.seen(box.id)
        asyncio.run(house.activity.pour(house.db, NOV_1 + 2 * DAY))
    expected = [
        {"figure": "mailboxes_open", "labels": "PER", "count": 1},
        {"figure": "mailboxes_active", "labels": "PER", "count": 1},
        {"figure": "messages", "labels": "professional citizen delivered", "count": 2},
    ]
    assert json.loads(stats(config, "2026-11", "--json").stdout) == expected
    rows = csv.DictReader(io.StringIO(stats(config, "2026-11", "--csv").stdout))
    assert [{**row, "count": int(row["count"])} for row in rows] == expected
    assert "destinataires    professionnel, usager, remis  2" in stats(config, "2026-11").stdout
    english = stats(config, "2026-11", "--lang", "en").stdout
    assert "recipients        professional, citizen, delivered  2" in english
    assert json.loads(stats(config, "2026-10", "--json").stdout) == [expected[2] | {"count": 1}]
    assert stats(config, "2025-01").stdout == "Rien ce mois-là.\n"


def test_every_figure_and_every_word_of_its_labels_has_french() -> None:
    """What stays as it is: doors, kinds of mailboxes, codes, X-MSS headers, delays."""
    assert set(figure_words.FIGURES) == {*figures.LABELS, *figures.OF_THE_MONTH}
    assert set(figure_words.WORDS["reason"]) == set(REASONS)
    problems = {one.name for one in (*vars(peer).values(), CALLED_OFF) if isinstance(one, peer.Problem)}
    assert set(figure_words.WORDS["problem"]) == problems | {peer.untrusted("", "").name}
    assert set(figure_words.WORDS["fate"]) == {one.value for one in Fate}
    assert set(figure_words.WORDS["from"]) == {one.value for one in Party} | {"unknown"}
    assert set(figure_words.WORDS["kind"]) >= {one.value for one in Kind}
    for name, said in (
        ("refusals", "mx box_unknown"),
        ("relay_problems", "answered_451"),
        ("attachments", "disk_image refused"),
    ):
        told = f"{figure_words.figure(name, 'fr')} {figure_words.labels(name, said, 'fr')}"
        assert english_in(told.replace("_", " ")) == []
        assert not any(word in told for word in ("unknown", "answered", "image refused"))


@pytest.mark.parametrize("wrong", ["2026", "2026-13", "2026-1", "novembre", "2026-11-01", "1999-01"])
def test_what_is_no_month(config: Path, wrong: str) -> None:
    assert stats(config, wrong).exit_code == 2


def test_what_a_transaction_counts_is_counted_when_it_is_on_disk(house: House) -> None:
    def fails(tx: Transaction) -> None:
        house.tally.count_in(tx, "refusals", "mx", "box_unknown")
        raise ValueError

    with pytest.raises(ValueError):
        house.db.write_now(fails)
    house.db.write_now(house.tally.count_in, "refusals", "mx", "box_full")
    asyncio.run(house.tally.pour(house.db, NOV_1))
    assert house.db.read_now(sums) == {("refusals", "mx box_full"): 1}


async def test_what_cannot_be_written_is_kept_for_the_next_time(house: House) -> None:
    house.tally.count("connections", "mx")
    house.db.write_now(lambda tx: tx.execute(text("ALTER TABLE figures RENAME TO elsewhere")))
    await figures.pour(house)
    house.db.write_now(lambda tx: tx.execute(text("ALTER TABLE elsewhere RENAME TO figures")))
    await figures.pour(house)
    assert house.db.read_now(sums) == {("connections", "mx"): 1}


async def test_processes_add_up(house: House) -> None:
    for tally in (house.tally, Tally()):
        for _ in range(3):
            tally.count("connections", "imaps")
            await tally.pour(house.db, NOV_1)
    assert house.db.read_now(sums) == {("connections", "imaps"): 6}
    assert 'mssante_connections_total{door="imaps"} 6\n' in house.db.read_now(exposition, NOV_1)


@pytest.mark.parametrize(
    ("span", "label"),
    [
        (0, "1s"),
        (1001, "5s"),
        (MINUTE, "1m"),
        (MINUTE + 1, "5m"),
        (HOUR, "1h"),
        (DAY, "24h"),
        (3 * DAY, "72h"),
        (3 * DAY + 1, "more"),
    ],
)
def test_delays_have_a_few_labels(span: int, label: str) -> None:
    assert within(span) == label


def test_figures_counted_before_this_table_are_kept(tmp_path: Path) -> None:
    from alembic import command

    from runtime import schema

    url = f"sqlite:///{tmp_path}/old.db"
    engine = create_engine(url)
    with engine.begin() as conn:
        alembic = schema.config()
        alembic.attributes["connection"] = conn
        command.upgrade(alembic, "0005")
        conn.execute(text("INSERT INTO header_counts VALUES (20000, 'X-MSS-INS', 'O', 'p', 7)"))
    engine.dispose()
    schema.upgrade(url)
    with engine.connect() as conn:
        assert sums(conn) == {("headers", "X-MSS-INS O"): 7}
    engine.dispose()

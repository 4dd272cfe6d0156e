"""The operator's figures: poured while the server runs, shown by month, and to Prometheus. Nothing personal: words and numbers.

What is counted lies in the table `figures`, so that any process answers for all: behind one address (SO_REUSEPORT) nobody chooses
whom a scrape reaches.
"""

from __future__ import annotations

import asyncio
from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import structlog
from sqlalchemy import Connection, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from foundation.clock import DAY
from foundation.tables import jobs
from foundation.tally import Figure, at_most, sums
from mailserver.delivery.activity import active
from mssante.tables import mailboxes
from runtime.annuaire_jobs import brought_up_at
from runtime.house import House

log = structlog.get_logger()

EVERY = 10.0  # seconds
EPOCH = date(1970, 1, 1)

# name of a figure -> names of its labels
LABELS = {
    "messages": ("from", "to", "fate"),
    "refusals": ("door", "reason"),
    "kinds": ("door", "kind"),
    "headers": ("name", "value"),
    "documents": ("code",),
    "connections": ("door",),
    "relayed": ("within",),
    "antivirus": ("verdict",),
    "attachments": ("kind", "action"),
    "relay_problems": ("problem",),
    "clock_set": ("direction",),
}
# those that no counter has: looked up when a month is asked for
OF_THE_MONTH = {"mailboxes_open": ("kind",), "mailboxes_active": ("kind",), "relayed_seconds": ("share",)}


async def keep(house: House, stop: asyncio.Event) -> None:
    """Until `stop`; the last pour is the caller's, when all doors are closed."""
    while not stop.is_set():
        try:
            await asyncio.wait_for(stop.wait(), EVERY)
        except TimeoutError:
            await pour(house)


async def pour(house: House) -> None:
    try:
        await house.tally.pour(house.db, house.clock())
        await house.activity.pour(house.db, house.clock())
    except SQLAlchemyError as fault:  # a full disk: kept in memory for the next time
        log.warning("figures_not_written", error=type(fault).__name__)


def month(conn: Connection, year: int, number: int) -> list[dict[str, Any]]:
    """Rows of (figure, labels, count) of one month, UTC."""
    first = (date(year, number, 1) - EPOCH).days
    last = first + monthrange(year, number)[1] - 1
    boxes = [("mailboxes_open", kind, count) for kind, count in _boxes(conn, (last + 1) * DAY)]
    used = [("mailboxes_active", kind, count) for kind, count in sorted(active(conn, year * 100 + number).items())]
    found = sums(conn, first, last)
    counted = [(name, labels, count) for (name, labels), count in found.items()]
    rows = (*boxes, *used, *counted, *_shares(found))
    return [{"figure": name, "labels": labels, "count": count} for name, labels, count in rows]


def _shares(found: Mapping[Figure, int]) -> Iterator[tuple[str, str, int]]:
    """Within how many seconds half, and 95 % of what was handed to other operators was taken: bounds of the counted delays."""
    delays = {labels: count for (name, labels), count in found.items() if name == "relayed"}
    for label, share in (("p50", 0.5), ("p95", 0.95)):
        if (seconds := at_most(delays, share)) is not None:
            yield "relayed_seconds", label, seconds


def _boxes(conn: Connection, end: int) -> Iterator[tuple[str, int]]:
    """Kind -> mailboxes that were open at `end` (ms)."""
    still = or_(mailboxes.c.closed_at.is_(None), mailboxes.c.closed_at >= end)
    query = select(mailboxes.c.kind, func.count()).where(mailboxes.c.created_at < end, still)
    for row in conn.execute(query.group_by(mailboxes.c.kind).order_by(mailboxes.c.kind)):
        yield row[0], row[1]


def exposition(conn: Connection, now: int) -> str:
    """All of it since the beginning, and what waits now, in Prometheus's text format 0.0.4."""
    lines: list[str] = []
    found = sums(conn)
    for name, labels in LABELS.items():
        lines.append(f"# TYPE mssante_{name}_total counter")
        for (figure, values), count in found.items():
            if figure == name:
                lines.append(f"mssante_{name}_total{_labels(labels, values.split(' '))} {count}")
    waiting = select(jobs.c.kind, jobs.c.state, func.count(), func.min(jobs.c.created_at))
    rows = conn.execute(waiting.group_by(jobs.c.kind, jobs.c.state).order_by(jobs.c.kind, jobs.c.state)).all()
    lines.append("# TYPE mssante_jobs gauge")
    lines += [f"mssante_jobs{_labels(('kind', 'state'), row[:2])} {row[2]}" for row in rows]
    lines.append("# TYPE mssante_jobs_oldest_seconds gauge")
    lines += [
        f"mssante_jobs_oldest_seconds{_labels(('kind', 'state'), row[:2])} {(now - row[3]) // 1000}" for row in rows
    ]
    lines.append("# TYPE mssante_mailboxes gauge")
    lines += [f"mssante_mailboxes{_labels(('kind',), (kind,))} {count}" for kind, count in _boxes(conn, now)]
    if (brought_up := brought_up_at(conn)) is not None:
        lines += [
            "# TYPE mssante_directory_age_seconds gauge",
            f"mssante_directory_age_seconds {(now - brought_up) // 1000}",
        ]
    return "\n".join(lines) + "\n"


def _labels(names: tuple[str, ...], values: Any) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in zip(names, values, strict=True)) + "}"

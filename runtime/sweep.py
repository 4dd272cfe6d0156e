"""The daily job `sweep`: removes stored content that nothing points to any more, web sessions that ended, old traces of messages,
and the keys of mailboxes closed long enough ago, with all rows that they sealed; says a week before which of these will go, also
when a setting was lowered (`foundation.retention`). And, each minute, the job `trace_index`: traces are filed so that one is found
among millions.
"""

from __future__ import annotations

from typing import Any

import structlog

from foundation import retention
from foundation.clock import DAY, MINUTE
from foundation.database import Transaction
from foundation.jobs import Answer, Handler, Job, Retry
from foundation.retention import ANNOUNCED, Retention
from foundation.web import sessions
from mailserver.delivery.trace_index import file_away
from mailserver.delivery.traces import forget, older
from mssante import devices
from mssante.credential_rows import forget_erased
from runtime.house import House

TRACES = "trace_days"
BLOCKS = 50  # of traces, a minute: a transaction each, so that deliveries pass in between

log = structlog.get_logger()


def sweeping(house: House) -> Handler:
    async def sweep(_payload: dict[str, Any], _job: Job) -> Answer:
        erased = await house.db.write(_erase, house)
        while await house.db.write(forget_erased):
            continue
        learned = 0
        while learned := await house.db.write(house.credentials.learn_numbers, learned):
            continue
        unused = await house.store.sweep()
        strays = await house.db.read(house.blobs.sweep_strays)
        await house.db.write(sessions.sweep, house.clock())
        await house.db.write(devices.sweep, house.clock())
        soon = await house.db.read(house.mailboxes.due, house.clock() + ANNOUNCED)
        if soon:
            log.warning("mailboxes_erased_soon", count=len(soon), boxes=soon)
        kept = await keep_traces(house)
        if going := await house.db.read(older, house.clock() + ANNOUNCED - kept.soon * DAY):
            log.info("traces_erased_soon", count=going, days=kept.soon)
        traces = await house.db.write(forget, house.clock() - kept.days * DAY)
        log.info("swept", unused=unused, strays=strays, erased=erased, traces=traces)
        return Retry(DAY, "daily")

    return sweep


async def keep_traces(house: House) -> Retention:
    """How long traces are kept now; at the start too, so that the days of a lower setting are counted from there."""
    days, now = house.settings.limits.trace_days, house.clock()
    kept = await house.db.write(retention.follow, house.audit, TRACES, days, now)
    if kept.lowered_to is not None:
        in_days = -(-(kept.acts_at - now) // DAY)
        log.warning("retention_lowered", what=TRACES, before=kept.days, after=kept.lowered_to, in_days=in_days)
    return kept


def filing_traces(house: House) -> Handler:
    async def file_traces(_payload: dict[str, Any], _job: Job) -> Answer:
        for _ in range(BLOCKS):
            if not await house.db.write(file_away):
                break
        return Retry(MINUTE, "each_minute")

    return file_traces


def _erase(tx: Transaction, house: House) -> int:
    erased = house.mailboxes.due(tx.conn, house.clock())
    for box_id in erased:
        house.mailboxes.destroy(tx, box_id, house.clock())
        house.audit.record(tx, "system:mailbox:erase", "system", {"box": box_id})
    return len(erased)

"""The daily job `sweep`: removes stored content that nothing points to any more, web sessions that ended, old traces of messages,
and the keys of mailboxes closed long enough ago, with all rows that they sealed; says a week before which of these will go. And,
each minute, the job `trace_index`: traces are filed so that one is found among millions.
"""

from __future__ import annotations

from typing import Any

import structlog

from foundation.clock import DAY, MINUTE
from foundation.database import Transaction
from foundation.jobs import Answer, Handler, Job, Retry
from foundation.web import sessions
from mailserver.delivery.trace_index import file_away
from mailserver.delivery.traces import forget, older
from mssante import devices
from mssante.credential_rows import forget_erased
from runtime.house import House

ANNOUNCED = 7 * DAY  # before a key is destroyed, or traces
BLOCKS = 50  # of traces, a minute: a transaction each, so that deliveries pass in between

log = structlog.get_logger()


def sweeping(house: House) -> Handler:
    async def sweep(_payload: dict[str, Any], _job: Job) -> Answer:
        erased = await house.db.write(_erase, house)
        while await house.db.write(forget_erased):
            continue
        unused = await house.store.sweep()
        strays = await house.db.read(house.blobs.sweep_strays)
        await house.db.write(sessions.sweep, house.clock())
        await house.db.write(devices.sweep, house.clock())
        soon = await house.db.read(house.mailboxes.due, house.clock() + ANNOUNCED)
        if soon:
            log.warning("mailboxes_erased_soon", count=len(soon), boxes=soon)
        oldest = house.clock() - house.settings.limits.trace_days * DAY
        if going := await house.db.read(older, oldest + ANNOUNCED):
            log.info("traces_erased_soon", count=going, days=house.settings.limits.trace_days)
        traces = await house.db.write(forget, oldest)
        log.info("swept", unused=unused, strays=strays, erased=erased, traces=traces)
        return Retry(DAY, "daily")

    return sweep


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

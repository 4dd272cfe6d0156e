"""The daily job `sweep`: removes stored content that nothing points to any more, and web sessions that ended."""

from __future__ import annotations

from typing import Any

import structlog

from foundation.clock import DAY
from foundation.jobs import Answer, Handler, Job, Retry
from foundation.web import sessions
from runtime.house import House

log = structlog.get_logger()


def sweeping(house: House) -> Handler:
    async def sweep(_payload: dict[str, Any], _job: Job) -> Answer:
        unused = await house.store.sweep()
        strays = await house.db.read(house.blobs.sweep_strays)
        await house.db.write(sessions.sweep, house.clock())
        log.info("swept", unused=unused, strays=strays)
        return Retry(DAY, "daily")

    return sweep

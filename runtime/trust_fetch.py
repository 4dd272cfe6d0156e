"""The trust list fetched over HTTPS: the recurring job `trust-list`, and what it shares with `mssante trust-list`.

A list that is refused or cannot be had changes nothing: the one in use stays, and after `stale_hours` the watch gives the alarm.
What a new list changed is in the audit trail, domain by domain.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from cryptography import x509
from sqlalchemy import Connection, select

from certs.contexts import fetch_context
from foundation.clock import MINUTE
from foundation.database import Transaction
from foundation.fetching import NotFetched, fetch
from foundation.jobs import Answer, Handler, Job, Retry
from foundation.tables import audit
from mssante.signed_xml import MAX_SIZE
from mssante.trust_holder import Accepted, Diff, Names
from mssante.trust_list import ListRefused
from runtime.command import moment
from runtime.house import House, Trust
from runtime.settings import Settings
from runtime.trust import know

log = structlog.get_logger()

KIND = "trust-list"
AGAIN = 5 * MINUTE  # after a failure
LARGEST_LOSS = 0.1  # of the domains: an operator that leaves takes fewer along
REPLACED = "trust_list:current:replaced"  # in the audit trail


async def fetch_list(settings: Settings) -> bytes | NotFetched:
    """What the list's address answers, not judged yet. Raises OSError or ValueError when the anchors cannot be read."""
    anchors = x509.load_pem_x509_certificates(settings.trust_list.anchors.read_bytes())
    return await fetch(settings.trust_list.url, MAX_SIZE, tls=fetch_context(anchors))


def fetching(house: House, trust: Trust) -> Handler:
    """The job: fetch, offer, record, and again after `every_minutes`."""
    every = house.settings.trust_list.every_minutes * MINUTE

    async def run(_payload: dict[str, Any], _job: Job) -> Answer:
        try:
            data = await fetch_list(house.settings)
        except (OSError, ValueError) as error:
            data = NotFetched(str(error))
        if isinstance(data, NotFetched):
            log.warning("trust_list_not_fetched", reason=str(data))
            return Retry(min(every, AGAIN), "not_fetched")
        found = await asyncio.to_thread(trust.holder.offer, data, house.clock())
        if isinstance(found, ListRefused):
            log.error("trust_list_refused", reason=str(found))
            return Retry(min(every, AGAIN), "refused")
        if found.diff:
            tell(found)
            await house.db.write(recorder(house, found, "system"))
            await asyncio.to_thread(know, house.settings, data)
        return Retry(every, "fetched")

    return run


def tell(accepted: Accepted) -> None:
    """A list that lost many domains is taken up all the same, as it is newer and well signed: somebody should ask why."""
    said, diff = counts(accepted), accepted.diff
    before = said["domains"] - said["added"] + said["removed"]
    if len(diff.removed) > LARGEST_LOSS * before:
        log.warning("trust_list_lost_many", **said)
    else:
        log.info("trust_list_changed", **said)


def recorder(house: House, accepted: Accepted, author: str) -> Callable[[Transaction], None]:
    """Writes what a new list changed in the audit trail: domains and certificates' names are public."""
    details = counts(accepted) | changes(accepted.diff) | {"generated_at": moment(accepted.trust_list.generated_at)}
    return lambda tx: house.audit.record(tx, REPLACED, author, details)


def recorded(conn: Connection, last: int) -> list[dict[str, Any]]:
    """The last changes, oldest first, as `recorder` wrote them, with their moment and author."""
    query = select(audit).where(audit.c.event == REPLACED).order_by(audit.c.at.desc()).limit(last)
    rows = conn.execute(query).all()
    return [json.loads(row.details) | {"at": moment(row.at), "author": row.actor} for row in reversed(rows)]


def counts(accepted: Accepted) -> dict[str, int]:
    diff = accepted.diff
    return {
        "domains": len(accepted.trust_list.entries),
        "added": len(diff.added),
        "removed": len(diff.removed),
        "changed": len(diff.changed),
    }


def changes(diff: Diff) -> dict[str, Any]:
    """`names_added`, `names_removed`: domain -> names of certificates, as JSON has them."""
    return {"names_added": _written(diff.names_added), "names_removed": _written(diff.names_removed)}


def _written(names: Names) -> Mapping[str, list[str]]:
    return {domain: sorted(map(str, found)) for domain, found in sorted(names.items())}

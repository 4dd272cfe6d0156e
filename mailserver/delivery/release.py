"""The hour of a held message (RFC 4865): it comes through the one door again and meets the rules of that hour.

An exchange may have been closed meanwhile, the mailbox suspended, its writer gone; whoever refuses is told of by a bounce. The
promise goes in the same transaction, so that nothing is delivered twice.
"""

from __future__ import annotations

import asyncio
from typing import Any

from foundation.blobs import BlobRef
from foundation.jobs import Answer, GiveUp, Job, Kept
from foundation.keys import Tampered
from mailserver.delivery.accept import Delivery
from mailserver.delivery.api import Door, Envelope, Recipient, Sender, Terms
from mailserver.delivery.space import Space
from mssante.sent_for_later import Brought


class Release:
    """The handler of `held` (payload: `promises`)."""

    def __init__(self, space: Space, delivery: Delivery) -> None:
        self._space = space
        self._delivery = delivery

    async def __call__(self, payload: dict[str, Any], job: Job) -> Answer:
        name, key, size = payload["blob"]
        try:
            content = await self._space.db.read(self._space.blobs.read, BlobRef(name, bytes.fromhex(key), size))
        except (KeyError, Tampered):
            return GiveUp("message_lost")
        blob = await asyncio.to_thread(self._space.blobs.prepare, content)
        await self._delivery.release(_envelope(payload), blob, job)
        return Kept()


def _envelope(payload: dict[str, Any]) -> Envelope:
    return Envelope(
        _sender(payload["sender"]),
        payload["reverse_path"],
        tuple(Recipient(one["address"], frozenset(one["notify"]), one["orcpt"]) for one in payload["recipients"]),
        payload["ret"],
        payload["envid"],
        payload.get("smtp_utf8", False),
        terms=Terms(**payload["terms"]),
        arrived_at=payload["created_at"],
    )


def _sender(kept: dict[str, Any]) -> Sender:
    """What was held before `brought` was kept has none."""
    return Sender(Door.SUBMISSION, **{**kept, "brought": Brought(**kept.get("brought", {}))})

"""What a report tells of a message that went through here: the handler of `learn` jobs (payload: `promises`).

Another operator's delivery report gives the verdict of what was handed to it; a receipt says that it was opened. It is written
beside the message's trace, and believed of a recipient only when whoever sends the report serves that recipient, or is them.
"""

from __future__ import annotations

from typing import Any

from foundation.blobs import BlobRef
from foundation.clock import DAY
from foundation.database import Transaction
from foundation.jobs import Answer, Done, Job
from mailserver.delivery.space import Space
from mailserver.delivery.traces import FILED, FINAL, OPENED, Step, Trace, Traces, address_form, same_address
from mailserver.mime import scan
from mailserver.mime.reports import Report, Said, read

BACK = 60 * DAY  # a receipt comes when somebody opens
MAX_REPORT = 1024 * 1024  # octets read of it
_MARKS = {"displayed": OPENED, "processed": FILED}  # RFC 8098 3.2.6.2
_STATES = {
    "failed": "failed",
    "delivered": "delivered",
    "expanded": "delivered",
    "delayed": "deferred",
}  # RFC 3464 2.3.3


class Learning:
    def __init__(self, space: Space) -> None:
        self._space, self._traces = space, Traces(space.keys)

    async def learn(self, payload: dict[str, Any], job: Job) -> Answer:
        name, key, size = payload["blob"]
        ref = BlobRef(name, bytes.fromhex(key), size)
        try:
            content = await self._space.db.read(self._space.blobs.read, ref, 0, MAX_REPORT)
        except KeyError:  # swept
            return Done()
        report = read(scan(content))
        if report is not None and report.message_id:
            await self._space.db.write(self._write, report, payload, job.now)
        return Done()

    def _write(self, tx: Transaction, report: Report, payload: dict[str, Any], now: int) -> None:
        for trace in self._traces.find(tx.conn, report.message_id, None, now - BACK, now + DAY, 5):
            if not trace.blobs or not _sent_by(trace, payload["to"]):
                continue
            believed = {address_form(one): one for one, _, _ in trace.recipients if _believed(payload, one)}
            stands: dict[str, str] = {}
            for said in report.said:
                for form in dict.fromkeys(map(address_form, said.addresses)):
                    if recipient := believed.get(form):
                        stood = stands.get(recipient) or trace.verdict(recipient)
                        stands[recipient] = self._tell(tx, trace, recipient, said, stood, now)

    def _tell(self, tx: Transaction, trace: Trace, recipient: str, said: Said, stood: str, now: int) -> str:
        """Where it stands then. What says nothing new is not written: a report may say the same a thousand times."""
        state = _STATES.get(said.action, stood)
        if mark := _MARKS.get(said.action):
            self._traces.marked(tx, trace.blobs[0], recipient, mark, now)
        elif state != stood and stood not in FINAL:
            step = Step(now, recipient, state, said.host, None, said.status, said.diagnostic)
            self._traces.stepped(tx, trace.blobs[0], [step], now)
            return state
        return stood


def _sent_by(trace: Trace, readers: list[str]) -> bool:
    """The report went to whoever wrote the message: nobody else's message is spoken of."""
    writers = [address for address in (trace.author, trace.reverse_path) if address]
    return any(same_address(writer, reader) for writer in writers for reader in readers)


def _believed(payload: dict[str, Any], recipient: str) -> bool:
    domain = recipient.rpartition("@")[2].lower()
    return domain in payload["domains"] or (bool(payload["by"]) and same_address(recipient, payload["by"]))

"""Job `file` {box_id, folder_id, uid, content}: each attachment of an accepted message is filed in the dossier, or refused.

Idempotent: the ledger (`health_space.dossier.tables.filings`) has one row per attachment, so a job that runs twice files once,
and the sender is told once (twice only if the process dies between our notice's acceptance and its mark). Documents, ledger, bell
and audit are written in one transaction per batch. The message itself is never changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from dmp_bridge.answers import Identity, refusal_notice
from dmp_bridge.documents import File, Unopened, candidates, opened
from dmp_bridge.letter import Letter, read_letter
from foundation.audit import Audit
from foundation.blobs import Blobs, PreparedBlob
from foundation.clock import HOUR, Clock, system_clock
from foundation.database import Database, Transaction
from foundation.fenced import Patience
from foundation.jobs import Answer, Done, Job, Jobs, Retry
from foundation.keys import KeyRing
from health_space.dossier import operations as dossiers
from health_space.dossier import refusals
from health_space.dossier.formats import Refused
from health_space.dossier.operations import Dossier, NewDocument, Origin
from health_space.dossier.readers import Readers
from health_space.dossier.refusals import NewRefusal
from health_space.notices.addressees import receives
from mailserver.delivery.api import Acceptor, Door, Envelope, Fate, Recipient, Sender
from mailserver.delivery.traces import FILED, Traces
from mailserver.mime import scan
from mailserver.store.api import MailStore
from mssante import directory
from mssante.address import parse_address
from mssante.identity import Invalid
from mssante.mailboxes import Mailboxes

TELL_TRIES = 72  # hourly, three days (rules.md section 7)
READING = (
    30.0  # seconds of worker time for one message: a thousand slow PDFs must not keep everybody's documents waiting
)
BATCH = 10  # attachments per transaction: bounds what is held in memory, and the time until the first is seen

CitizenAddress = Callable[[Connection, int], str | None]  # None: not a citizen's box, or one that is closed


def citizen_address(mailboxes: Mailboxes) -> CitizenAddress:
    """Profiles activated or not are filed for; opposed and closed ones are not."""

    def of_box(conn: Connection, box_id: int) -> str | None:
        box = mailboxes.get(conn, box_id)
        return box.address.text if box is not None and receives(box) else None

    return of_box


@dataclass(frozen=True, slots=True)
class Ready:
    """An examined attachment, about to be filed; `size` as it came."""

    part: str
    size: int
    document: NewDocument
    prepared: PreparedBlob


class Filer:
    """The handler of `file` jobs."""

    def __init__(
        self,
        db: Database,
        keys: KeyRing,
        blobs: Blobs,
        jobs: Jobs,
        audit: Audit,
        store: MailStore,
        acceptor: Acceptor,
        readers: Readers,
        citizen_address: CitizenAddress,
        identity: Identity,
        clock: Clock = system_clock,
    ) -> None:
        self._db, self._keys, self._blobs, self._jobs, self._audit = db, keys, blobs, jobs, audit
        self._store, self._acceptor, self._readers = store, acceptor, readers
        self._citizen_address, self._identity, self._clock = citizen_address, identity, clock
        self._traces = Traces(keys)

    async def __call__(self, payload: dict[str, Any], job: Job) -> Answer:
        box_id = int(payload["box_id"])
        patient = await self._db.read(self._citizen_address, box_id)
        content = await self._store.content(int(payload["folder_id"]), int(payload["uid"]))
        if patient is None or content is None:  # closed since, or deleted before we came
            return Done()
        message = await asyncio.to_thread(scan, content)
        letter = await self._db.read(_named, read_letter(message, job.created_at))
        attachments = [] if letter.report else candidates(message)
        if not attachments:
            return Done()
        dossier = await self._db.write(dossiers.open_dossier, self._keys, box_id, self._clock())
        key = dossiers.message_key(dossier, letter.name)
        settled = await self._db.read(dossiers.parts_settled, dossier, key)
        files = (file for attachment in attachments for file in opened(message, attachment, letter.subject))
        waiting = (file for file in files if file.part not in settled)
        patience = Patience(READING)
        filed = False
        while batch := list(islice(waiting, BATCH)):
            filed |= await self._file(dossier, key, letter, batch, patience)
        if filed and (name := payload.get("content")):
            await self._db.write(self._traces.marked, name, patient, FILED, self._clock())
        return await self._tell(dossier, key, letter, patient, job)

    # ---------------------------------------------------------------- one batch
    async def _file(
        self, dossier: Dossier, key: bytes, letter: Letter, batch: Sequence[File | Unopened], patience: Patience
    ) -> bool:
        """Whether any of them is in the dossier now."""
        ready: list[Ready] = []
        refused: list[NewRefusal] = []
        try:
            for file in batch:
                outcome = await self._examine(file, letter, patience)
                if isinstance(outcome, Ready):
                    ready.append(outcome)
                else:
                    refused.append(outcome)
            folded = await self._db.write(self._record, dossier, key, ready, refused)
        except Exception:  # not a cancellation: the transaction handed in may still commit, and its blobs with it
            for item in ready:
                item.prepared.discard()
            raise
        for item in folded:
            item.prepared.discard()
        return bool(ready)

    async def _examine(self, file: File | Unopened, letter: Letter, patience: Patience) -> Ready | NewRefusal:
        if isinstance(file, Unopened):
            return _refusal(file.part, file.name, file.size, file.reason.name, letter)
        answer = await self._readers.accept(file.data, patience=patience)
        if isinstance(answer, Refused):
            return _refusal(file.part, file.name, len(file.data), answer.reason.name, letter)
        document = NewDocument(
            title=file.title,
            file_name=file.name,
            author_name=letter.author_name,
            author_address=letter.author_address,
            act_date=letter.sent_on,
            category=file.category,
            type_code=file.type_code,
            media_type=answer.media_type,
            pages=answer.pages,
            origin=Origin.MESSAGE,
            digest=sha256(file.data).digest(),
        )
        prepared = await asyncio.to_thread(self._blobs.prepare, answer.content)
        return Ready(file.part, len(file.data), document, prepared)

    def _record(
        self, tx: Transaction, dossier: Dossier, key: bytes, ready: list[Ready], refused: list[NewRefusal]
    ) -> list[Ready]:
        """Returns those whose file was in the dossier already."""
        now, actor = self._clock(), f"box {dossier.box_id}"
        already = dossiers.parts_settled(tx.conn, dossier, key)  # another worker may have taken the same job meanwhile
        folded = [item for item in ready if item.part in already]
        ledger: list[tuple[str, int, int]] = []
        added: list[int] = []
        for item in ready:
            if item.part in already:
                continue
            filed = dossiers.file_document(tx, self._blobs, dossier, item.document, item.prepared, now)
            ledger.append((item.part, filed.document_id, item.size))
            if filed.folded:
                folded.append(item)
            else:
                added.append(filed.document_id)
            self._audit.record(
                tx, "bridge:document:file", actor, {"document": filed.document_id, "folded": filed.folded}
            )
        news = [refusal for refusal in refused if refusal.part not in already]
        dossiers.record_filings(tx, dossier, key, ledger, now)
        refusals.record_refusals(tx, dossier, key, news, now)
        for refusal in news:
            self._audit.record(tx, "bridge:document:refuse", actor, {"reason": refusal.reason})
        if added:
            targets = [f"/documents/{document_id}" for document_id in added]
            self._jobs.enqueue(tx, "notify", {"box_id": dossier.box_id, "kind": "document", "targets": targets})
        return folded

    # ---------------------------------------------------------------- the sender
    async def _tell(self, dossier: Dossier, key: bytes, letter: Letter, patient: str, job: Job) -> Answer:
        """Once per message, whatever the number of attachments refused; nobody is told of a message without a way back."""
        refused = [item for item in await self._db.read(refusals.refusals, dossier, key) if item.told_at is None]
        if not refused or not letter.answer_to:
            return Done()
        notice = refusal_notice(self._identity, letter, patient, refused, self._clock())
        content = await asyncio.to_thread(self._blobs.prepare, notice)
        envelope = Envelope(Sender(Door.SYSTEM), "", (Recipient(letter.answer_to),))
        [verdict] = (await self._acceptor.accept(envelope, content)).verdicts
        if verdict.fate is not Fate.REFUSED:
            await self._db.write(refusals.mark_told, dossier, key, self._clock())
        elif verdict.reason is not None and verdict.reason.code < 500 and job.attempts < TELL_TRIES:  # a full mailbox
            return Retry(HOUR, verdict.reason.name)
        return Done()  # refused for good: nobody is left to be told, and the citizen's page does not say otherwise


def _named(conn: Connection, letter: Letter) -> Letter:
    """Programs often write a bare address: the document then bears the name that the health directory gives it."""
    address = parse_address(letter.author_address)
    if letter.author_name != letter.author_address or isinstance(address, Invalid):
        return letter
    entry = directory.get(conn, address)
    return replace(letter, author_name=entry.display_name) if entry is not None and entry.display_name else letter


def _refusal(part: str, name: str, size: int, reason: str, letter: Letter) -> NewRefusal:
    return NewRefusal(part, reason, size, name, letter.author_name, letter.author_address)

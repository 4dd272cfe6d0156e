"""The signatures of one message: which are looked at, their keys fetched, body and fields compared, one verdict for each.

Nothing of it runs on the loop but the questions to DNS, and all of it ends in time; a message is never lost to what is said of it.
"""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

import structlog

from foundation.clock import Clock, system_clock
from mailserver.signatures.body import BodyHash, Canonical
from mailserver.signatures.header import Header
from mailserver.signatures.keys import PublicKey, read_key
from mailserver.signatures.records import Answer, Records
from mailserver.signatures.results import Told, properties_of, results_field
from mailserver.signatures.signature import Signature, body_fault, holds, key_fault, read_dkim
from mailserver.signatures.verdicts import Verdict

MOST = 5  # DKIM signatures of a message that are looked at
PATIENCE_S = 10.0  # for all of a message

Pieces = Callable[[], Iterable[bytes]]
Bodies = Mapping[Canonical, tuple[bytes, int]]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Case:
    """What one header claims."""

    header: Header
    signatures: tuple[Signature, ...]
    more: bool  # signatures beyond `MOST`

    @classmethod
    def read(cls, content: bytes, now: int) -> Case:
        """`now` in seconds."""
        header = Header(content)
        fields = header.named(b"dkim-signature")
        return cls(header, tuple(read_dkim(field, now) for field in fields[:MOST]), len(fields) > MOST)

    def told(self, verdicts: Iterable[Verdict]) -> Iterable[Told]:
        for signature, verdict in zip(self.signatures, verdicts, strict=True):
            yield Told(f"dkim={verdict}", properties_of(signature))
        if self.more:
            yield Told(f"dkim={Verdict.TOO_MANY}")

    def key_names(self) -> set[str]:
        return {signature.key_name for signature in self.signatures if signature.fault is None}

    def conclude(self, answers: Mapping[str, Answer], pieces: Pieces, over: threading.Event) -> list[Verdict]:
        """`pieces` of the body, read only when a key asks for it; gives up when it is `over`. Blocks."""
        judged = [(one, _key_for(one, answers)) for one in self.signatures]
        bodies = _bodies({one.canonical for one, key in judged if isinstance(key, PublicKey)}, pieces, over)
        return [key if isinstance(key, Verdict) else self._verdict(one, key, bodies) for one, key in judged]

    def _verdict(self, signature: Signature, key: PublicKey, bodies: Bodies) -> Verdict:
        if fault := body_fault(signature, *bodies[signature.canonical]):
            return fault
        covered = self.header.signed((*signature.names, b"from"))  # one From too many is always one that was added
        return Verdict.PASS if holds(signature, key, covered) else Verdict.HEADER_ALTERED


class Checker:
    """`host`: the authserv-id of what is told (RFC 8601 2.5)."""

    def __init__(self, host: str, records: Records, threads: Executor, clock: Clock = system_clock) -> None:
        self._host = host
        self._records = records
        self._threads = threads
        self._clock = clock
        self.unsigned = results_field(host, [Told("dkim=none")], room=0)

    def open(self, header: bytes) -> Case | None:
        """None when nobody signed; costs next to nothing then."""
        if b"dkim-signature" not in header.lower():
            return None
        case = Case.read(header, self._clock() // 1000)
        return case if case.signatures else None

    def unchecked(self, case: Case) -> bytes:
        """What is told until more is known: of the same size."""
        return results_field(self._host, case.told([Verdict.NOT_CHECKED] * len(case.signatures)))

    async def judge(self, case: Case, pieces: Pieces) -> bytes:
        """The field that tells; `pieces` of the body are asked for in a thread."""
        over = threading.Event()
        try:
            async with asyncio.timeout(PATIENCE_S):
                names = list(case.key_names())
                answers = dict(zip(names, await asyncio.gather(*map(self._records, names)), strict=True))
                loop = asyncio.get_running_loop()
                verdicts = await loop.run_in_executor(self._threads, case.conclude, answers, pieces, over)
        except TimeoutError:
            over.set()
            return self.unchecked(case)
        except Exception as fault:
            place = traceback.extract_tb(fault.__traceback__)[-1]
            log.error("signature_fault", kind=type(fault).__name__, at=f"{place.filename}:{place.lineno}")
            return self.unchecked(case)
        return results_field(self._host, case.told(verdicts))


def _key_for(signature: Signature, answers: Mapping[str, Answer]) -> PublicKey | Verdict:
    if signature.fault is not None:
        return signature.fault
    answer = answers[signature.key_name]
    key = answer if isinstance(answer, Verdict) else read_key(answer)
    if isinstance(key, PublicKey):
        return key_fault(signature, key) or key
    return key


def _bodies(wanted: set[Canonical], pieces: Pieces, over: threading.Event) -> Bodies:
    hashes = {canonical: BodyHash(canonical) for canonical in wanted}
    for piece in pieces() if wanted else ():
        if over.is_set():
            break
        for one in hashes.values():
            one.update(piece)
    return {canonical: (one.digest(), one.size) for canonical, one in hashes.items()}

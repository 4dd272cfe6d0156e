"""The signatures of one message: which are looked at, their keys fetched, body and fields compared, one verdict for each.

Light work runs on the loop, where it costs less than waking a thread; the rest in the pool. All of it ends in time; a message is
never lost to what is said of it.
"""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from itertools import takewhile

import structlog

from foundation.clock import Clock, system_clock
from foundation.values import value
from mailserver.signatures.arc import Chain
from mailserver.signatures.evidence import Evidence, Pieces
from mailserver.signatures.header import Header
from mailserver.signatures.records import Answer, Records
from mailserver.signatures.results import Told, properties_of, results_field, shown
from mailserver.signatures.signature import Signature, read_dkim
from mailserver.signatures.verdicts import Verdict

MOST = 5  # DKIM signatures of a message that are looked at
PATIENCE_S = 10.0  # for all of a message
# Of a message, its signed header included: measured, 0.2 ms a signature with RSA of 4,096 bits. dkimpy's patterns take 100 ms for
# five signatures over the longest header that is read.
LIGHT_KEYS, LIGHT_OCTETS = 2, 32 * 1024

log = structlog.get_logger()


@value
class Case:
    """What one header claims."""

    header: Header
    signatures: tuple[Signature, ...]
    properties: tuple[str, ...]  # of each of them, as they are told
    more: bool  # signatures beyond `MOST`
    chain: Chain | None
    key_names: tuple[str, ...]  # that are asked for
    client_ip: str

    @classmethod
    def read(cls, content: bytes, client_ip: str, now: int) -> Case:
        """`now` in seconds."""
        header = Header(content)
        fields = header.named(b"dkim-signature")
        signatures = tuple([read_dkim(field, now) for field in fields[:MOST]])
        properties = tuple(map(properties_of, signatures))
        chain = Chain.read(header, now)
        chained = chain.signatures() if chain else ()
        names = {one.key_name for one in (*signatures, *chained) if one.fault is None}
        return cls(header, signatures, properties, len(fields) > MOST, chain, tuple(names), client_ip)

    def told(self, evidence: Evidence | None) -> Iterable[Told]:
        """Without evidence, that nothing was checked; as many, with the same properties."""
        if not self.signatures:
            yield Told("dkim=none")
        for one, properties in zip(self.signatures, self.properties, strict=True):
            verdict = evidence.verdict(one) if evidence else Verdict.NOT_CHECKED
            yield Told(f"dkim={verdict}", properties)
        if self.more:
            yield Told(f"dkim={Verdict.TOO_MANY}")
        if self.chain is not None:
            statement = self.chain.conclude(evidence) if evidence else 'arc=fail reason="not checked"'  # RFC 8617 5.2.1
            yield Told(statement, shown({"smtp.remote-ip": self.client_ip}))

    def conclude(self, answers: Mapping[str, Answer], pieces: Pieces) -> list[Told]:
        """Blocks; `pieces` of the body are read when a key asks for it."""
        evidence = Evidence(self.header, answers)
        chained = self.chain.messages() if self.chain else []
        evidence.read_body((*self.signatures, *chained), pieces)
        return list(self.told(evidence))


class Checker:
    """`host`: the authserv-id of what is told (RFC 8601 2.5)."""

    def __init__(self, host: str, records: Records, threads: Executor, clock: Clock = system_clock) -> None:
        self._host = host
        self._records = records
        self._threads = threads
        self._clock = clock
        self.unsigned = results_field(host, [Told("dkim=none")], room=0)

    def open(self, header: bytes, client_ip: str) -> tuple[bytes, Case | None]:
        """What is told as the message begins, and the case that is still to be judged; costs next to nothing when nobody signed."""
        lower = header.lower()
        if b"dkim-signature" not in lower and b"arc-" not in lower:
            return self.unsigned, None
        case = Case.read(header, client_ip, self._clock() // 1000)
        if not case.key_names:
            return results_field(self._host, case.told(Evidence(case.header, {})), room=0), None
        return self.unchecked(case), case

    def unchecked(self, case: Case) -> bytes:
        """What is told until more is known: of the same size."""
        return results_field(self._host, case.told(None))

    async def judge(self, case: Case, pieces: Pieces, size: int) -> bytes:
        """The field that tells; `pieces` of the body, of `size` octets in all, may be asked for in a thread."""
        names = case.key_names
        try:
            async with asyncio.timeout(PATIENCE_S):
                answers = dict(zip(names, await self._ask(names), strict=True))
                if case.chain is None and len(names) <= LIGHT_KEYS and case.header.body + size <= LIGHT_OCTETS:
                    told = case.conclude(answers, pieces)
                else:
                    told = await self._in_thread(case, answers, pieces)
        except TimeoutError:
            return self.unchecked(case)
        except Exception as fault:
            place = traceback.extract_tb(fault.__traceback__)[-1]
            log.error("signature_fault", kind=type(fault).__name__, at=f"{place.filename}:{place.lineno}")
            return self.unchecked(case)
        return results_field(self._host, told)

    async def _in_thread(self, case: Case, answers: Mapping[str, Answer], pieces: Pieces) -> list[Told]:
        """It reads no more of the body once nobody waits for it."""
        over = threading.Event()
        while_asked = partial(takewhile, lambda _: not over.is_set())
        conclude = partial(case.conclude, answers, lambda: while_asked(pieces()))
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, conclude)
        finally:
            over.set()

    async def _ask(self, names: Sequence[str]) -> list[Answer]:
        """One question needs no task of its own."""
        return [await self._records(names[0])] if len(names) == 1 else await asyncio.gather(*map(self._records, names))

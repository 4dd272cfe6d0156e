"""The Authenticated Received Chain of a message (RFC 8617): sets of three fields, one for each operator that passed it on.

Only validated (5.2): nothing that comes in goes out again, so nothing is sealed. Every failure is final, that of DNS too (5.2.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TypeVar

from mailserver.signatures.evidence import Evidence
from mailserver.signatures.header import Field, Header
from mailserver.signatures.signature import Signature, read_signature
from mailserver.signatures.verdicts import Verdict

RESULTS, MESSAGE, SEAL = b"arc-authentication-results", b"arc-message-signature", b"arc-seal"
MOST_SETS = 50  # 4.2.1
MOST_KEYS = 24  # asked for one message (9.2): twelve operators with keys of their own for both

_MESSAGE_TAGS = frozenset({b"i", b"a", b"b", b"bh", b"d", b"h", b"s"})
_SEAL_TAGS = frozenset({b"i", b"a", b"b", b"cv", b"d", b"s"})
_INSTANCE = re.compile(rb"(?:\s|\([^()]*+\))*+i\s*+=\s*+([0-9]{1,2})\s*+;")
_NUMBER = re.compile(rb"[0-9]{1,2}")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Set:
    results: Field
    message: Signature
    seal: Signature


@dataclass(frozen=True, slots=True)
class Chain:
    """`sets`: the first one first; `fault`: why they are no chain."""

    sets: tuple[Set, ...] = ()
    fault: str = ""

    @classmethod
    def read(cls, header: Header, now: int) -> Chain | None:
        """None when there is none; `now` in seconds."""
        fields = [header.named(name) for name in (RESULTS, MESSAGE, SEAL)]
        if not any(fields):
            return None
        if max(map(len, fields)) > MOST_SETS:
            return cls(fault="too many sets")
        results = _in_order([(_instance(field), field) for field in fields[0]])
        messages = _in_order([(_number(one), one) for one in (_message(field, now) for field in fields[1])])
        seals = _in_order([(_number(one), one) for one in (_seal(field, now) for field in fields[2])])
        if results is None or messages is None or seals is None or not len(results) == len(messages) == len(seals):
            return cls(fault="incomplete sets")
        found = cls(tuple(map(Set, results, messages, seals)))
        return replace(found, fault=found._status_fault() or ("too many keys" if found._has_many_keys() else ""))

    def _status_fault(self) -> str:
        """What the seals say of the chain as they found it (5.2, steps 2 and 3C)."""
        found = [one.seal.tags.get(b"cv", b"").lower() for one in self.sets]
        if found[-1] == b"fail":
            return "failed before"
        return "" if found == [b"none", *[b"pass"] * (len(found) - 1)] else "status out of place"

    def _has_many_keys(self) -> bool:
        return len({one.key_name for one in self.signatures()}) > MOST_KEYS

    def signatures(self) -> Iterator[Signature]:
        """All whose keys are needed."""
        if not self.fault:
            for one in self.sets:
                yield one.message
                yield one.seal

    def messages(self) -> list[Signature]:
        """Those over fields and body."""
        return [] if self.fault else [one.message for one in self.sets]

    def conclude(self, evidence: Evidence) -> str:
        """As in Authentication-Results (section 6); steps 4 to 7 of 5.2."""
        if self.fault:
            return _failed(self.fault)
        last = evidence.verdict(self.sets[-1].message)
        if last is not Verdict.PASS:
            return _failed(last.reason)
        for number in range(len(self.sets), 0, -1):
            verdict = evidence.seal_verdict(self.sets[number - 1].seal, self._sealed_by(number))
            if verdict is not Verdict.PASS:
                return _failed(f"seal {number}: {verdict.reason}")
        return f"arc=pass header.oldest-pass={self._oldest_pass(evidence)}"

    def _sealed_by(self, number: int) -> list[Field]:
        """What seal `number` covers (5.1.1): all sets up to its own, without itself."""
        fields = [field for one in self.sets[:number] for field in (one.results, one.message.source, one.seal.source)]
        return fields[:-1]

    def _oldest_pass(self, evidence: Evidence) -> int:
        """0 when every message signature still holds."""
        for number in range(len(self.sets) - 1, 0, -1):
            if evidence.verdict(self.sets[number - 1].message) is not Verdict.PASS:
                return number + 1
        return 0


def _failed(reason: str) -> str:
    return f'arc=fail reason="{reason}"'


# ---------------------------------------------------------------- reading
def _message(field: Field, now: int) -> Signature:
    found = read_signature(field, _MESSAGE_TAGS, now)
    if found.fault is None and (b"from" not in found.names or any(name.startswith(b"arc-") for name in found.names)):
        return replace(found, fault=Verdict.SYNTAX)  # 4.1.2
    return found


def _seal(field: Field, now: int) -> Signature:
    found = replace(read_signature(field, _SEAL_TAGS, now), form=b"relaxed/relaxed")
    return replace(found, fault=Verdict.SYNTAX) if b"h" in found.tags else found  # 4.1.3


def _instance(field: Field) -> int:
    found = _INSTANCE.match(field[1])
    return int(found[1]) if found else 0


def _number(signature: Signature) -> int:
    text = signature.tags.get(b"i", b"")
    return int(text) if _NUMBER.fullmatch(text) else 0


def _in_order(numbered: list[tuple[int, T]]) -> list[T] | None:
    """By number; None unless they are 1 to N, each once."""
    ordered = sorted(numbered, key=itemgetter(0))
    return [one for _, one in ordered] if [number for number, _ in ordered] == [*range(1, len(ordered) + 1)] else None

"""What the signatures of one message are held against: its fields, the keys found, the hashes of its body."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from mailserver.signatures.body import BodyHash, Canonical
from mailserver.signatures.header import Field, Header
from mailserver.signatures.keys import PublicKey, read_key
from mailserver.signatures.records import Answer
from mailserver.signatures.signature import Signature, body_fault, holds, key_fault
from mailserver.signatures.verdicts import Verdict

Pieces = Callable[[], Iterable[bytes]]


class Evidence:
    """`answers`: of DNS, for each key that a signature without fault names. Its work is for a thread."""

    def __init__(self, header: Header, answers: Mapping[str, Answer]) -> None:
        self._header = header
        self._keys = {
            name: answer if isinstance(answer, Verdict) else read_key(answer) for name, answer in answers.items()
        }
        self._bodies: dict[Canonical, tuple[bytes, int]] = {}

    def read_body(self, signatures: Iterable[Signature], pieces: Pieces) -> None:
        """Once, in the forms that those `signatures` need which have a key."""
        wanted = {one.canonical for one in signatures if isinstance(self._key(one), PublicKey)}
        hashes = {canonical: BodyHash(canonical) for canonical in wanted}
        for piece in pieces() if hashes else ():
            for one in hashes.values():
                one.update(piece)
        self._bodies = {canonical: (one.digest(), one.size) for canonical, one in hashes.items()}

    def verdict(self, signature: Signature) -> Verdict:
        """Of a signature over fields and body, one of those that `read_body` knew of."""
        key = self._key(signature)
        if isinstance(key, Verdict):
            return key
        if fault := body_fault(signature, *self._bodies[signature.canonical]):
            return fault
        covered = self._header.signed((*signature.names, b"from"))  # a From that is not signed was added
        return Verdict.PASS if holds(signature, key, covered) else Verdict.HEADER_ALTERED

    def seal_verdict(self, seal: Signature, covered: Sequence[Field]) -> Verdict:
        """Of a signature over these fields alone."""
        key = self._key(seal)
        if isinstance(key, Verdict):
            return key
        return Verdict.PASS if holds(seal, key, covered) else Verdict.HEADER_ALTERED

    def _key(self, signature: Signature) -> PublicKey | Verdict:
        if signature.fault is not None:
            return signature.fault
        key = self._keys[signature.key_name]
        return key if isinstance(key, Verdict) else key_fault(signature, key) or key

"""One signature field: what it claims, read and bounded (RFC 6376 3.5, 6.1.1), and whether its signature holds (6.1.3).

The bounds keep dkimpy's patterns cheap: their time grows with the square of what a stranger writes.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import dkim
from cryptography.exceptions import InvalidSignature

from mailserver.signatures.body import Canonical
from mailserver.signatures.domains import ascii_domain
from mailserver.signatures.header import Field
from mailserver.signatures.keys import PublicKey
from mailserver.signatures.tags import Tags, read_tags
from mailserver.signatures.verdicts import Verdict

LONGEST = 4096  # octets of a field: the longest lists of names seen take 1,500, RSA of 4,096 bits 700
MOST_NAMES = 200  # in h=
ALGORITHMS = {b"rsa-sha256": "rsa", b"ed25519-sha256": "ed25519"}
HISTORIC = b"rsa-sha1"  # RFC 8301 3.1
FORMS = {
    b"simple": b"simple/simple",
    b"relaxed": b"relaxed/simple",
    **{form: form for form in (b"simple/simple", b"simple/relaxed", b"relaxed/simple", b"relaxed/relaxed")},
}

_DKIM_TAGS = frozenset({b"v", b"a", b"b", b"bh", b"d", b"h", b"s"})
_WORD = re.compile(rb"[a-z0-9-]{1,30}")
LONGEST_BLANK = 100
_LONG_BLANK = re.compile(rb"\s{%d}" % LONGEST_BLANK)
_NUMBER = re.compile(rb"[0-9]{1,12}")


@dataclass(slots=True)
class Signature:
    """What a field claims, as far as it can be read; not changed once it was. `fault`: why it is not worth a look at its key."""

    source: Field
    tags: Tags = field(default_factory=dict)
    domain: str = ""  # A-labels, in lower case
    selector: str = ""
    algorithm: bytes = b""
    octets: bytes = b""
    form: bytes = b""
    names: tuple[bytes, ...] = ()
    body_hash: bytes = b""
    identity: str = ""  # domain of the user or agent it speaks for (i= of DKIM)
    fault: Verdict | None = None

    @property
    def key_name(self) -> str:
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def canonical(self) -> Canonical:
        """Of the body."""
        return Canonical(self.form.partition(b"/")[2].decode())

    @property
    def body_size(self) -> int | None:
        return int(self.tags[b"l"]) if b"l" in self.tags else None


# ---------------------------------------------------------------- reading
def read_dkim(field: Field, now: int) -> Signature:
    """A DKIM-Signature field; `now` in seconds."""
    found = read_signature(field, _DKIM_TAGS, now)
    if found.fault is not None:
        return found
    found.identity = ascii_domain(found.tags.get(b"i", b"").rpartition(b"@")[2])
    found.fault = _dkim_fault(found)
    return found


def read_signature(field: Field, required: frozenset[bytes], now: int) -> Signature:
    """A field of any of the kinds that share DKIM's tags, with the `required` ones."""
    value = field[1]
    if len(value) > LONGEST or _has_long_blank(value):
        return Signature(field, fault=Verdict.TOO_LONG)
    tags = read_tags(value)
    if tags is None:
        return Signature(field, fault=Verdict.SYNTAX)
    algorithm = tags.get(b"a", b"").lower()
    found = Signature(
        field,
        tags,
        domain=ascii_domain(tags.get(b"d", b"")),
        selector=ascii_domain(tags.get(b"s", b"")),
        algorithm=algorithm if _WORD.fullmatch(algorithm) else b"",
        octets=_octets(tags.get(b"b", b"")),
        form=FORMS.get(tags.get(b"c", b"simple").lower(), b""),
        names=tuple([name.strip() for name in tags.get(b"h", b"").lower().split(b":")]),
        body_hash=_octets(tags.get(b"bh", b"")),
    )
    found.fault = _fault(found, required, now)
    return found


def _has_long_blank(value: bytes) -> bool:
    """Most fields have fewer blanks in all, and counting them takes a tenth of the search."""
    blanks = len(value) - len(b"".join(value.split()))
    return blanks >= LONGEST_BLANK and _LONG_BLANK.search(value) is not None


def _fault(found: Signature, required: frozenset[bytes], now: int) -> Verdict | None:
    tags = found.tags
    if not required <= tags.keys():
        return Verdict.TAG_MISSING
    if found.algorithm == HISTORIC:
        return Verdict.TOO_WEAK
    if found.algorithm not in ALGORITHMS:
        return Verdict.UNKNOWN_ALGORITHM
    numbers = (tags[tag] for tag in (b"l", b"t", b"x") if tag in tags)
    if not (found.domain and found.selector and found.octets and found.form) or not all(
        map(_NUMBER.fullmatch, numbers)
    ):
        return Verdict.SYNTAX
    if len(found.names) > MOST_NAMES:
        return Verdict.TOO_LONG
    if b"x" in tags and int(tags[b"x"]) < now:
        return Verdict.EXPIRED
    return None


def _dkim_fault(found: Signature) -> Verdict | None:
    tags = found.tags
    if tags[b"v"] != b"1" or b"dns/txt" not in tags.get(b"q", b"dns/txt").split(b":"):
        return Verdict.SYNTAX
    if b"i" in tags and not f".{found.identity}".endswith(f".{found.domain}"):
        return Verdict.DOMAIN_MISMATCH
    return None if b"from" in found.names else Verdict.FROM_NOT_SIGNED


def _octets(value: bytes) -> bytes:
    """Of base64 with white space in it (RFC 6376 2.10); b"" for anything else."""
    try:
        return binascii.a2b_base64(b"".join(value.split()), strict_mode=True)
    except binascii.Error:
        return b""


# ---------------------------------------------------------------- judging
def key_fault(signature: Signature, key: PublicKey) -> Verdict | None:
    """RFC 6376 6.1.2: the key must be of the kind, and for the address, that the signature names."""
    if key.kind != ALGORITHMS[signature.algorithm]:
        return Verdict.KEY_MISMATCH
    return Verdict.DOMAIN_MISMATCH if key.exact and signature.identity not in ("", signature.domain) else None


def body_fault(signature: Signature, digest: bytes, size: int) -> Verdict | None:
    """`digest` and `size` of the canonical body. What l= leaves out anybody may have written (RFC 6376 8.2)."""
    signed = size if signature.body_size is None else signature.body_size
    if signed < size:
        return Verdict.UNSIGNED_CONTENT
    if signed > size:
        return Verdict.BODY_TOO_SHORT
    return None if digest == signature.body_hash else Verdict.BODY_ALTERED


def holds(signature: Signature, key: PublicKey, covered: Sequence[Field]) -> bool:
    """Whether the key made the signature over the fields `covered`, in this order."""
    verifier = dkim.DKIM()
    verifier.headers = list(reversed(covered))  # from the bottom, it takes them in order
    verifier.pk, verifier.ktag, verifier.seqtlsrpt = key, b"ed25519", False  # the branch that asks a key to verify
    tags = {b"a": b"ed25519-sha256", b"c": signature.form, b"b": base64.b64encode(signature.octets)}
    names = [name.lower() for name, _ in covered]
    try:
        return bool(verifier.verify_sig_process(tags, names, signature.source, None))
    except InvalidSignature:
        return False

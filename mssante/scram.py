"""What a server keeps of a password for SCRAM-SHA-256 (RFC 7677), and whether a client's proof fits it.

Whoever reads the keys can pose as the server and guess off-line, but cannot sign in; they are sealed like the argon2 hash beside
them. The rounds are those that GNU SASL makes by default: a client pays them at each connection, 12 ms here.
"""

from __future__ import annotations

import hmac
import stringprep
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import pbkdf2_hmac, sha256
from unicodedata import ucd_3_2_0

ROUNDS = 65_536  # RFC 7677 4: at least 4096

_NAME = "SCRAM-SHA-256"


@dataclass(frozen=True, slots=True)
class Salt:
    """What the client is told first.

    It is told to who only names a login. So it follows from the login and a key of ours, for those that exist, those that do not,
    and whatever password or application password they have: it says nothing, and never changes (`CredentialRows.salt_for`). That
    two passwords of one person are salted alike helps who has read the sealed keys, and nobody else.
    """

    octets: bytes
    rounds: int


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """RFC 5802 3: StoredKey and ServerKey, of the password salted."""

    salt: Salt
    stored: bytes
    server: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """RFC 5802 3: AuthMessage, and the client's proof that it knows the password."""

    message: bytes
    octets: bytes


def keys_of(password: str, salt: Salt) -> Keys | None:
    """12 ms: off the loop. None: no client can send this password, it has no prepared form."""
    prepared = saslprep(password)
    if prepared is None:
        return None
    salted = pbkdf2_hmac("sha256", prepared.encode(), salt.octets, salt.rounds)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return Keys(salt, sha256(client_key).digest(), hmac.digest(salted, b"Server Key", "sha256"))


def signature(keys: Keys | None, proof: Proof) -> bytes | None:
    """The server's answer to the right proof (ServerSignature); None to a wrong one. Without keys every proof is wrong."""
    if keys is None:
        return None
    client_signature = hmac.digest(keys.stored, proof.message, "sha256")
    if len(proof.octets) != len(client_signature):
        return None
    client_key = bytes(a ^ b for a, b in zip(proof.octets, client_signature, strict=True))
    if not hmac.compare_digest(sha256(client_key).digest(), keys.stored):
        return None
    return hmac.digest(keys.server, proof.message, "sha256")


def written(keys: Keys) -> str:
    """RFC 5803 2."""
    salt, stored, server = (b64encode(octets).decode() for octets in (keys.salt.octets, keys.stored, keys.server))
    return f"{_NAME}${keys.salt.rounds}:{salt}${stored}:{server}"


def read(text: str) -> Keys:
    """What `written` wrote."""
    _, info, value = text.split("$")
    rounds, _, salt = info.partition(":")
    stored, _, server = value.partition(":")
    return Keys(Salt(b64decode(salt), int(rounds)), b64decode(stored), b64decode(server))


def saslprep(text: str) -> str | None:
    """RFC 4013, as for a query: unassigned code points pass. None for what is prohibited (control characters, private use, left
    and right mixed)."""
    mapped = "".join(
        " " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c)
    )  # RFC 4013 2.1
    prepared = ucd_3_2_0.normalize("NFKC", mapped)
    if any(prohibited(c) for c in prepared for prohibited in _PROHIBITED):
        return None
    return prepared if _one_direction(prepared) else None


def _one_direction(text: str) -> bool:
    """RFC 3454 6."""
    if not any(map(stringprep.in_table_d1, text)):
        return True
    ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    return ends and not any(map(stringprep.in_table_d2, text))


# RFC 4013 2.3
_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)

"""Passwords, as they are kept: argon2id, 19 MiB, 2 passes, 1 lane (OWASP's second choice; 29 ms here), and the keys of SCRAM.

Two forms of one password, because a client shows either the password (PLAIN, a web page) or a proof that it knows it (SCRAM).
"""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from mssante import scram

LONGEST = 256  # characters of a login or password

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


@dataclass(frozen=True, slots=True, repr=False)
class PasswordHash:
    """`argon2`: a PHC string. `scram`: None where the keys come with the first sign-in by the password itself."""

    argon2: str
    scram: scram.Keys | None


def hash_password(password: str, salt: scram.Salt | None) -> PasswordHash:
    """`salt`: that of the login (`CredentialRows.salt_for`). About 40 ms and 19 MiB: off the loop and outside transactions."""
    return PasswordHash(_hasher.hash(password_form(password)), scram_keys(password, salt) if salt else None)


def scram_keys(password: str, salt: scram.Salt) -> scram.Keys | None:
    """About 12 ms. None: no client can prove this password; one that is longer is known to us by its beginning only."""
    return scram.keys_of(password, salt) if len(password) <= LONGEST else None


def is_right(argon2: str, form: bytes) -> bool:
    """`form` from `password_form`. About 30 ms and 19 MiB."""
    try:
        return _hasher.verify(argon2, form)
    except (Argon2Error, InvalidHashError):
        return False


def password_form(password: str) -> bytes:
    """RFC 8265 4.2: NFC. One character beyond the longest is kept, so that a longer password differs from its beginning."""
    return unicodedata.normalize("NFC", password[: LONGEST + 1]).encode("utf-8", "replace")


NOBODY = hash_password(os.urandom(16).hex(), None)  # what an unknown login is checked against

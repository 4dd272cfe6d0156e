"""Application passwords as text: made by us, so that each has 98 random bits and needs no slow hash.

What is kept is a keyed hash, and SCRAM's keys sealed: without the master key there is nothing to guess at. All of one login's are
salted alike, because SCRAM tells one salt to who only names it (`scram.Salt`).
"""

from __future__ import annotations

import secrets

from foundation.keys import KeyRing
from mssante import scram

ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"  # nothing that can be misread
GROUPS, GROUP = 5, 4


def generate() -> str:
    """« k7qf-3mzd-…»: read aloud, typed on a telephone."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))


def plain_form(password: str) -> str | None:
    """What is compared: without the hyphens, or the spaces typed for them, and without case; None for what is not one of ours."""
    if len(password) > 2 * GROUPS * GROUP:
        return None
    form = "".join(sign for sign in password.lower() if sign not in "- ")
    return form if len(form) == GROUPS * GROUP and set(form) <= set(ALPHABET) else None


def secret_key(keys: KeyRing, credential_id: int, form: str) -> bytes:
    return keys.lookup("app password", f"{credential_id} {form}")


def sealed_scram(keys: KeyRing, secret: bytes, made: scram.Keys) -> bytes:
    return keys.registry.seal(scram.written(made).encode(), b"app scram " + secret)


def opened_scram(keys: KeyRing, secret: bytes, sealed: bytes) -> scram.Keys:
    return scram.read(keys.registry.open(sealed, b"app scram " + secret).decode())

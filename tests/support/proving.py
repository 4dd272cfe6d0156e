"""A client of SCRAM before `mssante.credentials`, apart from the code under test."""

from __future__ import annotations

import hmac
from hashlib import pbkdf2_hmac, sha256
from typing import Any

from mssante.credentials import Credentials, Proven
from mssante.scram import Proof

CLIENT_MESSAGE = b"n=x,r=y,r=yz,s=,i=4096,c=biws,r=yz"  # whatever both sides saw


async def prove(credentials: Credentials, login: str, password: str, now: int, place: str, **more: Any) -> Any:
    """Asks for the salt, and proves the password with it (RFC 5802 3); believes the server by its signature only."""
    salt = await credentials.salt(login)
    salted = pbkdf2_hmac("sha256", password.encode(), salt.octets, salt.rounds)
    key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(sha256(key).digest(), CLIENT_MESSAGE, "sha256")
    proof = Proof(CLIENT_MESSAGE, bytes(a ^ b for a, b in zip(key, signature, strict=True)))
    answer = await credentials.check_proof(login, proof, now, place, **more)
    if isinstance(answer, Proven):
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        assert answer.signature == hmac.digest(server_key, CLIENT_MESSAGE, "sha256")
        return answer.who
    return answer

"""The keys of a provider, fetched over real HTTP: once for all who come together, and nobody is turned away meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from foundation.clock import system_clock
from mssante.openid import BadToken, Rules, Subject
from mssante.openid_provider import OpenIdProvider
from tests.support.http_server import HttpServer

AUDIENCE = "https://mail.alpha.example"
KEY = ec.generate_private_key(ec.SECP256R1())


def token(issuer: str, kid: str = "k") -> str:
    claims = {"iss": issuer, "aud": AUDIENCE, "acr": "eidas1", "exp": int(time.time()) + 60, "preferred_username": "a"}
    return jwt.encode(claims, KEY, "ES256", {"kid": kid})


async def test_who_comes_while_the_keys_are_fetched_waits_for_them(tmp_path: Path) -> None:
    with HttpServer(tmp_path) as server:
        key = jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"kid": "k"}
        about = {"issuer": server.url, "jwks_uri": f"{server.url}/keys"}
        server.give("/.well-known/openid-configuration", json.dumps(about).encode())
        server.give("/keys", json.dumps({"keys": [key]}).encode())
        provider = OpenIdProvider(Rules(server.url, AUDIENCE), system_clock)
        found = await asyncio.gather(*(provider.judge(token(server.url)) for _ in range(8)))
        assert [type(one) for one in found] == [Subject] * 8
        assert server.asked.count("/keys") == 1
        other = await asyncio.gather(*(provider.judge(token(server.url, "unknown")) for _ in range(3)))
        assert {type(one) for one in other} == {BadToken}
        assert server.asked.count("/keys") == 1, "not again within half a minute"

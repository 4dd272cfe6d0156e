"""What signing in costs: PLAIN, SCRAM-SHA-256, OAUTHBEARER with a provider's keys (JWKS), again and again on open connections."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import socket
import tempfile
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.figures import cpu_seconds
from tests.support.demo import Demo
from tests.support.http_server import HttpServer
from tests.support.service import Service
from tests.support.space import PASSWORD, Space

Figures = Iterator[tuple[str, str]]
Say = Callable[[bytes], bytes]

LOGIN, AUDIENCE, KID = "dr@medecins.un.example", "https://mail.un.example", "k"
CONNECTIONS, EACH, TOKENS = 4, 250, 100


def figure_sign_in(_demo: Demo) -> Figures:
    """A server of its own, which believes a provider of ours; UNAUTHENTICATE (RFC 8437) between two sign-ins."""
    with tempfile.TemporaryDirectory(prefix="mssante-bench-") as folder, HttpServer(Path(folder)) as provider:
        key = rsa.generate_private_key(65537, 2048)
        about = {"issuer": provider.url, "jwks_uri": f"{provider.url}/keys"}
        public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": KID}
        provider.give("/.well-known/openid-configuration", json.dumps(about).encode())
        provider.give("/keys", json.dumps({"keys": [public]}).encode())
        space = Space(Path(folder) / "space", ("un",))
        config = space.data / "un" / "mssante.toml"
        with config.open("a") as file:
            file.write(f'\n[openid]\nissuer = "{provider.url}"\naudience = "{AUDIENCE}"\n')
        service = Service(space, "un").start()
        try:
            tokens = [_token(provider.url, key, number) for number in range(TOKENS)]
            for label, sign_in in (
                ("PLAIN, remembered for minutes", _plain),
                ("SCRAM-SHA-256", _scram()),
                (f"OAUTHBEARER, {TOKENS} tokens, RS256, keys of a JWKS", _bearer(tokens)),
            ):
                yield _measured(space, service, label, sign_in)
        finally:
            service.close()
            space.stop()


def _measured(space: Space, service: Service, label: str, sign_in: Callable[[Say], None]) -> tuple[str, str]:
    assert service.process is not None
    pids = [service.process.pid]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(lambda _: _client(space, sign_in, 10), range(CONNECTIONS)))  # warm
        cpu, start = cpu_seconds(pids), time.perf_counter()
        list(pool.map(lambda _: _client(space, sign_in, EACH), range(CONNECTIONS)))
        took, cost = time.perf_counter() - start, cpu_seconds(pids) - cpu
    count = CONNECTIONS * EACH
    return f"sign-in, {label}", f"{count / took:,.0f} /s ({cost / count * 1000:.2f} ms of server CPU each)"


def _client(space: Space, sign_in: Callable[[Say], None], times: int) -> None:
    with socket.create_connection(space.door("imaps", "un"), 30) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with space.trust().wrap_socket(raw) as tls:
            lines = tls.makefile("rb")
            lines.readline()

            def say(line: bytes) -> bytes:
                """The answer that ends it, or the challenge."""
                tls.sendall(line + b"\r\n")
                while (answer := lines.readline()).startswith(b"* "):
                    pass
                return answer

            for _ in range(times):
                sign_in(say)
                assert say(b"u UNAUTHENTICATE").startswith(b"u OK")


def _plain(say: Say) -> None:
    response = b64encode(f"\0{LOGIN}\0{PASSWORD}".encode())
    assert say(b"a AUTHENTICATE PLAIN " + response).startswith(b"a OK")


def _bearer(tokens: list[str]) -> Callable[[Say], None]:
    def sign_in(say: Say) -> None:
        response = b64encode(f"n,a={LOGIN},\x01auth=Bearer {secrets.choice(tokens)}\x01\x01".encode())
        assert say(b"a AUTHENTICATE OAUTHBEARER " + response).startswith(b"a OK")

    return sign_in


def _token(issuer: str, key: rsa.RSAPrivateKey, number: int) -> str:
    claims = {
        "iss": issuer,
        "aud": AUDIENCE,
        "acr": "eidas1",
        "exp": int(time.time()) + 3600,
        "preferred_username": LOGIN,
    }
    return jwt.encode(claims | {"jti": str(number)}, key, "RS256", {"kid": KID})


def _scram() -> Callable[[Say], None]:
    salted: dict[tuple[bytes, int], bytes] = {}  # a client keeps it (RFC 5802 3)

    def sign_in(say: Say) -> None:
        first = f"n={LOGIN},r={secrets.token_urlsafe(12)}"
        challenge = b64decode(say(b"a AUTHENTICATE SCRAM-SHA-256 " + b64encode(f"n,,{first}".encode()))[2:]).decode()
        fields = dict(part.split("=", 1) for part in challenge.split(","))
        salt, rounds = b64decode(fields["s"]), int(fields["i"])
        if (salt, rounds) not in salted:
            salted[salt, rounds] = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, rounds)
        key = hmac.digest(salted[salt, rounds], b"Client Key", "sha256")
        final = f"c=biws,r={fields['r']}"
        signature = hmac.digest(hashlib.sha256(key).digest(), f"{first},{challenge},{final}".encode(), "sha256")
        proof = b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()
        assert say(b64encode(f"{final},p={proof}".encode())).startswith(b"+ ")
        assert say(b"").startswith(b"a OK")

    return sign_in

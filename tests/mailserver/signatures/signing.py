"""Others who sign, by dkimpy alone: any tags, right or wrong; and the zone where their keys are."""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import dkim
import nacl.encoding
import nacl.signing
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from dkim.canonicalization import CanonicalizationPolicy
from dkim.crypto import parse_pem_private_key

from mailserver.signatures.checking import Checker
from mailserver.signatures.records import Answer
from mailserver.signatures.verdicts import Verdict

HOST = "mx.alpha.example"
NOW = 1_763_800_000
MESSAGE = (
    b"From: Dr Martin <dr@beta.example>\r\nTo: b@alpha.example\r\nSubject: Bonjour\r\n"
    b"Date: Thu, 12 Nov 2026 09:40:00 +0100\r\n\r\nBonjour,\r\n\r\n  deux  mots. \r\n\r\n"
)


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def ed25519_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def record(key: Any, **tags: str) -> bytes:
    """The TXT record of its public half, some tags changed; None takes one away."""
    public = key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        kind, octets = "rsa", public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        kind, octets = "ed25519", public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    all_tags = {"v": "DKIM1", "k": kind, "p": base64.b64encode(octets).decode()} | tags
    return "; ".join(f"{tag}={value}" for tag, value in all_tags.items() if value is not None).encode()


def sign(content: bytes, key: Any = None, name: bytes = b"DKIM-Signature", **tags: str | None) -> bytes:
    """`content` with a signature in front."""
    key = key or rsa_key()
    small = isinstance(key, ed25519.Ed25519PrivateKey)
    maker = dkim.DKIM(content, signature_algorithm=b"ed25519-sha256" if small else b"rsa-sha256")
    maker.hasher = hashlib.sha256
    form = CanonicalizationPolicy.from_c_value((tags.get("c") or "relaxed/relaxed").encode())
    body = hashlib.sha256(form.canonicalize_body(maker.body)).digest()
    all_tags = {
        "v": "1",
        "a": maker.signature_algorithm.decode(),
        "c": "relaxed/relaxed",
        "d": "beta.example",
        "s": "ed" if small else "rsa",
        "h": "from : to : subject : date",
        "bh": base64.b64encode(body).decode(),
        **tags,
        "b": "0" * 60,
    }
    fields = [(tag.encode(), value.encode()) for tag, value in all_tags.items() if value is not None]
    names = [one.strip().lower() for one in (all_tags["h"] or "").encode().split(b":")]
    signed: bytes = maker.gen_header(fields, names, form, name, private(key))
    return name + b": " + signed + content


def seal(
    content: bytes, number: int, key: Any = None, domain: str = "list.example", cv: str = "", **tags: str | None
) -> bytes:
    """`content` with one set more of an Authenticated Received Chain (RFC 8617 5.1); `tags` for the seal."""
    key = key or rsa_key()
    results = f"ARC-Authentication-Results: i={number}; {domain}; dkim=pass header.d=beta.example\r\n".encode()
    signed = sign(content, key, b"ARC-Message-Signature", v=None, i=str(number), d=domain)
    message, begun = signed.removesuffix(content), results + content
    maker = dkim.ARC(message + begun)
    maker.signature_algorithm = b"ed25519-sha256" if isinstance(key, ed25519.Ed25519PrivateKey) else b"rsa-sha256"
    maker.hasher = hashlib.sha256
    all_tags = {
        "i": str(number),
        "cv": cv or ("none" if number == 1 else "pass"),
        "a": maker.signature_algorithm.decode(),
        "d": domain,
        "s": "ed" if maker.signature_algorithm.startswith(b"ed") else "rsa",
        "b": "0" * 60,
        **tags,
    }
    fields = [(tag.encode(), value.encode()) for tag, value in all_tags.items() if value is not None]
    names = [b"arc-authentication-results", b"arc-message-signature", b"arc-seal"] * number
    form = CanonicalizationPolicy.from_c_value(b"relaxed/relaxed")
    sealed: bytes = maker.gen_header(fields, names[:-1], form, b"ARC-Seal", private(key))
    return b"ARC-Seal: " + sealed + message + begun


def private(key: Any) -> Any:
    """As dkimpy wants it."""
    if isinstance(key, rsa.RSAPrivateKey):
        return parse_pem_private_key(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    return nacl.signing.SigningKey(base64.b64encode(key.private_bytes_raw()), encoder=nacl.encoding.Base64Encoder)


@dataclass
class Zone:
    """`records` for a checker; what is not there has no key, and what was asked is kept."""

    rows: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, *domains: str) -> Zone:
        keys = {"rsa": rsa_key(), "ed": ed25519_key()}
        return cls({f"{name}._domainkey.{domain}": record(key) for domain in domains for name, key in keys.items()})

    async def __call__(self, name: str) -> Answer:
        self.asked.append(name)
        return self.rows.get(name, Verdict.NO_KEY)


THREADS = ThreadPoolExecutor(2)


def checker(zone: Zone) -> Checker:
    return Checker(HOST, zone, THREADS, clock=lambda: NOW * 1000)


async def told(content: bytes, zone: Zone | None = None, piece: int = 70) -> str:
    """What is said of a message in Authentication-Results, unfolded, without its own name."""
    own = checker(zone or Zone.of("beta.example"))
    end = content.index(b"\r\n\r\n") + 2
    (found, case), body = own.open(content[:end], "192.0.2.7"), content[end + 2 :]
    if case is not None:
        found = await own.judge(case, lambda: [body[at : at + piece] for at in range(0, len(body), piece)], len(body))
        assert len(found) == len(own.unchecked(case))
    prefix = f"Authentication-Results: {HOST}; "
    text = " ".join(found.decode().replace(";", " ; ").split()).replace(" ;", ";")
    assert text.startswith(prefix)
    return text.removeprefix(prefix)

"""What leaves is signed by each key; dkimpy, which made none of it alone, verifies it."""

from __future__ import annotations

import asyncio
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailserver.outbound.content import PIECE, Content, stored, whole
from mailserver.outbound.dkim import BadKey, Key, Signer

MESSAGE = "From: dr@cabinet.example\r\nTo: b@x.example\r\nSubject: été\r\nX-MSS-NIL: 1\r\n\r\nBonjour\r\n".encode()


def pem(key: Any) -> bytes:
    data: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return data


@pytest.fixture(scope="module")
def keys() -> list[Key]:
    made = {"mss-rsa": rsa.generate_private_key(65537, 2048), "mss-ed": ed25519.Ed25519PrivateKey.generate()}
    return [Key.read(selector, pem(key)) for selector, key in made.items()]


@pytest.fixture(scope="module")
def signer(keys: list[Key]) -> Signer:
    return Signer("cabinet.example", keys)


async def octets(content: Content) -> bytes:
    return b"".join([piece async for piece in content.pieces()])


def signed_by(signer: Signer, message: bytes) -> bytes:
    async def work() -> bytes:
        return await octets(await signer.sign(whole(message)))

    return asyncio.run(work())


def verdicts(keys: list[Key], content: bytes) -> list[bool]:
    """Of each signature, from the top."""
    zone = {f"{key.selector}._domainkey.cabinet.example.".encode(): key.record.encode() for key in keys}

    def verdict(index: int) -> bool:
        try:
            return bool(dkim.DKIM(content).verify(index, lambda name, timeout: zone[name]))
        except dkim.ValidationError:  # of the body
            return False

    return [verdict(index) for index in range(len(keys))]


async def test_each_key_signs(keys: list[Key], signer: Signer) -> None:
    signed = await octets(await signer.sign(whole(MESSAGE)))
    assert signed.endswith(MESSAGE)
    first, second = signed.removesuffix(MESSAGE).split(b"DKIM-Signature: ")[1:]
    assert (b"a=rsa-sha256;" in first, b"s=mss-rsa;" in first) == (True, True)
    assert (b"a=ed25519-sha256;" in second, b"s=mss-ed;" in second) == (True, True)
    assert all(len(line) <= 78 for line in signed.split(b"\r\n"))
    assert verdicts(keys, signed) == [True, True]


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"Bonjour", b"Bonsoir"),
        (b"X-MSS-NIL: 1", b"X-MSS-NIL: 2"),
        (b"X-MSS-NIL: 1\r\n", b""),
        (b"From: dr@", b"From: evil@x.example\r\nFrom: dr@"),  # what a reader sees is signed twice: none can be added
        (b"From: dr@", b"Subject: evil\r\nFrom: dr@"),
        (b"\r\n\r\n", b"\r\nReply-To: evil@x.example\r\n\r\n"),  # nor what is not there
    ],
)
def test_each_breaks_when_altered(keys: list[Key], signer: Signer, was: bytes, becomes: bytes) -> None:
    assert verdicts(keys, signed_by(signer, MESSAGE).replace(was, becomes, 1)) == [False, False]


def test_lines_added_above_and_arc_of_others_stay_outside(keys: list[Key], signer: Signer) -> None:
    """A chain that came with a forwarded message is neither signed nor touched (RFC 8617 4.1.2)."""
    chain = b"ARC-Seal: i=1; cv=none; a=rsa-sha256; d=x.example; s=s; b=AA==\r\n"
    signed = signed_by(signer, chain + MESSAGE)
    assert signed.endswith(chain + MESSAGE)
    assert verdicts(keys, b"Received: from x\r\n" + signed.replace(chain, b"")) == [True, True]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=90), max_size=6),
    st.lists(st.binary(max_size=40).map(lambda line: line.translate(None, b"\r\n")), max_size=8),
)
def test_any_message_that_smtp_takes_verifies(
    keys: list[Key], signer: Signer, more: list[str], body: list[bytes]
) -> None:
    fields = ["From: dr@cabinet.example", *(f"Subject: {value}" for value in more)]
    message = "\r\n".join([*fields, "", ""]).encode() + b"".join(line + b"\r\n" for line in body)
    assert verdicts(keys, signed_by(signer, message)) == [True, True]


async def test_signing_does_not_hold_the_loop(keys: list[Key], signer: Signer) -> None:
    signed = await asyncio.gather(*(signer.sign(whole(MESSAGE)) for _ in range(8)))
    assert all([verdicts(keys, await octets(content)) == [True, True] for content in signed])


async def test_a_large_message_is_signed_piece_by_piece(keys: list[Key], signer: Signer) -> None:
    message = MESSAGE + b"".join(b"line %d  of \t a large  message \r\n" % number for number in range(60_000))
    longest = 0

    async def read(offset: int, length: int) -> bytes:
        nonlocal longest
        longest = max(longest, length)
        return message[offset : offset + length]

    content = await signer.sign(await stored(read, len(message)))
    signed = await octets(content)
    assert (len(signed), longest, content.is_ascii) == (content.size, PIECE, message.isascii())
    assert verdicts(keys, signed) == [True, True]


async def test_a_header_without_end_leaves_unsigned(signer: Signer) -> None:
    message = b"".join(b"X-Field-%d: x\r\n" % number for number in range(60_000))
    assert await octets(await signer.sign(whole(message))) == message


@pytest.mark.parametrize("data", [b"", b"x", pem(ec.generate_private_key(ec.SECP256R1()))])
def test_other_keys_are_refused(data: bytes) -> None:
    with pytest.raises(BadKey):
        Key.read("mss", data)

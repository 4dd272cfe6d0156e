"""Signatures of what comes in, through the doors: told above Received, whatever the size and the way; forged tellings go."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from pathlib import Path

import pytest

from foundation.blob_chunks import CHUNK
from mailserver.smtp import ports
from mailserver.smtp.ports import DoorRules
from tests.mailserver.signatures.signing import HOST, MESSAGE, Zone, checker, ed25519_key, seal, sign
from tests.mailserver.smtp.smtp_house import TRACE, Memory, house, wire

RESULTS = re.compile(
    rb"\AReturn-Path: <a@beta\.example>\r\n(Authentication-Results: [^\r]*\r\n(?:\t[^\r]*\r\n)*)Received: "
)
LARGE = MESSAGE + b"Line of a large message, \t signed all the same.\r\n" * 9_000  # seven chunks


async def sent(
    folder: Path, content: bytes, step: int = 0, rules: DoorRules = ports.BENCH, verify: bool = True
) -> bytes:
    """What is stored of a message that came in DATA, in pieces of `step` octets, or in chunks of BDAT (a negative one)."""
    acceptor = Memory()
    found = house(folder, acceptor, checker=checker(Zone.of("beta.example", "list.example")) if verify else None)
    connection = wire(rules, found)
    await connection.send(b"EHLO c\r\n")
    if rules is ports.SUBMISSIONS:
        await connection.send(b"AUTH PLAIN " + b64encode(b"\0camille\0" + "café-au-lait".encode()) + b"\r\nRSET\r\n")
    sender = b"camille.roche@alpha.example" if rules is ports.SUBMISSIONS else b"a@beta.example"
    await connection.send(b"MAIL FROM:<" + sender + b">\r\nRCPT TO:<b@alpha.example>\r\n")
    if step < 0:
        for at in range(0, len(content), -step):
            chunk = content[at : at - step]
            await connection.send(b"BDAT %d\r\n" % len(chunk) + chunk)
        await connection.send(b"BDAT 0 LAST\r\n")
    else:
        await connection.send(b"DATA\r\n")
        await connection.send(content.replace(b"\r\n.", b"\r\n..") + b".\r\n", step)
    async with asyncio.timeout(20):
        while not acceptor.accepted:
            await asyncio.sleep(0.01)
    [(_, stored)] = acceptor.accepted
    return stored


def told(stored: bytes) -> str:
    """The one field of ours, unfolded."""
    found = RESULTS.match(stored)
    assert found is not None, stored[:300]
    assert stored.count(b"\r\nAuthentication-Results: mx.alpha") == 1
    return " ".join(found[1].decode().split())


@pytest.mark.parametrize("step", [0, 1, 700, -300])
async def test_a_signed_message(tmp_path: Path, step: int) -> None:
    content = sign(sign(MESSAGE), ed25519_key())
    stored = await sent(tmp_path, content, step)
    assert re.sub(r"header\.b=\S+", "header.b=…", told(stored)).replace("…;", "…") == (
        f"Authentication-Results: {HOST}; "
        "dkim=pass header.d=beta.example header.s=ed header.a=ed25519-sha256 header.b=… "
        "dkim=pass header.d=beta.example header.s=rsa header.a=rsa-sha256 header.b=…"
    )
    assert stored.endswith(b"\r\n" + content)


@pytest.mark.parametrize("step", [0, 10_000, -90_000])
async def test_a_large_one_is_checked_where_it_lies(tmp_path: Path, step: int) -> None:
    content = sign(LARGE)
    assert len(content) > 6 * CHUNK
    stored = await sent(tmp_path, content, step)
    assert " dkim=pass header.d=beta.example" in told(stored)
    assert stored.endswith(b"\r\n" + content)
    stored = await sent(tmp_path, content[:-4] + b"!\r\n", step)
    assert ' dkim=fail reason="body altered" header.d=beta.example' in told(stored)


def text(size: int) -> bytes:
    """Lines of 100 octets, the last one longer."""
    return (b"k" * 98 + b"\r\n") * (size // 100 - 1) + b"k" * (98 + size % 100) + b"\r\n"


@pytest.mark.parametrize("extra", range(-5, 6))
async def test_at_the_edge_of_a_chunk(tmp_path: Path, extra: int) -> None:
    """Where a blob becomes a file, and a line end is cut in two."""
    small = len(await sent(tmp_path, sign(MESSAGE + text(1000)))) - 1000
    content = sign(MESSAGE + text(CHUNK - small + extra))
    stored = await sent(tmp_path, content)
    assert abs(len(stored) - CHUNK - extra) <= 2  # header.b may want quotes
    assert " dkim=pass " in told(stored)
    assert stored.endswith(b"\r\n" + content)


async def test_an_unsigned_message_says_so(tmp_path: Path) -> None:
    stored = await sent(tmp_path, MESSAGE)
    assert told(stored) == f"Authentication-Results: {HOST}; dkim=none"
    assert stored.endswith(b"\r\n" + MESSAGE)


FORGED = f"Authentication-Results: {HOST}; dkim=pass header.d=bank.example\r\n".encode()
OTHERS = b"Authentication-Results: mx.gamma.example; dkim=pass\r\n"


@pytest.mark.parametrize("step", [0, 1, -40])
async def test_forged_results_go_and_others_stay(tmp_path: Path, step: int) -> None:
    stored = await sent(tmp_path, FORGED + OTHERS + MESSAGE, step)
    assert told(stored) == f"Authentication-Results: {HOST}; dkim=none"
    assert stored.endswith(b"\r\n" + OTHERS + MESSAGE)


async def test_what_is_signed_is_judged_as_it_came(tmp_path: Path) -> None:
    """A signature that covers a forged field holds: what is told is true, and the forged one still goes (RFC 8601 5)."""
    content = sign(FORGED + MESSAGE, h="from : authentication-results")
    stored = await sent(tmp_path, content)
    assert " dkim=pass " in told(stored)
    assert stored.endswith(b"\r\n" + content.replace(FORGED, b""))


async def test_a_chain_is_validated_and_kept(tmp_path: Path) -> None:
    content = seal(seal(sign(MESSAGE), 1), 2, ed25519_key())
    stored = await sent(tmp_path, content)
    assert told(stored).endswith("; arc=pass header.oldest-pass=0 smtp.remote-ip=192.0.2.7")
    assert stored.endswith(b"\r\n" + content)


async def test_results_in_the_body_are_text(tmp_path: Path) -> None:
    assert (await sent(tmp_path, MESSAGE + FORGED)).endswith(FORGED)


async def test_our_own_users_forge_nothing_either(tmp_path: Path) -> None:
    """And nothing is told of what they sign."""
    stored = await sent(tmp_path, FORGED + sign(MESSAGE), rules=ports.SUBMISSIONS)
    assert b"Authentication-Results" not in stored
    assert stored.endswith(sign(MESSAGE)[-300:])


async def test_nothing_is_told_where_nothing_is_checked(tmp_path: Path) -> None:
    stored = await sent(tmp_path, FORGED + sign(MESSAGE), verify=False)
    assert b"Authentication-Results" not in stored


@pytest.mark.parametrize("content", [b"", b"\r\nBody\r\n", b"From: x\r\n", b"Subject: " + b"x" * 60 + b"\r\n"])
async def test_messages_without_header_or_body(tmp_path: Path, content: bytes) -> None:
    stored = await sent(tmp_path, content)
    assert told(stored).endswith("dkim=none")
    assert TRACE.sub(b"", RESULTS.sub(b"Received: ", stored)) == content

"""Authenticated Received Chains: those that hold, by dkimpy's word too; each way in which one breaks."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import dkim
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.signatures import arc
from mailserver.signatures.results import ROOM
from mailserver.signatures.verdicts import Verdict
from tests.mailserver.signatures.signing import MESSAGE, Zone, ed25519_key, record, rsa_key, seal, sign, told

DOMAINS = ("beta.example", "list.example", "school.example")


async def chain_told(content: bytes, zone: Zone | None = None) -> str:
    """What is said of the chain."""
    *_, last = (await told(content, zone or Zone.of(*DOMAINS))).split("; ")
    assert last.endswith(" smtp.remote-ip=192.0.2.7")
    return last.removeprefix("arc=").removesuffix(" smtp.remote-ip=192.0.2.7")


def dkimpy_says(content: bytes) -> bytes:
    def lookup(name: bytes, timeout: int) -> bytes:
        assert name.startswith(b"rsa.")
        return record(rsa_key())

    verdict: bytes = dkim.ARC(content).verify(lookup)[0]
    return verdict


ONE = seal(MESSAGE, 1)
TWO = seal(ONE, 2, domain="school.example")
THREE = seal(TWO, 3, domain="beta.example")


# ---------------------------------------------------------------- that hold
@pytest.mark.parametrize("content", [ONE, TWO, THREE], ids=["one set", "two", "three"])
async def test_a_chain_that_holds(content: bytes) -> None:
    assert await chain_told(content) == "pass header.oldest-pass=0"
    assert dkimpy_says(content) == b"pass"


async def test_beside_signatures() -> None:
    found = await told(seal(sign(MESSAGE), 1), Zone.of(*DOMAINS))
    assert re.fullmatch(r"dkim=pass header\.d=beta\.example .*; arc=pass header\.oldest-pass=0 smtp.*", found)
    assert (await told(ONE, Zone.of(*DOMAINS))).startswith("dkim=none; arc=pass ")


async def test_each_seals_with_its_own_kind_of_key() -> None:
    """RFC 8463 is for ARC too (RFC 8617 5.2: as in DKIM)."""
    assert await chain_told(seal(ONE, 2, ed25519_key())) == "pass header.oldest-pass=0"


async def test_who_altered_the_message_says_so() -> None:
    """A list writes below, and seals what it made: the chain holds from there on."""
    content = seal(seal(TWO + b"-- \r\nLa liste\r\n", 3), 4)
    assert await chain_told(content) == "pass header.oldest-pass=3"
    assert dkimpy_says(content) == b"pass"


@given(st.randoms(use_true_random=False))
async def test_the_order_of_the_fields_is_nothing(order: random.Random) -> None:
    """Numbers tell, not places; only fields of other names keep theirs."""
    fields = re.findall(rb"ARC-[^\r]*\r\n(?:[ \t][^\r]*\r\n)*", THREE)
    assert len(fields) == 9
    order.shuffle(fields)
    assert await chain_told(b"".join(fields) + MESSAGE) == "pass header.oldest-pass=0"


# ---------------------------------------------------------------- that are broken
def without(field: bytes) -> Callable[[bytes], bytes]:
    return lambda content: re.sub(field + rb"[^\r]*\r\n(?:[ \t][^\r]*\r\n)*", b"", content, count=1)


def twice(field: bytes) -> Callable[[bytes], bytes]:
    return lambda content: re.sub(rb"(" + field + rb"[^\r]*\r\n(?:[ \t][^\r]*\r\n)*)", rb"\1\1", content, count=1)


def becomes(was: bytes, now: bytes) -> Callable[[bytes], bytes]:
    return lambda content: content.replace(was, now, 1)


BROKEN: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "body altered": (lambda content: content + b"PS\r\n", "body altered"),
    "signed field altered": (becomes(b"Subject: Bonjour", b"Subject: Bonsoir"), "header altered"),
    "results altered": (
        becomes(b"i=3; beta.example; dkim=pass", b"i=3; beta.example; dkim=none"),
        "seal 3: header altered",
    ),
    "older results altered": (
        becomes(b"i=1; list.example; dkim=pass", b"i=1; list.example; dkim=none"),
        "seal 3: header altered",
    ),
    "no results": (without(b"ARC-Authentication-Results"), "incomplete sets"),
    "no message signature": (without(b"ARC-Message-Signature"), "incomplete sets"),
    "no seal": (without(b"ARC-Seal"), "incomplete sets"),
    "two of one number": (twice(b"ARC-Seal"), "incomplete sets"),
    "a number that is none": (
        becomes(b"ARC-Authentication-Results: i=3", b"ARC-Authentication-Results: i=x"),
        "incomplete sets",
    ),
    "begins at two": (lambda content: without(b"ARC-Seal: i=1")(becomes(b"i=1;", b"i=4;")(content)), "incomplete sets"),
    "a signature too long to be read": (
        becomes(b"ARC-Seal: ", b"ARC-Seal: z=" + b"z" * 5000 + b"; "),
        "incomplete sets",
    ),
    "given up before": (lambda _: seal(TWO, 3, cv="fail"), "failed before"),
    "begun twice": (lambda _: seal(TWO, 3, cv="none"), "status out of place"),
    "passed before it began": (lambda _: seal(seal(MESSAGE, 1, cv="pass"), 2), "status out of place"),
    "no status": (lambda _: seal(TWO, 3, cv="maybe"), "status out of place"),
    "h= in a seal": (lambda _: seal(TWO, 3, h="from"), "seal 3: syntax"),
    "no algorithm": (lambda _: seal(TWO, 3, a=None), "seal 3: required tag missing"),
    "SHA-1": (lambda _: seal(TWO, 3, a="rsa-sha1"), "seal 3: algorithm or key too weak"),
    "message signature over seals": (becomes(b"h=from : to", b"h=arc-seal : from : to"), "syntax"),
    "message signature without From": (becomes(b"h=from : to", b"h=x : to"), "syntax"),
    "message signature over a part": (
        becomes(b"ARC-Message-Signature: ", b"ARC-Message-Signature: l=1; "),
        "unsigned content",
    ),
    "sealed by another": (lambda _: seal(TWO, 3, rsa_key(3072), s="rsa"), "header altered"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_chain(name: str) -> None:
    breakage, reason = BROKEN[name]
    assert await chain_told(breakage(THREE)) == f'fail reason="{reason}"'


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(Verdict.NO_DNS, "key unavailable"), (Verdict.NO_KEY, "no key"), (record(rsa_key(), p=""), "key revoked")],
)
async def test_without_a_key_it_fails(answer: bytes | Verdict, reason: str) -> None:
    """DNS failures are final too (RFC 8617 5.2.1): a later answer cannot mend a chain."""
    zone = Zone.of(*DOMAINS)
    zone.rows["rsa._domainkey.list.example"] = answer
    assert await chain_told(THREE, zone) == f'fail reason="seal 1: {reason}"'
    zone.rows["rsa._domainkey.beta.example"] = answer
    assert await chain_told(THREE, zone) == f'fail reason="{reason}"'


# ---------------------------------------------------------------- bounds
async def test_fifty_sets_are_a_chain_and_one_more_is_none() -> None:
    content = MESSAGE
    for number in range(1, arc.MOST_SETS + 1):
        content = seal(content, number, ed25519_key())
    zone = Zone.of(*DOMAINS)
    assert await chain_told(content, zone) == "pass header.oldest-pass=0"
    assert len(zone.asked) == 1
    zone.asked.clear()
    assert await chain_told(b"ARC-Seal: i=51\r\n" + content, zone) == 'fail reason="too many sets"'
    assert zone.asked == []


async def test_only_so_many_keys_are_asked_for() -> None:
    content = MESSAGE
    for number in range(1, arc.MOST_KEYS + 2):
        content = seal(content, number, ed25519_key(), domain=f"d{number}.example")
    zone = Zone.of()
    assert await chain_told(content, zone) == 'fail reason="too many keys"'
    assert zone.asked == []


def test_every_failure_has_room() -> None:
    assert all(len(f'arc=fail reason="seal 50: {verdict.reason}"') <= ROOM for verdict in Verdict)


@given(
    st.lists(st.sampled_from([b"ARC-Seal: ", b"ARC-Message-Signature: ", b"ARC-Authentication-Results: "]), min_size=1),
    st.data(),
)
async def test_any_fields_get_some_answer(names: list[bytes], data: st.DataObject) -> None:
    values = st.binary(max_size=60).map(lambda value: value.translate(None, b"\r\n"))
    starts = st.sampled_from(
        [b"", b"i=1; ", b"i=2; cv=pass; ", b"i=1; a=rsa-sha256; d=x.example; s=s; b=AA==; bh=AA==; cv=none; "]
    )
    lines = [name + data.draw(starts) + data.draw(values) + b"\r\n" for name in names]
    assert (await chain_told(b"".join(lines) + MESSAGE)).startswith("fail reason=")

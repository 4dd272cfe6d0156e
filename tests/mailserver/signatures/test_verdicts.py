"""What is said of signatures, one row a reason. Those who sign use dkimpy alone."""

from __future__ import annotations

import asyncio
import base64
import re
import threading
from collections.abc import Callable
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from mailserver.signatures import checking
from mailserver.signatures.results import ROOM, Told
from mailserver.signatures.verdicts import Verdict
from tests.mailserver.signatures.signing import MESSAGE, NOW, Zone, ed25519_key, record, rsa_key, sign, told

RSA, ED = "rsa._domainkey.beta.example", "ed._domainkey.beta.example"


def result(text: str) -> str:
    """Without the properties."""
    return text.partition(" header.")[0]


# ---------------------------------------------------------------- that hold
async def test_the_message_of_rfc_8463() -> None:
    """Appendix A: two signatures of one domain; the RSA key has 1,024 bits, just enough."""
    content = RFC_8463.replace(b"\n", b"\r\n")
    assert await told(content, RFC_8463_ZONE) == (
        'dkim=pass header.d=football.example.com header.s=brisbane header.a=ed25519-sha256 header.b="/gCrinpc"; '
        "dkim=pass header.d=football.example.com header.s=test header.a=rsa-sha256 header.b=F45dVWDf"
    )
    altered = await told(content.replace(b"hungry", b"thirsty"), RFC_8463_ZONE)
    assert [result(one) for one in altered.split("; ")] == ['dkim=fail reason="body altered"'] * 2


@pytest.mark.parametrize("form", ["simple", "relaxed", "simple/relaxed", "relaxed/simple", "simple/simple", None])
@pytest.mark.parametrize("key", [rsa_key, ed25519_key])
async def test_each_form_and_key(key: Callable[[], object], form: str | None) -> None:
    assert (await told(sign(MESSAGE, key(), c=form if form else "simple/simple"))).startswith("dkim=pass header.d=beta")


async def test_an_unsigned_message() -> None:
    zone = Zone.of("beta.example")
    assert await told(MESSAGE, zone) == "dkim=none"
    assert zone.asked == []


async def test_a_domain_in_u_labels_is_asked_for_in_a_labels() -> None:
    zone = Zone({"rsa._domainkey.xn--t-9fa.example": record(rsa_key())})  # RFC 8616 4
    content = sign(MESSAGE, d="ét.example", i="x@mx.xn--t-9fa.example")
    assert (await told(content, zone)).startswith("dkim=pass header.d=xn--t-9fa.example ")


# ---------------------------------------------------------------- that do not
def altered(was: bytes, becomes: bytes, **tags: Any) -> bytes:
    return sign(MESSAGE, **tags).replace(was, becomes, 1)


SIGNATURES: dict[str, tuple[bytes, str]] = {
    "body altered": (altered(b"deux", b"trois"), 'fail reason="body altered"'),
    "a line added below": (sign(MESSAGE) + b"PS\r\n", 'fail reason="body altered"'),
    "blank lines added below are nothing": (sign(MESSAGE) + b"\r\n\r\n", "pass"),
    "blanks altered": (altered(b"deux  mots. ", b"deux mots."), "pass"),
    "blanks altered, simple": (altered(b"deux  mots", b"deux mots", c="relaxed/simple"), 'fail reason="body altered"'),
    "signed field altered": (altered(b"Subject: Bonjour", b"Subject: Bonsoir"), 'fail reason="header altered"'),
    "signed field taken away": (altered(b"Subject: Bonjour\r\n", b""), 'fail reason="header altered"'),
    "signature altered": (altered(b" b=", b" b=AAAA"), 'fail reason="header altered"'),
    "a field added above is nothing": (b"X-A: b\r\n" + sign(MESSAGE), "pass"),
    "From added above": (b"From: evil@x.example\r\n" + sign(MESSAGE), 'fail reason="header altered"'),
    "From added below": (altered(b"Subject:", b"From: evil@x.example\r\nSubject:"), 'fail reason="header altered"'),
    "one Subject more, signed twice": (
        b"Subject: x\r\n" + sign(MESSAGE, h="from : subject : subject"),
        'fail reason="header altered"',
    ),
    "expired": (sign(MESSAGE, t=str(NOW - 9), x=str(NOW - 1)), 'policy reason="expired"'),
    "expires now": (sign(MESSAGE, t=str(NOW - 9), x=str(NOW)), "pass"),
    "SHA-1": (altered(b"a=rsa-sha256", b"a=rsa-sha1"), 'policy reason="algorithm or key too weak"'),
    "unknown algorithm": (altered(b"a=rsa-sha256", b"a=rsa-sha3"), 'neutral reason="unknown algorithm"'),
    "tag missing": (altered(b"bh=", b"zh="), 'permerror reason="required tag missing"'),
    "tag twice": (altered(b"v=1;", b"v=1; v=1;"), 'neutral reason="syntax"'),
    "version 2": (altered(b"v=1;", b"v=2;"), 'neutral reason="syntax"'),
    "no domain": (altered(b"d=beta.example", b"d=-"), 'neutral reason="syntax"'),
    "not a date": (sign(MESSAGE, x="never"), 'neutral reason="syntax"'),
    "unknown form": (altered(b"c=relaxed/relaxed", b"c=nofws"), 'neutral reason="syntax"'),
    "other query": (sign(MESSAGE, q="http"), 'neutral reason="syntax"'),
    "no base64": (altered(b" b=", b" b=!"), 'neutral reason="syntax"'),
    "From not signed": (sign(MESSAGE, h="to : subject"), 'permerror reason="From not signed"'),
    "subdomain speaks": (sign(MESSAGE, i="x@mx.beta.example"), "pass"),
    "another domain speaks": (sign(MESSAGE, i="x@alphabeta.example"), 'permerror reason="domain mismatch"'),
    "part of the body": (sign(MESSAGE, l="9"), 'policy reason="unsigned content"'),
    "all of the body": (sign(MESSAGE, l="25"), "pass"),
    "more than the body": (sign(MESSAGE, l="26"), 'permerror reason="body too short"'),
    "names without end": (sign(MESSAGE, h="from" + ":a" * 200), 'neutral reason="too long"'),
    "blanks without end": (altered(b"v=1;", b"v=1;" + b"\r\n " * 34), 'neutral reason="too long"'),
    "a field without end": (sign(MESSAGE, z="x" * 4096), 'neutral reason="too long"'),
    "unknown tags are nothing": (sign(MESSAGE, z="x"), "pass"),
}


@pytest.mark.parametrize("name", SIGNATURES)
async def test_signatures(name: str) -> None:
    content, expected = SIGNATURES[name]
    assert result(await told(content)) == f"dkim={expected}"


def of_size(bits: int) -> bytes:
    """The record of a public key that nobody has."""
    public = RSAPublicNumbers(65537, (1 << bits) - 1).public_key()
    octets = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; p=" + base64.b64encode(octets)


KEYS: dict[str, tuple[object, str]] = {
    "as it should be": (record(rsa_key()), "pass"),
    "k= and v= left out": (record(rsa_key(), v=None, k=None), "pass"),  # type: ignore[arg-type]
    "for mail": (record(rsa_key(), s="email", h="sha1:sha256"), "pass"),
    "DNS unreachable": (Verdict.NO_DNS, 'temperror reason="key unavailable"'),
    "none": (Verdict.NO_KEY, 'permerror reason="no key"'),
    "revoked": (record(rsa_key(), p=""), 'permerror reason="key revoked"'),
    "of tests": (record(rsa_key(), t="y:s"), 'neutral reason="key in test"'),
    "for other services": (record(rsa_key(), s="tlsrpt"), 'permerror reason="key for something else"'),
    "for other hashes": (record(rsa_key(), h="sha1"), 'permerror reason="key for something else"'),
    "of another kind": (record(ed25519_key()), 'permerror reason="key for something else"'),
    "of another owner": (record(rsa_key(3072)), 'fail reason="header altered"'),
    "another version": (record(rsa_key(), v="DKIM2"), 'permerror reason="key unusable"'),
    "no record of a key": (b"v=spf1 -all", 'permerror reason="key unusable"'),
    "tag twice": (record(rsa_key()) + b"; k=rsa", 'permerror reason="key unusable"'),
    "no base64": (record(rsa_key(), p="*"), 'permerror reason="key unusable"'),
    "no key": (record(rsa_key(), p="AAAA"), 'permerror reason="key unusable"'),
    "unknown kind": (record(rsa_key(), k="dsa"), 'permerror reason="key unusable"'),
    "of 512 bits": (of_size(512), 'policy reason="algorithm or key too weak"'),
    "of 8,192 bits": (of_size(8192), 'permerror reason="key unusable"'),
}


@pytest.mark.parametrize("name", KEYS)
async def test_keys(name: str) -> None:
    answer, expected = KEYS[name]
    assert result(await told(sign(MESSAGE), Zone({RSA: answer}))) == f"dkim={expected}"  # type: ignore[dict-item]


async def test_a_key_for_the_very_domain() -> None:
    zone = Zone({RSA: record(rsa_key(), t="s")})
    assert result(await told(sign(MESSAGE, i="x@beta.example"), zone)) == "dkim=pass"
    assert result(await told(sign(MESSAGE, i="x@mx.beta.example"), zone)) == 'dkim=permerror reason="domain mismatch"'


# ---------------------------------------------------------------- several
async def test_two_keys_and_a_third_party() -> None:
    """Each signature for itself; those above sign as if they were the first."""
    content = sign(sign(sign(MESSAGE), ed25519_key()), d="list.example")
    found = (await told(content)).split("; ")
    assert [result(one) for one in found] == ['dkim=permerror reason="no key"', "dkim=pass", "dkim=pass"]
    assert "header.d=list.example" in found[0]


async def test_only_so_many_are_looked_at() -> None:
    content, zone = MESSAGE, Zone.of("beta.example")
    for number in range(checking.MOST + 3):
        content = sign(content, d=f"d{number}.example")
    found = (await told(content, zone)).split("; ")
    assert len(found) == checking.MOST + 1
    assert found[-1] == 'dkim=policy reason="too many signatures, not checked"'
    assert len(zone.asked) == checking.MOST


async def test_one_key_is_asked_for_once_and_only_for_those_worth_it() -> None:
    zone = Zone.of("beta.example")
    await told(sign(sign(sign(MESSAGE), h="from"), x="1"), zone)
    assert zone.asked == [RSA]


# ---------------------------------------------------------------- in time, whatever happens
async def test_a_slow_dns_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Zone):
        async def __call__(self, name: str) -> bytes:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr(checking, "PATIENCE_S", 0.05)
    assert result(await told(sign(MESSAGE), Slow())) == 'dkim=temperror reason="not checked"'


async def test_a_fault_of_ours_costs_no_message() -> None:
    class Broken(Zone):
        async def __call__(self, name: str) -> bytes:
            raise RuntimeError("of beta.example")

    with capture_logs() as logs:
        assert result(await told(sign(MESSAGE), Broken())) == 'dkim=temperror reason="not checked"'
    assert [(entry["event"], entry["kind"]) for entry in logs] == [("signature_fault", "RuntimeError")]
    assert "beta" not in str(logs[0]["kind"])


def test_every_verdict_has_room() -> None:
    assert all(len(f"dkim={verdict}") <= ROOM for verdict in Verdict)


# ---------------------------------------------------------------- against dkimpy
SIGNED = {form: sign(MESSAGE, c=form) for form in ("simple/simple", "relaxed/relaxed")}


@given(st.sampled_from(sorted(SIGNED)), st.data())
async def test_no_change_passes_here_that_dkimpy_refuses(form: str, data: st.DataObject) -> None:
    """One octet taken out, put in or changed, lines kept as SMTP wants them."""
    content = SIGNED[form]
    at = data.draw(st.integers(0, len(content) - 1))
    length = data.draw(st.integers(0, 1))
    octet = data.draw(st.sampled_from([b"", b" ", b"x", b";", b"=", b"0"]))
    if b"\r" in content[at : at + length] or b"\n" in content[at : at + length]:
        length = 0
    changed = content[:at] + octet + content[at + length :]
    if changed.count(b"\r\n") != changed.count(b"\n"):
        return
    if re.search(rb"(?m)^[!-9;-~]+ :", changed):  # dkimpy reads no blank before a colon (RFC 5322 4.5)
        return
    try:
        theirs = dkim.verify(changed, dnsfunc=lambda name, timeout: record(rsa_key()), timeout=1)
    except Exception:
        theirs = False
    ours = await told(changed) if b"\r\n\r\n" in changed else ""
    if result(ours.partition("; ")[0]) == "dkim=pass":
        assert theirs


@given(st.binary(max_size=300), st.booleans())
async def test_any_field_gets_some_answer(value: bytes, begun: bool) -> None:
    start = b"v=1; a=rsa-sha256; d=beta.example; s=rsa; h=from; bh=AA==; b=" if begun else b""
    field = b"DKIM-Signature: " + start + value.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n"
    assert (await told(field + MESSAGE)).startswith("dkim=")


RFC_8463 = b"""\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
"""
RFC_8463_ZONE = Zone(
    {
        "brisbane._domainkey.football.example.com": (
            b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
        ),
        "test._domainkey.football.example.com": (
            b"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR"
            b"iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC"
            b"DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3"
            b"Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
        ),
    }
)


async def test_a_long_signed_header_is_judged_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a stranger writes is not ours to wait for on the loop: of body or header, large is large."""
    judged: list[threading.Thread] = []
    conclude = checking.Case.conclude

    def watched(case: checking.Case, *given: Any) -> list[Told]:
        judged.append(threading.current_thread())
        return conclude(case, *given)

    monkeypatch.setattr(checking.Case, "conclude", watched)
    long = b"X-Long:" + b"\r\n a b" * 8_000 + b"\r\n"
    for content in (MESSAGE, long + MESSAGE, MESSAGE + b"Bonjour,\r\n" * 4_000):
        assert (await told(sign(content, h="from : x-long"), Zone.of("beta.example"))).startswith("dkim=pass")
    assert [one is threading.main_thread() for one in judged] == [True, False, False]

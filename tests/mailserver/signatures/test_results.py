"""Authentication-Results: what is written can be read, and whoever claims to be us is recognised however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.signatures.results import Told, results_field, shown, without_ours

HOST = "mx.alpha.example"
FROM = b"From: dr@beta.example\r\n"

OURS = [
    b"mx.alpha.example; dkim=pass",
    b"mx.alpha.example;dkim=pass",
    b"MX.Alpha.Example 1; dkim=pass",
    b'"mx.alpha.example"; dkim=pass',
    b'"mx\\.alpha.example" ; dkim=pass',
    b"(of\r\n us) mx.alpha.example (really) 1 (yes); dkim=pass",
    b"\r\n\tmx.alpha.example;\r\n\tdkim=pass",
    b"mx.alpha.example",
    b"other.example 2; dkim=pass",  # a version that nobody here reads
    b"dkim=pass header.d=beta.example",  # no identifier at all
    b"((x) mx.alpha.example; dkim=pass",
    b"((x)) mx.alpha.example; dkim=pass",
    b"",
]
THEIRS = [
    b"mx.beta.example; dkim=pass header.d=mx.alpha.example",
    b"alpha.example; dkim=pass",
    b"xmx.alpha.example 1; none",
    b"(mx.alpha.example;) other.example; dkim=pass",
    b"example-auth; dkim=pass",
]


@pytest.mark.parametrize("value", OURS)
@pytest.mark.parametrize("name", [b"Authentication-Results:", b"AUTHENTICATION-results \t:"])
def test_a_forged_field_goes(name: bytes, value: bytes) -> None:
    header = FROM + name + b" " + value + b"\r\n" + b"To: b@alpha.example\r\n"
    assert without_ours(header, HOST) == FROM + b"To: b@alpha.example\r\n"


@pytest.mark.parametrize("value", THEIRS)
def test_those_of_others_stay(value: bytes) -> None:
    header = b"Authentication-Results: " + value + b"\r\n" + FROM
    assert without_ours(header, HOST) == header


def test_in_u_labels_too() -> None:
    """RFC 8601 5: after conversion."""
    header = "Authentication-Results: MX.Été.example; dkim=pass\r\n".encode()
    assert without_ours(header, "mx.xn--t-9fab.example") == b""


def test_what_only_looks_like_one_stays() -> None:
    header = b"X-Authentication-Results: mx.alpha.example; none\r\nSubject: x\r\n Authentication-Results: mx.alpha.example\r\n"
    assert without_ours(header, HOST) == header


FIELDS = st.sampled_from(
    [*(b"Authentication-Results: " + value for value in OURS + THEIRS), b"To: x", b"X: y\r\n z", b"?"]
)


@given(st.lists(FIELDS, max_size=8))
def test_nothing_else_changes(fields: list[bytes]) -> None:
    """In order, and once is enough."""
    lines = [field + b"\r\n" for field in fields]
    kept = [line for line in lines if line[:16] != b"Authentication-R" or line[24:-2] in THEIRS]
    cleaned = without_ours(b"".join(lines), HOST)
    assert cleaned == b"".join(kept)
    assert without_ours(cleaned, HOST) == cleaned


def test_the_field_as_it_is_written() -> None:
    """Blanks fill the line of the statement; what is no token is quoted (RFC 2045 5.1)."""
    told = [Told("dkim=pass", shown({"header.d": "beta.example", "header.b": "a/b+c="})), Told("dkim=none")]
    blanks = b" " * 55
    assert results_field(HOST, told) == (
        b"Authentication-Results: mx.alpha.example;\r\n"
        b"\tdkim=pass" + blanks + b'\r\n\theader.d=beta.example header.b="a/b+c=";\r\n'
        b"\tdkim=none" + blanks + b"\r\n"
    )
    assert results_field(HOST, [Told("dkim=none")], room=0) == (
        b"Authentication-Results: mx.alpha.example;\r\n\tdkim=none\r\n"
    )

"""Addresses: what is accepted, how they compare, the citizen's INS; the short way agrees with email-validator."""

from __future__ import annotations

import pytest
from email_validator import validate_email
from hypothesis import given
from hypothesis import strategies as st

from mssante import address
from mssante.address import Address, citizen_ins, parse_address
from mssante.identity import Fault, Ins, Invalid, demo_ins

CITIZENS = "patient.mssante.example"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Awa.DIALLO@Medecin.Mssante.EXAMPLE", "awa.diallo@medecin.mssante.example"),
        ("awa.diallo@santé.example", "awa.diallo@xn--sant-epa.example"),
        ("awa.diallo@xn--sant-epa.example", "awa.diallo@xn--sant-epa.example"),
        ("ÉLISE@a.example", "élise@a.example"),
        ("e\u0301lise@a.example", "élise@a.example"),
        ('"a b"@a.example', '"a b"@a.example'),
        ("o'brien@a.example", "o'brien@a.example"),
    ],
)
def test_key(text: str, key: str) -> None:
    parsed = parse_address(text)
    assert isinstance(parsed, Address)
    assert parsed.key == key
    assert address.address_key(text) == key
    assert address.address_key(parsed.text) == key


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "a@", "@a.example", "a@@a.example", "a.@a.example", ".a@a.example", "a..b@a.example", "a b@a.example",
        "a@a..example", "a@-a.example", "a@a-.example", "a@[127.0.0.1]", "A <a@a.example>", "a@a.example\r\n", "a@a.example\n",
        "a" * 65 + "@a.example", "a@" + "b" * 64 + ".example", "a@" + "b." * 130 + "example",
        "a\u202e@a.example", "\ud800@a.example",
        "x" * 1_000_000,
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    assert isinstance(parse_address(text), Invalid)


@given(
    st.from_regex(r"[a-zA-Z0-9_'+=.-]{1,70}", fullmatch=True),
    st.from_regex(r"[a-zA-Z0-9.-]{1,12}\.[a-zA-Z0-9-]{1,8}", fullmatch=True),
)
def test_short_way_agrees_with_email_validator(local: str, domain: str) -> None:
    text = f"{local}@{domain}"
    if address._PLAIN.fullmatch(text) is None:
        return
    checked = validate_email(text, check_deliverability=False, globally_deliverable=False)
    assert parse_address(text) == Address(checked.local_part, checked.ascii_domain)


def test_citizen() -> None:
    ins = demo_ins(1, place="2A004")
    written = address.citizen_address(ins, CITIZENS.upper())
    assert written.text == f"{ins.value}@{CITIZENS}"
    assert citizen_ins(written, CITIZENS) == ins
    assert citizen_ins(Address(ins.value.lower(), CITIZENS), CITIZENS) == Ins(ins.value)
    assert citizen_ins(Address(ins.value, "medecin.example"), CITIZENS) is None


@pytest.mark.parametrize(("local", "fault"), [("279035121518988", Fault.KEY), ("reponse.automatique", Fault.FORMAT)])
def test_not_a_citizen(local: str, fault: Fault) -> None:
    refused = citizen_ins(Address(local, CITIZENS), CITIZENS)
    assert isinstance(refused, Invalid)
    assert refused.fault is fault


def test_domain_alone() -> None:
    assert address.domain_key("Santé.EXAMPLE") == "xn--sant-epa.example"
    assert isinstance(address.domain_key("a b"), Invalid)


def test_address_is_masked() -> None:
    shown = f"{Address('279035121518989', CITIZENS)} {Address('279035121518989', CITIZENS)!r}"
    assert "279035121518989" not in shown

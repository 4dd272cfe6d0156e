"""Tokens judged: the table of what each claim must say, and signatures that nobody should make us believe."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from mssante.credentials import subject_form
from mssante.identity import luhn_key
from mssante.openid import LEEWAY, LONGEST, BadToken, Rules, Subject, claims_of, judge, key_id, read_keys

NOW = 1_794_472_800_000
SECONDS = NOW // 1000
ISSUER, AUDIENCE = "https://psc.example/realms/space", "https://mail.alpha.example"
RULES = Rules(ISSUER, AUDIENCE, clients=frozenset({"logiciel"}))
GOOD: dict[str, Any] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "azp": "logiciel",
    "acr": "eidas1",
    "exp": SECONDS + 60,
    "preferred_username": "899700218896",
}
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())


def jwk(key: Any, kid: str, **more: str) -> dict[str, Any]:
    made = jwt.algorithms.RSAAlgorithm if key is RSA else jwt.algorithms.ECAlgorithm
    return {**made.to_jwk(key.public_key(), as_dict=True), "kid": kid, **more}


KEYS = read_keys(json.dumps({"keys": [jwk(RSA, "r"), jwk(EC, "e")]}).encode())


def signed(claims: dict[str, Any] = GOOD, key: Any = RSA, algorithm: str = "RS256", **header: Any) -> str:
    return jwt.encode(claims, key, algorithm, {"kid": "r", **header})


# ---------------------------------------------------------------- claims
@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Subject("899700218896", NOW + 60_000 + LEEWAY)),
        ({"aud": ["account", AUDIENCE]}, Subject("899700218896", NOW + 60_000 + LEEWAY)),
        ({"azp": None, "client_id": "logiciel"}, Subject("899700218896", NOW + 60_000 + LEEWAY)),
        ({"nbf": SECONDS + 59}, Subject("899700218896", NOW + 60_000 + LEEWAY)),
        ({"exp": SECONDS - 59}, Subject("899700218896", NOW - 59_000 + LEEWAY)),
        ({"exp": SECONDS + 0.5}, Subject("899700218896", NOW + 500 + LEEWAY)),
        ({"iss": ISSUER + "/"}, BadToken.ISSUER),
        ({"iss": None}, BadToken.ISSUER),
        ({"aud": "https://autre.example"}, BadToken.AUDIENCE),
        ({"aud": None}, BadToken.AUDIENCE),
        ({"aud": []}, BadToken.AUDIENCE),
        ({"aud": {AUDIENCE: 1}}, BadToken.AUDIENCE),
        ({"aud": AUDIENCE + "x"}, BadToken.AUDIENCE),
        ({"azp": "autre"}, BadToken.CLIENT),
        ({"azp": "autre", "client_id": "logiciel"}, BadToken.CLIENT),
        ({"azp": None}, BadToken.CLIENT),
        ({"acr": "low"}, BadToken.LEVEL),
        ({"acr": None}, BadToken.LEVEL),
        ({"exp": SECONDS - 60}, BadToken.EXPIRED),
        ({"exp": None}, BadToken.EXPIRED),
        ({"exp": "tomorrow"}, BadToken.EXPIRED),
        ({"exp": True}, BadToken.EXPIRED),
        ({"exp": 1e300}, BadToken.EXPIRED),
        ({"exp": float("nan")}, BadToken.EXPIRED),
        ({"nbf": SECONDS + 61}, BadToken.NOT_YET),
        ({"preferred_username": None}, BadToken.NOBODY),
        ({"preferred_username": ""}, BadToken.NOBODY),
        ({"preferred_username": 899700218896}, BadToken.NOBODY),
        ({"preferred_username": "x" * 257}, BadToken.NOBODY),
    ],
)
def test_what_claims_must_say(change: dict[str, Any], verdict: Subject | BadToken) -> None:
    claims = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    assert judge(claims, RULES, NOW) == verdict


def test_lists_left_empty_ask_nothing() -> None:
    claims = {name: value for name, value in GOOD.items() if name not in ("azp", "acr")}
    assert isinstance(judge(claims, Rules(ISSUER, AUDIENCE, acr=frozenset()), NOW), Subject)


@given(st.dictionaries(st.sampled_from([*GOOD, "nbf"]), st.none() | st.text() | st.floats() | st.lists(st.text())))
def test_no_claim_breaks_the_rules(change: dict[str, Any]) -> None:
    assert isinstance(judge({**GOOD, **change}, RULES, NOW), (Subject, BadToken))


RPPS = "1099000001" + luhn_key("1099000001")


@pytest.mark.parametrize(
    ("name", "form"),
    [
        (RPPS, RPPS),
        ("8" + RPPS, RPPS),
        ("9" + RPPS, "9" + RPPS),  # another register's
        ("8" + RPPS[:-1] + str((int(RPPS[-1]) + 1) % 10), "8" + RPPS[:-1] + str((int(RPPS[-1]) + 1) % 10)),
        ("Nadia.Benali@CHU.example", "nadia.benali@chu.example"),
    ],
)
def test_how_a_person_is_looked_up(name: str, form: str) -> None:
    assert subject_form(name) == form


# ---------------------------------------------------------------- signatures
@pytest.mark.parametrize(
    ("key", "algorithm", "kid"), [(RSA, "RS256", "r"), (RSA, "PS256", "r"), (RSA, "RS512", "r"), (EC, "ES256", "e")]
)
def test_signatures_that_are_right(key: Any, algorithm: str, kid: str) -> None:
    assert claims_of(signed(GOOD, key, algorithm, kid=kid), KEYS) == GOOD
    assert claims_of(signed(GOOD, key, algorithm, kid=kid, typ="at+jwt"), KEYS) == GOOD


def test_the_only_key_needs_no_name() -> None:
    one = read_keys(json.dumps({"keys": [jwk(RSA, "r")]}).encode())
    token = jwt.encode(GOOD, RSA, "RS256")
    assert claims_of(token, one) == GOOD
    assert claims_of(token, KEYS) is BadToken.UNKNOWN_KEY


def part(content: object) -> str:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return urlsafe_b64encode(text).decode().rstrip("=")


def mac_with_the_public_key() -> str:
    """The oldest trick: our public key taken for a MAC's secret."""
    begun = f"{part({'alg': 'HS256', 'kid': 'r'})}.{part(GOOD)}"
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return f"{begun}.{part(hmac.digest(pem, begun.encode(), 'sha256'))}"


SIGNED = signed()
HOSTILE = {
    "none": (f"{part({'alg': 'none'})}.{part(GOOD)}.", BadToken.ALGORITHM),
    "None": (f"{part({'alg': 'None', 'kid': 'r'})}.{part(GOOD)}.", BadToken.ALGORITHM),
    "a MAC by the public key": (mac_with_the_public_key(), BadToken.ALGORITHM),
    "no signature": (SIGNED.rsplit(".", 1)[0] + ".", BadToken.SIGNATURE),
    "another's key": (signed(key=rsa.generate_private_key(65537, 2048)), BadToken.SIGNATURE),
    "the key's other kind": (signed(GOOD, EC, "ES256", kid="r"), BadToken.SIGNATURE),
    "an unknown key": (signed(kid="x"), BadToken.UNKNOWN_KEY),
    "a key of its own": (signed(kid="x", jwk=jwk(RSA, "x")), BadToken.UNKNOWN_KEY),
    "a name that is none": (signed(kid="../../dev/null"), BadToken.UNKNOWN_KEY),
    "other claims": (
        ".".join((SIGNED.split(".")[0], part({**GOOD, "aud": "x"}), SIGNED.split(".")[2])),
        BadToken.SIGNATURE,
    ),
    "not an object": (jwt.PyJWS().encode(b"[]", RSA, "RS256", {"kid": "r"}), BadToken.UNREADABLE),
    "not JSON": (jwt.PyJWS().encode(b"x", RSA, "RS256", {"kid": "r"}), BadToken.SIGNATURE),
    "a logout token": (signed(typ="logout+jwt"), BadToken.TYPE),
    "critical words": (signed(crit=["x"], x=1), BadToken.UNREADABLE),
    "nothing": ("", BadToken.UNREADABLE),
    "dots": ("..", BadToken.UNREADABLE),
    "a header that is a list": (f"{part([])}.{part(GOOD)}.x", BadToken.UNREADABLE),
    "deep": (f"{part(b'[' * 3_000)}.x.x", BadToken.UNREADABLE),
    "long": (signed({"x": "y" * LONGEST}), BadToken.UNREADABLE),
    "an encrypted one": ("a.b.c.d.e", BadToken.UNREADABLE),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_tokens_that_open_nothing(case: str) -> None:
    token, verdict = HOSTILE[case]
    assert claims_of(token, KEYS) is verdict


@given(st.text(max_size=60), st.lists(st.binary(max_size=40), min_size=3, max_size=3))
def test_no_token_breaks_the_reader(text: str, parts: list[bytes]) -> None:
    for token in (text, ".".join(map(part, parts))):
        assert isinstance(claims_of(token, KEYS), BadToken)
        assert isinstance(key_id(token), (str, BadToken))


# ---------------------------------------------------------------- keys
def test_keys_that_serve_for_nothing_here_are_passed_over() -> None:
    listed = [
        jwk(RSA, "r", use="sig"),
        jwk(RSA, "encrypts", use="enc"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        {"kty": "later", "kid": "l"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        "text",
        None,
    ]
    assert set(read_keys(json.dumps({"keys": listed}).encode())) == {"r"}


@pytest.mark.parametrize("document", [b"", b"x", b"[]", b"{}", b'{"keys": 1}', b"\xff", b"null"])
def test_no_set_of_keys(document: bytes) -> None:
    with pytest.raises(ValueError):
        read_keys(document)

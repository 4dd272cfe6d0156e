"""Keys and proofs of SCRAM-SHA-256: the vectors of the RFCs, and passwords that have several spellings."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest

from mssante import scram
from mssante.passwords import LONGEST, hash_password
from mssante.scram import Proof, Salt

# RFC 7677 3
SALT = Salt(b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
MESSAGE = (
    b"n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,"
    b"i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
)
PROOF = b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")


def test_the_example_of_rfc_7677() -> None:
    keys = scram.keys_of("pencil", SALT)
    signature = scram.signature(keys, Proof(MESSAGE, PROOF))
    assert signature is not None
    assert b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.mark.parametrize(
    ("password", "proof"),
    [
        ("pencil", Proof(MESSAGE, bytes(32))),
        ("pencil", Proof(MESSAGE, PROOF[:-1])),
        ("pencil", Proof(MESSAGE, PROOF + b"\0")),
        ("pencil", Proof(MESSAGE, b"")),
        ("pencil", Proof(MESSAGE + b"x", PROOF)),
        ("Pencil", Proof(MESSAGE, PROOF)),
    ],
)
def test_wrong_proofs(password: str, proof: Proof) -> None:
    assert scram.signature(scram.keys_of(password, SALT), proof) is None


def test_without_keys_every_proof_is_wrong() -> None:
    assert scram.signature(None, Proof(MESSAGE, PROOF)) is None


def test_keys_are_written_as_rfc_5803_says_and_read_again() -> None:
    keys = scram.keys_of("pencil", SALT)
    assert keys is not None
    assert scram.written(keys) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )
    assert scram.read(scram.written(keys)) == keys
    assert repr(keys).startswith("<")


def test_what_a_password_leaves_behind() -> None:
    one, two = hash_password("café", SALT), hash_password("café", None)
    assert one.scram is not None
    assert two.scram is None
    assert one.argon2 != two.argon2
    assert one.scram.salt == SALT
    assert "café" not in f"{one}{one.scram}"
    assert hash_password("p" * LONGEST, SALT).scram is not None
    assert hash_password("p" * (LONGEST + 1), SALT).scram is None
    assert hash_password("bell\a", SALT).scram is None


@pytest.mark.parametrize(
    ("typed", "prepared"),
    [  # RFC 4013 3
        ("I\N{SOFT HYPHEN}X", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\N{FEMININE ORDINAL INDICATOR}", "a"),
        ("\N{ROMAN NUMERAL NINE}", "IX"),
        ("\a", None),
        ("\N{ARABIC LETTER ALEF}1", None),
        # what people type
        ("cafe\N{COMBINING ACUTE ACCENT}", "café"),
        ("deux\N{NO-BREAK SPACE}mots", "deux mots"),
        ("l\N{LATIN SMALL LIGATURE OE}il", "lœil"),
        ("\N{ARABIC LETTER ALEF}1\N{ARABIC LETTER ALEF}", "\N{ARABIC LETTER ALEF}1\N{ARABIC LETTER ALEF}"),
        ("\N{ARABIC LETTER ALEF}x\N{ARABIC LETTER ALEF}", None),
        ("\N{GRINNING FACE}", "\N{GRINNING FACE}"),  # not assigned in stringprep's Unicode 3.2: passes in a query
        ("\ue000", None),
        ("\ud800", None),
        ("", ""),
    ],
)
def test_saslprep(typed: str, prepared: str | None) -> None:
    assert scram.saslprep(typed) == prepared

"""The two ceremonies of a passkey (W3C Web Authentication Level 3, 7.1 and 7.2), judged: pure functions over what a browser sent.

py_webauthn reads and verifies. What it leaves open is decided here: the person must have been recognised by the device (a second
factor that anybody may touch is half of one), the page was not in a frame of another site, and a signature counter that did not
grow (7.2, step 22) is told apart from a wrong signature.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from hmac import compare_digest

import webauthn
from webauthn.helpers import base64url_to_bytes, parse_client_data_json
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from foundation.clock import MINUTE

LIVES = 5 * MINUTE  # of a challenge
LONGEST = 20_000  # characters of a browser's answer; a TPM's certificates take some
LONGEST_ID = 1_023  # octets (7.1, step 25)
ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,  # Windows Hello on older TPMs
]


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Us, as browsers see us. `id`: a domain, the origin's host or above it; `origin`: as in the address bar, no path."""

    id: str
    name: str
    origin: str


class BadPasskey(Enum):
    """Why an answer opens nothing; for the operator, never for who sent it."""

    UNREADABLE = "not an answer of a browser"
    NO_CHALLENGE = "asked by nobody, too late, or answered before"
    FRAMED = "made in a frame of another site"
    UNKNOWN = "a passkey that this person does not have"
    SOMEBODY_ELSE = "made for another person"
    WRONG = "the library refuses it: origin, site, challenge, person not recognised, or signature"
    COPIED = "its counter did not grow: there may be a copy of it"
    BLOCKED = "blocked since its counter did not grow"
    TOO_MANY = "the person has as many as we keep"
    TAKEN = "enrolled already"
    NOT_FIRST = "a second factor is there already"


@dataclass(frozen=True, slots=True, repr=False)
class Made:
    """A new passkey. `id`: its own, chosen by the device; `public_key`: COSE."""

    id: bytes
    public_key: bytes
    count: int


def creation(
    party: RelyingParty, challenge: bytes, handle: bytes, login: str, person: str, have: Sequence[bytes]
) -> str:
    """JSON for `navigator.credentials.create`. `handle` names the person without saying who they are (14.6.1)."""
    options = webauthn.generate_registration_options(
        rp_id=party.id,
        rp_name=party.name,
        user_name=login,
        user_display_name=person,
        user_id=handle,
        challenge=challenge,
        timeout=LIVES,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=_described(have),
        supported_pub_key_algs=ALGORITHMS,
    )
    return webauthn.options_to_json(options)


def asking(party: RelyingParty, challenge: bytes, have: Sequence[bytes]) -> str:
    """JSON for `navigator.credentials.get`."""
    options = webauthn.generate_authentication_options(
        rp_id=party.id,
        challenge=challenge,
        timeout=LIVES,
        allow_credentials=_described(have),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


def made(party: RelyingParty, challenge: bytes, answer: str) -> Made | BadPasskey:
    """7.1. No attestation is asked for: any device is taken."""
    if bad := _read(answer):
        return bad
    try:
        found = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
            supported_pub_key_algs=ALGORITHMS,
        )
    except Exception:  # hostile octets reach a reader of CBOR, of ASN.1, of certificates
        return BadPasskey.WRONG
    if not 0 < len(found.credential_id) <= LONGEST_ID:
        return BadPasskey.WRONG
    return Made(found.credential_id, found.credential_public_key, found.sign_count)


def id_of(answer: str) -> bytes | BadPasskey:
    """Which passkey answers, not verified yet."""
    if bad := _read(answer):
        return bad
    try:
        return base64url_to_bytes(json.loads(answer)["rawId"])
    except (KeyError, TypeError, ValueError):
        return BadPasskey.UNREADABLE


def signed(
    party: RelyingParty, challenge: bytes, handle: bytes, public_key: bytes, count: int, answer: str
) -> int | BadPasskey:
    """7.2. The passkey's new counter; 0 for devices that do not count."""
    if bad := _read(answer):
        return bad
    try:
        found = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,  # judged below, once the signature is right
            require_user_verification=True,
        )
        owner = json.loads(answer)["response"].get("userHandle")
        if owner and not compare_digest(base64url_to_bytes(owner), handle):
            return BadPasskey.SOMEBODY_ELSE
    except Exception:  # as above
        return BadPasskey.WRONG
    grown = found.new_sign_count > count or (found.new_sign_count == 0 and count == 0)
    return found.new_sign_count if grown else BadPasskey.COPIED


def _read(answer: str) -> BadPasskey | None:
    """Readable, and made on a page of its own: ours never stand in a frame."""
    if len(answer) > LONGEST:
        return BadPasskey.UNREADABLE
    try:
        client_data = parse_client_data_json(base64url_to_bytes(json.loads(answer)["response"]["clientDataJSON"]))
    except Exception:  # as above
        return BadPasskey.UNREADABLE
    return BadPasskey.FRAMED if client_data.cross_origin else None


def _described(ids: Sequence[bytes]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=one) for one in ids]

"""Certificate profiles as data: what each kind of certificate of the trust space may do, and the shape of its subject.

Modelled on what public IGC-Santé certificates show (docs: operators' "SERV SSL", organisations' "ORG AUTH_CLI", the
list's signer); the official template document was not available, so the development authority follows these tables and
nothing else does: `certs.chain` judges real certificates by RFC 5280 and the purpose asked, not by these profiles.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True, slots=True)
class Profile:
    """`usages` are the names of `x509.KeyUsage` arguments; `host` puts the CN in the alternative names, as a DNS name."""

    name: str
    days: int
    usages: frozenset[str]
    extended: tuple[x509.ObjectIdentifier, ...] = ()
    ca: bool = False
    path_length: int | None = None
    host: bool = False


_SIGNS = frozenset({"digital_signature"})
_AUTHORITY = frozenset({"key_cert_sign", "crl_sign"})
_CLIENT, _SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH

ROOT = Profile("root", 3650, _AUTHORITY, ca=True)
INTERMEDIATE = Profile("intermediate", 1825, _AUTHORITY, ca=True, path_length=0)
OPERATOR = Profile("operator", 1095, _SIGNS, (_SERVER, _CLIENT), host=True)
ORGANISATION = Profile("organisation", 1095, _SIGNS, (_CLIENT,))
PERSON = Profile("person", 1095, _SIGNS, (_CLIENT,))
LIST_SIGNER = Profile(
    "list-signer", 1095, _SIGNS | {"content_commitment"}, (ExtendedKeyUsageOID.EMAIL_PROTECTION,)
)  # as the signer of the real list, 2023-2026
PROFILES = {profile.name: profile for profile in (ROOT, INTERMEDIATE, OPERATOR, ORGANISATION, PERSON, LIST_SIGNER)}


def operator_subject(host: str, structure: str, organisation: str, place: str) -> x509.Name:
    """`CN=host,OU=structure,O=organisation,ST=place,C=FR`; structure is 1+FINESS or 3+SIRET, place like "Paris (75)"."""
    return _subject(host, structure, organisation, place)


def organisation_subject(label: str, structure: str, organisation: str, place: str) -> x509.Name:
    """Subject of a software client of a structure (APP mailboxes): the CN is its label, not a host."""
    return _subject(label, structure, organisation, place)


def person_subject(identifier: str, surname: str, given_name: str) -> x509.Name:
    """Subject of a professional: the CN is the national identifier (8+RPPS)."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
            x509.NameAttribute(NameOID.SURNAME, surname),
            x509.NameAttribute(NameOID.GIVEN_NAME, given_name),
            x509.NameAttribute(NameOID.COMMON_NAME, identifier),
        ]
    )


def _subject(common_name: str, structure: str, organisation: str, place: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
            x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, place),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, structure),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )

"""Subject names of certificates as comparable values.

The comparison itself is in `foundation.dn` (shared with the trust list); here only the way from a certificate to that
value.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from foundation.dn import DistinguishedName, DnError, from_pairs, parse, prepare

# What cryptography raises on certificates and lists that it cannot read; some are not ValueErrors. DnError is one.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)

__all__ = ["UNREADABLE", "DistinguishedName", "DnError", "of_name", "parse", "prepare", "to_name"]


def of_name(name: x509.Name) -> DistinguishedName:
    """The comparable form of an X.509 name. Raises DnError when it is empty or not text."""
    return from_pairs([(attribute.oid.dotted_string, _text(attribute.value)) for attribute in rdn] for rdn in name.rdns)


def to_name(text: str) -> x509.Name:
    """An X.509 name from RFC 4514 text, leaf first; spelling is kept. Raises DnError."""
    parse(text)
    try:
        return x509.Name.from_rfc4514_string(text)
    except ValueError as error:
        raise DnError(str(error)) from error


def _text(value: str | bytes) -> str:
    if isinstance(value, bytes):
        raise DnError("attribute is not text")
    return value

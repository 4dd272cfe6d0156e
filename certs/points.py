"""Where a certificate says that its revocation can be asked: distribution points (RFC 5280 4.2.1.13, 4.2.1.15) and OCSP responders
(4.2.2.1). Only http and https: LDAP is not spoken here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from certs.names import UNREADABLE


def revocation_lists(certificates: Iterable[x509.Certificate]) -> tuple[str, ...]:
    """Addresses of full lists, then of deltas, each once."""
    full, deltas = dict[str, None](), dict[str, None]()
    for certificate in certificates:
        full.update(dict.fromkeys(_points(certificate, x509.CRLDistributionPoints)))
        deltas.update(dict.fromkeys(_points(certificate, x509.FreshestCRL)))
    return tuple(full | deltas)


def responders(certificate: x509.Certificate) -> tuple[str, ...]:
    """Addresses of OCSP responders."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return ()
    asked = (one.access_location for one in access if one.access_method == AuthorityInformationAccessOID.OCSP)
    return tuple(_web(asked))


def _points(
    certificate: x509.Certificate, kind: type[x509.CRLDistributionPoints] | type[x509.FreshestCRL]
) -> Iterator[str]:
    try:
        points = certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return
    for point in points:
        if point.crl_issuer is None and point.reasons is None:  # indirect or partial lists are not used
            yield from _web(point.full_name or ())


def _web(names: Iterable[x509.GeneralName]) -> Iterator[str]:
    for name in names:
        if isinstance(name, x509.UniformResourceIdentifier) and name.value.startswith(("http://", "https://")):
            yield name.value

"""What `mssante trust-list sign` reads: a table of entries, the signer's key and certificates. Faults are `Refused`, in words."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from foundation.dn import DnError, parse
from mssante.trust_list import Entry, is_domain
from runtime.command import Refused

Signer = tuple[rsa.RSAPrivateKey, tuple[x509.Certificate, ...]]
_OPTIONAL = ("description", "contact", "support")


def entries_of(text: str) -> list[Entry]:
    """CSV with `domain` and `dn` (RFC 4514, leaf first) in its header, `;` or `,` between fields; every faulty line is named."""
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    rows = csv.DictReader(StringIO(text, newline=""), delimiter=delimiter)
    if not {"domain", "dn"} <= set(rows.fieldnames or ()):
        raise Refused("Colonnes domain et dn attendues. // Columns domain and dn expected.")
    found, faults = list[Entry](), list[str]()
    for row in rows:
        if None in row:  # DictReader's name for what has no column
            faults.append(f"{rows.line_num}: dn: more fields than columns: put it in quotes")
            continue
        entry = Entry(row["domain"] or "", row["dn"] or "", *(row.get(name) or "" for name in _OPTIONAL))
        if fault := _fault(entry):
            faults.append(f"{rows.line_num}: {fault}")
        found.append(entry)
    if faults:
        raise Refused("\n".join(faults))
    return found


def _fault(entry: Entry) -> str | None:
    try:
        parse(entry.dn)
    except DnError as fault:
        return f"dn: {fault}"
    return None if is_domain(entry.domain) else "domain: not a domain name"


def signer_of(key: Path, certificate: Path) -> Signer:
    """The key, and the signer's certificate followed by its chain. Raises OSError too."""
    try:
        found = serialization.load_pem_private_key(key.read_bytes(), None)
        chain = tuple(x509.load_pem_x509_certificates(certificate.read_bytes()))
    except (ValueError, TypeError) as fault:
        raise Refused(
            "Clé ou certificat illisible : {fault} // Unreadable key or certificate: {fault}", fault=fault
        ) from None
    if not isinstance(found, rsa.RSAPrivateKey):
        raise Refused("Une clé RSA est demandée. // An RSA key is asked for.")
    if found.public_key() != chain[0].public_key():
        raise Refused("La clé n’est pas celle du certificat. // The key is not the certificate’s.")
    return found, chain

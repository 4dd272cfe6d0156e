"""`mssante certificate list|show|check|fetch|develop`: the certificates that this operator lives by, and revocation lists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.certificate_develop import develop
from runtime.command import (
    FAILED,
    Desk,
    Done,
    Refused,
    acts,
    lists,
    looks,
    moment,
    plain,
    table,
)

if TYPE_CHECKING:
    from cryptography import x509

    from foundation.database import Transaction
    from runtime.certificates import Known
    from runtime.settings import Settings

certificate = typer.Typer(
    no_args_is_help=True,
    help="Les certificats de l’opérateur et les listes de révocation. // The operator’s certificates and revocation lists.",
)

File = Annotated[
    Path | None,
    typer.Argument(
        help="Certificat PEM ; sinon celui du serveur. // PEM certificate; else the server’s.",
        exists=True,
        dir_okay=False,
    ),
]
NewCertificate = Annotated[
    Path | None,
    typer.Option("--certificate", help="À la place de celui des réglages. // Instead of the settings’.", exists=True),
]
NewKey = Annotated[
    Path | None,
    typer.Option("--key", help="À la place de celle des réglages. // Instead of the settings’.", exists=True),
]

_COLUMNS = {
    "role": "rôle // role",
    "subject": "sujet // subject",
    "not_after": "fin // end",
    "days_left": "jours // days",
    "file": "fichier // file",
}
_ROLES = {
    "server": "serveur // server",
    "intermediate": "intermédiaire // intermediate",
    "web": "pages web // web pages",
    "anchor": "racine // anchor",
}
_DETAILS = {
    "subject": "sujet // subject",
    "issuer": "émetteur // issuer",
    "serial": "numéro // serial",
    "not_before": "début // start",
    "not_after": "fin // end",
    "key": "clé // key",
    "names": "autres noms // other names",
    "usages": "usages // usages",
    "revocation_lists": "listes de révocation // revocation lists",
    "ocsp": "OCSP // OCSP",
    "sha256": "SHA-256 // SHA-256",
}


@certificate.command("list")
@lists
def list_(at: Desk) -> None:
    """Tous les certificats dont ce serveur dépend, avec leur fin.

    // All certificates that this server depends on, with their end.
    """
    from runtime.certificates import known

    found = [_facts(one, at.now) for one in known(at.house.settings)]
    at.listed(found, _COLUMNS, "Aucun certificat lisible. // No readable certificate.", _cell(at))


@certificate.command()
@looks
def show(at: Desk, file: File = None) -> None:
    """Tout ce qu’un certificat dit : sujet, émetteur, dates, usages, adresses de révocation, empreinte.

    // All that a certificate says: subject, issuer, dates, usages, addresses of revocation, fingerprint.
    """
    from certs.names import UNREADABLE

    path = file or at.house.settings.tls.certificate
    try:
        facts = _said(path)
    except (OSError, *UNREADABLE) as fault:
        raise Refused("{path} : {fault} // {path}: {fault}", path=path, fault=fault) from None
    at.shown(facts, table([(at.said(_DETAILS[key]), plain(value, at.lang)) for key, value in facts.items()]))


@certificate.command()
@looks
def check(at: Desk, new: NewCertificate = None, key: NewKey = None) -> None:
    """Dire si les autres opérateurs accepteront ce certificat : chaîne, clé, dates, usages, révocation, inscription à la liste.
    Avec --certificate et --key : avant de le mettre en place.

    // Say whether other operators will accept this certificate: chain, key, dates, usages, revocation, entry in the list. With
    --certificate and --key: before it is put in place.
    """
    from runtime.doctor import told, trusted
    from runtime.doctor.faults.trusted import TRUST_OTHER_CERTIFICATE, TRUST_WITHOUT_US

    settings = _with(at.house.settings, new, key)
    checks = (trusted.certificate, trusted.ends, trusted.revocation, trusted.trust)
    found = [finding for one in checks for finding in one(settings, at.now)]
    at.shown([one.facts(at.lang) for one in found], told(found, at.lang))
    not_accepted = (
        TRUST_OTHER_CERTIFICATE,
        TRUST_WITHOUT_US,
    )  # a server may start like this: here it is what was asked
    if any(one.fatal or one.fault in not_accepted for one in found):
        raise typer.Exit(FAILED)


@certificate.command()
@acts
def fetch(at: Desk) -> None:
    """Prendre maintenant les listes de révocation, là où nos certificats et les réglages le disent.

    // Get the revocation lists now, where our certificates and the settings say.
    """
    import asyncio

    from runtime.revocation import fetch_lists

    fetched = asyncio.run(fetch_lists(at.house.settings, at.dry_run))
    facts = {"lists": len(fetched.lists), "changed": fetched.changed, "faults": fetched.faults}

    def act(tx: Transaction) -> Done:
        if fetched.changed:
            at.record(tx, "certificate:fetch", {"lists": len(fetched.lists)})
        return Done("Listes gardées : {lists} ; nouvelles : {changed}. // Lists kept: {lists}; new: {changed}.", facts)

    at.one(act)
    for url, reason in fetched.faults.items():
        typer.echo(f"{url}: {reason}", err=True)
    if fetched.faults:
        raise typer.Exit(FAILED)


certificate.command()(develop)


# -------------------------------------------------------------------- parts
def _with(settings: Settings, new: Path | None, key: Path | None) -> Settings:
    """The settings, as they would be with these files in place."""
    files = {name: path.absolute() for name, path in (("certificate", new), ("key", key)) if path is not None}
    return settings.model_copy(update={"tls": settings.tls.model_copy(update=files)})


def _cell(at: Desk) -> Any:
    return lambda key, value: at.said(_ROLES[value]) if key == "role" else plain(value, at.lang)


def _facts(one: Known, now: int) -> dict[str, Any]:
    from foundation.clock import DAY

    return {
        "role": one.role,
        "subject": one.subject,
        "not_after": moment(one.ends_at),
        "days_left": (one.ends_at - now) // DAY,
        "file": str(one.path),
    }


def _said(path: Path) -> dict[str, Any]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    from certs.names import of_name
    from certs.points import responders, revocation_lists
    from certs.times import to_ms

    found = x509.load_pem_x509_certificates(path.read_bytes())[0]
    return {
        "subject": of_name(found.subject).text,
        "issuer": of_name(found.issuer).text,
        "serial": f"{found.serial_number:x}",
        "not_before": moment(to_ms(found.not_valid_before_utc)),
        "not_after": moment(to_ms(found.not_valid_after_utc)),
        "key": _key(found),
        "names": _names(found),
        "usages": _usages(found),
        "revocation_lists": list(revocation_lists([found])),
        "ocsp": list(responders(found)),
        "sha256": found.fingerprint(hashes.SHA256()).hex(),
    }


def _key(found: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    match found.public_key():
        case rsa.RSAPublicKey(key_size=size):
            return f"RSA {size}"
        case ec.EllipticCurvePublicKey() as key:
            return key.curve.name
        case other:
            return type(other).__name__


def _names(found: x509.Certificate) -> list[str]:
    from cryptography import x509

    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(one.value) for one in names]


def _usages(found: x509.Certificate) -> list[str]:
    from cryptography import x509

    try:
        usages = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return []
    return [one._name for one in usages]

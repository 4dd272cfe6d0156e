"""One table of the doors that a mail client meets; everything that configures a client is made from it.

Mozilla's autoconfiguration file (version 1.1), Outlook's Autodiscover answer (POX), Apple's configuration profile, the SRV records
of RFC 6186 and RFC 8314, and the page « Régler mon logiciel de messagerie ». No password stands in any of them.

A login is a word of its own (`mssante.credentials`): of a personal mailbox often its address, in a shared one each member's own. It
is told to its owner only. Mozilla's and Outlook's files answer anybody, so they give the address, which is right for most and says
of nobody whether they exist; no client fills in anything else (Thunderbird reads `inputField` and does nothing with it).
"""

from __future__ import annotations

import plistlib
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from lxml import etree
from lxml.builder import E, ElementMaker

OUTLOOK_REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
OUTLOOK_ANSWER = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
_ENVELOPE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"


@dataclass(frozen=True, slots=True)
class MailDoor:
    """`reads`: IMAP, else submission; `tls`: from the first octet, else STARTTLS."""

    reads: bool
    tls: bool
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class MailDoors:
    """`doors` with the preferred one first in each direction (RFC 8314 3.3: TLS from the first octet)."""

    operator: str
    host: str
    domains: tuple[str, ...]
    doors: tuple[MailDoor, ...]

    def best(self, reads: bool) -> MailDoor | None:
        return next((door for door in self.doors if door.reads is reads), None)

    def serves(self, address: str) -> bool:
        """Whether `address` looks like one of ours; whether it exists is nobody's business."""
        local, _, domain = address.rpartition("@")
        plain = all(sign.isprintable() and sign not in ' <>"@,;' for sign in local)
        return bool(local) and plain and len(address) <= 254 and domain.lower() in self.domains


@dataclass(frozen=True, slots=True, repr=False)
class MailAccount:
    """What a program signs in with. `login` empty: nobody has said it, and it is for the program to ask."""

    address: str
    login: str = ""

    def __repr__(self) -> str:
        return "MailAccount"


# -------------------------------------------------------------------- Mozilla
def mozilla(table: MailDoors) -> bytes:
    """config-v1.1.xml; the client puts the address in the place of %EMAILADDRESS% itself."""
    provider = E.emailProvider(
        *(E.domain(domain) for domain in table.domains),
        E.displayName(table.operator),
        E.displayShortName(table.operator),
        *(_mozilla_server(door) for door in table.doors),
        id=table.domains[0],
    )
    return _document(E.clientConfig(provider, version="1.1"))


def _mozilla_server(door: MailDoor) -> etree._Element:
    kind = "incomingServer" if door.reads else "outgoingServer"
    return E(
        kind,
        E.hostname(door.host),
        E.port(str(door.port)),
        E.socketType("SSL" if door.tls else "STARTTLS"),
        E.authentication("password-cleartext"),  # inside TLS
        E.username("%EMAILADDRESS%"),
        type="imap" if door.reads else "smtp",
    )


# -------------------------------------------------------------------- Outlook
def outlook(table: MailDoors, address: str) -> bytes:
    """The POX answer for `address`; without a LoginName, Outlook would take what stands before the @."""
    space = ElementMaker(namespace=OUTLOOK_ANSWER, nsmap={None: OUTLOOK_ANSWER})
    protocols = [
        space.Protocol(
            space.Type("IMAP" if reads else "SMTP"),
            space.Server(door.host),
            space.Port(str(door.port)),
            space.DomainRequired("off"),
            space.LoginName(address),
            space.SPA("off"),
            space.SSL("on"),
            space.Encryption("SSL" if door.tls else "TLS"),
            space.AuthRequired("on"),
        )
        for reads in (True, False)
        if (door := table.best(reads)) is not None
    ]
    account = space.Account(space.AccountType("email"), space.Action("settings"), *protocols)
    return _outlook_envelope(space.Response(account))


def outlook_refusal() -> bytes:
    """600: the request is not one that this server answers."""
    space = ElementMaker(namespace=_ENVELOPE)
    error = space.Error(space.ErrorCode("600"), space.Message("Invalid Request"), space.DebugData())
    return _outlook_envelope(space.Response(error))


def _outlook_envelope(response: etree._Element) -> bytes:
    return _document(ElementMaker(namespace=_ENVELOPE, nsmap={None: _ENVELOPE}).Autodiscover(response))


# -------------------------------------------------------------------- Apple
def apple(table: MailDoors, account: MailAccount) -> bytes:
    """A `.mobileconfig` profile, unsigned; the device asks for a login that is not known, and for the password.

    The same account gives the same profile: installed again, it replaces itself, and no other (by PayloadIdentifier).
    """
    reads, sends = table.best(True), table.best(False)
    assert reads is not None and sends is not None  # noqa: PT018  the page offers it only then
    number = _uuid(table, account, "profile")
    name = f"{'.'.join(reversed(table.host.split('.')))}.mail.{number.lower()}"
    mail = {
        "PayloadType": "com.apple.mail.managed",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{name}.account",
        "PayloadUUID": _uuid(table, account, "account"),
        "PayloadDisplayName": table.operator,
        "EmailAccountDescription": table.operator,
        "EmailAccountType": "EmailTypeIMAP",
        "EmailAddress": account.address,
        "IncomingMailServerAuthentication": "EmailAuthPassword",
        "IncomingMailServerHostName": reads.host,
        "IncomingMailServerPortNumber": reads.port,
        "IncomingMailServerUseSSL": True,
        "OutgoingMailServerAuthentication": "EmailAuthPassword",
        "OutgoingMailServerHostName": sends.host,
        "OutgoingMailServerPortNumber": sends.port,
        "OutgoingMailServerUseSSL": True,
        "OutgoingPasswordSameAsIncomingPassword": True,
    }
    if account.login:
        mail |= {"IncomingMailServerUsername": account.login, "OutgoingMailServerUsername": account.login}
    profile = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": name,
        "PayloadUUID": number,
        "PayloadDisplayName": f"Messagerie {table.operator}",
        "PayloadOrganization": table.operator,
        "PayloadContent": [mail],
    }
    return plistlib.dumps(profile)


def _uuid(table: MailDoors, account: MailAccount, part: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"imap://{table.host}/{account.address}/{account.login}/{part}")).upper()


# -------------------------------------------------------------------- DNS
def srv_records(table: MailDoors, web_port: int = 443) -> Iterable[str]:
    """Zone file lines for the operator (RFC 6186 3.1 and 3.4, RFC 8314 5.1); a missing service is said with « . »."""
    services = {
        "_imaps": (True, True),
        "_imap": (True, False),
        "_submissions": (False, True),
        "_submission": (False, False),
    }
    for domain in table.domains:
        for service, (reads, tls) in services.items():
            found = next((door for door in table.doors if (door.reads, door.tls) == (reads, tls)), None)
            target = "0 0 0 ." if found is None else f"{0 if tls else 10} 1 {found.port} {found.host}."
            yield f"{service}._tcp.{domain}. 3600 IN SRV {target}"
        yield f"_autodiscover._tcp.{domain}. 3600 IN SRV 0 1 {web_port} {table.host}."
        yield f"autoconfig.{domain}. 3600 IN CNAME {table.host}."


def _document(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True)

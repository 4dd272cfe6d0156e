"""Who is at the other end of a relay's connection, judged after the handshake and before MAIL (rules.md section 1, our side).

The certificate must be trusted (chain, revocation, usage) and its subject listed for the recipient's domain. A `Problem` is a value
that a report can print; it never holds more than domain names and certificate subjects.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from certs.chain import Purpose, Refused
from certs.ocsp_client import OcspClient
from certs.tls_transport import TlsTransport
from certs.trust_store import TrustStore
from mssante.trust_list import TrustList

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\b[ \-]*")
MAX_DIAGNOSTIC = 500  # characters of a peer's reply that we keep


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a recipient did not get the message (yet). `name` may be logged; `status` as in RFC 3463; sentences for people."""

    name: str
    status: str
    fr: str
    en: str
    permanent: bool = False
    host: str | None = None
    diagnostic: str | None = None


Judge = Callable[[TlsTransport, str], Awaitable[Problem | None]]
"""(connection, recipient's domain) -> None when this peer may receive mail for the domain."""


def peer_judge(store: Callable[[], TrustStore], trust_list: Callable[[], TrustList], ocsp: OcspClient) -> Judge:
    """The judge of a running server. What it refuses is tried again: lists and certificates are repaired within hours."""

    async def judge(connection: TlsTransport, domain: str) -> Problem | None:
        leaf, sent, stapled = map(connection.get_extra_info, ("peercert_der", "peer_chain_der", "stapled"))
        verdict = await ocsp.judge(store(), leaf, sent, Purpose.SERVER, stapled)
        if isinstance(verdict, Refused):
            return untrusted(verdict.fault.fr, verdict.fault.en)
        if not trust_list().allows(domain, verdict.dn):
            return untrusted(
                f"son certificat ({verdict.dn}) n’est pas inscrit pour le domaine {domain} dans la liste de confiance",
                f"its certificate ({verdict.dn}) is not listed for the domain {domain} in the trust list",
            )
        return None

    return judge


def untrusted(fr: str, en: str) -> Problem:
    return Problem(
        "peer_untrusted",
        "4.7.5",
        f"Le serveur de cet opérateur n’a pas pu être reconnu\u00a0: {fr}.",
        f"The server of this operator could not be recognised: {en}.",
    )


TLS_FAILED = Problem(
    "tls_failed",
    "4.7.5",
    "La liaison chiffrée avec le serveur de cet opérateur n’a pas pu être établie.",
    "The encrypted connection with the server of this operator could not be established.",
)
NO_TLS = Problem(
    "tls_not_offered",
    "4.7.10",
    "Le serveur de cet opérateur ne propose pas de liaison chiffrée\u00a0: rien n’a été envoyé.",
    "The server of this operator does not offer an encrypted connection: nothing was sent.",
)
UNREACHABLE = Problem(
    "unreachable",
    "4.4.1",
    "Le serveur de cet opérateur ne répond pas.",
    "The server of this operator does not answer.",
)
CUT = Problem(
    "connection_lost",
    "4.4.2",
    "La liaison avec le serveur de cet opérateur a été interrompue.",
    "The connection with the server of this operator was lost.",
)
NO_ROUTE = Problem(
    "no_route",
    "4.4.3",
    "L’adresse du serveur de cet opérateur n’a pas pu être trouvée pour le moment.",
    "The address of this operator’s server could not be found for now.",
)
NO_SUCH_DOMAIN = Problem(
    "no_such_domain",
    "5.1.2",
    "Ce domaine n’existe pas ou ne reçoit pas de courrier.",
    "This domain does not exist or takes no mail.",
    permanent=True,
)
TOO_LARGE = Problem(
    "too_large",
    "5.3.4",
    "Ce message est trop volumineux pour l’opérateur du destinataire.",
    "This message is too large for the recipient’s operator.",
    permanent=True,
)
TOO_LATE = Problem(
    "deadline_passed",
    "5.4.7",
    "Le message n’a pas pu être remis dans le délai que vous aviez fixé.",
    "The message could not be delivered within the time that you gave.",
    permanent=True,
)
OVERDUE = Problem(
    "deadline_passed",
    "4.4.7",
    "Le délai que vous aviez fixé est passé.",
    "The time that you gave has passed.",
)
NO_DELIVERBY = Problem(
    "deliverby_not_supported",
    "5.3.3",
    "L’opérateur du destinataire ne s’engage pas à tenir le délai que vous avez fixé.",
    "The recipient’s operator does not promise the time that you gave.",
    permanent=True,
)
NO_REQUIRETLS = Problem(
    "requiretls_not_supported",
    "5.7.30",
    "L’opérateur du destinataire ne s’engage pas à garder le chiffrement que vous exigez jusqu’au bout.",
    "The recipient’s operator does not promise the encryption that you require all the way.",
    permanent=True,
)
NO_UTF8 = Problem(
    "utf8_not_supported",
    "5.6.7",
    "L’opérateur du destinataire n’accepte pas les adresses accentuées.",
    "The recipient’s operator does not accept addresses with accents.",
    permanent=True,
)
NO_UTF8_HEADER = Problem(
    "utf8_header_not_supported",
    "5.6.9",
    "L’opérateur du destinataire n’accepte pas les en-têtes en UTF-8\u00a0: votre logiciel peut les coder autrement (RFC 2047).",
    "The recipient’s operator does not accept headers in UTF-8: your mail program can encode them (RFC 2047).",
    permanent=True,
)
NO_8BIT = Problem(
    "8bit_not_supported",
    "5.6.3",
    "L’opérateur du destinataire n’accepte pas les messages sur 8 bits.",
    "The recipient’s operator does not accept 8-bit messages.",
    permanent=True,
)


def answered(code: int, text: str, host: str) -> Problem:
    """A 4xx or 5xx reply. 552 to RCPT or DATA without 5.x.y is « too many recipients » (RFC 5321 4.5.3.1.10): later."""
    said = " ".join(text.encode("utf-8", "replace").decode().split())  # octets that are not UTF-8 came as surrogates
    found = _ENHANCED.match(said)
    permanent = code >= 500 and not (code == 552 and found is None)
    own = found is not None and found[1][0] == ("5" if permanent else "4")
    status = found[1] if found and own else "5.0.0" if permanent else "4.0.0"
    return Problem(
        f"answered_{code}",
        status,
        f"L’opérateur du destinataire {'a refusé' if permanent else 'n’accepte pas pour l’instant'} ce message.",
        f"The recipient’s operator {'refused' if permanent else 'does not accept'} this message{'' if permanent else ' for now'}.",
        permanent,
        host,
        f"{code} {said}"[:MAX_DIAGNOSTIC],
    )


def turned_away(code: int, text: str, host: str) -> Problem:
    """A refusal before the message was named (greeting, EHLO, STARTTLS) is the server's state, not the message's: later."""
    problem = answered(code, text, host)
    return replace(
        answered(450, "", host), status=f"4{problem.status[1:]}", name=problem.name, diagnostic=problem.diagnostic
    )

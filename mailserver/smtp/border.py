"""Who may speak for whom at the border, pure (docs/rules.md section 1): proven peer and reverse path in, `Sender` or `Reply` out.

The chain was judged by `certs.chain`, the list verified by `mssante.trust_list`; here they meet the domain of MAIL FROM. The
From header and the recipients are not looked at: that is `accept`'s.
"""

from __future__ import annotations

from dataclasses import replace

from certs.chain import Fault, Refused
from mailserver.delivery.api import Door, Sender
from mailserver.sign_in import SignedIn
from mailserver.smtp.ports import ChainVerdict, TrustedDomains
from mailserver.smtp.replies import Reply, of_reason
from mssante import reasons
from mssante.address import address_key, parse_address
from mssante.identity import Invalid
from mssante.rights import OF_ROLE

_FAULTS = {
    Fault.MISSING: reasons.CERTIFICATE_MISSING,
    Fault.UNREADABLE: reasons.CERTIFICATE_UNTRUSTED,
    Fault.UNTRUSTED: reasons.CERTIFICATE_UNTRUSTED,
    Fault.WEAK: reasons.CERTIFICATE_UNTRUSTED,
    Fault.EXPIRED: reasons.CERTIFICATE_EXPIRED,
    Fault.NOT_YET_VALID: reasons.CERTIFICATE_NOT_YET_VALID,
    Fault.REVOKED: reasons.CERTIFICATE_REVOKED,
    Fault.CRL_MISSING: reasons.REVOCATION_UNKNOWN,
    Fault.CRL_TOO_OLD: reasons.REVOCATION_UNKNOWN,
    Fault.WRONG_USAGE: reasons.CERTIFICATE_WRONG_USAGE,
}
# Those that share a reason with others: their own sentence is added.
_UNNAMED = (Fault.UNREADABLE, Fault.WEAK, Fault.CRL_MISSING, Fault.CRL_TOO_OLD)


def allowed_domains(verdict: ChainVerdict, trust: TrustedDomains) -> frozenset[str] | Reply:
    """The domains the peer may send for (none when its DN is on no line of the list), or the reply that names the fault."""
    if isinstance(verdict, Refused):
        answer = of_reason(_FAULTS[verdict.fault], {"dn": verdict.subject} if verdict.subject else None)
        if verdict.fault in _UNNAMED:
            return replace(answer, lines=(*answer.lines, verdict.fault.en, verdict.fault.fr))
        return answer
    return trust.domains_of(verdict.dn)


def judge_peer(verdict: ChainVerdict, trust: TrustedDomains, reverse_path: str, client_ip: str) -> Sender | Reply:
    """Another operator at the MX. The null reverse path is for the bounces of any listed operator (RFC 5321 4.5.5)."""
    domains = allowed_domains(verdict, trust)
    if isinstance(domains, Reply):
        return domains
    domain = _domain(reverse_path)
    if reverse_path and not trust.has(domain):
        return of_reason(reasons.SENDER_DOMAIN_NOT_TRUSTED, {"domain": domain})
    if reverse_path and domain not in domains:
        seen = "" if isinstance(verdict, Refused) else verdict.dn.text
        detail = {"dn": seen, "domain": domain, "list_at": str(trust.generated_at)}
        return of_reason(reasons.CERTIFICATE_NOT_FOR_DOMAIN, detail)
    if not domains:
        return of_reason(reasons.NULL_PATH_NOT_ALLOWED)
    return Sender(Door.MX, peer_domains=domains, client_ip=client_ip)


def judge_author(signed_in: SignedIn, reverse_path: str, client_ip: str) -> Sender | Reply:
    """Our own user, in the mailbox signed in to or in a shared one of theirs: only from its address. The null reverse path too:
    MDNs carry it (RFC 8098 3)."""
    if "p" not in OF_ROLE[signed_in.role]:
        return of_reason(reasons.READER_DOES_NOT_SEND)
    if reverse_path:
        key = address_key(reverse_path)
        if isinstance(key, Invalid) or key != address_key(signed_in.address):
            return of_reason(reasons.FROM_NOT_SENDER)
    who = signed_in
    return Sender(
        Door.SUBMISSION,
        who.box_id,
        who.actor,
        who.member,
        who.team,
        client_ip=client_ip,
        brought=who.brought,
        shown=who.name,
    )


def bench_sender(reverse_path: str, client_ip: str) -> Sender:
    """The loopback benchmark door: whoever comes is taken for the operator of the domain in MAIL FROM."""
    return Sender(Door.BENCH, peer_domains=frozenset({_domain(reverse_path)}), client_ip=client_ip)


def _domain(reverse_path: str) -> str:
    address = parse_address(reverse_path)
    return "" if isinstance(address, Invalid) else address.domain

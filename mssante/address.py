"""Mail addresses as the space compares them: domain without case (IDNA), local part without case too.

RFC 5321 leaves the case of a local part to its owner; inside the trust space no operator distinguishes two mailboxes by case, so
we compare without it. Syntax: email-validator without DNS; an ordinary `first.last@domain` takes a short way. A citizen's
address holds an INS: `repr` masks the local part, and an address is never logged.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from mssante.identity import Fault, Ins, Invalid, parse_ins


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """`local` as written (NFC), `domain` in lower-case ASCII (A-labels)."""

    local: str
    domain: str

    @property
    def text(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def key(self) -> str:
        """The form that look-ups compare."""
        local = self.local.casefold()
        return f"{local if local.isascii() else unicodedata.normalize('NFC', local)}@{self.domain}"

    def __repr__(self) -> str:
        return f"Address(***@{self.domain})"

    __str__ = __repr__


def parse_address(text: str) -> Address | Invalid:
    """One address without display name, brackets, comment or domain literal; at most 254 octets (RFC 5321 4.5.3.1.3)."""
    return _parsed(text) if len(text) <= 254 else _WRONG_SIZE


@lru_cache(
    maxsize=64
)  # one message asks for the same few up to seven times: its door, the rules, its copies, its fields
def _parsed(text: str) -> Address | Invalid:
    if plain := _PLAIN.fullmatch(text):
        return Address(plain[1], plain[2].lower())
    if not text or len(text.encode("utf-8", "replace")) > 254:
        return _WRONG_SIZE
    try:
        checked = validate_email(
            text, check_deliverability=False, globally_deliverable=False, allow_quoted_local=True, strict=True
        )
    except EmailNotValidError:
        return Invalid(Fault.FORMAT, "pas une adresse valable (RFC 5321 4.1.2) // not a valid address (RFC 5321 4.1.2)")
    if checked.ascii_domain is None:
        return Invalid(
            Fault.FORMAT, "ce domaine n’a pas de forme ASCII (IDNA 2008) // the domain has no ASCII form (IDNA 2008)"
        )
    return Address(checked.local_part, checked.ascii_domain.lower())


_WRONG_SIZE = Invalid(Fault.FORMAT, "une adresse a de 1 à 254 octets // an address has 1 to 254 octets")


def address_key(text: str) -> str | Invalid:
    """The look-up form of an address given as text."""
    if _PLAIN.fullmatch(text):
        return text.lower()
    parsed = parse_address(text)
    return parsed if isinstance(parsed, Invalid) else parsed.key


def in_ascii(address: str) -> str:
    """For reports and ORCPT: each sign outside ASCII as `\\x{...}` (RFC 6533 3)."""
    return "".join(sign if sign.isascii() else f"\\x{{{ord(sign):X}}}" for sign in address)


def domain_key(domain: str) -> str | Invalid:
    """A domain alone in the form of `Address.domain`."""
    parsed = parse_address(f"x@{domain}")
    return parsed if isinstance(parsed, Invalid) else parsed.domain


def citizen_address(ins: Ins, citizen_domain: str) -> Address:
    return Address(ins.value, citizen_domain.lower())


def citizen_ins(address: Address, citizen_domain: str) -> Ins | Invalid | None:
    """The INS in a citizen's address; None when the domain is not the citizens'.

    The address has no OID: a NIR and a NIA with the same digits cannot be told apart.
    """
    if address.domain != citizen_domain.lower():
        return None
    return parse_ins(address.local)


# What email-validator would accept unchanged: ASCII atoms, dotted ASCII domain whose labels cannot be IDNA ("xn--") and whose
# top label is not a number. Lengths: local part 64, domain 190, which keeps the whole below 254.
_PLAIN = re.compile(
    r"(?=[^@]{1,64}@[^@]{4,189}\Z)"
    r"([A-Za-z0-9_'+=-]+(?:\.[A-Za-z0-9_'+=-]+)*)"
    r"@((?:(?![A-Za-z0-9]{2}--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63})"
)


def masked(address: str) -> str:
    """« j…@exemple.fr »: enough to know which mailbox to open, or to ask somebody whether it is theirs."""
    name, _, domain = address.partition("@")
    return f"{name[:1]}…@{domain}" if domain else ""

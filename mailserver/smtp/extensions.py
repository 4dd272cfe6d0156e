"""What EHLO announces: one table of the extensions, in which state of a session each is offered, and its parameters of MAIL.

What is not announced is not taken: a parameter of an extension that is not offered now is unknown (RFC 5321 4.1.1.11).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from mailserver.delivery.api import Door
from mailserver.smtp.conversation import Conversation


def _always(_: Conversation) -> bool:
    return True


def _alone(_: Conversation) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Extension:
    keyword: str
    when: Callable[[Conversation], bool] = _always
    value: Callable[[Conversation], str] = _alone  # what follows the keyword
    parameters: tuple[str, ...] = ()  # of MAIL, when they are not taken everywhere


def hello_lines(talk: Conversation) -> tuple[str, ...]:
    """RFC 5321 4.1.1.1: our name, then what is offered now."""
    offered = (f"{one.keyword} {one.value(talk)}".rstrip() for one in EXTENSIONS if one.when(talk))
    return (talk.house.hostname, *offered)


def offers(talk: Conversation, parameter: str) -> bool:
    """Whether MAIL may carry it now."""
    extension = _OF_PARAMETER.get(parameter)
    return extension is None or extension.when(talk)


def _size(talk: Conversation) -> str:
    return str(talk.house.limits.message_octets)


def _limits(talk: Conversation) -> str:
    return f"RCPTMAX={talk.house.limits.recipients} MAILMAX={talk.house.limits.messages}"


def _secure(talk: Conversation) -> bool:
    return talk.secure


def _may_start_tls(talk: Conversation) -> bool:
    return talk.offers_starttls and not talk.secure


def _may_sign_in(talk: Conversation) -> bool:
    return talk.desk is not None and talk.signed_in is None


def _mechanisms(talk: Conversation) -> str:
    return "" if talk.desk is None else " ".join(talk.desk.mechanisms)


def _submits(talk: Conversation) -> bool:
    return talk.secure and talk.rules.door is Door.SUBMISSION


def _latest(talk: Conversation) -> str:
    span = talk.house.limits.hold_s
    moment = datetime.fromtimestamp(talk.house.clock() // 1000 + span, UTC)
    return f"{span} {moment:%Y-%m-%dT%H:%M:%SZ}"


EXTENSIONS = (
    Extension("PIPELINING"),  # RFC 2920
    Extension("SIZE", value=_size),  # RFC 1870
    Extension("8BITMIME"),  # RFC 6152
    Extension("SMTPUTF8"),  # RFC 6531
    Extension("ENHANCEDSTATUSCODES"),  # RFC 2034
    Extension("CHUNKING"),  # RFC 3030 2
    Extension("BINARYMIME"),  # RFC 3030 3
    Extension("DSN"),  # RFC 3461
    Extension("LIMITS", value=_limits),  # RFC 9422
    Extension("DELIVERBY", parameters=("BY",)),  # RFC 2852; final delivery takes no time, so that there is no least one
    Extension("REQUIRETLS", when=_secure, parameters=("REQUIRETLS",)),  # RFC 8689 2
    Extension("FUTURERELEASE", when=_submits, value=_latest, parameters=("HOLDFOR", "HOLDUNTIL")),  # RFC 4865 3
    # RFC 6710 9.2: of the policy that knows « urgent » as our Priority header does
    Extension("MT-PRIORITY", when=_submits, value=lambda _: "MIXER", parameters=("MT-PRIORITY",)),
    Extension("STARTTLS", when=_may_start_tls),  # RFC 3207
    Extension("AUTH", when=_may_sign_in, value=_mechanisms),  # RFC 4954
)
_OF_PARAMETER = {name: extension for extension in EXTENSIONS for name in extension.parameters}

"""What EHLO announces: one table of the extensions, in which state of a session each is offered, and its parameters of MAIL.

What is not announced is not taken: a parameter of an extension that is not offered now is unknown (RFC 5321 4.1.1.11).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from mailserver.delivery.api import Door
from mailserver.smtp.conversation import Conversation
from mailserver.smtp.limits import Limits


def _alone(_: Conversation) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Extension:
    keyword: str
    when: Callable[[Conversation], bool]
    value: Callable[[Conversation], str] = _alone  # what follows the keyword
    parameters: tuple[str, ...] = ()  # of MAIL, when they are not taken everywhere


def hello_lines(talk: Conversation) -> tuple[str, ...]:
    """RFC 5321 4.1.1.1: our name, then what is offered now."""
    offered = (f"{one.keyword} {one.value(talk)}".rstrip() for one in EXTENSIONS if one.when(talk))
    return (talk.house.hostname, *to_all(talk.house.limits), *offered)


@lru_cache(maxsize=8)
def to_all(limits: Limits) -> tuple[str, ...]:
    return (
        "PIPELINING",  # RFC 2920
        f"SIZE {limits.message_octets}",  # RFC 1870
        "8BITMIME",  # RFC 6152
        "SMTPUTF8",  # RFC 6531
        "ENHANCEDSTATUSCODES",  # RFC 2034
        "CHUNKING",  # RFC 3030 2
        "BINARYMIME",  # RFC 3030 3
        "DSN",  # RFC 3461
        f"LIMITS RCPTMAX={limits.recipients} MAILMAX={limits.messages}",  # RFC 9422
        "DELIVERBY",  # RFC 2852; final delivery takes no time, so that there is no least one
    )


def offers(talk: Conversation, parameter: str) -> bool:
    """Whether MAIL may carry it now."""
    extension = _OF_PARAMETER.get(parameter)
    return extension is None or extension.when(talk)


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
    Extension("REQUIRETLS", _secure, parameters=("REQUIRETLS",)),  # RFC 8689 2
    Extension("FUTURERELEASE", _submits, value=_latest, parameters=("HOLDFOR", "HOLDUNTIL")),  # RFC 4865 3
    # RFC 6710 9.2: of the policy that knows « urgent » as our Priority header does
    Extension("MT-PRIORITY", _submits, value=lambda _: "MIXER", parameters=("MT-PRIORITY",)),
    Extension("STARTTLS", _may_start_tls),  # RFC 3207
    Extension("AUTH", _may_sign_in, value=_mechanisms),  # RFC 4954
)
_OF_PARAMETER = {name: extension for extension in EXTENSIONS for name in extension.parameters}

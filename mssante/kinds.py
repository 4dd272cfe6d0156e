"""What mailboxes and profiles there are (code system TRE_R257-TypeBAL, plus the citizen's), in words that are stored as they stand.

Values are the database's and the directory's own codes: never rename one. No behaviour here but plain groupings.
"""

from __future__ import annotations

from enum import Enum


class Party(Enum):
    """Who speaks, as far as docs/rules.md section 3 cares."""

    PROFESSIONAL = "professional"
    CITIZEN = "citizen"
    SYSTEM = "system"  # the insurer's prevention messages and our own notices


class BoxKind(Enum):
    PER = "PER"  # one professional's own
    CAB = "CAB"  # shared at a liberal practice
    ORG = "ORG"  # a service or team of a structure, several members
    APP = "APP"  # a program
    CIT = "CIT"  # a citizen, address = INS

    @property
    def party(self) -> Party:
        return Party.CITIZEN if self is BoxKind.CIT else Party.PROFESSIONAL


class BoxState(Enum):
    ACTIVE = "active"
    SUSPENDED = "suspended"  # keeps receiving or refuses: a setting of the operator
    CLOSED = "closed"


class SignInState(Enum):
    """Of one who can sign in to a mailbox, or could."""

    ACTIVE = "active"
    SUSPENDED = "paused"
    REVOKED = "revoked"  # for good: a login is never given to another


class ProfileState(Enum):
    """State of a citizen's health space; a mailbox of another kind has none."""

    ACTIVATED = "activated"
    NOT_ACTIVATED = "not_activated"  # created after the letter, never opened: receives all the same
    OPPOSED = "opposed"
    CLOSED = "closed"


class ExchangeState(Enum):
    OPEN = "open"
    CLOSED = "closed"


class ClosedMeans(Enum):
    """By which means an exchange was closed (docs/rules.md section 4); kept so that the citizen can be told."""

    COMMAND = "command"  # empty message titled [FIN]
    SUBJECT = "subject"  # [FIN] with content: delivered, then closed
    HEADER = "header"  # X-MSS-MES: FIN
    CARE_DESK = "care_desk"
    FOLDER = "folder"  # moved into « Conversations closes » from a mail client
    CITIZEN = "citizen"  # the citizen blocked the contact


# TRE_R02-SecteurActivite: a pharmacy is known by its sector code, never by the word in its name.
SECTORS_PHARMACY = frozenset({"SA33", "SA38", "SA39", "SA65"})

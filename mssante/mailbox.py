"""One mailbox as a value, who holds it, and what is judged of both without looking anything up; the rows: `mailboxes`."""

from __future__ import annotations

from dataclasses import dataclass, field

from mssante.address import Address, parse_address
from mssante.identity import Fault, Invalid, parse_adeli, parse_finess, parse_ins, parse_rpps, parse_siret
from mssante.kinds import BoxKind, BoxState, ProfileState

GIB = 1 << 30
MARKS = (80, 95)  # per cent of the quota at which the holder and the operator are told
AGAIN = 5  # per cent below a mark: from there on it counts as new


@dataclass(frozen=True, slots=True, repr=False)
class Holder:
    """Who holds a mailbox; all text, empty when unknown. `holder_id`: RPPS or ADELI, FINESS or SIRET, INS."""

    display_name: str = ""
    holder_id: str = ""
    profession: str = ""
    phone: str = ""
    town: str = ""
    private_email: str = ""  # of a citizen: where notices go
    birth_date: str = ""  # ISO 8601

    def __repr__(self) -> str:
        return "Holder(***)"


@dataclass(frozen=True, slots=True, repr=False)
class Mailbox:
    """`refuses`: takes no mail while suspended. `kept_until`: when a closed one's key is destroyed; `erased`: it was.
    `certificate`: DN, as compared, of the organisation's certificate that opens an APP mailbox.
    """

    id: int
    address: Address
    kind: BoxKind
    state: BoxState
    profile: ProfileState | None
    red_list: bool
    sector: str | None
    holder: Holder
    created_at: int
    closed_at: int | None
    refuses: bool = False
    kept_until: int | None = None
    erased: bool = False
    certificate: str = ""

    def __repr__(self) -> str:
        return f"Mailbox({self.id}, {self.kind.value}, {self.state.value})"


@dataclass(frozen=True, slots=True, repr=False)
class NewMailbox:
    """`profile` is given for a citizen and only then."""

    address: str
    kind: BoxKind
    holder: Holder = field(default_factory=Holder)
    profile: ProfileState | None = None
    sector: str | None = None
    red_list: bool = False
    quota_bytes: int = GIB

    def __repr__(self) -> str:
        return f"NewMailbox({self.kind.value})"


class AddressTaken(Exception):
    """The address is, or was, another mailbox's."""


def checked(new: NewMailbox) -> Address:
    """Its address; ValueError when that or the holder's identifier is malformed."""
    address = parse_address(new.address)
    if isinstance(address, Invalid):
        raise ValueError(address.why)
    if (new.kind is BoxKind.CIT) is not (new.profile is not None):
        raise ValueError(
            "une boîte d’usager a un état de profil, et elle seule // a citizen's mailbox has a profile state, and no other"
        )
    fault = parse_ins(address.local) if new.kind is BoxKind.CIT else holder_id(new.kind, new.holder.holder_id)
    if isinstance(fault, Invalid):
        raise ValueError(fault.why)
    return address


def holder_id(kind: BoxKind, number: str) -> object:
    """The identifier of a professional mailbox's holder parsed, or why it is wrong; it may be unknown (empty)."""
    if not number:
        return None
    persons = kind in (BoxKind.PER, BoxKind.CAB)
    first, second = (parse_rpps, parse_adeli) if persons else (parse_finess, parse_siret)
    found = [parse(number) for parse in (first, second)]
    if good := [one for one in found if not isinstance(one, Invalid)]:
        return good[0]
    of_that_length = (one for one in found if isinstance(one, Invalid) and one.fault is Fault.KEY)
    return next(of_that_length, _NEITHER[persons])


_NEITHER = {
    True: Invalid(
        Fault.FORMAT,
        "son titulaire a un numéro RPPS (11 chiffres) ou ADELI (9) // its holder has an RPPS number (11 digits) or ADELI (9)",
    ),
    False: Invalid(
        Fault.FORMAT,
        "sa structure a un numéro FINESS (9 caractères) ou SIRET (14) // its structure has a FINESS number (9 characters) or "
        "SIRET (14)",
    ),
}


def mark_told(told: int, used: int, limit: int) -> int:
    """The mark of which people know after this: a higher one is news; a lower one only well below the one they know of."""
    passed = max((mark for mark in MARKS if used * 100 >= mark * limit), default=0)
    kept = max((mark for mark in MARKS if mark <= told and used * 100 >= (mark - AGAIN) * limit), default=0)
    return max(passed, kept)

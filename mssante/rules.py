"""Who may write to whom: docs/rules.md section 3 as an ordered tuple of small rules; the first that speaks decides.

Pure: facts in, verdict out. The facts are gathered by whoever asks (delivery before and after DATA, the web composer before it
shows a reply form), so that the answer is the same at every door. Each rule's docstring cites its row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from foundation.values import value
from mssante import reasons
from mssante.kinds import SECTORS_PHARMACY, BoxKind, BoxState, ClosedMeans, ExchangeState, Party, ProfileState
from mssante.reason import Reason


@value
class SenderFacts:
    party: Party
    ours: bool = True  # its mailbox is kept by this operator
    domain_trusted: bool = True
    state: BoxState = BoxState.ACTIVE
    campaign_authorised: bool = False  # system only
    domain: str = ""  # for the refusal's sentence


@value
class RecipientFacts:
    """`kind` is None for a professional of another operator whose mailbox the directory does not describe."""

    party: Party
    kind: BoxKind | None = None
    ours: bool = True
    known: bool = True  # always true when not ours: its operator will say
    domain_trusted: bool = True
    state: BoxState = BoxState.ACTIVE
    refuses_when_suspended: bool = False
    profile: ProfileState | None = None  # citizens of ours only
    ins_key_right: bool = True
    sector: str | None = None
    closed_at: int | None = None  # ms
    domain: str = ""


@dataclass(frozen=True, slots=True)
class ExchangeFacts:
    """The exchange of this citizen with this professional; times in ms, `closed_by` a name that the citizen may read."""

    state: ExchangeState
    closed_at: int | None = None
    closed_by: str = ""
    closed_means: ClosedMeans | None = None
    reply_until: int | None = None


@value
class MessageFacts:
    notice: bool = False  # null reverse path: bounce or receipt, judged at the border (section 1)
    carries_prescription: bool = False  # chosen in the dossier by the web page (section 5)
    no_reply: bool = False  # the sender wants no answer to this message
    answers_no_reply: bool = False  # it answers a message sent so


@value
class Allowed:
    """`opens_exchange`: the citizen may now write to this professional; `no_reply`: the message delivered cannot be answered."""

    clause: str
    opens_exchange: bool = False
    no_reply: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    reason: Reason
    detail: dict[str, str] = field(default_factory=dict)


Verdict = Allowed | Refused


@value
class Case:
    """All that a rule may look at."""

    sender: SenderFacts
    recipient: RecipientFacts
    exchange: ExchangeFacts | None
    message: MessageFacts
    now: int

    def between(self, sender: Party, recipient: Party) -> bool:
        return self.sender.party is sender and self.recipient.party is recipient


def decide(
    sender: SenderFacts, recipient: RecipientFacts, exchange: ExchangeFacts | None, message: MessageFacts, now: int
) -> Verdict:
    """`exchange` is None when the professional never wrote to the citizen and no prescription was sent; `now` in ms."""
    case = Case(sender, recipient, exchange, message, now)
    for rule in RULES:
        verdict = rule(case)
        if verdict is not None:
            return verdict
    # RULES ends with rules that together cover every pair of parties; a hole must refuse, never let through.
    return Refused(reasons.NO_RULE)


def domains_are_trusted(case: Case) -> Verdict | None:
    """Section 1: nothing enters or leaves the space."""
    if not case.sender.domain_trusted:
        return Refused(reasons.SENDER_DOMAIN_NOT_TRUSTED, {"domain": case.sender.domain})
    if not case.recipient.domain_trusted:
        return Refused(reasons.RECIPIENT_DOMAIN_NOT_TRUSTED, {"domain": case.recipient.domain})
    return None


def sender_is_active(case: Case) -> Verdict | None:
    """Section 2: a suspended or closed mailbox does not send."""
    if case.sender.state is not BoxState.ACTIVE:
        return Refused(reasons.SENDER_BOX_INACTIVE)
    return None


def recipient_ins_is_right(case: Case) -> Verdict | None:
    """Rows 1 and 3: a wrong key is told as such, not as an unknown mailbox: the sender can correct a typing fault."""
    if case.recipient.party is Party.CITIZEN and not case.recipient.ins_key_right:
        return Refused(reasons.INS_KEY_WRONG)
    return None


def recipient_exists(case: Case) -> Verdict | None:
    """Row 1: unknown, closed or refusing mailbox."""
    recipient = case.recipient
    if not recipient.known:
        return Refused(reasons.CITIZEN_UNKNOWN if recipient.party is Party.CITIZEN else reasons.BOX_UNKNOWN)
    if recipient.state is BoxState.CLOSED and recipient.party is not Party.CITIZEN:
        return Refused(reasons.BOX_CLOSED, _moment("closed_at", recipient.closed_at))
    if recipient.state is BoxState.SUSPENDED and recipient.refuses_when_suspended:
        return Refused(reasons.BOX_SUSPENDED)
    return None


def citizen_profile_receives(case: Case) -> Verdict | None:
    """Row 1: the citizen opposed the health space or closed it; a profile not yet activated receives."""
    if case.recipient.party is not Party.CITIZEN:
        return None
    if case.recipient.profile is ProfileState.OPPOSED:
        return Refused(reasons.CITIZEN_OPPOSED)
    if case.recipient.profile is ProfileState.CLOSED or case.recipient.state is BoxState.CLOSED:
        return Refused(reasons.CITIZEN_CLOSED)
    return None


def notices_pass(case: Case) -> Verdict | None:
    """Section 1, null return path: bounces and receipts are owed to whoever wrote; they open nothing and cannot be answered."""
    return Allowed("rules 1.5", no_reply=True) if case.message.notice else None


def professional_to_professional(case: Case) -> Verdict | None:
    """Row 2."""
    return Allowed("rules 3.2") if case.between(Party.PROFESSIONAL, Party.PROFESSIONAL) else None


def professional_to_citizen(case: Case) -> Verdict | None:
    """Row 3: opens or reopens the exchange, unless this message wants no answer (section 4: earlier exchange unchanged)."""
    if not case.between(Party.PROFESSIONAL, Party.CITIZEN):
        return None
    opens = case.recipient.ours and not case.message.no_reply
    return Allowed("rules 3.3", opens_exchange=opens, no_reply=case.message.no_reply)


def citizen_to_citizen(case: Case) -> Verdict | None:
    """Row 4."""
    return Refused(reasons.CITIZEN_TO_CITIZEN) if case.between(Party.CITIZEN, Party.CITIZEN) else None


def citizen_of_another_operator(case: Case) -> Verdict | None:
    """Rows 5 to 8 are met where the exchange is kept: by the citizen's own operator, before it relayed."""
    if case.between(Party.CITIZEN, Party.PROFESSIONAL) and not case.sender.ours:
        return Allowed("rules 3.5")
    return None


def prescription_to_pharmacy(case: Case) -> Verdict | None:
    """Row 5: even when the pharmacy closed an earlier exchange or never wrote."""
    if not case.between(Party.CITIZEN, Party.PROFESSIONAL) or not case.message.carries_prescription:
        return None
    return Allowed("rules 3.5", opens_exchange=True) if _is_pharmacy(case.recipient) else None


def citizen_to_stranger(case: Case) -> Verdict | None:
    """Row 8; said before 6 and 7, which suppose that the professional wrote."""
    if (
        not case.between(Party.CITIZEN, Party.PROFESSIONAL)
        or case.exchange is not None
        or case.message.answers_no_reply
    ):
        return None
    if _is_pharmacy(case.recipient):
        return Refused(reasons.PHARMACY_NEEDS_PRESCRIPTION)
    return Refused(reasons.NEVER_WROTE)


def exchange_is_closed(case: Case) -> Verdict | None:
    """Row 7: who closed, when, what next."""
    exchange = case.exchange
    if not case.between(Party.CITIZEN, Party.PROFESSIONAL) or exchange is None or exchange.state is ExchangeState.OPEN:
        return None
    detail = {"closed_by": exchange.closed_by, **_moment("closed_at", exchange.closed_at)}
    if exchange.closed_means is ClosedMeans.CITIZEN:
        return Refused(reasons.BLOCKED_BY_CITIZEN, detail)
    return Refused(reasons.EXCHANGE_CLOSED, detail)


def message_wants_no_reply(case: Case) -> Verdict | None:
    """Row 7: the message answered was sent with the no-reply option; an application mailbox is read by nobody."""
    if not case.between(Party.CITIZEN, Party.PROFESSIONAL) or not case.message.answers_no_reply:
        return None
    return Refused(reasons.NO_REPLY_BOX if case.recipient.kind is BoxKind.APP else reasons.NO_REPLY_MESSAGE)


def reply_window_is_over(case: Case) -> Verdict | None:
    """Row 7: « Réponse possible jusqu'au … » includes its last moment."""
    if not case.between(Party.CITIZEN, Party.PROFESSIONAL) or case.exchange is None:
        return None
    until = case.exchange.reply_until
    if until is None or case.now <= until:
        return None
    return Refused(reasons.REPLY_WINDOW_OVER, _moment("until_at", until))


def citizen_answers(case: Case) -> Verdict | None:
    """Row 6: a reply or a new thread, to a professional who wrote first."""
    if case.between(Party.CITIZEN, Party.PROFESSIONAL) and case.exchange is not None:
        return Allowed("rules 3.6")
    return None


def system_to_citizen(case: Case) -> Verdict | None:
    """Row 9: the insurer's prevention messages."""
    if not case.between(Party.SYSTEM, Party.CITIZEN):
        return None
    if not case.sender.campaign_authorised:
        return Refused(reasons.CAMPAIGN_NOT_AUTHORISED)
    return Allowed("rules 3.9", no_reply=True)


def system_to_professional(case: Case) -> Verdict | None:
    """Section 4: confirmations of a closing, which are ours."""
    return Allowed("rules 4", no_reply=True) if case.between(Party.SYSTEM, Party.PROFESSIONAL) else None


def nobody_writes_to_the_system(case: Case) -> Verdict | None:
    """Row 9, the other way: no reply."""
    return Refused(reasons.NO_REPLY_BOX) if case.recipient.party is Party.SYSTEM else None


RULES: tuple[Callable[[Case], Verdict | None], ...] = (
    domains_are_trusted,
    sender_is_active,
    nobody_writes_to_the_system,
    recipient_ins_is_right,
    recipient_exists,
    citizen_profile_receives,
    notices_pass,
    professional_to_professional,
    professional_to_citizen,
    citizen_to_citizen,
    citizen_of_another_operator,
    prescription_to_pharmacy,
    citizen_to_stranger,
    exchange_is_closed,
    message_wants_no_reply,
    reply_window_is_over,
    citizen_answers,
    system_to_citizen,
    system_to_professional,
)


def _is_pharmacy(recipient: RecipientFacts) -> bool:
    return recipient.kind is BoxKind.ORG and recipient.sector in SECTORS_PHARMACY


def _moment(name: str, at: int | None) -> dict[str, str]:
    """`*_at` entries hold milliseconds as text: each language writes its own date (reasons.Reason.sentence)."""
    return {} if at is None else {name: str(at)}

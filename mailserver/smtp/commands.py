"""The SMTP commands: one table, name -> what it asks for and what runs. Handlers know the conversation, never bytes or sockets.

Five commands take over the connection (an `Action`): the engine does them. What EHLO announces is in `extensions`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache, partial
from types import MappingProxyType

from certs.chain import Trusted
from mailserver.delivery.api import Door, Fate, Sender
from mailserver.smtp import border, replies
from mailserver.smtp.conversation import Conversation, Transaction
from mailserver.smtp.extensions import hello_lines, offers
from mailserver.smtp.grammar import MailCommand, parse_mail, parse_rcpt
from mailserver.smtp.limits import AUTH_OCTETS, COMMAND_OCTETS
from mailserver.smtp.ports import Tls
from mailserver.smtp.replies import Reply, reply
from mssante import reasons

_SECURE = (Tls.STARTTLS, Tls.IMPLICIT)

Handler = Callable[[Conversation, str], Awaitable[Reply]]


class Action(Enum):
    DATA = "DATA"
    BDAT = "BDAT"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    QUIT = "QUIT"


@dataclass(frozen=True, slots=True)
class Command:
    run: Handler | Action
    octets: int = COMMAND_OCTETS  # longest line with its CR LF
    argument: bool = True  # False: must have none
    guarded: bool = False  # needs what the door demands: TLS, sign-in
    hello: bool = False  # needs HELO or EHLO before
    idle: bool = False  # moves no mail: only so many between two messages
    stop: Callable[[Conversation], Reply | None] | None = None  # what else may stand before it


def split_command(line: bytes) -> tuple[str, str] | None:
    """Verb in upper case and argument; None for what cannot be a command line (control characters, not UTF-8)."""
    try:
        text = line.decode("utf-8").rstrip(" \t")
    except UnicodeDecodeError:
        return None
    if not text or _CONTROL.search(text):
        return None
    verb, _, argument = text.partition(" ")
    return verb.upper(), argument


def gate(command: Command, argument: str, talk: Conversation) -> Reply | None:
    """What stands before a command, in this order: form, TLS, sign-in, greeting."""
    if argument and not command.argument:
        return replies.BAD_ARGUMENT
    if command.guarded:
        if not talk.secure and talk.rules.tls in _SECURE:
            return replies.TLS_REQUIRED
        if talk.rules.sign_in and talk.signed_in is None and command.run is not Action.AUTH:
            return replies.SIGN_IN_REQUIRED
    if command.hello and not talk.hello:
        return replies.HELLO_FIRST
    return None if command.stop is None else command.stop(talk)


def _starttls_gate(talk: Conversation) -> Reply | None:
    if not talk.offers_starttls:
        return replies.NOT_OFFERED
    return replies.NOT_NOW if talk.secure else None


def _auth_gate(talk: Conversation) -> Reply | None:
    if not talk.rules.sign_in or not talk.extended:
        return replies.NOT_OFFERED
    if talk.signed_in is not None:
        return replies.SIGNED_IN_ALREADY  # RFC 4954 4
    return replies.NOT_NOW if talk.transaction else None


def _bdat_gate(talk: Conversation) -> Reply | None:
    if talk.transaction is None:
        return replies.MAIL_FIRST
    return None if talk.transaction.recipients else replies.RECIPIENT_FIRST


def _data_gate(talk: Conversation) -> Reply | None:
    if talk.transaction is not None and (talk.transaction.chunks is not None or talk.transaction.mail.binary):
        return replies.NOT_NOW  # RFC 3030 2, 3: DATA and BDAT never in one transaction, and binary octets only by BDAT
    return _bdat_gate(talk)


# ---------------------------------------------------------------- greeting
async def ehlo(talk: Conversation, name: str) -> Reply:
    if not _HELLO_NAME.fullmatch(name):
        return replies.BAD_ARGUMENT
    talk.greet(name, extended=True)
    return _hello(hello_lines(talk))


@lru_cache(maxsize=64)
def _hello(lines: tuple[str, ...]) -> Reply:
    return Reply(250, "", lines)


async def helo(talk: Conversation, name: str) -> Reply:
    if not _HELLO_NAME.fullmatch(name):
        return replies.BAD_ARGUMENT
    talk.greet(name, extended=False)
    return _hello((talk.house.hostname,))


# ---------------------------------------------------------------- the message
async def mail(talk: Conversation, argument: str) -> Reply:
    talk.mails += 1
    if talk.mails > talk.house.limits.messages:
        return replies.TOO_MANY_MESSAGES
    if talk.transaction is not None:
        return replies.MAIL_TWICE
    now = talk.house.clock()
    command = parse_mail(argument, talk.odd_path, partial(offers, talk), now)
    if isinstance(command, Reply):
        return command
    if command.size > talk.house.limits.message_octets:
        return replies.TOO_LARGE
    sender = await _sender(talk, command.reverse_path)
    if isinstance(sender, Reply):
        return sender
    if command.terms.hold:
        if not _may_wait(command, now, talk.house.limits.hold_s):
            return replies.CANNOT_WAIT
        if reason := await talk.house.acceptor.room_to_hold(sender):
            return replies.of_reason(reason)
    if late := _peer_too_fast(talk, now):
        return late
    talk.transaction = Transaction(sender, command)
    return replies.SENDER_OK


def _may_wait(command: MailCommand, now: int, longest_s: int) -> bool:
    """RFC 4865 4.2, 5.2.2; what has no reverse path is a notice, and those never wait (5.1.1, 5.3.1)."""
    terms = command.terms
    in_time = now < terms.hold_until <= now + longest_s * 1000
    return in_time and bool(command.reverse_path) and not 0 < terms.deadline < terms.hold_until


async def _sender(talk: Conversation, reverse_path: str) -> Sender | Reply:
    """Judged at each MAIL: the trust list may have changed since the handshake."""
    match talk.rules.door:
        case Door.MX if talk.peer is not None and talk.house.trust is not None:
            return border.judge_peer(talk.peer, talk.house.trust(), reverse_path, talk.client_ip)
        case Door.SUBMISSION if talk.signed_in is not None:
            return border.judge_author(await talk.writer(reverse_path), reverse_path, talk.client_ip)
        case Door.BENCH:
            return border.bench_sender(reverse_path, talk.client_ip)
    return replies.FAULT


def _peer_too_fast(talk: Conversation, now: int) -> Reply | None:
    """By the name that its certificate proves; our own users are counted by their recipients."""
    if talk.rules.door is not Door.MX or not isinstance(talk.peer, Trusted):
        return None
    wait = talk.house.rates.peer.take(talk.peer.dn.text, now)
    return replies.too_fast(reasons.PEER_TOO_FAST, wait) if wait else None


async def rcpt(talk: Conversation, argument: str) -> Reply:
    transaction, limits, rates, now = talk.transaction, talk.house.limits, talk.house.rates, talk.house.clock()
    if transaction is None:
        return replies.MAIL_FIRST
    if transaction.chunks is not None:
        return replies.NOT_NOW  # the message is begun
    transaction.asked += 1
    if transaction.asked > limits.recipients or talk.refused >= limits.refused_recipients:
        return replies.TOO_MANY_RECIPIENTS  # first: the ten thousandth recipient must cost nothing
    recipient = parse_rcpt(argument, transaction.mail.smtp_utf8, talk.odd_path, talk.house.aliases)
    if isinstance(recipient, Reply):
        return recipient
    if talk.signed_in is not None and (wait := rates.account.take(talk.signed_in.box_id, now)):
        return replies.too_fast(reasons.ACCOUNT_TOO_FAST, wait)
    verdict = await talk.house.acceptor.judge(transaction.sender, transaction.mail.reverse_path, recipient)
    if verdict.fate is Fate.REFUSED:
        talk.refused += 1
        return replies.reply_of(verdict)
    if talk.rules.door is not Door.BENCH:
        address = recipient.address.lower()
        if wait := max(gauge.wait(pair, now) for gauge, pair in transaction.pairs(rates, address)):
            return replies.too_fast(reasons.PAIR_TOO_FAST, wait)
        if wait := rates.recipient.wait(address, now):
            return replies.too_fast(reasons.RECIPIENT_TOO_FAST, wait)
    transaction.recipients.append(recipient)
    return replies.RECIPIENT_OK


async def rset(talk: Conversation, _: str) -> Reply:
    talk.give_up()
    return replies.OK


# ---------------------------------------------------------------- the rest
async def noop(_: Conversation, __: str) -> Reply:
    return replies.OK


async def vrfy(_: Conversation, __: str) -> Reply:
    return replies.CANNOT_VERIFY  # never says who has a mailbox (RFC 5321 7.3)


async def not_offered(_: Conversation, __: str) -> Reply:
    return replies.NOT_OFFERED


async def help_(_: Conversation, __: str) -> Reply:
    return reply(214, "2.0.0", "Commands: " + " ".join(sorted(COMMANDS)), "RFC 5321")


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "EHLO": Command(ehlo, idle=True),
        "HELO": Command(helo, idle=True),
        "STARTTLS": Command(Action.STARTTLS, argument=False, hello=True, stop=_starttls_gate),
        "AUTH": Command(Action.AUTH, octets=AUTH_OCTETS, guarded=True, hello=True, stop=_auth_gate),
        # 512, then SIZE 26, SMTPUTF8 10, BODY 17, AUTH 500 (RFC 4954 3), RET and ENVID (RFC 3461 4.3, 4.4), REQUIRETLS 11,
        # MT-PRIORITY 15, BY 17, HOLDUNTIL 34
        "MAIL": Command(mail, octets=1_280, guarded=True, hello=True),
        # 512, then NOTIFY 28 and ORCPT 500 (RFC 3461 4.1, 4.2)
        "RCPT": Command(rcpt, octets=1_100, guarded=True, hello=True),
        "DATA": Command(Action.DATA, argument=False, guarded=True, hello=True, stop=_data_gate),
        "BDAT": Command(Action.BDAT, guarded=True, hello=True, stop=_bdat_gate),
        "RSET": Command(rset, argument=False, idle=True),
        "NOOP": Command(noop, idle=True),
        "VRFY": Command(vrfy, guarded=True, idle=True),
        "EXPN": Command(not_offered, idle=True),
        "HELP": Command(help_, idle=True),
        "QUIT": Command(Action.QUIT, argument=False),
    }
)
# What browsers and proxies say: another protocol is talking through somebody's machine, it must not be answered twice.
FOREIGN = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "HOST:", "USER-AGENT:", "CONTENT-LENGTH:"})
# Replies that count towards `Limits.errors`: the client does not speak the protocol, or guesses passwords.
ERROR_CODES = frozenset({500, 501, 502, 503, 504, 530, 535, 555})

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HELLO_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}|\[[A-Za-z0-9.:-]{2,80}\]")

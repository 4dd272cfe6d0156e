"""SMTP replies as values: code, enhanced code (RFC 3463, announced by RFC 2034), English then French text in one multi-line reply.

The wire carries ASCII only: RFC 6531 3.5 allows UTF-8 in replies only to a client that said SMTPUTF8, most clients and all logs of
relays show anything else as noise, and one spelling for everybody can be tested. French accents are therefore transliterated
here, and only here: the web page and the bounce print the same reason with them. Text from outside can never end a line.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field, replace
from textwrap import wrap

from foundation.clock import MINUTE
from mailserver.delivery.api import Fate, Outcome, Verdict
from mailserver.scram import Fault
from mailserver.smtp.limits import REPLY_LINE_OCTETS
from mssante import reasons
from mssante.reason import Reason


@dataclass(frozen=True, slots=True)
class Reply:
    """`enhanced` is empty for 220, 334, 354 and the answers to HELO and EHLO (RFC 2034 3)."""

    code: int
    enhanced: str
    lines: tuple[str, ...]
    reason: str = ""  # its name, for the figures
    wire: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "wire", _wire(self))  # most replies are made once and said a million times

    @property
    def is_error(self) -> bool:
        return self.code >= 400

    def __bytes__(self) -> bytes:
        return self.wire


def reply(code: int, enhanced: str, *lines: str) -> Reply:
    return Reply(code, enhanced, lines)


def of_reason(reason: Reason, detail: dict[str, str] | None = None) -> Reply:
    return Reply(reason.code, reason.enhanced, (reason.in_english(detail), reason.in_french(detail)), reason.name)


def too_fast(reason: Reason, wait: int) -> Reply:
    """A passing refusal that says how long; `wait` in ms."""
    return of_reason(reason, {"minutes": str(-(-wait // MINUTE))})


def reply_of(verdict: Verdict) -> Reply:
    """The answer about one recipient: to RCPT, or after DATA when there is no other."""
    if verdict.fate is not Fate.REFUSED:
        return RECIPIENT_OK
    return of_reason(verdict.reason or reasons.NO_RULE, verdict.detail)


def reply_after_data(outcome: Outcome) -> Reply:
    """One reply for all: 250 as soon as we answer for one recipient (the others get bounces from the acceptor)."""
    refused = [verdict for verdict in outcome.verdicts if verdict.fate is Fate.REFUSED]
    if len(refused) < len(outcome.verdicts):
        return reply(250, "2.0.0", f"Accepted as {outcome.message_id}")
    # All refused: a passing reason first, so that a client's retry keeps the chance of those that may yet succeed.
    refused.sort(key=lambda verdict: verdict.reason is None or verdict.reason.permanent)
    return (
        replace(reply_of(refused[0]), reason="") if refused else FAULT
    )  # counted where it was decided, for each recipient


def of_fault(fault: Fault) -> Reply:
    """Of a sign-in (RFC 4954 4, 6)."""
    code, enhanced = _FAULTS.get(fault, (535, "5.7.8"))
    return reply(code, enhanced, fault.value.capitalize())


_FAULTS = {Fault.CANCELLED: (501, "5.7.0"), Fault.UNREADABLE: (501, "5.5.2"), Fault.MALFORMED: (501, "5.5.2")}


def ascii_text(text: str) -> str:
    """Readable ASCII without control characters: accents dropped, ligatures and French punctuation spelt out."""
    plain = unicodedata.normalize("NFKD", text.translate(_SPELLING))
    printable = "".join(c if " " <= c <= "~" else "?" for c in plain if not unicodedata.combining(c))
    return " ".join(printable.split())


_SPELLING = str.maketrans(
    {"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "€": "EUR", "–": "-", "—": "-"}
    | dict.fromkeys("’‘", "'")
    | dict.fromkeys("“”«»", '"')
    | dict.fromkeys("\t\r\n", " ")
)


def _wire(answer: Reply) -> bytes:
    code, enhanced = str(answer.code), f"{answer.enhanced} " if answer.enhanced else ""
    room = REPLY_LINE_OCTETS - len(f"{code}-{enhanced}\r\n")
    texts = [piece for line in answer.lines for piece in _fitting(line, room)]
    last = len(texts) - 1
    return "".join(f"{code}{' ' if i == last else '-'}{enhanced}{text}\r\n" for i, text in enumerate(texts)).encode()


def _fitting(line: str, room: int) -> list[str]:
    if (
        len(line) <= room and line.isascii() and line.isprintable()
    ):  # nearly all: `wrap` costs more than the rest of a reply
        return [line]
    return wrap(ascii_text(line), room) or [""]


HELLO_FIRST = reply(503, "5.5.1", "Send EHLO first")
MAIL_FIRST = reply(503, "5.5.1", "Send MAIL first")
RECIPIENT_FIRST = reply(503, "5.5.1", "No valid recipient: send RCPT first")
MAIL_TWICE = reply(503, "5.5.1", "A message is already begun: send RSET first")
NOT_NOW = reply(503, "5.5.1", "Not possible at this point of the session")
SIGNED_IN_ALREADY = reply(503, "5.5.1", "Already signed in")
UNKNOWN_COMMAND = reply(500, "5.5.1", "Command not recognised")
NOT_OFFERED = reply(502, "5.5.1", "Command not offered here")
BAD_SYNTAX = reply(500, "5.5.2", "Syntax error")
BAD_ARGUMENT = reply(501, "5.5.4", "Syntax error in the argument of the command")
CANNOT_WAIT = reply(
    501, "5.5.4", "Time of release past, too far, after the deadline, or asked for a notice (RFC 4865 4.2, 5)"
)
UNKNOWN_PARAMETER = reply(555, "5.5.4", "Parameter not recognised or not offered")
COMMAND_TOO_LONG = reply(500, "5.5.2", "Command line too long (RFC 5321 4.5.3.1.4)")
NEEDS_SMTPUTF8 = reply(553, "5.6.7", "Address outside ASCII: SMTPUTF8 is needed in MAIL (RFC 6531)")
TLS_REQUIRED = of_reason(reasons.TLS_REQUIRED)
SIGN_IN_REQUIRED = of_reason(reasons.SIGN_IN_REQUIRED)
WRONG_PASSWORD = of_reason(reasons.WRONG_PASSWORD)
BAD_ADDRESS = of_reason(reasons.BAD_ADDRESS)
SIGNED_IN = reply(235, "2.7.0", "Signed in")
AUTH_UNKNOWN = reply(504, "5.5.4", "Mechanism not offered")
OK = reply(250, "2.0.0", "OK")
SENDER_OK = reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = reply(250, "2.1.5", "Recipient OK")
CANNOT_VERIFY = reply(252, "2.5.0", "Addresses are not verified; send the message")
CHUNK_OK = reply(250, "2.0.0", "Chunk received")
GO_AHEAD = reply(354, "", "End data with <CR><LF>.<CR><LF>")
TLS_READY = reply(220, "2.0.0", "Ready to start TLS")
AUTH_UNAVAILABLE = reply(454, "4.7.0", "Sign-in not available for the moment")  # RFC 4954 6: no wrong password
TLS_UNAVAILABLE = reply(454, "4.7.0", "TLS not available for the moment")
BYE = reply(221, "2.0.0", "Bye")
TOO_LARGE = reply(
    552,
    "5.3.4",
    "Message too large for this server",
    "Message trop volumineux pour ce serveur : allégez les pièces jointes",
)
TOO_MANY_RECIPIENTS = reply(452, "4.5.3", "Too many recipients: send the others in another message")
LINE_TOO_LONG = reply(554, "5.6.0", "Message has a line over 1000 octets (RFC 5321 4.5.3.1.6)")
NO_TEXT = reply(554, "5.6.0", "Octets that no text may hold stand outside of binary parts (RFC 3030 3, RFC 2045 6.2)")
NUL_FOUND = reply(554, "5.6.0", "Message has a NUL octet (RFC 2045 2.7 and 2.8)")
NO_ROOM = reply(452, "4.3.1", "Not enough room on the server: try again later")
FAULT = reply(451, "4.3.0", "Fault on our side: try again later", "Incident de notre côté : réessayez plus tard")
# These end the conversation.
BARE_LINE_END = reply(554, "5.5.2", "Bare CR or LF received: lines must end with CR LF (RFC 5321 2.3.8)")
BAD_CHUNK = reply(501, "5.5.4", "Size of the chunk not readable: closing the connection (RFC 3030 2)")
MUCH_TOO_LARGE = reply(552, "5.3.4", "Message far too large for this server, given up")
FAULT_IN_DATA = reply(451, "4.3.0", "Fault on our side: message not accepted, try again later")
NOT_SMTP = reply(421, "4.7.0", "This is a mail server")
HANGING_UP = reply(421, "4.7.0", "Closing the connection")
TOO_MANY_MESSAGES = reply(421, "4.7.0", "Enough messages for one session: send the others in another (RFC 9422 4.1)")
TOO_MANY_ERRORS = reply(421, "4.7.0", "Too many errors: closing the connection")
SIGNED_OUT = reply(421, "4.7.0", "Signed out: this access was changed or ended. Nothing was sent.")
TOO_MANY_CONNECTIONS = reply(421, "4.7.0", "Too many connections from your address: try again later")
TIMED_OUT = reply(421, "4.4.2", "Nothing received for too long: closing the connection")
CLOSING = reply(421, "4.3.2", "Service stopping: try again later")

"""What is done with attachments by what they are (`mime.contents`): a table from kinds to actions, one for each direction.

Refused: the whole message, for all recipients, with the type in the sentence. Warned of: delivered with a header field in front
that programs and people can sort by. Never put off: what is wrong with it will not change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from mailserver.delivery.api import INWARD_DOORS, Door
from mailserver.mime.contents import HEAD, SEEN, START, Found, Kind, Purse, is_container, is_plain, look
from mailserver.mime.message import Message
from mssante import reasons
from mssante.rules import Refused

OPAQUE = Found(Kind.UNREADABLE, "MIME illisible / unreadable MIME")
WARNING = "X-MSSante-Attachment-Warning"


class Action(Enum):
    ACCEPT = "accept"
    WARN = "warn"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Policy:
    """`actions`: of a kind that is not named, accepted; `scripts`: endings of names, in lower case."""

    actions: Mapping[Kind, Action] = field(default_factory=dict)
    scripts: frozenset[str] = frozenset()

    def judge(self, message: Message) -> Judgement:
        """Looks at every file of it, those of attached messages too; the first that is refused ends the look."""
        warned: list[Found] = []
        for found in self._found(message) if self.actions and (message.cut or message.has_attachments) else ():
            action = self.actions.get(found.kind, Action.ACCEPT)
            if action is Action.REFUSE:
                return Judgement(Refused(reasons.ATTACHMENT_REFUSED, {"type": found.label}), kind=found.kind)
            if action is Action.WARN and found not in warned:
                warned.append(found)
        return Judgement(warning=_header(warned), kind=warned[0].kind) if warned else NOTHING

    def _found(self, message: Message) -> Iterator[Found]:
        purse = Purse()
        if message.cut:
            yield OPAQUE
        for section, name in message.files():
            if is_plain(message.decoded(section, START), name, self.scripts):
                continue
            head = message.decoded(section, HEAD)
            whole = len(head) < SEEN or is_container(head, name)  # short, or blank lines and comments of the encoding
            yield from look(message.decoded(section) if whole else head, name, self.scripts, purse)


@dataclass(frozen=True, slots=True)
class Judgement:
    """`warning`: header lines to be put in front; `kind`: what was found first, for the figures."""

    refused: Refused | None = None
    warning: bytes = b""
    kind: Kind | None = None


NOTHING = Judgement()
NO_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Policies:
    incoming: Policy = NO_POLICY  # from other operators
    outgoing: Policy = NO_POLICY  # from our own users

    def of(self, door: Door) -> Policy:
        """Our own notices are not judged."""
        if door is Door.SYSTEM:
            return NO_POLICY
        return self.incoming if door in INWARD_DOORS else self.outgoing


def _header(warned: list[Found]) -> bytes:
    kinds = ", ".join(dict.fromkeys(found.kind.value for found in warned))
    return f"{WARNING}: {kinds}\r\n".encode("ascii")

"""The few header fields that delivery adds or rewrites, on octets. Nothing else of a message is ever changed (of a user's own, the
door took off Bcc).

Return-Path at final delivery (RFC 5321 4.4), what our own users' messages lack (X-MSS-NIL, docs/rules.md section 6), the name that
From shows of them (section 2), and the subject without its `[FIN]` (section 4). They are rewritten in the stored message, with the
original kept beside it, rather than in the card alone: a client that reads BODY[HEADER], a search and the citizen's page must all
show the same.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime, formataddr

from mailserver.mime.addresses import addresses, raw_addresses

NIL = "X-MSS-NIL"
ORIGINAL_SUBJECT = "X-MSS-Original-Subject"
ORIGINAL_SENDER = "X-MSS-Original-Sender"
ORIGINAL_FROM = "X-MSS-Original-From"

_SUBJECT = re.compile(rb"^subject[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)(\r?\n)", re.IGNORECASE | re.MULTILINE)
_FROM = re.compile(rb"^from[ \t]*:((?:[^\r\n]|\r\n[ \t])*)\r\n", re.IGNORECASE | re.MULTILINE)
_SENDER = re.compile(rb"^sender(?=[ \t]*:)", re.IGNORECASE | re.MULTILINE)
_PLAIN = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w.-]+", re.ASCII)  # no address of ours needs quotes
_FOLD = re.compile(rb"\r\n([ \t])")
_END = re.compile(rb"\r?\n\r?\n")


def return_path(reverse_path: str) -> bytes:
    """`reverse_path` has passed the door's grammar: no line end, no bracket."""
    return b"Return-Path: <%s>\r\n" % reverse_path.encode()


def completed(content: bytes, number: str, message_id: str, now: int) -> bytes:
    """What a message of our own users lacks, as lines to put in front: X-MSS-NIL (when there is a `number`), Message-ID and Date,
    without which answers lose their thread (RFC 6409 8.2, 8.3). A program's own fields are left alone; `now` in milliseconds.
    """
    header = _header(content)
    ours = {
        NIL: number,
        "Message-ID": f"<{message_id}>",
        "Date": format_datetime(datetime.fromtimestamp(now / 1000, UTC)),
    }
    lines = [f"{name}: {value}\r\n" for name, value in ours.items() if value and not _has(header, name)]
    return "".join(lines).encode("ascii")


def signed_by(content: bytes, name: str, address: str) -> bytes:
    """With a Sender field (RFC 5322 3.6.2) that says who of a team wrote it, by name; the address stays the team's. A Sender of
    the program's own would say what it likes: it is kept under another name."""
    header = _header(content)
    own = _SENDER.sub(ORIGINAL_SENDER.encode(), header)
    return _named("Sender", name, address) + own + content[len(header) :]


def shown_as(header: bytes, name: str) -> bytes:
    """A header whose From shows `name` for its mailbox, whatever a program wrote there, which is kept under another name. One that
    names several mailboxes, or none that can be read, stays: who may write so is for the rules to say.
    """

    def field(found: re.Match[bytes]) -> bytes:
        people = addresses(raw_addresses(_FOLD.sub(rb"\1", found[1]).strip()))
        spoken = {str(one).casefold() for one in people}
        if len(spoken) != 1 or not _PLAIN.fullmatch(min(spoken)) or [one.display for one in people] == [name]:
            return found[0]
        kept = ORIGINAL_FROM.encode() + b":" + found[1] + b"\r\n" if any(one.display for one in people) else b""
        return _named("From", name, str(people[0])) + kept

    return _FROM.sub(field, header)


def _named(field: str, name: str, address: str) -> bytes:
    """A field with one mailbox, its name as RFC 2047 and 5322 write it."""
    name = "".join(sign for sign in name if sign.isprintable())
    encoded = Header(name, "utf-8", header_name=field).encode(linesep="\r\n")
    shown = formataddr((name, address)) if name.isascii() else f"{encoded} <{address}>"
    return f"{field}: {shown}\r\n".encode()


def _has(header: bytes, name: str) -> bool:
    return re.search(rb"^%s[ \t]*:" % name.encode(), header, re.IGNORECASE | re.MULTILINE) is not None


def with_subject(content: bytes, subject: str) -> bytes:
    """The message with `subject` as its first Subject field; the original value stays in X-MSS-Original-Subject."""
    found = _SUBJECT.search(content, 0, len(_header(content)))
    if found is None:
        return content
    subject = subject.encode(errors="replace").decode()  # lone surrogates of a broken encoded word
    encoded = Header(subject, "utf-8" if not subject.isascii() else "us-ascii", header_name="Subject")
    line_end = found[2]
    value = encoded.encode(linesep=line_end.decode()).encode("ascii")
    fields = b"Subject: " + value + line_end + ORIGINAL_SUBJECT.encode() + b":" + found[1] + line_end
    return content[: found.start()] + fields + content[found.end() :]


def _header(content: bytes) -> bytes:
    """The header block with its last line end."""
    found = _END.search(content)
    return content[: found.start() + 2] if found else content

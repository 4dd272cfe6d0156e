"""NOTIFY (RFC 5465 3.1): which events a client wants to hear of, in which folders."""

from __future__ import annotations

from dataclasses import dataclass

from mailserver.imap.commands.fetch import Item, parse_items
from mailserver.imap.commands.filters import NAMED, PLACES, SELECTED, Filter, check_filters, parse_filter
from mailserver.imap.grammar import Cursor
from mailserver.imap.responses import No

DELAYED = b"SELECTED-DELAYED"
SPECIFIERS = PLACES | NAMED | {SELECTED, DELAYED, b"SUBTREE-ONE"}
NEW, GONE, FLAGS = b"MESSAGENEW", b"MESSAGEEXPUNGE", b"FLAGCHANGE"
NAME, SUBSCRIPTION = b"MAILBOXNAME", b"SUBSCRIPTIONCHANGE"
METADATA, SERVER_METADATA = b"MAILBOXMETADATACHANGE", b"SERVERMETADATACHANGE"
OF_MESSAGES = frozenset((NEW, GONE, FLAGS))
KNOWN = {
    NEW: "MessageNew",
    GONE: "MessageExpunge",
    FLAGS: "FlagChange",
    NAME: "MailboxName",
    SUBSCRIPTION: "SubscriptionChange",
    METADATA: "MailboxMetadataChange",
    SERVER_METADATA: "ServerMetadataChange",
}


@dataclass(frozen=True, slots=True)
class EventGroup:
    """`events` of `KNOWN`, none: nothing is to be heard of these folders; `items`: what to tell of a new message."""

    filter: Filter
    events: frozenset[bytes]
    items: tuple[Item, ...] = ()

    @property
    def of_selected(self) -> bool:
        return self.filter.word in (SELECTED, DELAYED)


@dataclass(frozen=True, slots=True)
class Notify:
    """No `groups`: NOTIFY NONE. `status`: how these folders are is to be told first."""

    groups: tuple[EventGroup, ...] = ()
    status: bool = False


def parse_notify(at: Cursor) -> Notify:
    at.space()
    word = at.word()
    if word == b"NONE":
        return Notify()
    if word != b"SET":
        at.fail("SET or NONE expected")
    status = at.take_word(b" STATUS")
    groups: list[EventGroup] = []
    while at.take(b" "):
        groups.append(_group(at))
    if not groups:
        at.fail("groups of events expected")
    check_filters(at, [group.filter for group in groups])
    if sum(group.of_selected for group in groups) > 1:
        at.fail("the selected folder can be chosen once")  # RFC 5465 6.1
    return Notify(tuple(groups), status)


def _group(at: Cursor) -> EventGroup:
    items: list[Item] = []

    def event() -> bytes:
        word = at.word()
        if word not in KNOWN:
            raise No("no such event here", f"BADEVENT ({' '.join(KNOWN.values())})")  # RFC 5465 3.1
        if word == NEW and at.at(b" ("):
            at.space()
            items.extend(parse_items(at))
        return word

    at.expect(b"(")
    chosen = parse_filter(at, SPECIFIERS)
    at.space()
    events = frozenset[bytes]() if at.take_word(b"NONE") else frozenset(at.parenthesised(event))
    at.expect(b")")
    group = EventGroup(chosen, events, tuple(dict.fromkeys(items)))
    if (NEW in events) != (GONE in events) or (FLAGS in events and NEW not in events):
        at.fail("MessageNew and MessageExpunge go together, and with FlagChange")  # RFC 5465 5
    if group.of_selected and events - OF_MESSAGES:
        at.fail("only events of messages in the selected folder")  # RFC 5465 6.1
    if items and not group.of_selected:
        at.fail("items are told of the selected folder only")  # RFC 5465 5.2
    return group

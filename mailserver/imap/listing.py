"""LIST, LSUB and XLIST over the folders of a box (RFC 3501 6.3.8 and 6.3.9, RFC 5258, RFC 6154): pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailserver.imap.commands.auth import List
from mailserver.imap.responses import ListLine
from mailserver.store.api import Folder

SEPARATOR = "/"

# The names that Gmail's XLIST had, for the clients that only know these.
_XLIST = {"\\Junk": "\\Spam", "\\Archive": "\\AllMail"}


def matches(pattern: str, name: str) -> bool:
    """`*` stands for anything, `%` for anything without separator. Time is length times length, whatever the pattern."""
    places = {0}
    for character in pattern:
        if character in "*%":
            reached = set[int]()
            for place in sorted(places):
                while place not in reached:
                    reached.add(place)
                    if place >= len(name) or (character == "%" and name[place] == SEPARATOR):
                        break
                    place += 1
            places = reached
        else:
            places = {place + 1 for place in places if place < len(name) and name[place] == character}
    return len(name) in places


def lines(command: List, folders: Sequence[Folder], utf8: bool = False) -> Iterator[ListLine]:
    if command.patterns == ("",):
        # Always the root with its separator: iOS 18 takes silence for a dead server.
        yield ListLine(("\\Noselect",), "", command.kind)
        return
    names = {folder.name for folder in folders}
    chosen = {folder.name: folder for folder in folders if _chosen(command, folder)}
    wanted = set(chosen)
    if not command.selection:
        wanted |= {parent for name in chosen for parent in _parents(name) if _shows_parent(command, parent, names)}
    patterns = [command.reference + pattern for pattern in command.patterns]
    parents = {parent for name in names for parent in _parents(name)}
    for name in sorted(wanted, key=lambda name: (name != "INBOX", name)):
        if any(_matches(pattern, name) for pattern in patterns):
            attributes = _attributes(command, name, chosen.get(name), name in parents)
            yield ListLine(attributes, name, command.kind, utf8=utf8)


def _chosen(command: List, folder: Folder) -> bool:
    if command.kind == b"LSUB" or b"SUBSCRIBED" in command.selection:
        return folder.subscribed
    return b"SPECIAL-USE" not in command.selection or folder.special_use is not None


def _shows_parent(command: List, parent: str, names: set[str]) -> bool:
    """A level without folder of its own; for LSUB % also one that is not subscribed (RFC 3501 6.3.9)."""
    if command.kind == b"LSUB":
        return any("%" in pattern for pattern in command.patterns)
    return parent not in names


def _matches(pattern: str, name: str) -> bool:
    if name == "INBOX" or name.startswith("INBOX/"):
        return matches(pattern[:5].upper() + pattern[5:], name) or matches(pattern, name)
    return matches(pattern, name)


def _attributes(command: List, name: str, folder: Folder | None, has_children: bool) -> tuple[str, ...]:
    found = ["\\HasChildren" if has_children else "\\HasNoChildren"]
    if folder is None:
        found.append("\\Noselect")
    elif command.kind == b"XLIST":
        found += ["\\Inbox"] if name == "INBOX" else []
        found += [_XLIST.get(folder.special_use, folder.special_use)] if folder.special_use else []
    else:
        found += [folder.special_use] if folder.special_use else []
        if folder.subscribed and b"SUBSCRIBED" in command.selection | command.returns:
            found.append("\\Subscribed")
    return tuple(found)


def _parents(name: str) -> Iterator[str]:
    levels = name.split(SEPARATOR)
    for depth in range(1, len(levels)):
        yield SEPARATOR.join(levels[:depth])

"""LIST, LSUB and XLIST over the folders of a box (RFC 3501 6.3.8 and 6.3.9, RFC 5258, RFC 6154): pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache

from mailserver.imap.commands.auth import BASE_OPTIONS, List
from mailserver.imap.responses_folders import ListLine
from mailserver.store.api import Folder

SEPARATOR = "/"

# The names that Gmail's XLIST had, for the clients that only know these.
_XLIST = {"\\Junk": "\\Spam", "\\Archive": "\\AllMail"}


def matches(pattern: str, name: str) -> bool:
    """`*` stands for anything, `%` for anything without separator. A step for each character of the pattern, whatever it is.

    The places in `name` that the pattern can have reached are the bits of a number.
    """
    where, inside = _bits(name)
    places = 1
    for character in pattern:
        if character == "*":
            places = (2 << len(name)) - (places & -places)  # the first one, and all behind it
        elif character == "%":
            places |= (inside + (places & inside)) ^ inside  # each sum carries to where its level ends
        else:
            places = (places & where.get(character, 0)) << 1
        if not places:
            return False
    return bool(places >> len(name))


@lru_cache(maxsize=1)
def _bits(name: str) -> tuple[Mapping[str, int], int]:
    """Where each character stands; where anything but a separator does. Kept for the next pattern."""
    where: dict[str, int] = {}
    for place, character in enumerate(name):
        where[character] = where.get(character, 0) | 1 << place
    return where, (1 << len(name)) - 1 - where.get(SEPARATOR, 0)


def lines(
    command: List, folders: Sequence[Folder], lost: Collection[str] = (), utf8: bool = False
) -> Iterator[tuple[ListLine, Folder | None]]:
    """Each line with its folder, where that exists and meets the selection: only these have a STATUS (RFC 5819 2).

    `lost`: names that are subscribed and have no folder any more.
    """
    if command.patterns == ("",):
        # Always the root with its separator: iOS 18 takes silence for a dead server.
        yield ListLine(("\\Noselect",), "", command.kind), None
        return
    here = {folder.name: folder for folder in folders}
    chosen = {name for name, folder in here.items() if _chosen(command, folder)}
    if command.subscribed_only and b"SPECIAL-USE" not in command.selection:
        chosen.update(lost)
    above = {parent for name in chosen for parent in _parents(name)}
    patterns = [command.reference + pattern for pattern in command.patterns]
    if b"RECURSIVEMATCH" in command.selection:
        # What leads to a folder that is told itself is not told (RFC 9051 6.3.9.6: no redundant CHILDINFO).
        wanted = chosen.union(*(_parents(name) for name in chosen if not _is_meant(name, patterns)))
    else:
        wanted = chosen | {parent for parent in above if _shows_parent(command, parent, here)}
    with_children = above.union(*(_parents(name) for name in here))
    for name in sorted(wanted, key=lambda name: (name != "INBOX", name)):
        if _is_meant(name, patterns):
            folder = here.get(name) if name in chosen or command.kind != b"LSUB" else None
            attributes = [
                "\\HasChildren" if name in with_children else "\\HasNoChildren",
                *_attributes(command, folder),
            ]
            if command.tells_subscribed and (name in lost or (folder is not None and folder.subscribed)):
                attributes.append("\\Subscribed")
            extended = _child_info(command) if name in above else b""
            yield ListLine(attributes, name, command.kind, extended, utf8=utf8), folder if name in chosen else None


def _chosen(command: List, folder: Folder) -> bool:
    if command.subscribed_only and not folder.subscribed:
        return False
    return b"SPECIAL-USE" not in command.selection or folder.special_use is not None


def _shows_parent(command: List, parent: str, here: Mapping[str, Folder]) -> bool:
    """A level without folder of its own; for LSUB % also one that is not subscribed (RFC 3501 6.3.9)."""
    if command.kind == b"LSUB":
        return any("%" in pattern for pattern in command.patterns)
    return not command.selection and parent not in here


def _child_info(command: List) -> bytes:
    """Something below meets the selection (RFC 5258 4)."""
    if b"RECURSIVEMATCH" not in command.selection:
        return b""
    met = b" ".join(b'"%b"' % option for option in sorted(command.selection & BASE_OPTIONS))
    return b' ("CHILDINFO" (%b))' % met


def _is_meant(name: str, patterns: Sequence[str]) -> bool:
    return any(_matches(pattern, name) for pattern in patterns)


def _matches(pattern: str, name: str) -> bool:
    if name == "INBOX" or name.startswith("INBOX/"):
        return matches(pattern[:5].upper() + pattern[5:], name) or matches(pattern, name)
    return matches(pattern, name)


def _attributes(command: List, folder: Folder | None) -> list[str]:
    if folder is None:
        return ["\\NonExistent"] if command.extended else ["\\Noselect"]
    if command.kind != b"XLIST":
        return [folder.special_use] if folder.special_use else []
    found = ["\\Inbox"] if folder.name == "INBOX" else []
    return found + ([_XLIST.get(folder.special_use, folder.special_use)] if folder.special_use else [])


def _parents(name: str) -> Iterator[str]:
    levels = name.split(SEPARATOR)
    for depth in range(1, len(levels)):
        yield SEPARATOR.join(levels[:depth])

"""A look at one file: its name, its first octets, the list of a ZIP file, what a document does. Bounded, and done where the message
is read.

What only opening shows (an archive in another or of another format, what Outlook makes, Office before 2007) is left shut here, and
opened by `descent` in a process of its own.
"""

from __future__ import annotations

from collections.abc import Collection

from mailserver.contents import documents, names, zips
from mailserver.contents.kinds import (
    HEAD,
    OLE,
    PICTURES,
    ZIP,
    Found,
    Kind,
    is_container,
    is_hidden,
    is_shut,
    named,
    signs,
    unreadable,
)
from mailserver.contents.purse import Purse

_INSTALLERS = tuple(  # MS-CFB: class of the root of an MSI, its patches, its transforms
    bytes.fromhex(f"{one}100c0000000000c000000000000046") for one in ("84", "86", "82")
)
_VBA = "_VBA_PROJECT".encode("utf-16-le")
_ACCESS = (b"Standard Jet DB", b"Standard ACE DB")  # at 4


def is_plain(start: bytes, name: str, scripts: Collection[str]) -> bool:
    """Its first octets are a picture's, and its name makes nothing else of it: nothing more to look at."""
    other = (names.IMAGES, names.MOUNTED, names.ZIPS, names.ARCHIVES, names.LETTERS, names.PAGES, names.OFFICE, scripts)
    return start.startswith(PICTURES) and not any(one in each for one in names.endings(name) for each in other)


def wants_all(head: bytes, name: str) -> bool:
    """Whether `look` wants more of it than its head."""
    return is_container(head, name) or documents.is_document(head, name)


def look(data: bytes, name: str, scripts: Collection[str], purse: Purse | None = None) -> list[Found]:
    """All that is worth a word about this file; `scripts`: endings of names, in lower case, that make a system run it."""
    purse = purse or Purse()
    head = data[:HEAD]
    purse.shut |= is_shut(head)
    found = [*named(name, scripts)]
    if is_hidden(head, name):
        found.append(unreadable("archive"))
    if data.startswith(ZIP) or (names.ending(name) in names.ZIPS and zips.end_of(data) >= 0):
        found += zips.inside(data, scripts, purse)
    elif data.startswith(OLE):
        found += _ole(data)
    elif data.startswith(_ACCESS, 4):
        found.append(Found(Kind.MACROS, "Microsoft Access"))
    elif documents.is_document(head, name):
        found += documents.look(data, name, purse)
    return list(dict.fromkeys((*found, *documents.sealed(head, name), *signs(head))))


def _ole(data: bytes) -> list[Found]:
    if any(one in data for one in _INSTALLERS):
        return [Found(Kind.EXECUTABLE, "Windows MSI")]
    return [Found(Kind.MACROS, "Microsoft Office + macros VBA")] if _VBA in data else []

"""A file looked into to its bottom: archives and messages within archives, of all formats. Only in the fenced process (`worker`).

Bounded by what a message may hold: levels, entries of all archives together, octets of a container within another; memory and time
are the fence's. What is beyond them is unreadable, and said to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailserver.contents import archives, compound, documents, office, onenote, pdf, rar5, tnef, zips
from mailserver.contents.kinds import (
    HEAD,
    OLE,
    ONENOTE,
    TNEF,
    WHOLE,
    Found,
    Kind,
    archive_of,
    is_letter,
    locked,
    named,
    unreadable,
)
from mailserver.contents.looking import look
from mailserver.contents.purse import Purse
from mailserver.contents.zips import BROKEN
from mailserver.mime import scan

LEVELS = 4  # of archives in the attached one
_BEYOND = unreadable("archive")


class Descent:
    """One attachment. `scripts`: endings of names, in lower case, that make a system run a file."""

    def __init__(self, scripts: frozenset[str]) -> None:
        self._scripts = scripts
        self._purse = Purse(within=self._within)
        self._level = 0

    def look(self, data: bytes, name: str) -> list[Found]:
        """All that is worth a word, each once."""
        found = look(data, name, self._scripts, self._purse)
        for start in {0} if is_letter(name) else documents.letters_at(data, name):
            found += self._letter(data[start:])
        if data.startswith(TNEF):
            found += self._winmail(data)
        elif data.startswith(OLE):
            found += self._compound(data)
        elif data.startswith(ONENOTE):
            found += self._notes(data)
        elif data.startswith(rar5.SIGNATURE):
            found += self._rar5(data, name)
        elif label := archive_of(data[:HEAD]):
            found += self._archive(data, name, label)
        elif documents.is_pdf(data) and pdf.marks(data)[1]:
            found += self._pdf(data)
        return list(dict.fromkeys(found))

    def _within(self, name: str, data: bytes) -> list[Found]:
        if self._level == LEVELS or len(data) > WHOLE:
            return [_BEYOND]
        self._level += 1
        try:
            return self.look(data, name)
        finally:
            self._level -= 1

    def _rar5(self, data: bytes, name: str) -> Iterator[Found]:
        names, rest = rar5.split(data)
        for locked_name in names[: self._purse.entries]:
            yield from (found.inside("RAR") for found in named(locked_name, self._scripts))
        self._purse.entries -= min(len(names), self._purse.entries)
        if names:
            yield locked("RAR")
        if rest is not None:
            yield from self._archive(rest, name, "RAR")

    def _archive(self, data: bytes, name: str, label: str) -> Iterator[Found]:
        empty = True
        try:
            for member in archives.members(data, label):
                empty = False
                if self._purse.entries == 0:
                    yield _BEYOND
                    return
                self._purse.entries -= 1
                called = member.name or name.rpartition(".")[0]
                yield from (found.inside(label) for found in named(called, self._scripts))
                if member.locked:
                    yield locked(label)
                else:
                    inside = zips.content(called, member.read(HEAD), member.read, self._purse)
                    yield from (found.inside(label) for found in inside)
        except archives.Locked:
            yield locked(label)
        except (archives.Broken, *BROKEN):
            yield unreadable(label)
        else:
            if empty:  # nobody sends one: its list is hidden
                yield unreadable(label)

    def _letter(self, data: bytes) -> Iterator[Found]:
        message = scan(data)
        if message.cut or any(True for _ in message.doubtful()):
            yield unreadable("message")
        files = [(names, message.decoded(section)) for section, names in message.files()]
        files += [([name], content) for _, name, content in message.uuencoded()]
        for names, content in files:
            if self._purse.entries == 0:
                yield _BEYOND
                return
            self._purse.entries -= 1
            yield from (found.inside("message") for name in names for found in named(name, self._scripts))
            yield from (found.inside("message") for found in self._within(names[0], content))

    def _winmail(self, data: bytes) -> Iterator[Found]:
        try:
            yield from self._held(tnef.files(data), "winmail.dat")
        except tnef.Broken:
            yield unreadable("winmail.dat")

    def _pdf(self, data: bytes) -> Iterator[Found]:
        try:
            yield from self._held(pdf.files(data), "PDF")
        except pdf.Locked:
            yield locked("PDF")
        except pdf.Broken:
            yield unreadable("PDF")

    def _notes(self, data: bytes) -> Iterator[Found]:
        yield from (
            Found(Kind.SCRIPT, f"OneNote > script .{ending}") for ending in onenote.scripts(data, self._scripts)
        )
        try:
            yield from self._held((tnef.File([], [content]) for content in onenote.files(data)), "OneNote")
        except onenote.Broken:
            yield unreadable("OneNote")

    def _compound(self, data: bytes) -> Iterator[Found]:
        label = "Microsoft Office"
        try:
            opened = compound.Compound(data)
            label = "Outlook" if office.is_outlooks(opened) else label
            is_locked, has_macros = office.marks(opened)
            if has_macros:
                yield Found(Kind.MACROS, f"{label} + macros XLM")
            if is_locked:
                yield locked(label)
            yield from self._held(office.files(opened), label)
        except compound.Broken:
            yield unreadable(label)

    def _held(self, files: Iterable[tnef.File], label: str) -> Iterator[Found]:
        for file in files:
            if self._purse.entries == 0:
                yield _BEYOND
                return
            self._purse.entries -= 1
            for name in () if file.is_letter else file.names:
                yield from (found.inside(label) for found in named(name, self._scripts))
            name = file.names[-1] if file.names else ""
            for content in (*file.contents, *file.letters):
                yield from (found.inside(label) for found in self._within(name, content))

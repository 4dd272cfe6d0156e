"""`[attachments]` and `[attachments_sent]`: what is done with attachments by what they are, by direction and by mailbox."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from foundation.settings import Section
from mailserver.contents.kinds import Kind
from mailserver.delivery.attachments import Action, Policies, Policy
from mssante.kinds import BoxKind

FileAction = Literal["accept", "warn", "refuse"]
_EMPTY: Any = dict
_SCRIPTS = [
    *("bat", "cmd", "com", "hta", "inf", "jar", "js", "jse", "pif", "ps1", "psm1", "reg", "scf", "scr", "sct", "sh"),
    *("url", "vb", "vbe", "vbs", "ws", "wsc", "wsf", "wsh"),
]


class Differing(Section):
    """Where mailboxes of one type differ; a kind that is not named is done with as in the section above."""

    executable: FileAction | None = None
    script: FileAction | None = None
    disk_image: FileAction | None = None
    macros: FileAction | None = None
    encrypted: FileAction | None = None
    unreadable: FileAction | None = None
    other_archive: FileAction | None = None


class OfProgram(Differing):
    """Nobody is there to heed a warning."""

    macros: FileAction | None = "refuse"
    encrypted: FileAction | None = "refuse"
    unreadable: FileAction | None = "refuse"


class OfCitizen(Differing):
    """Nobody keeps the computer at home safe; a letter is as well read without macros."""

    macros: FileAction | None = "refuse"


class Table(Section):
    """What is done with each kind, in both directions."""

    executable: FileAction = Field("refuse", description="programs: EXE, MSI, ELF, Mach-O, JAR, LNK, CHM…")
    script: FileAction = Field(
        "refuse", description="what runs: behind `#!`, or whose name ends as in `script_endings`"
    )
    disk_image: FileAction = Field("refuse", description="ISO, VHD, VHDX: they hide what they hold from everybody")
    macros: FileAction = Field("warn", description="Office documents with VBA, or macros in a sheet (XLM)")
    encrypted: FileAction = Field(
        "warn", description="archives and Office documents with a password: no antivirus can look in"
    )
    unreadable: FileAction = Field(
        "warn",
        description="archives that cannot be read to their end: broken, too deep (4 levels), too slow, of more than 1,000 entries "
        "(4,000 in a message); mail nested too deep",
    )
    other_archive: FileAction = Field(
        "accept", description="RAR, 7z, CAB, TAR, GZIP…, whatever they hold: that is judged beside"
    )
    script_endings: list[str] = Field(_SCRIPTS, description="where the name alone makes a system run a text")


class Attachments(Table):
    """What is done with attachments that our mailboxes receive, from whomever, judged by their content, also inside archives.

    A type of mailbox that differs has a section of its own, `[attachments.app]`, with the kinds that do."""

    per: Differing = Field(default_factory=_EMPTY, description="a professional's own mailbox")
    cab: Differing = Field(default_factory=_EMPTY, description="shared at a practice")
    org: Differing = Field(default_factory=_EMPTY, description="a service or team of a structure")
    app: OfProgram = Field(default_factory=_EMPTY, description="a program: nobody is there to heed a warning")
    cit: OfCitizen = Field(default_factory=_EMPTY, description="a citizen: nobody keeps the computer at home safe")


class AttachmentsSent(Table):
    """The same for what our own mailboxes send, by the mailbox that sends."""

    per: Differing = Field(default_factory=_EMPTY, description="a professional's own mailbox")
    cab: Differing = Field(default_factory=_EMPTY, description="shared at a practice")
    org: Differing = Field(default_factory=_EMPTY, description="a service or team of a structure")
    app: Differing = Field(default_factory=_EMPTY, description="a program")
    cit: OfCitizen = Field(default_factory=_EMPTY, description="a citizen: nobody keeps the computer at home safe")


def policies_of(received: Attachments, sent: AttachmentsSent) -> Policies:
    return Policies(_by_type(received), _by_type(sent))


def _by_type(table: Attachments | AttachmentsSent) -> dict[BoxKind, Policy]:
    scripts = frozenset(ending.lower().lstrip(".") for ending in table.script_endings)
    return {box: Policy(_actions(table, getattr(table, box.value.lower()), Kind), scripts) for box in BoxKind}


def _actions(table: Table, differing: Differing, kinds: Iterable[Kind]) -> dict[Kind, Action]:
    return {kind: Action(getattr(differing, kind.value) or getattr(table, kind.value)) for kind in kinds}

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
_SCRIPTS = (
    "appinstaller application applescript appref-ms bash bat cdxml cmd com command cpl csh desktop dqy gadget hlp hta htc inf "
    "iqy jar jnlp js jse ksh library-ms mobileconfig msc msh oqy osd pif pl ps1 ps1xml psc1 psd1 psm1 py pyc pyw pyz rb rdp reg "
    "rqy scf scpt scr sct search-ms searchconnector-ms settingcontent-ms sh shb shs slk terminal theme themepack udl url vb vbe "
    "vbs vsto website workflow ws wsb wsc wsf wsh xbap xll xnk zsh"
).split()


class Differing(Section):
    """Where mailboxes of one type differ; a kind that is not named is done with as in the section above."""

    executable: FileAction | None = None
    script: FileAction | None = None
    disk_image: FileAction | None = None
    macros: FileAction | None = None
    active_page: FileAction | None = None
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

    executable: FileAction = Field(
        "refuse",
        description="programs and what installs them: EXE, MSI, ELF, Mach-O, JAR, LNK, CHM, DEB, RPM, PKG, APK…",
    )
    script: FileAction = Field(
        "refuse",
        description="what runs: behind `#!`, or whose name ends as in `script_endings`; a PDF that starts a program",
    )
    disk_image: FileAction = Field(
        "refuse", description="ISO, VHD, DMG, VMDK…: they hide what they hold from everybody"
    )
    macros: FileAction = Field(
        "warn", description="Office documents with macros (VBA, XLM, OpenDocument) or a template from the web; Access"
    )
    active_page: FileAction = Field("warn", description="HTML, SVG… with scripts, which a browser runs")
    encrypted: FileAction = Field(
        "warn", description="archives and documents with a password, S/MIME, PGP: no antivirus can look in"
    )
    unreadable: FileAction = Field(
        "warn",
        description="what cannot be read to its end: archives that are broken, too deep (4 levels), too slow, of more than 1,000 "
        "entries (4,000 in a message) or that nothing here opens (ARJ…); mail nested too deep; objects in RTF",
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

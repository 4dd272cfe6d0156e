"""What rights mean for commands (RFC 4314 4): pure. The roles and the rights themselves are in `mssante.rights`."""

from __future__ import annotations

from dataclasses import dataclass

from mailserver.store import flags as flag_rules
from mailserver.store.api import Flag, FlagOp, Flags, Folder
from mssante.rights import ALL, OF_ROLE, Rights, Role, written


@dataclass(frozen=True, slots=True)
class Needs:
    """What a command needs: on each folder that it names, on the folder above a new one, on the selected folder.

    A command that says nothing of the folder it names is for who has all rights: forgetting a line here opens nothing.
    """

    named: str = ALL
    above: str = ""
    here: str = ""


HOLDERS = Needs()


def rights_in(folder: Folder, role: Role, member: int) -> Rights:
    """A holder's cannot be taken away."""
    given = None if role is Role.HOLDER else folder.acl.get(member)
    return OF_ROLE[role] if given is None else given


def shown(rights: Rights) -> str:
    """With the virtual rights of RFC 2086 that old clients look for (RFC 4314 2.1.1)."""
    return written(rights) + "c" * bool(rights & set("kx")) + "d" * bool(rights & set("te"))


def with_modification(rights: Rights, modification: str) -> Rights | None:
    """RFC 4314 3.1: "+" adds, "-" takes away, else they are replaced. None: not rights of ours."""
    sign = modification[:1] if modification[:1] in ("+", "-") else ""
    letters = frozenset(modification[len(sign) :].replace("c", "kx").replace("d", "te"))
    if not letters.issubset(ALL):
        return None
    if sign == "-":
        return rights - letters
    return rights | letters if sign else letters


def writes(rights: Rights) -> bool:
    """SELECT says READ-WRITE (RFC 4314 5.2)."""
    return bool(rights & set("iwste"))


def permanent_flags(rights: Rights, keywords: tuple[str, ...]) -> str:
    """What STORE may change (RFC 4314 5.1.1); new keywords too (`\\*`) while the folder has room for one."""
    new = ("\\*",) if len(keywords) < flag_rules.KEYWORDS_PER_FOLDER else ()
    work = ("\\Answered", "\\Flagged", "\\Seen", "\\Draft", *keywords, *new) if "w" in rights else ()
    return " ".join((*work[:2], *(("\\Deleted",) if "t" in rights else ()), *work[2:]))


def permitted(flags: Flags, rights: Rights) -> Flags:
    """Of the flags of a new message, those that are kept; the others are silently left out."""
    if not (flags.system or flags.keywords) or ("w" in rights and "t" in rights):
        return flags
    kept = Flags(Flag(0)) if "w" not in rights else Flags(flags.system & ~Flag.DELETED, flags.keywords)
    return Flags(kept.system | (flags.system & Flag.DELETED if "t" in rights else Flag(0)), kept.keywords)


def permitted_store(op: FlagOp, flags: Flags, rights: Rights) -> tuple[FlagOp, Flags] | None:
    """What of a STORE is done: it fails (None) only when nothing of it may be."""
    if rights.issuperset("wt"):
        return op, flags
    wish = permitted(flags, rights)
    if "w" in rights:
        if op is FlagOp.SET:
            return FlagOp.SET_OTHERS, wish
    elif "t" in rights:
        if op is FlagOp.SET:
            return (FlagOp.ADD if wish.system else FlagOp.REMOVE), Flags(Flag.DELETED)
    else:
        return None
    return None if wish == Flags() != flags else (op, wish)

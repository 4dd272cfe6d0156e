"""Who of the operator's people is at the keyboard, shown by their passphrase; and how these people come and go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from foundation.clock import SECOND
from mssante import approvers, throttle
from mssante.approvers import NAME, Approver
from mssante.password_choice import SHORTEST, weak
from mssante.passwords import hash_password, is_right, password_form
from runtime.author import Author, By
from runtime.command import Act, Desk, Done, Refused, moment

if TYPE_CHECKING:
    from foundation.database import Transaction

_UNKNOWN = "{name} : pas un opérateur enregistré // {name}: not a registered operator"


def in_force(at: Desk) -> bool:
    """Whether a recovery takes passphrases: since anybody was ever registered."""
    return bool(at.read(approvers.of_all))


def proven(at: Desk, name: str, file: Path | None) -> Desk:
    """The desk with that person at it. `name` empty: who has the name of the account at the keyboard. Guessing is slowed."""
    found = at.read(approvers.of_all)
    one = approvers.named(found, (name or at.whose.name).lower())
    if one is None:
        there = [each.name for each in found if each.counts(at.now)]
        raise Refused(
            "Dites qui vous êtes, par votre nom d’opérateur. Enregistrés : {names} // "
            "Say who you are, by your operator's name. Registered: {names}",
            names=there,
        )
    if not one.counts(at.now):
        text = "{name} compte à partir du {when} // {name} counts from {when} on"
        raise Refused(text, name=one.name, when=moment(one.usable_at))
    _check(at, one, _typed(at, one.name, file))
    return replace(at, whose=Author(one.name, By.KEY, account=at.whose.name))


def _check(at: Desk, one: Approver, typed: str) -> None:
    """Not in the act's transaction: a wrong passphrase is remembered, and 40 ms of hashing hold nobody up."""
    db, guess = at.house.db, throttle.operator_subject(at.house.keys, one.name)
    if wait := db.read_now(throttle.wait, guess, at.now):
        raise Refused("Attendez {seconds} s // Wait {seconds} s", seconds=-(-wait // SECOND))
    if not is_right(db.read_now(approvers.secret, at.house.keys, one), password_form(typed)):
        db.write_now(throttle.failed, guess, at.now)
        raise Refused("{name} : phrase secrète inexacte // {name}: wrong passphrase", name=one.name)
    if db.read_now(throttle.failures, guess, at.now):
        db.write_now(throttle.succeeded, guess, at.now)


def _typed(at: Desk, name: str, file: Path | None, new: bool = False) -> str:
    """The first line of the file; else asked for, unseen, twice when it is new."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").partition("\n")[0]
        except (OSError, UnicodeDecodeError):
            raise Refused("{path} : illisible // {path}: unreadable", path=file) from None
    asked = at.said("Phrase secrète de {name} // Passphrase of {name}", {"name": name})
    again: bool | str = at.said("Encore une fois // Once more") if new else False
    try:
        typed: str = typer.prompt(
            asked,
            hide_input=True,
            confirmation_prompt=again,
            err=True,
            prompt_suffix=" : " if at.lang == "fr" else ": ",
        )
    except typer.Abort:
        raise Refused("Rien n’a été tapé // Nothing was typed") from None
    return typed


# -------------------------------------------------------------------- coming and going
def adding(at: Desk, name: str, by: str, by_file: Path | None, file: Path | None) -> Act:
    name = name.lower()
    if NAME.fullmatch(name) is None:
        raise Refused(
            "{name} : de 1 à 24 lettres sans accent, chiffres, points ou tirets // "
            "{name}: 1 to 24 plain letters, digits, dots or hyphens",
            name=name,
        )
    there = at.read(approvers.of_all)
    if approvers.named(there, name) is not None:
        raise Refused("{name} : déjà enregistré // {name}: registered already", name=name)
    desk = _vouched(at, by, by_file, any(not one.removed_at for one in there))
    typed = _typed(at, name, file, new=True)
    if weak(typed, "", [name]) is not None:
        raise Refused(
            "Phrase secrète trop facile : {least} caractères au moins, des mots qui ne vont pas ensemble // "
            "Passphrase too easy: at least {least} characters, words that do not go together",
            least=SHORTEST,
        )
    argon2 = hash_password(typed, None).argon2

    def run(tx: Transaction) -> Done:
        one = approvers.add(tx, at.house.keys, name, argon2, desk.whose.name if desk.whose.by is By.KEY else "", at.now)
        if one is None:
            raise Refused("{name} : déjà enregistré // {name}: registered already", name=name)
        _recorded(desk, tx, "operator:add", one.id)
        text = "{operator} : enregistré, compte à partir du {counts} // {operator}: registered, counts from {counts} on"
        return Done(text, {"operator": name, "counts": moment(one.usable_at)})

    return run


def removing(at: Desk, name: str, by: str, by_file: Path | None) -> Act:
    name = name.lower()
    there = at.read(approvers.of_all)
    one = approvers.named(there, name)
    if one is None:
        raise Refused(_UNKNOWN, name=name)
    others = [each for each in there if each.counts(at.now) and each.name != name]
    if others and by.lower() == name:
        raise Refused("Un autre que {name} en répond // Another than {name} vouches for it", name=name)
    desk = _vouched(at, by, by_file, bool(others))

    def run(tx: Transaction) -> Done:
        if not approvers.remove(tx, name, at.now):
            raise Refused(_UNKNOWN, name=name)
        _recorded(desk, tx, "operator:remove", one.id)
        return Done("{operator} : retiré // {operator}: taken away", {"operator": name})

    return run


def listed(at: Desk) -> list[dict[str, Any]]:
    return [
        {
            "operator": one.name,
            "since": moment(one.created_at),
            "counts": moment(one.usable_at),
            "vouched_by": one.vouched_by,
            "removed": moment(one.removed_at) if one.removed_at else "",
        }
        for one in at.read(approvers.of_all)
    ]


def _vouched(at: Desk, by: str, file: Path | None, needed: bool) -> Desk:
    return proven(at, by, file) if needed or by else at


def _recorded(at: Desk, tx: Transaction, event: str, number: int) -> None:
    at.record(tx, event, {"operator": number, **at.whose.details})

"""What operators do for a person who lost their second factor or forgot their password; each act is recorded, and a
professional's mailbox is told. A citizen's is not: who reads it has signed in; what they enter by goes to their private address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailserver.delivery.notices import promise_account_notice
from mssante import approvers, recovery
from mssante.credentials import WEB, SignedIn, covers
from mssante.kinds import BoxKind
from mssante.recovery import LONGEST_REASON, Lost, NotNow, Recovery, new_code
from runtime.author import KEY, By
from runtime.command import Act, Desk, Done, Refused, moment
from runtime.operator_acts import in_force, proven

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from foundation.database import Transaction

_REFUSALS = {
    NotNow.UNKNOWN: "{recovery} : demande inconnue // {recovery}: no such request",
    NotNow.SAME_OPERATOR: (
        "{recovery} : vous l’avez demandée vous-même, un autre opérateur doit approuver // "
        "{recovery}: you asked for it yourself, another operator must approve"
    ),
    NotNow.NOT_WAITING: "{recovery} : n’attend plus rien // {recovery}: waits for nothing any more",
}


_PAGE = "« Identifiant ou mot de passe oublié »"
_WHERE = {  # whether a second factor alone was lost -> where the code is typed
    False: (f"à taper sur la page {_PAGE}, avec l’identifiant", f"to be typed on the page {_PAGE}, with the login"),
    True: (
        "à taper après le mot de passe, par « J’ai perdu mon appareil »",
        "to be typed behind the password, by « J’ai perdu mon appareil »",
    ),
}


def with_key(at: Desk, name: str, file: Path | None) -> Desk:
    """Once operators are registered, the one at the keyboard shows their passphrase."""
    return proven(at, name, file) if in_force(at) or name else at


def asking(at: Desk, login: str, lost: Lost, reason: str) -> Act:
    text = (
        "Demande n° {recovery} pour {login}. Un autre opérateur l’approuve par : mssante account approve {recovery} // "
        "Request no. {recovery} for {login}. Another operator approves it by: mssante account approve {recovery}"
    )

    def run(tx: Transaction) -> Done:
        why = " ".join(reason.split())
        if not why or len(why) > LONGEST_REASON:
            raise Refused(
                "--reason : de 1 à {most} caractères // --reason: 1 to {most} characters", most=LONGEST_REASON
            )
        who = at.house.credentials.by_login(tx.conn, login)
        if who is None or not covers(who, WEB):
            raise Refused(
                "{login} : aucun accès aux pages à ce nom // {login}: no sign-in to the pages by that name", login=login
            )
        if lost is not Lost.PASSWORD and who.kind is BoxKind.CIT:
            raise Refused(
                "{login} : un citoyen reçoit son code à son adresse personnelle ; seul --lost password a un sens // "
                "{login}: a citizen's code comes to their private address; only --lost password makes sense",
                login=login,
            )
        if lost is not Lost.PASSWORD and not who.enrolled:
            raise Refused(
                "{login} : aucune seconde vérification à remplacer ; mot de passe oublié : --lost password // "
                "{login}: no second factor to replace; a forgotten password: --lost password",
                login=login,
            )
        number = recovery.ask(tx, at.house.keys, who.credential_id, lost, at.author, why, at.now)
        _recorded(at, tx, "account:recover", who.credential_id, number, lost=lost.value)
        _notice(at, tx, who, f"recovery_asked_{lost.value}")
        return Done(text, {"recovery": number, "login": login, "lost": lost.value})

    return run


def agreeing(at: Desk, number: int) -> Act:
    fr, en = ("code à venir", "code to come") if at.dry_run else ("code {code}", "code {code}")

    def run(tx: Transaction) -> Done:
        code = new_code()
        _asked_by_key(at, tx, number)
        found = _allowed(number, recovery.agree(tx, at.house.keys, number, at.author, code, at.now))
        what, (where_fr, where_en) = f"recovery_agreed_{found.lost.value}", _WHERE[found.lost is Lost.FACTOR]
        facts = _told(at, tx, found, "account:recover-approve", what, asked_by=found.asked_by)
        shown = None if at.dry_run else code  # the one of a rehearsal opens nothing
        french = f"Pour {{login}} seulement, jusqu’au {{until}}, {fr} ; {where_fr}"
        text = f"{french} // For {{login}} only, until {{until}}, {en}; {where_en}"
        return Done(text, facts | {"until": moment(found.until), "code": shown})

    return run


def taking_back(at: Desk, number: int) -> Act:
    def run(tx: Transaction) -> Done:
        found = _allowed(number, recovery.take_back(tx, at.house.keys, number, at.now))
        facts = _told(at, tx, found, "account:recover-cancel", "recovery_over")
        return Done("Demande n° {recovery} retirée // Request no. {recovery} taken back", facts)

    return run


def listed(at: Desk) -> list[dict[str, Any]]:
    """Reasons and logins are personal: the look is in the trail."""
    found = at.read(lambda conn: [_facts(at, conn, one) for one in recovery.of_all(conn, at.house.keys, at.now)])
    at.change(lambda tx: at.record(tx, "account:recover-list", {"count": len(found)}))
    return found


def _facts(at: Desk, conn: Connection, one: Recovery) -> dict[str, Any]:
    return {
        "recovery": one.id,
        "login": at.house.credentials.login_of(conn, one.credential_id),
        "lost": one.lost.value,
        "state": one.state.value,
        "asked_by": one.asked_by,
        "asked_at": moment(one.asked_at),
        "reason": one.reason,
        "agreed_by": one.agreed_by,
        "until": moment(one.until) if one.until else "",
    }


def _allowed(number: int, found: Recovery | NotNow) -> Recovery:
    if isinstance(found, NotNow):
        raise Refused(_REFUSALS[found], recovery=number)
    return found


def _asked_by_key(at: Desk, tx: Transaction, number: int) -> None:
    """Two passphrases: the request's too, of one who is still there."""
    found = recovery.get(tx.conn, at.house.keys, number, at.now)
    kind, _, name = found.asked_by.partition(" ") if found is not None else ("", "", "")
    there = approvers.named(approvers.of_all(tx.conn), name)
    if at.author_by is By.KEY and found is not None and (kind != KEY or there is None):
        raise Refused(
            "{recovery} : demandée sans phrase secrète, ou par quelqu’un qui est parti : redemandez-la // "
            "{recovery}: asked for without a passphrase, or by somebody who left: ask again",
            recovery=number,
        )


def _told(at: Desk, tx: Transaction, found: Recovery, event: str, what: str, **more: str) -> dict[str, Any]:
    _recorded(at, tx, event, found.credential_id, found.id, **more)
    who = at.house.credentials.of(tx.conn, found.credential_id)
    if who is not None:
        _notice(at, tx, who, what)
    return {"recovery": found.id, "login": at.house.credentials.login_of(tx.conn, found.credential_id)}


def _notice(at: Desk, tx: Transaction, who: SignedIn, what: str) -> None:
    if who.kind is not BoxKind.CIT:
        promise_account_notice(at.house.jobs)(tx, who.box_id, what)


def _recorded(at: Desk, tx: Transaction, event: str, credential: int, number: int, **more: str) -> None:
    at.record(tx, event, {"credential": credential, "recovery": number, **at.whose.details, **more})

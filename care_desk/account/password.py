"""« Changer de mot de passe »: the old one and the second factor are asked for; every other browser is signed out.

Not of who has just come in by an OpenID provider, which has seen both of their factors: it is how a forgotten one is replaced.
"""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from care_desk.account import again
from care_desk.account.deps import Deps
from care_desk.account.people import HOME
from foundation.database import Transaction
from foundation.web import french, sessions
from foundation.web.forms import Fault
from foundation.web.sessions import Session
from foundation.web.site import Link
from foundation.web.visit import Visit
from health_space.accounts.port import Known
from health_space.accounts.sign_in import please_wait
from mssante.credentials import WEB, WrongPassword
from mssante.password_choice import weak
from mssante.passwords import PasswordHash, hash_password

PAGE = f"{HOME}/mot-de-passe"


async def page(visit: Visit, deps: Deps) -> Response:
    """GET and POST /mon-compte/mot-de-passe."""
    who = await again.known(visit, deps)
    if visit.request.method != "POST":
        return _form(visit, who)
    if "encore" in visit.form.values:
        fault = await again.send_code(visit, deps, who)
        return _form(visit, who, fault) if fault else visit.redirect(PAGE, "code")
    old, new = visit.form.values.get("ancien", ""), visit.form.values.get("nouveau", "")
    fault = await _fault(visit, deps, who, old, new)
    if fault:
        return _form(visit, who, fault)
    salt = deps.credentials.salt_for(await deps.db.read(deps.credentials.login_of, who.credential))
    made = await asyncio.to_thread(hash_password, new, salt)
    await deps.db.write(_change, deps, visit.signed_in, made)
    return visit.redirect(HOME, "mot-de-passe")


async def _fault(visit: Visit, deps: Deps, who: Known, old: str, new: str) -> Fault | None:
    """The second factor last: it is good once."""
    vouched = again.vouched(visit.signed_in, visit.now)
    if not old and not vouched:
        return Fault("ancien", "Écrivez votre mot de passe actuel.")
    signed_in = await deps.db.read(deps.credentials.of, who.credential)
    login = await deps.db.read(deps.credentials.login_of, who.credential)
    names = (login, *((signed_in.address, signed_in.actor) if signed_in else ()))
    if bad := weak(new, old, names):
        return Fault("nouveau", bad.value)
    if new != visit.form.values.get("encore_une_fois", ""):
        return Fault("encore_une_fois", "Les deux nouveaux mots de passe sont différents.")
    if vouched:
        return None
    checked = await deps.credentials.check(login, old, visit.now, visit.client_ip, WEB)
    if isinstance(checked, WrongPassword):
        return Fault("ancien", "Votre mot de passe actuel est inexact." + please_wait(checked.wait_ms))
    return await again.fault(visit, deps, who)


def _change(tx: Transaction, deps: Deps, session: Session, made: PasswordHash) -> None:
    deps.credentials.set_password(tx, session.person, made)
    sessions.end_all(tx, session.person, sessions.realm_of(session.id), but=session)
    deps.audit.record(tx, "account:password:change", f"credential {session.person}")
    deps.tell(tx, session.person, "password")


def _form(visit: Visit, who: Known, fault: Fault | None = None) -> Response:
    return visit.render(
        "care_desk/account/password.html",
        "Changer de mot de passe",
        back=Link(HOME, "Mon compte"),
        errors=[Fault(fault.field, french.typeset(fault.sentence))] if fault else [],
        banner=french.typeset("Un code est parti à votre adresse personnelle.")
        if visit.query("fait") == "code"
        else "",
        who=who,
        vouched=again.vouched(visit.signed_in, visit.now),
    )

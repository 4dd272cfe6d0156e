"""An application that makes codes (TOTP), added or replaced; a first one also in the middle of signing in.

Who has no second factor at all adds one there: their password alone opens the mailbox until then, and no more afterwards.
"""

from __future__ import annotations

from starlette.responses import Response

from care_desk.account import again
from care_desk.account.deps import Deps
from care_desk.account.factors import enrolled, is_first, recovering
from care_desk.account.people import HOME, SIGN_IN, may_enrol
from foundation.clock import SECOND
from foundation.database import Transaction
from foundation.web import french, qr
from foundation.web.forms import Fault
from foundation.web.sessions import Session, Stage
from foundation.web.site import Link
from foundation.web.visit import Visit
from health_space.accounts.sign_in import enter
from mssante import one_time, recovery
from mssante.one_time import RightCode, WrongCode

PAGE = f"{HOME}/application"


async def page(visit: Visit, deps: Deps) -> Response:
    """GET and POST /mon-compte/application."""
    session = visit.session
    if session is None or not may_enrol(session):
        return visit.redirect(SIGN_IN)
    if (before := again.first(visit)) is not None:
        return before
    secret = session.data.get("new_totp", "")
    if visit.request.method != "POST" or not secret:
        if not secret:
            secret = one_time.new_totp_secret()
            await visit.remember(new_totp=secret)
        return await _form(visit, deps, secret)
    answer = await deps.db.write(_confirm, deps, session, secret, visit.form.get("code"), visit.now)
    if isinstance(answer, WrongCode):
        wait = f" Attendez {-(-answer.wait_ms // SECOND)} s avant de réessayer." if answer.wait_ms else ""
        return await _form(visit, deps, secret, "Ce code est inexact. Vérifiez-le." + wait)
    if session.stage is Stage.CODE:
        return await enter(visit, session, "recupere" if recovering(session) else "application")
    await visit.remember(new_totp="")
    return visit.redirect(HOME, "application")


def _confirm(tx: Transaction, deps: Deps, session: Session, secret: str, code: str, now: int) -> RightCode | WrongCode:
    number = recovering(session)
    if number and not recovery.usable(tx.conn, session.person, number, now):
        return WrongCode(0)
    answer = one_time.confirm_totp(tx, deps.keys, session.person, secret, code, now, is_first(session))
    if isinstance(answer, RightCode):
        enrolled(tx, deps, session, "application", now)
    return answer


async def _form(visit: Visit, deps: Deps, secret: str, fault: str = "") -> Response:
    assert visit.session is not None
    who = await deps.db.read(deps.credentials.of, visit.session.person)
    signed_in = visit.session.stage is Stage.SIGNED_IN
    uri = one_time.totp_uri(secret, "Ma messagerie", deps.operator)
    return visit.render(
        "care_desk/account/authenticator.html",
        "Votre application de codes",
        back=Link(HOME, "Mon compte") if signed_in else None,
        errors=[Fault("code", french.typeset(fault))] if fault else [],
        secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        uri=uri,
        picture=qr.svg(uri),
        enrolled=who is not None and who.enrolled,
        replaces=who is not None and who.totp,
        other=not signed_in and deps.party is not None,
    )

"""The second factor, asked again before something that outlives the session: a code, a code by e-mail, or a passkey.

Who has just signed in, or was asked a moment ago, is not asked again, but for another password. Somebody at a page left open cannot
make themselves a way in. Who has no second factor here, and came in by an OpenID provider, comes in by it once more.
"""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from care_desk.account.deps import Deps
from care_desk.account.people import HOME
from foundation.clock import MINUTE
from foundation.web import errors, french
from foundation.web.forms import Fault
from foundation.web.sessions import Session, Stage
from foundation.web.site import Link
from foundation.web.visit import Visit
from health_space.accounts.port import Known
from health_space.accounts.sign_in import VOUCHED, digits, is_local, please_wait, send_again

ASKED = f"{HOME}/cle"
PAGE = f"{HOME}/verification"
FRESH = 10 * MINUTE


def is_fresh(session: Session, now: int) -> bool:
    """In the middle of signing in, everybody is."""
    proven = max(session.created_at, int(session.data.get("proven_at", "0")))
    return session.stage is not Stage.SIGNED_IN or now - proven < FRESH


def vouched(session: Session, now: int) -> bool:
    """An OpenID provider has just seen both of the person's factors."""
    return bool(session.data.get(VOUCHED)) and is_fresh(session, now)


def first(visit: Visit) -> Response | None:
    """Where to go before this page; None: nowhere. What was typed on it is lost: pages ask when they are opened."""
    if visit.session is None or is_fresh(visit.session, visit.now):
        return None
    return RedirectResponse(f"{PAGE}?suite={quote(visit.request.url.path)}", status_code=303)


async def page(visit: Visit, deps: Deps) -> Response:
    """GET and POST /mon-compte/verification."""
    who, suite = await known(visit, deps), visit.form.get("suite") or visit.query("suite")
    after = suite if is_local(suite) and suite.startswith(HOME) else HOME
    if visit.request.method != "POST":
        return _form(visit, who, after)
    if "encore" in visit.form.values:
        return _form(visit, who, after, await send_code(visit, deps, who), sent=True)
    if wrong := await fault(visit, deps, who):
        return _form(visit, who, after, wrong)
    await visit.remember(proven_at=str(visit.now))
    return visit.redirect(after)


def _form(visit: Visit, who: Known, after: str, wrong: Fault | None = None, sent: bool = False) -> Response:
    return visit.render(
        "care_desk/account/again.html",
        "Vérifions que c'est vous",
        back=Link(HOME, "Mon compte"),
        errors=[Fault(wrong.field, french.typeset(wrong.sentence))] if wrong else [],
        banner=french.typeset("Un code est parti à votre adresse personnelle.") if sent and not wrong else "",
        who=who,
        suite=after,
    )


async def known(visit: Visit, deps: Deps) -> Known:
    found = await deps.sign_in.known(visit.person)
    if found is None:
        raise errors.not_found()
    return found


async def asked(visit: Visit, deps: Deps) -> Response:
    """POST /mon-compte/cle, by passkey.js."""
    options = await deps.sign_in.passkey_asked(visit.person, visit.signed_in.id)
    if options is None:
        raise errors.not_found()
    return Response(options, media_type="application/json")


async def send_code(visit: Visit, deps: Deps, who: Known) -> Fault | None:
    """To who holds no second factor; at most one a minute."""
    if who.enrolled or not who.private_email:
        raise errors.not_found()
    wait = await send_again(visit, deps.sign_in, deps.send, who.credential, who.private_email)
    return Fault("code", "Un code vient de partir." + please_wait(wait)) if wait else None


async def fault(visit: Visit, deps: Deps, who: Known) -> Fault | None:
    """None: it is right, and used."""
    answer = visit.form.get("reponse")
    if answer and who.passkey:
        right = await deps.sign_in.passkey(who.credential, visit.signed_in.id, answer)
        return None if right else Fault("cle", "Cette clé d'accès n'a pas été acceptée. Recommencez.")
    if who.passkey and not who.totp:
        return Fault("cle", "Utilisez votre clé d'accès.")
    typed = digits(visit.form.get("code"))
    if len(typed) != 6:
        return Fault("code", "Le code a 6 chiffres.")
    wrong = await deps.sign_in.code(who.credential, typed)
    return None if wrong is None else Fault("code", "Ce code est inexact. Vérifiez-le." + please_wait(wrong.wait))

"""« J'ai perdu mon appareil »: the code that two operators gave, after the password; then a new second factor is enrolled."""

from __future__ import annotations

from starlette.responses import Response

from care_desk.account.authenticator import PAGE as ENROL
from care_desk.account.deps import Deps
from care_desk.account.people import SIGN_IN
from foundation.web import french
from foundation.web.forms import Fault
from foundation.web.sessions import Stage
from foundation.web.visit import Visit
from health_space.accounts.sign_in import please_wait
from mssante import recovery
from mssante.recovery import WrongCode

PAGE = f"{SIGN_IN}/secours"


async def page(visit: Visit, deps: Deps) -> Response:
    """GET and POST /mon-compte/connexion/secours, in the middle of signing in."""
    session = visit.session
    if session is None or session.stage is not Stage.CODE:
        return visit.redirect(SIGN_IN)
    if visit.request.method != "POST":
        return _form(visit)
    answer = await deps.db.write(recovery.check, deps.keys, session.person, visit.form.get("secours"), visit.now)
    if isinstance(answer, WrongCode):
        sentence = "Ce code est inexact, ou n'est plus valable." + please_wait(answer.wait_ms)
        return _form(visit, Fault("secours", french.typeset(sentence)))
    await visit.remember(recovery=str(answer))
    return visit.redirect(ENROL)


def _form(visit: Visit, fault: Fault | None = None) -> Response:
    title = "Vous avez perdu votre appareil"
    return visit.render(
        "care_desk/account/recovery.html", title, errors=[fault] if fault else [], code_page=f"{SIGN_IN}/code"
    )

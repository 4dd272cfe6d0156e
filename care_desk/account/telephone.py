"""« Je confirme sur mon téléphone »: after the password, the OpenID provider asks the person on a device of theirs (CIBA).

The password comes first, and one request a half minute: nobody makes a stranger's telephone ring. What it confirms must be the
person whose password was given.
"""

from __future__ import annotations

import structlog
from starlette.responses import Response

from care_desk.account import ringing
from care_desk.account.deps import Deps
from care_desk.account.people import SIGN_IN
from foundation.clock import SECOND
from foundation.web import errors, french
from foundation.web.forms import Fault
from foundation.web.sessions import Session, Stage
from foundation.web.visit import Visit
from health_space.accounts.sign_in import enter, please_wait
from mssante import throttle
from mssante.ciba import Asked, Backchannel, new_message
from mssante.id_tokens import No
from mssante.openid import Subject

log = structlog.get_logger()

PAGE = f"{SIGN_IN}/telephone"
AGAIN = 30 * SECOND
NOT_YOURS = "Ce numéro n'est pas celui de ce compte."


async def page(visit: Visit, deps: Deps) -> Response:
    """GET and POST /mon-compte/connexion/telephone."""
    if deps.phone is None:
        raise errors.not_found()
    session = visit.session
    if session is None or session.stage is not Stage.CODE:
        return visit.redirect(SIGN_IN)
    asked = ringing.asked_in(session)
    if visit.request.method != "POST":
        return await _form(visit, deps, asked)
    if "attente" in visit.form.values and asked is not None:
        return await _wait(visit, deps, deps.phone, session, asked)
    return await _begin(visit, deps, deps.phone, session)


async def _begin(visit: Visit, deps: Deps, phone: Backchannel, session: Session) -> Response:
    hint = await deps.db.read(deps.credentials.provider_name, session.person, visit.form.get("numero"))
    if hint is None:
        return await _form(visit, deps, None, Fault("numero", NOT_YOURS))
    key = deps.keys.lookup("telephone", str(session.person))
    if wait := await deps.db.write(throttle.spaced, key, AGAIN, visit.now):
        return await _form(
            visit, deps, None, Fault("telephone", "Votre téléphone vient d'être prévenu." + please_wait(wait))
        )
    found = await phone.begin(hint, new_message())
    if isinstance(found, No):
        log.info("account.telephone_refused", reason=found.name)
        return await _form(visit, deps, None, Fault("telephone", ringing.sentence_of(found)))
    await visit.remember(**ringing.remembered(found))
    return visit.redirect(PAGE)


async def _wait(visit: Visit, deps: Deps, phone: Backchannel, session: Session, asked: Asked) -> Response:
    found = await ringing.heard(visit, phone, asked, PAGE)
    if isinstance(found, Response):
        return found
    if isinstance(found, No):
        log.info("account.telephone_refused", reason=found.name)
        return visit.redirect(PAGE, found.name.lower())
    if not await _is_theirs(deps, session, found):
        log.info("account.telephone_refused", reason="SOMEBODY_ELSE")
        return visit.redirect(PAGE, "somebody_else")
    assert visit.session is not None
    return await enter(visit, visit.session)


async def _is_theirs(deps: Deps, session: Session, found: Subject) -> bool:
    login = await deps.db.read(deps.credentials.login_of, session.person)
    who = await deps.db.read(deps.credentials.held_by, found.name, login)
    return who is not None and who.credential_id == session.person


async def _form(visit: Visit, deps: Deps, asked: Asked | None, fault: Fault | None = None) -> Response:
    assert visit.session is not None
    known = await deps.db.read(deps.credentials.provider_name, visit.session.person, "")
    return visit.render(
        "care_desk/account/telephone.html",
        "Confirmez sur votre téléphone",
        errors=[Fault(fault.field, french.typeset(fault.sentence))] if fault else [],
        asked=asked if asked is not None and asked.until > visit.now else None,
        happened=french.typeset(ringing.happened(visit.query("fait"), asked, visit.now)),
        known=known is not None,
        page=PAGE,
        code_page=f"{SIGN_IN}/code",
    )

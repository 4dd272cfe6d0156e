"""« Confirmer sur mon téléphone », instead of the password (CIBA): who names themselves confirms in the e-CPS application.

Anybody may name anybody: telephones ring seldom (`throttle.ring_subjects`), of the operator's people only, and each screen shows
the number that the other must show. Whoever is named, known or not, lately rung or not, the page answers alike: the waits that it
shows know only what was typed (`throttle.named_subjects`), and the provider is asked each time, about nobody when nobody rings, so
that its silence and its slowness tell nothing either. Who confirms must be the very person whose account was named, at the level
that is asked for; the OpenID provider has seen both of their factors.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog
from sqlalchemy import Connection
from starlette.responses import Response

from care_desk.account import ringing
from care_desk.account.deps import Deps
from care_desk.account.people import HOME, SIGN_IN
from foundation.clock import MINUTE, SECOND
from foundation.web import errors, french, sessions
from foundation.web.forms import Fault
from foundation.web.kit import Page
from foundation.web.sessions import Session, Stage
from foundation.web.visit import Visit
from health_space.accounts.sign_in import come_in, please_wait
from mssante import throttle
from mssante.ciba import Asked, Backchannel, new_message
from mssante.credentials import WEB, covers
from mssante.id_tokens import No
from mssante.openid import Subject
from mssante.signed_in import subject_form

log = structlog.get_logger()

Waits = tuple[throttle.Subject, ...]

PAGE = f"{SIGN_IN}/e-cps"
LIVES = 2 * MINUTE  # whatever the provider allows: a request forgotten on a screen ends soon
EVENLY = SECOND / 2  # ms; no answer comes sooner
NOBODY = "800000000000"  # as the profile names a person, by a number that no register gives
REFUSED = "La demande a été refusée sur le téléphone. Personne n'est entré."
RUNG = "Un téléphone vient d'être prévenu pour ce compte."


async def page(visit: Visit, deps: Deps) -> Response:
    """GET and POST /mon-compte/connexion/e-cps."""
    if deps.phone is None:
        raise errors.not_found()
    session = visit.session
    if session is not None and session.stage is Stage.SIGNED_IN:
        return visit.redirect(HOME)
    asking = session if session is not None and session.stage is Stage.ASKED else None
    asked = ringing.asked_in(asking) if asking is not None else None
    if visit.request.method != "POST":
        return _form(visit, asked)
    began = asyncio.get_running_loop().time()
    if "attente" in visit.form.values and asking is not None and asked is not None:
        answer = await _wait(visit, deps, deps.phone, asking, asked)
    else:
        answer = await _begin(visit, deps, deps.phone)
    await asyncio.sleep(max(0, EVENLY / SECOND - (asyncio.get_running_loop().time() - began)))
    return answer


async def _begin(visit: Visit, deps: Deps, phone: Backchannel) -> Response:
    typed = visit.form.get("identifiant")
    if not typed:
        return _form(visit, None, Fault("identifiant", "Écrivez votre identifiant ou votre numéro RPPS."))
    credential, hint = await deps.db.read(_named, deps, typed, visit.form.get("numero"))
    named = subject_form("".join(typed.split()))  # one name however it is spelled
    shown, silent = _waits(deps, visit, named, hint)
    if wait := await deps.db.write(throttle.asked_for, shown, visit.now):
        return _form(visit, None, Fault("identifiant", RUNG + please_wait(wait)))
    rings = hint and not await deps.db.write(throttle.asked_for, silent, visit.now)
    message = new_message()
    found = await phone.begin(hint if rings else NOBODY, message)
    if found in (No.UNKNOWN, No.DENIED) or not (
        rings or isinstance(found, No)
    ):  # has no e-CPS: nobody else needs to know
        found = phone.pretended(message)
    if isinstance(found, No):
        log.info("account.telephone_refused", reason=found.name)
        return _form(visit, None, Fault("identifiant", ringing.sentence_of(found)))
    found = replace(found, until=min(found.until, visit.now + LIVES))
    data = {"who": str(credential), "named": named, "rung": hint, "suite": visit.form.get("suite")}
    data |= ringing.remembered(found)
    shared, web = visit.form.get("partage") == "oui", visit.web
    old, realm = visit.session or visit.ended, web.settings.realm
    opened = await web.db.write(sessions.open_session, web.keys, visit.now, Stage.ASKED, 0, data, shared, old, realm)
    visit.adopt(opened)
    return visit.redirect(PAGE)


def _waits(deps: Deps, visit: Visit, named: str, hint: str) -> tuple[Waits, Waits]:
    """The one that the page shows; the one of the person, who would be told from nobody if it were shown."""
    keys, place = deps.keys, visit.client_ip
    return throttle.named_subjects(keys, named, place), throttle.ring_subjects(keys, hint, place)


def _named(conn: Connection, deps: Deps, typed: str, number: str) -> tuple[int, str]:
    """The credential, and how the provider is told whom to ask; 0 and empty: nobody whose telephone may ring."""
    who = deps.credentials.called(conn, typed)
    if who is None or not covers(who, WEB):
        return 0, ""
    hint = deps.credentials.provider_name(conn, who.credential_id, number)
    return (who.credential_id, hint) if hint else (0, "")


async def _wait(visit: Visit, deps: Deps, phone: Backchannel, session: Session, asked: Asked) -> Response:
    found = await ringing.heard(visit, phone, asked, PAGE)
    if isinstance(found, Response):
        return found
    waits = _waits(deps, visit, session.data["named"], session.data.get("rung", ""))
    if found is No.DENIED:  # once more: whoever refuses does not want to be asked again
        for wait in waits:
            await deps.db.write(throttle.failed, wait, visit.now)
    if isinstance(found, No):
        log.info("account.telephone_refused", reason=found.name)
        return visit.redirect(PAGE, found.name.lower())
    credential = int(session.data["who"])
    if not await deps.db.read(_is_theirs, deps, credential, found) or await deps.sign_in.known(credential) is None:
        log.info("account.telephone_refused", reason="SOMEBODY_ELSE")
        return visit.redirect(PAGE, "somebody_else")
    for wait in waits:
        await deps.db.write(throttle.succeeded, wait, visit.now)
    return await come_in(visit, credential, session.data.get("suite", ""), session.shared_computer)


def _is_theirs(conn: Connection, deps: Deps, credential: int, found: Subject) -> bool:
    """As things stand now; the very account that was named, not another one of that person."""
    login = deps.credentials.login_of(conn, credential)
    who = deps.credentials.held_by(conn, found.name, login)
    return who is not None and who.credential_id == credential and covers(who, WEB)


def _form(visit: Visit, asked: Asked | None, fault: Fault | None = None) -> Response:
    waiting = asked if asked is not None and asked.until > visit.now else None
    told = REFUSED if visit.query("fait") == "denied" else ringing.happened(visit.query("fait"), asked, visit.now)
    return visit.render(
        "care_desk/account/by_telephone.html",
        "Confirmez sur votre téléphone" if waiting else "Se connecter avec son téléphone",
        errors=[Fault(fault.field, french.typeset(fault.sentence))] if fault else [],
        page=PAGE,
        asked=waiting,
        happened=french.typeset(told),
        login=visit.form.get("identifiant"),
        number=visit.form.get("numero"),
        shared=visit.form.get("partage") == "oui",
        suite=visit.form.get("suite") or visit.query("suite"),
    )


TABLE = (Page(PAGE, page, "GET POST", public=True, asking=True),)

"""« Se connecter avec Pro Santé Connect »: on the provider's own page, by code and PKCE (`mssante.openid_code`), and back.

Until the person is back nothing is kept here: what we must know again travels sealed in `state`, and opens only in the browser that
left with it, once. Who comes back is known by the provider; their account is their own mailbox's, or the one whose login they give.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import asdict

import structlog
from sqlalchemy import Connection
from starlette.responses import Response

from care_desk.account import ringing
from care_desk.account.deps import Deps
from care_desk.account.people import HOME, SIGN_IN
from foundation.clock import MINUTE
from foundation.keys import Tampered
from foundation.web import errors, french, sessions
from foundation.web.forms import Fault
from foundation.web.kit import Page
from foundation.web.sessions import Stage
from foundation.web.visit import Visit
from health_space.accounts.sign_in import come_in, is_local, please_wait
from mssante import throttle
from mssante.credentials import WEB, covers, login_form
from mssante.id_tokens import No
from mssante.openid_code import CodeFlow, Trip

log = structlog.get_logger()

START = f"{SIGN_IN}/pro-sante-connect"
BACK = f"{START}/retour"  # told to the provider
WHICH = f"{START}/compte"
AWAY = 15 * MINUTE
LONGEST = 2_000  # characters of `state`, and of a code
LATE = "Vous êtes parti trop longtemps, ou dans un autre navigateur. Recommencez."
TOO_MANY = "Trop de connexions ont échoué depuis votre réseau."
GAVE_UP = "Vous n'avez pas terminé sur Pro Santé Connect. Recommencez, ou utilisez un autre moyen."
NOT_YOURS = "Aucun compte à cet identifiant n'est à vous."


async def leave(visit: Visit, deps: Deps) -> Response:
    """GET /mon-compte/connexion/pro-sante-connect: a link, since a form may not lead to another site."""
    flow = _flow(deps)
    if visit.session is not None and visit.session.stage is Stage.SIGNED_IN:
        return visit.redirect(HOME)
    trip, suite = Trip(), visit.query("suite")
    kept = {"at": visit.now, "suite": suite if is_local(suite) else "", **asdict(trip)}
    sealed = deps.keys.registry.seal(json.dumps(kept).encode(), _context(visit))
    address = await flow.leave(trip, urlsafe_b64encode(sealed).decode())
    return _told(visit, ringing.sentence_of(address)) if isinstance(address, No) else visit.redirect(address)


async def back(visit: Visit, deps: Deps) -> Response:
    """GET /mon-compte/connexion/pro-sante-connect/retour, by the provider's redirect (RFC 6749 4.1.2)."""
    flow, said = _flow(deps), visit.request.query_params
    if visit.session is not None and visit.session.stage is Stage.SIGNED_IN:  # the same answer, loaded again
        return visit.redirect(HOME)
    kept = _opened(visit, deps, said.get("state", ""))
    if kept is None:
        return _told(visit, LATE)
    answers = throttle.answer_subjects(deps.keys, visit.client_ip)
    if wait := await deps.db.read(throttle.wait, answers, visit.now):
        return _told(visit, TOO_MANY + please_wait(wait))
    if await deps.db.write(throttle.spaced, deps.keys.lookup("openid state", kept["nonce"]), AWAY, visit.now):
        return _told(visit, LATE)
    trip = Trip(kept["verifier"], kept["nonce"])
    found = await flow.arrive(trip, said.get("code", "")[:LONGEST], said.get("iss", ""), said.get("error", ""))
    if isinstance(found, No):
        await deps.db.write(throttle.failed, answers, visit.now)
        log.info("account.provider_refused", reason=found.name)
        return _told(visit, GAVE_UP if found is No.DENIED else ringing.sentence_of(found))
    if credential := await _account(deps, found.name, ""):
        return await come_in(visit, credential, kept["suite"], shared=False)
    return await _ask_which(visit, found.name, kept["suite"])


async def which(visit: Visit, deps: Deps) -> Response:
    """GET and POST /mon-compte/connexion/pro-sante-connect/compte: for who has no mailbox of their own here."""
    session = visit.session
    if session is None or session.stage is not Stage.ASKED or not (subject := session.data.get("subject")):
        return visit.redirect(SIGN_IN)
    typed, fault = visit.form.get("identifiant"), None
    if visit.request.method == "POST":
        credential = await _account(deps, subject, login_form(typed)) if typed else 0
        if credential:
            return await come_in(visit, credential, session.data.get("suite", ""), shared=False)
        fault = Fault("identifiant", NOT_YOURS if typed else "Écrivez votre identifiant.")
    return visit.render(
        "care_desk/account/which.html", "Votre identifiant", errors=[fault] if fault else [], page=WHICH, login=typed
    )


async def _ask_which(visit: Visit, subject: str, suite: str) -> Response:
    web, old = visit.web, visit.session or visit.ended
    data = {"subject": subject, "suite": suite}
    opened = await web.db.write(
        sessions.open_session, web.keys, visit.now, Stage.ASKED, 0, data, False, old, web.settings.realm
    )
    visit.adopt(opened)
    return visit.redirect(WHICH)


async def _account(deps: Deps, subject: str, login: str) -> int:
    """The credential that this person opens; 0: none, or not on these pages."""
    credential = await deps.db.read(_held, deps, subject, login)
    return credential if credential and await deps.sign_in.known(credential) is not None else 0


def _held(conn: Connection, deps: Deps, subject: str, login: str) -> int:
    who = deps.credentials.held_by(conn, subject, login)
    return who.credential_id if who is not None and covers(who, WEB) else 0


def _flow(deps: Deps) -> CodeFlow:
    if deps.code is None:
        raise errors.not_found()
    return deps.code


def _context(visit: Visit) -> bytes:
    return b"openid state " + visit.browser_id().encode()


def _opened(visit: Visit, deps: Deps, state: str) -> dict[str, str] | None:
    try:
        sealed = urlsafe_b64decode(state[:LONGEST])
        kept = json.loads(deps.keys.registry.open(sealed, _context(visit)))
    except (Tampered, ValueError):
        return None
    return kept if 0 <= visit.now - kept["at"] < AWAY else None


def _told(visit: Visit, sentence: str) -> Response:
    return visit.render(
        "care_desk/account/provider.html",
        "Pro Santé Connect",
        happened=french.typeset(sentence),
        again=START,
        other=SIGN_IN,
    )


TABLE = (
    Page(START, leave, public=True),
    Page(BACK, back, public=True),
    Page(WHICH, which, "GET POST", public=True, asking=True),
)

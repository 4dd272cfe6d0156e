"""Signing in: login and password, then a one-time code (from an application, or sent by e-mail).

The session's id changes at each of the two steps. Every refusal of the first step is one neutral sentence. The page asked for
before (`suite`) comes back at the end, and with it what was being typed there.
"""

from __future__ import annotations

import re
from dataclasses import replace

from starlette.responses import Response

from foundation.clock import MINUTE, SECOND
from foundation.places import network_of
from foundation.web import errors, french, sessions
from foundation.web.forms import Fault
from foundation.web.sessions import Session, Stage
from foundation.web.user_agent import browser_of
from foundation.web.visit import Visit
from health_space.accounts.deps import Deps
from health_space.accounts.port import Known, Send, SignIn, Wrong
from mssante.address import masked
from mssante.one_time import CODE_LIVES, new_code

SEND_AGAIN = MINUTE
VOUCHED = "vouched"  # of a session that an OpenID provider vouches for (`come_in`)
FORGOTTEN, PROVEN = "forgotten", "factor_proven"  # of a session whose password is forgotten (`forgotten`)
_LOCAL = re.compile(r"/[\w/-]*")  # a path of ours: no host, no query

SUBJECT = "Votre code de connexion"
TEXT = """Bonjour,

Votre code de connexion : {code}

Il est valable 10 minutes. Tapez-le dans la page de connexion que vous avez ouverte.

Vous n'avez rien demandé ? Alors quelqu'un connaît peut-être votre mot de passe : ne donnez ce code à personne
et prévenez l'aide.
"""


async def password_page(visit: Visit, deps: Deps) -> Response:
    """GET and POST /connexion (`WebSettings.sign_in`)."""
    if visit.request.method != "POST":
        if visit.session is not None and visit.session.stage is Stage.SIGNED_IN:
            return visit.redirect(_destination(visit.query("suite"), visit))
        return _password_form(visit, deps, suite=visit.query("suite"))
    login, password = visit.form.get("identifiant"), visit.form.values.get("mot_de_passe", "")
    suite, shared = visit.form.get("suite"), visit.form.get("partage") == "oui"
    faults = [
        *([] if login else [Fault("identifiant", "Écrivez votre identifiant.")]),
        *([] if password else [Fault("mot_de_passe", "Écrivez votre mot de passe.")]),
    ]
    if faults:
        return _password_form(visit, deps, login, suite, shared, faults)
    answer = await deps.sign_in.password(login, password, visit.client_ip)
    if isinstance(answer, Wrong):
        sentence = "L'identifiant ou le mot de passe est inexact." + please_wait(answer.wait)
        return _password_form(visit, deps, login, suite, shared, [Fault("identifiant", french.typeset(sentence))])
    await begin_code_step(visit, deps, answer, suite, shared)
    has_factor = answer.enrolled or answer.private_email
    return visit.redirect(_code_page(visit) if has_factor or not deps.enrol_page else deps.enrol_page)


def _password_form(
    visit: Visit, deps: Deps, login: str = "", suite: str = "", shared: bool = False, faults: list[Fault] | None = None
) -> Response:
    return visit.render(
        "accounts/password.html",
        "Se connecter",
        login=login,
        suite=suite,
        shared=shared,
        ended=visit.query("fin") == "1",
        kept=visit.query("garde") == "1",
        signed_out=visit.query("fait") == "deconnecte",
        others=deps.others,
        errors=faults or [],
    )


async def begin_code_step(
    visit: Visit, deps: Deps, known: Known, suite: str, shared: bool, more: dict[str, str] | None = None
) -> None:
    """What the person gave is as good as their password; `more`: what the session remembers too."""
    data = {
        "credential": str(known.credential),
        "email": known.private_email or "",
        "totp": "1" if known.totp else "",
        "passkey": "1" if known.passkey else "",
        "suite": suite,
        "profile": str(visit.ended.profile) if visit.ended and visit.ended.person == known.person else "",
        **(more or {}),
    }
    if not known.enrolled and known.private_email:
        wait = await _send_code(deps.sign_in, deps.send, known.credential, known.private_email)
        data |= {} if wait else {"code_at": str(visit.now)}
    web = visit.web
    old, realm = visit.session or visit.ended, web.settings.realm
    opened = await web.db.write(
        sessions.open_session, web.keys, visit.now, Stage.CODE, known.person, data, shared, old, realm
    )
    visit.adopt(opened)


async def _send_code(sign_in: SignIn, send: Send, credential: int, address: str) -> int:
    """0, or the ms to wait: none was sent."""
    code = new_code()
    if wait := await sign_in.expect_code(credential, code):
        return wait
    await send(address, SUBJECT, french.typeset(TEXT.format(code=code)))
    return 0


async def send_again(visit: Visit, sign_in: SignIn, send: Send, credential: int, address: str) -> int:
    """A new code by e-mail, at most one a minute in a session; 0, or the ms to wait."""
    since = visit.now - int(visit.signed_in.data.get("code_at", "0"))
    if since < SEND_AGAIN:
        return SEND_AGAIN - since
    if wait := await _send_code(sign_in, send, credential, address):
        return wait
    await visit.remember(code_at=str(visit.now))
    return 0


async def code_page(visit: Visit, deps: Deps) -> Response:
    """GET and POST /connexion/code."""
    session = visit.session
    if session is None or session.stage is not Stage.CODE:
        return visit.redirect(visit.web.settings.sign_in)
    if visit.request.method != "POST":
        return _code_form(visit, deps, session)
    if "encore" in visit.form.values:
        return await _again(visit, deps, session)
    if "reponse" in visit.form.values:
        return await _by_passkey(visit, deps, session)
    typed = digits(visit.form.get("code"))
    if len(typed) != 6:
        return _code_form(visit, deps, session, "Le code a 6 chiffres.")
    wrong = await deps.sign_in.code(int(session.data["credential"]), typed)
    if wrong is None:
        return await enter(visit, session)
    if not session.data.get("totp") and visit.now - int(session.data.get("code_at", "0")) >= CODE_LIVES:
        return _code_form(visit, deps, session, "Ce code n'est plus valable. Demandez-en un nouveau ci-dessous.")
    return _code_form(visit, deps, session, "Ce code est inexact. Vérifiez-le." + please_wait(wrong.wait))


async def _again(visit: Visit, deps: Deps, session: Session) -> Response:
    address = session.data.get("email", "")
    if not address or session.data.get("totp") or session.data.get("passkey"):
        return visit.redirect(_code_page(visit))
    if wait := await send_again(visit, deps.sign_in, deps.send, int(session.data["credential"]), address):
        return _code_form(visit, deps, session, "Un code vient de partir." + please_wait(wait))
    return visit.redirect(_code_page(visit), "nouveau")


async def passkey_asked(visit: Visit, deps: Deps) -> Response:
    """POST /connexion/cle, by passkey.js: what the browser asks the device for."""
    session = visit.session
    if session is None or session.stage is not Stage.CODE:
        raise errors.not_found()
    asked = await deps.sign_in.passkey_asked(int(session.data["credential"]), session.id)
    if asked is None:
        raise errors.not_found()
    return Response(asked, media_type="application/json")


async def _by_passkey(visit: Visit, deps: Deps, session: Session) -> Response:
    if await deps.sign_in.passkey(int(session.data["credential"]), session.id, visit.form.get("reponse")):
        return await enter(visit, session)
    return _code_form(visit, deps, session, "Cette clé d'accès n'a pas été acceptée. Recommencez.", "cle")


async def enter(visit: Visit, session: Session, done: str = "") -> Response:
    """Both steps are done; `done`: what the next page tells of the second (`WebSettings.banners`). Who forgot their password
    chooses another first."""
    web = visit.web
    if session.data.get(FORGOTTEN):
        await visit.remember(**{PROVEN: "1"})
        return visit.redirect(f"{web.settings.sign_in}/nouveau")
    opened = await web.db.write(sessions.step_up, web.keys, visit.now, session, _from(visit))
    if opened is None:  # sent away meanwhile, by who holds the account
        visit.adopt(None)
        return visit.redirect(f"{web.settings.sign_in}?fin=1")
    if session.data.get("profile"):  # back to the profile of before; the kit checks the right to it at each page
        opened = replace(opened, profile=int(session.data["profile"]))
        await web.db.write(sessions.save, web.keys, opened)
    visit.adopt(opened)
    return visit.redirect(_destination(session.data.get("suite", ""), visit), done)


async def come_in(visit: Visit, person: int, suite: str, shared: bool) -> Response:
    """Who proved in one step all that is asked for: an OpenID provider vouches for both factors."""
    web, old = visit.web, visit.session or visit.ended
    opened = await web.db.write(
        sessions.open_session,
        web.keys,
        visit.now,
        Stage.SIGNED_IN,
        person,
        _from(visit) | {VOUCHED: "1"},
        shared,
        old,
        web.settings.realm,
    )
    visit.adopt(opened)
    return visit.redirect(_destination(suite, visit))


def _from(visit: Visit) -> dict[str, str]:
    """What its owner sees of a session among the others."""
    return {"client": browser_of(visit.request.headers.get("user-agent", "")), "place": network_of(visit.client_ip)}


def _code_form(visit: Visit, deps: Deps, session: Session, fault: str = "", field: str = "code") -> Response:
    return visit.render(
        "accounts/code.html",
        "Votre seconde vérification" if session.data.get("passkey") else "Votre code de connexion",
        totp=bool(session.data.get("totp")),
        passkey=bool(session.data.get("passkey")),
        email=masked(session.data.get("email", "")),
        again=visit.query("fait") == "nouveau",
        lost=deps.recovery_page,
        phone=deps.phone_page,
        errors=[Fault(field, french.typeset(fault))] if fault else [],
    )


async def leave(visit: Visit, deps: Deps) -> Response:
    """POST /deconnexion: nothing is left of the session."""
    if visit.session is not None:
        await visit.web.db.write(sessions.end, visit.session)
    visit.adopt(None)
    return visit.redirect(visit.web.settings.sign_in, "deconnecte")


async def switch_profile(visit: Visit, deps: Deps) -> Response:
    """POST /profil: one click, from each page; then the home of that profile."""
    wanted = visit.form.get("profil")
    for profile in visit.around.profiles:
        if str(profile.box) == wanted:
            visit.session = replace(visit.signed_in, profile=profile.box)
            await visit.web.db.write(sessions.save, visit.web.keys, visit.session)
    return visit.redirect(visit.web.settings.home)


def _code_page(visit: Visit) -> str:
    return visit.web.settings.sign_in + "/code"


def _destination(suite: str, visit: Visit) -> str:
    safe = is_local(suite) and not suite.startswith(visit.web.settings.sign_in)
    return suite if safe else visit.web.settings.home


def is_local(path: str) -> bool:
    return _LOCAL.fullmatch(path) is not None and not path.startswith("//")


def please_wait(ms: int) -> str:
    if ms <= 0:
        return ""
    seconds = -(-ms // SECOND)
    delay = (
        french.count(seconds, "seconde", "secondes")
        if seconds < 60
        else french.count(-(-seconds // 60), "minute", "minutes")
    )
    return f" Attendez {delay} avant de réessayer."


def digits(typed: str) -> str:
    """What people type: « 123 456 », « 123-456 »."""
    return "".join(c for c in typed if c.isascii() and c.isdigit())

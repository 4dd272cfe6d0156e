"""« Mot de passe oublié »: the code that two operators gave (`mssante.recovery`) stands for the password; then a new one is chosen.

Behind the code comes the second factor, as behind a password, and only then the new password: `sign_in.enter` leads here. Who lost
both chooses it at once, and enrols a new factor afterwards. Login and code are refused by one neutral sentence.
"""

from __future__ import annotations

from starlette.responses import Response

from foundation.web import french
from foundation.web.forms import Fault
from foundation.web.sessions import Session, Stage
from foundation.web.visit import Visit
from health_space.accounts.deps import Deps
from health_space.accounts.port import Wrong
from health_space.accounts.sign_in import FORGOTTEN, PROVEN, begin_code_step, digits, enter, please_wait
from mssante.recovery import DIGITS, Lost

BOTH = "lost_both"
OVER = "Ce code n'est plus valable. Appelez de nouveau l'aide."


async def page(visit: Visit, deps: Deps) -> Response:
    """GET and POST /connexion/oubli."""
    if visit.request.method != "POST":
        return _page(visit, deps)
    login, code = visit.form.get("identifiant"), digits(visit.form.get("secours"))
    faults = [
        *([] if login else [Fault("identifiant", "Écrivez votre identifiant.")]),
        *([] if len(code) == DIGITS else [Fault("secours", f"Le code de secours a {DIGITS} chiffres.")]),
    ]
    if faults:
        return _page(visit, deps, login, faults)
    found = await deps.sign_in.recovered(login, code, visit.client_ip)
    if isinstance(found, Wrong):
        sentence = "L'identifiant ou le code de secours est inexact, ou le code n'est plus valable."
        return _page(visit, deps, login, [Fault("identifiant", sentence + please_wait(found.wait))])
    known, both = found.known, found.lost is Lost.BOTH
    await begin_code_step(visit, deps, known, "", False, {FORGOTTEN: str(found.number), BOTH: "1" if both else ""})
    if both:
        return visit.redirect(f"{visit.web.settings.sign_in}/nouveau")
    has_factor = known.enrolled or known.private_email or not deps.enrol_page
    return visit.redirect(f"{visit.web.settings.sign_in}/code" if has_factor else deps.enrol_page)


async def choose(visit: Visit, deps: Deps) -> Response:
    """GET and POST /connexion/nouveau."""
    session = visit.session
    if session is None or not _may_choose(session):
        return visit.redirect(visit.web.settings.sign_in)
    if visit.request.method != "POST":
        return _choose(visit)
    new, credential = visit.form.values.get("nouveau", ""), int(session.data["credential"])
    if bad := await deps.sign_in.too_weak(credential, new):
        return _choose(visit, Fault("nouveau", bad))
    if new != visit.form.values.get("encore_une_fois", ""):
        return _choose(visit, Fault("encore_une_fois", "Les deux mots de passe sont différents."))
    if not await deps.sign_in.new_password(credential, int(session.data[FORGOTTEN]), new, session):
        return _choose(visit, Fault("nouveau", OVER))
    number = session.data[FORGOTTEN]
    await visit.remember(**{FORGOTTEN: "", "recovery": number if session.data.get(BOTH) else ""})
    return visit.redirect(deps.enrol_page) if session.data.get(BOTH) else await enter(visit, visit.signed_in, "nouveau")


def _may_choose(session: Session) -> bool:
    """The code was right, and the second factor is shown, or lost too."""
    shown = session.data.get(PROVEN) or session.data.get(BOTH)
    return session.stage is Stage.CODE and bool(session.data.get(FORGOTTEN)) and bool(shown)


def _page(visit: Visit, deps: Deps, login: str = "", faults: list[Fault] | None = None) -> Response:
    return visit.render(
        "accounts/forgotten.html",
        "Identifiant ou mot de passe oublié",
        login=login,
        code=visit.form.get("secours")[:40],  # twelve digits are not typed twice for a slip in the login
        others=deps.others,
        errors=[Fault(one.field, french.typeset(one.sentence)) for one in faults or []],
    )


def _choose(visit: Visit, fault: Fault | None = None) -> Response:
    return visit.render(
        "accounts/new_password.html",
        "Votre nouveau mot de passe",
        errors=[Fault(fault.field, french.typeset(fault.sentence))] if fault else [],
    )

"""« Clés d'accès »: a professional's passkeys, added, named, shown and taken away; a first one also in the middle of signing in."""

from __future__ import annotations

import structlog
from starlette.responses import Response

from care_desk.account import again
from care_desk.account.deps import Deps
from care_desk.account.factors import enrolled, is_first, recovering
from care_desk.account.people import HOME, SIGN_IN, may_enrol
from foundation.database import Transaction
from foundation.web import errors, french
from foundation.web.forms import Fault
from foundation.web.sessions import Session, Stage
from foundation.web.site import Link
from foundation.web.visit import Visit
from health_space.accounts.sign_in import enter
from mssante import passkeys, recovery
from mssante.ceremonies import BadPasskey, RelyingParty
from mssante.passkeys import LONGEST_NAME, MOST, Passkey, RightPasskey

log = structlog.get_logger()

PAGE = f"{HOME}/cles"
ADD = f"{PAGE}/ajouter"
LIST = Link(PAGE, french.typeset("Vos clés d'accès"))
BANNERS = {
    "supprimee": "La clé d'accès est supprimée. Elle n'ouvre plus rien.",
}
FAULTS = {
    BadPasskey.TOO_MANY: f"Vous avez déjà {MOST} clés d'accès. Supprimez-en une d'abord.",
    BadPasskey.TAKEN: "Cette clé d'accès est déjà enregistrée.",
    BadPasskey.NO_CHALLENGE: "Vous avez attendu plus de 5 minutes. Recommencez.",
}


async def page(visit: Visit, deps: Deps) -> Response:
    """GET /mon-compte/cles."""
    _party(deps)
    mine = await deps.db.read(passkeys.of, deps.keys, visit.person)
    banner = french.typeset(BANNERS.get(visit.query("fait"), ""))
    back = Link(HOME, "Mon compte")
    return visit.render("care_desk/account/passkeys.html", "Vos clés d'accès", back=back, banner=banner, rows=mine)


async def asked(visit: Visit, deps: Deps) -> Response:
    """POST /mon-compte/cles/ajouter/demande, by passkey.js: what the browser asks the device to make."""
    session = _enrolling(visit)
    who = None if session is None else await deps.db.read(deps.credentials.of, session.person)
    if session is None or who is None or not again.is_fresh(session, visit.now):
        raise errors.not_found()
    options = await deps.db.write(passkeys.creation, deps.keys, _party(deps), who, session.id, visit.now)
    return Response(options, media_type="application/json")


async def add(visit: Visit, deps: Deps) -> Response:
    """GET and POST /mon-compte/cles/ajouter."""
    party, session = _party(deps), _enrolling(visit)
    if session is None:
        return visit.redirect(SIGN_IN)
    if (before := again.first(visit)) is not None:
        return before
    if visit.request.method != "POST":
        return await _form(visit, deps, session)
    name = " ".join(visit.form.get("nom").split())
    if not name or len(name) > LONGEST_NAME:
        sentence = (
            f"Écrivez au plus {LONGEST_NAME} caractères."
            if name
            else "Écrivez un nom, par exemple celui de l'appareil."
        )
        return await _form(visit, deps, session, name, Fault("nom", sentence))
    found = await deps.db.write(_enrol, deps, party, session, visit.form.get("reponse"), name, visit.now)
    if isinstance(found, BadPasskey):
        log.info("account.passkey_refused", reason=found.name)
        return await _form(
            visit,
            deps,
            session,
            name,
            Fault("cle", FAULTS.get(found, "Cette clé d'accès n'a pas été acceptée. Recommencez.")),
        )
    if session.stage is Stage.CODE:
        return await enter(visit, session, "recupere" if recovering(session) else "cle")
    return visit.redirect(PAGE, "cle")


def _enrol(
    tx: Transaction, deps: Deps, party: RelyingParty, session: Session, answer: str, name: str, now: int
) -> RightPasskey | BadPasskey:
    number = recovering(session)
    if number and not recovery.usable(tx.conn, session.person, number, now):
        return BadPasskey.NO_CHALLENGE
    first = is_first(session)
    found = passkeys.enrol(tx, deps.keys, party, session.person, session.id, answer, name, now, first)
    if isinstance(found, RightPasskey):
        enrolled(tx, deps, session, "passkey", now, found.passkey)
    return found


async def remove(visit: Visit, deps: Deps) -> Response:
    """GET and POST /mon-compte/cles/{passkey}/supprimer. Who has a second factor keeps one."""
    wanted = visit.number("passkey")
    mine = await deps.db.read(passkeys.of, deps.keys, visit.person)
    one = next((each for each in mine if each.id == wanted), None)
    if one is None:
        raise errors.not_found()
    if (before := again.first(visit)) is not None:
        return before
    if visit.request.method == "POST":
        if not await deps.db.write(_remove, deps, visit.person, one.id):
            return await _remove_form(visit, one, last=True)
        return visit.redirect(PAGE, "supprimee")
    who = await deps.db.read(deps.credentials.of, visit.person)
    return await _remove_form(visit, one, last=len(mine) == 1 and who is not None and not who.totp)


async def _remove_form(visit: Visit, one: Passkey, last: bool) -> Response:
    title, back = f"Supprimer la clé d'accès « {one.name} »", LIST
    return visit.render("care_desk/account/passkey_remove.html", title, back=back, one=one, last=last, add=ADD)


def _remove(tx: Transaction, deps: Deps, credential: int, passkey: int) -> bool:
    """False: it is the last of all, or was just taken away; looked at again, where two pages cannot both be first."""
    who = deps.credentials.of(tx.conn, credential)
    several = len(passkeys.of(tx.conn, deps.keys, credential)) > 1
    if who is None or not (who.totp or several) or not passkeys.remove(tx, credential, passkey):
        return False
    deps.audit.record(tx, "account:passkey:remove", f"credential {credential}", {"passkey": passkey})
    deps.tell(tx, credential, "passkey_removed")
    return True


async def _form(visit: Visit, deps: Deps, session: Session, name: str = "", fault: Fault | None = None) -> Response:
    signed_in = session.stage is Stage.SIGNED_IN
    who = await deps.db.read(deps.credentials.of, session.person)
    return visit.render(
        "care_desk/account/passkey_add.html",
        "Ajouter une clé d'accès",
        back=LIST if signed_in else None,
        errors=[Fault(fault.field, french.typeset(fault.sentence))] if fault else [],
        name=name,
        add=ADD,
        enrolled=who is not None and who.enrolled,
        signed_in=signed_in,
    )


def _party(deps: Deps) -> RelyingParty:
    if deps.party is None:
        raise errors.not_found()
    return deps.party


def _enrolling(visit: Visit) -> Session | None:
    return visit.session if visit.session is not None and may_enrol(visit.session) else None

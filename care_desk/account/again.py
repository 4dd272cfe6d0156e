"""The second factor, asked again before something that outlives the session: a code, a code by e-mail, or a passkey."""

from __future__ import annotations

from starlette.responses import Response

from care_desk.account.deps import Deps
from care_desk.account.people import HOME
from foundation.web import errors
from foundation.web.forms import Fault
from foundation.web.kit import Visit
from health_space.accounts.port import Known
from health_space.accounts.sign_in import digits, please_wait, send_again

ASKED = f"{HOME}/cle"


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
    typed = digits(visit.form.get("code"))
    if len(typed) != 6:
        return Fault(
            "code" if who.totp or not who.passkey else "cle",
            "Le code a 6 chiffres." if who.totp or not who.passkey else "Utilisez votre clé d'accès.",
        )
    wrong = await deps.sign_in.code(who.credential, typed)
    return None if wrong is None else Fault("code", "Ce code est inexact. Vérifiez-le." + please_wait(wrong.wait))

"""All addresses of the professional's account, in one table; signing in is as on the citizens' pages."""

from __future__ import annotations

from starlette.routing import Route

from care_desk.account import (
    about,
    again,
    authenticator,
    by_provider,
    by_telephone,
    connections,
    page,
    passkey_pages,
    password,
    recovery_page,
    telephone,
)
from care_desk.account.deps import Deps
from care_desk.account.people import HOME, SIGN_IN
from foundation.web.kit import Page
from foundation.web.site import Link
from health_space.accounts import deps as accounts
from health_space.accounts import forgotten, sign_in

TABLE = (
    Page(HOME, page.page, "GET POST"),
    Page(f"{HOME}/mots-de-passe/{{app}}/supprimer", page.remove, "GET POST"),
    Page(authenticator.PAGE, authenticator.page, "GET POST", public=True),  # also in the middle of signing in
    Page(connections.PAGE, connections.page),
    Page(f"{connections.PAGE}/navigateurs/{{handle}}", connections.end_browser, "POST"),
    Page(f"{connections.PAGE}/logiciels/{{device}}", connections.end_program, "GET POST"),
    Page(f"{connections.PAGE}/partout", connections.everywhere, "GET POST"),
    Page(password.PAGE, password.page, "GET POST"),
    Page(again.PAGE, again.page, "GET POST"),
    Page(again.ASKED, again.asked, "POST"),
    Page(telephone.PAGE, telephone.page, "GET POST", public=True),  # in the middle of signing in, as the next
    Page(recovery_page.PAGE, recovery_page.page, "GET POST", public=True),
    Page(passkey_pages.PAGE, passkey_pages.page),
    Page(passkey_pages.ADD, passkey_pages.add, "GET POST", public=True),  # as above
    Page(f"{passkey_pages.ADD}/demande", passkey_pages.asked, "POST", public=True),
    Page(f"{passkey_pages.PAGE}/{{passkey}}/supprimer", passkey_pages.remove, "GET POST"),
)
SIGNING_IN = (
    Page(SIGN_IN, sign_in.password_page, "GET POST", public=True),
    Page(f"{SIGN_IN}/code", sign_in.code_page, "GET POST", public=True),
    Page(f"{SIGN_IN}/oubli", forgotten.page, "GET POST", public=True),
    Page(f"{SIGN_IN}/nouveau", forgotten.choose, "GET POST", public=True),
    Page(f"{SIGN_IN}/cle", sign_in.passkey_asked, "POST", public=True),
    Page(f"{HOME}/deconnexion", sign_in.leave, "POST"),
)


def routes(deps: Deps) -> list[Route]:
    phone = telephone.PAGE if deps.phone is not None else ""
    others = (
        *([Link(by_provider.START, "Se connecter avec Pro Santé Connect")] if deps.code is not None else []),
        *([Link(by_telephone.PAGE, "Confirmer sur mon téléphone (e-CPS)")] if deps.phone is not None else []),
    )
    signing_in = accounts.Deps(deps.web, deps.sign_in, deps.send, authenticator.PAGE, recovery_page.PAGE, phone, others)
    return [
        *deps.web.routes((*TABLE, *about.TABLE, *by_telephone.TABLE, *by_provider.TABLE, deps.web.still_there()), deps),
        *deps.web.routes(SIGNING_IN, signing_in),
    ]

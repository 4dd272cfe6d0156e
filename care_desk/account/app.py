"""All addresses of the professional's account, in one table; signing in is as on the citizens' pages."""

from __future__ import annotations

from starlette.routing import Route

from care_desk.account import authenticator, page
from care_desk.account.deps import Deps
from care_desk.account.people import HOME, SIGN_IN
from foundation.web.kit import Page
from health_space.accounts import deps as accounts
from health_space.accounts import sign_in

TABLE = (
    Page(HOME, page.page, "GET POST"),
    Page(f"{HOME}/mots-de-passe/{{app}}/supprimer", page.remove, "GET POST"),
    Page(authenticator.PAGE, authenticator.page, "GET POST", public=True),  # also in the middle of signing in
)
SIGNING_IN = (
    Page(SIGN_IN, sign_in.password_page, "GET POST", public=True),
    Page(f"{SIGN_IN}/code", sign_in.code_page, "GET POST", public=True),
    Page(f"{HOME}/deconnexion", sign_in.leave, "POST"),
)


def routes(deps: Deps) -> list[Route]:
    signing_in = accounts.Deps(deps.web, deps.sign_in, deps.send, authenticator.PAGE)
    return [
        *deps.web.routes((*TABLE, deps.web.still_there()), deps),
        *deps.web.routes(SIGNING_IN, signing_in),
    ]

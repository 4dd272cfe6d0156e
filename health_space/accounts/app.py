"""All addresses of accounts, in one table."""

from __future__ import annotations

from starlette.routing import Route

from foundation.web.kit import Page
from health_space.accounts import footer, forgotten, sign_in
from health_space.accounts.deps import Deps

TABLE = (
    Page("/connexion", sign_in.password_page, "GET POST", public=True),
    Page("/connexion/code", sign_in.code_page, "GET POST", public=True),
    Page("/connexion/oubli", forgotten.page, "GET POST", public=True),
    Page("/connexion/nouveau", forgotten.choose, "GET POST", public=True),
    Page("/deconnexion", sign_in.leave, "POST"),
    Page("/profil", sign_in.switch_profile, "POST"),
    Page("/aide", footer.help_page, public=True),
    Page("/accessibilite", footer.accessibility, public=True),
    Page("/donnees-personnelles", footer.personal_data, public=True),
)


def routes(deps: Deps) -> list[Route]:
    return deps.web.routes(TABLE, deps)

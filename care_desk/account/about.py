"""What stands at the foot of every page: whom to call, accessibility, personal data; for professionals, in their own frame."""

from __future__ import annotations

from starlette.responses import Response

from care_desk.account.deps import Deps
from care_desk.account.people import HOME
from foundation.web.kit import Page
from foundation.web.visit import Visit


async def help_page(visit: Visit, deps: Deps) -> Response:
    return visit.render(
        "care_desk/account/help.html", "Besoin d'aide", operator=deps.operator, passkeys=deps.party is not None
    )


async def accessibility(visit: Visit, deps: Deps) -> Response:
    return visit.render("accounts/accessibility.html", "Accessibilité")


async def personal_data(visit: Visit, deps: Deps) -> Response:
    return visit.render("care_desk/account/personal_data.html", "Données personnelles")


TABLE = (
    Page(f"{HOME}/aide", help_page, public=True),
    Page(f"{HOME}/accessibilite", accessibility, public=True),
    Page(f"{HOME}/donnees-personnelles", personal_data, public=True),
)

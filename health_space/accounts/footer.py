"""Help, accessibility, personal data: the same place on every page, readable before signing in."""

from __future__ import annotations

from starlette.responses import Response

from foundation.web.visit import Visit
from health_space.accounts.deps import Deps


async def help_page(visit: Visit, deps: Deps) -> Response:
    return visit.render("accounts/help.html", "Besoin d'aide")


async def accessibility(visit: Visit, deps: Deps) -> Response:
    return visit.render("accounts/accessibility.html", "Accessibilité")


async def personal_data(visit: Visit, deps: Deps) -> Response:
    return visit.render("accounts/personal_data.html", "Données personnelles")

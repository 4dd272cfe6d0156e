"""The addresses of the team's pages."""

from __future__ import annotations

from starlette.routing import Route

from care_desk.account.people import TEAMS
from care_desk.team import page
from care_desk.team.deps import Deps
from foundation.web.kit import Page

TABLE = (Page(TEAMS, page.teams), Page(f"{TEAMS}/{{box}}", page.team), Page(f"{TEAMS}/{{box}}/{{folder}}", page.folder))


def routes(deps: Deps) -> list[Route]:
    return deps.web.routes(TABLE, deps)

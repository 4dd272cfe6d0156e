"""The address of the directory's page."""

from __future__ import annotations

from starlette.routing import Route

from care_desk.account.people import DIRECTORY
from care_desk.directory import page
from care_desk.directory.deps import Deps
from foundation.web.kit import Page

TABLE = (Page(DIRECTORY, page.search, "GET POST"),)


def routes(deps: Deps) -> list[Route]:
    return deps.web.routes(TABLE, deps)

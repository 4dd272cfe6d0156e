"""The professionals' pages as routes; `runtime` adds them to the site."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from care_desk import mail_settings
from care_desk.deps import Deps
from foundation.web.kit import Page

TEMPLATES = Path(__file__).parent / "templates"  # prefix "care_desk" in Web(templates=…)

TABLE = (
    Page(mail_settings.PAGE, mail_settings.page, "GET POST", public=True),
    Page(f"{mail_settings.PAGE}/profil/{{number}}", mail_settings.profile),
)
PROGRAMS: tuple[tuple[str, Callable[[Request, Deps], Awaitable[Response]], str], ...] = (
    ("/.well-known/autoconfig/mail/config-v1.1.xml", mail_settings.mozilla, "GET"),
    ("/mail/config-v1.1.xml", mail_settings.mozilla, "GET"),
    ("/autodiscover/autodiscover.xml", mail_settings.outlook, "POST"),
    ("/Autodiscover/Autodiscover.xml", mail_settings.outlook, "POST"),
)


def routes(deps: Deps) -> list[Route]:
    return [*deps.web.routes(TABLE, deps), *(_route(path, answer, method, deps) for path, answer, method in PROGRAMS)]


def _route(path: str, answer: Callable[[Request, Deps], Awaitable[Response]], method: str, deps: Deps) -> Route:
    async def endpoint(request: Request) -> Response:
        return await answer(request, deps)

    return Route(path, endpoint, methods=[method])

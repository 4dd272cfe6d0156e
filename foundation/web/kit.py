"""The kit's heart: a package gives a table of `Page`s and gets routes, whose handlers are given a `Visit`.

For every page, before its handler runs: the session is read and must be alive; the profile acted for must be one the signed-in
person has now; a POST must come from our own page and carry the session's token. A handler is
`async def show(visit, deps) -> Response`. A POST goes to the address of the page that shows the form, so that what was typed in a
session that has ended can be given back there.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from foundation.database import is_away
from foundation.web import errors, security, sessions
from foundation.web.forms import MAX_TEXT, BadForm, read_form
from foundation.web.site import Site
from foundation.web.visit import Visit

log = structlog.get_logger()

D = TypeVar("D")

Handler = Callable[[Visit, D], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """One row of a package's table. `methods`: "GET", "POST" or "GET POST"; `public` pages need no session. `asking`: they see a
    session in which nothing is proven yet (`Stage.ASKED`), which to all others is none.
    """

    path: str
    handler: Handler[Any]
    methods: str = "GET"
    max_octets: int = MAX_TEXT  # of a form, files included
    public: bool = False
    asking: bool = False
    gives_back: bool = (
        False  # what was typed there when the session had ended; of others it is kept nowhere: it may be a password
    )


class Web(Site):
    """Made once by `runtime`."""

    def routes(self, table: Iterable[Page], deps: Any) -> list[Route]:
        """A package's routes; `deps` is handed to each handler."""
        return [Route(page.path, self._endpoint(page, deps), methods=page.methods.split()) for page in table]

    def still_there(self) -> Page:
        """A row of the table of pages, which prolongs the session by being opened; `app` adds its own."""
        return Page(self.settings.alive, _still_there)

    def app(self, routes: Iterable[BaseRoute]) -> Starlette:
        """The whole site."""
        return Starlette(
            routes=[*routes, *self.routes([self.still_there()], None), self.static.route()],
            middleware=[Middleware(security.SecurityHeaders, https=self.settings.https)],
            exception_handlers={HTTPException: self._http_error},
        )

    # ---------------------------------------------------------------- one request
    def _endpoint(self, page: Page, deps: Any) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            visit = Visit(self, request, self.clock())
            try:
                await visit.open(page.public, page.asking)
                if request.method == "POST" and (answer := await _receive(visit, page)) is not None:
                    return answer
                if visit.session is None and not page.public:
                    return _to_sign_in(visit, page)
                response = await page.handler(visit, deps)
            except errors.PageError as error:
                return visit.error(error)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it
            except Exception as fault:
                _log_fault(fault, visit.reference)
                return visit.error(_of_fault(fault))
            await visit.close(response)
            return response

        return endpoint

    async def _http_error(self, request: Request, exc: Exception) -> Response:
        visit = Visit(self, request, self.clock())
        try:
            await visit.open(public=True)
        except Exception as fault:
            _log_fault(fault, visit.reference)
            return visit.error(_of_fault(fault))
        wrong_method = isinstance(exc, HTTPException) and exc.status_code == 405
        return visit.error(errors.wrong_method() if wrong_method else errors.not_found())


async def _receive(visit: Visit, page: Page) -> Response | None:
    """Reads and checks the form; an answer when the page must not run."""
    if not security.from_our_own_page(visit.request, visit.web.settings.origin):
        raise errors.foreign_form()
    try:
        # Files are read for people we know only; what was typed just before a session ended is small, or theirs.
        known = visit.session is not None or visit.ended is not None
        visit.form = await read_form(visit.request, page.max_octets if known else MAX_TEXT)
    except BadForm as cause:
        raise errors.bad_form() from cause
    token = visit.form.values.get("_csrf", "")
    if visit.session is None and not page.public:
        return await _keep_for_later(visit, page, token)
    if not compare_digest(token.encode(), visit.csrf.encode()):
        raise errors.foreign_form()
    return None


def _to_sign_in(visit: Visit, page: Page, kept: bool = False) -> Response:
    settings = visit.web.settings
    back_to = visit.request.url.path if "GET" in page.methods else settings.home
    query = f"?suite={quote(back_to)}" + ("&garde=1" if kept else "&fin=1" if visit.ended else "")
    return RedirectResponse(settings.sign_in + query, status_code=303)


async def _keep_for_later(visit: Visit, page: Page, token: str) -> Response:
    """A form that arrives after the session's end: its text is kept, sealed, when the form was truly that session's."""
    ended, typed = visit.ended, visit.form.texts()
    if ended is None or not compare_digest(token.encode(), ended.csrf().encode()):
        return _to_sign_in(visit, page)
    if not page.gives_back or not any(typed.values()):
        return _to_sign_in(visit, page)
    web, path = visit.web, visit.request.url.path
    await web.db.write(sessions.keep_form, web.keys, visit.now, ended.person, path, typed)
    return _to_sign_in(visit, page, kept=True)


async def _still_there(visit: Visit, _: None) -> Response:
    """Asked by session.js; opening the visit has already prolonged the session."""
    return Response(status_code=204)


def _of_fault(fault: Exception) -> errors.PageError:
    return errors.away() if is_away(fault) else errors.server_fault()


def _log_fault(fault: Exception, reference: str) -> None:
    """Type and place only: an exception's text may hold personal data."""
    frames = traceback.extract_tb(fault.__traceback__)[-6:]
    places = [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames]
    log.error("web.fault", reference=reference, error=type(fault).__name__, at=places)

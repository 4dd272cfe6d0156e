"""The kit's heart: `Web` (made once) and `Visit` (made for each request); a package gives a table of `Page`s and gets routes.

For every page, before its handler runs: the session is read and must be alive; the profile acted for must be one the signed-in
person has now; a POST must come from our own page and carry the session's token. A handler is
`async def show(visit, deps) -> Response`. A POST goes to the address of the page that shows the form, so that what was typed in a
session that has ended can be given back there.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from hmac import compare_digest
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import structlog
from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from foundation.clock import Clock, system_clock
from foundation.database import Database
from foundation.keys import KeyRing
from foundation.web import errors, french, security, sessions, templating
from foundation.web.forms import MAX_TEXT, BadForm, Fault, Form, read_form
from foundation.web.once import once as only_once
from foundation.web.sessions import Session, Stage
from foundation.web.static import StaticFiles

log = structlog.get_logger()

D = TypeVar("D")
LARGEST_ID = 2**63 - 1
LONGEST_ID = len(str(LARGEST_ID))


@dataclass(frozen=True, slots=True)
class WebSettings:
    https: bool = True  # the browser's side: cookies are `__Host-` and Secure
    product: str = "Ma messagerie de santé"
    home: str = "/accueil"
    help_line: str = "En cas d'urgence, appelez le 15 ou le 112."
    help: str = ""  # how to reach the people who help, as shown; "": nobody is named
    realm: str = (
        ""  # whose pages, where one site serves two kinds of people: a session of one realm opens nothing in another
    )
    sign_in: str = "/connexion"
    sign_out: str = "/deconnexion"
    alive: str = "/session"  # asked by session.js
    about: str = ""  # below it: `/aide`, `/accessibilite`, `/donnees-personnelles`, at the foot of every page
    banners: Mapping[str, str] = field(default_factory=dict)  # of `?fait=`, on whatever page comes next


@dataclass(frozen=True, slots=True)
class Link:
    href: str
    label: str


@dataclass(frozen=True, slots=True)
class Profile:
    """Someone the signed-in person may act for, themselves included."""

    box: int
    name: str


@dataclass(frozen=True, slots=True)
class Around:
    """What every page shows around its content; `badges` = number beside a navigation link, by its href."""

    profiles: tuple[Profile, ...]
    badges: Mapping[str, int] = field(default_factory=dict)


Handler = Callable[["Visit", D], Awaitable[Response]]


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


class Web:
    """Made once by `runtime`. `around(conn, session)` runs in the read that looks the session up: keep it cheap."""

    def __init__(
        self,
        db: Database,
        keys: KeyRing,
        settings: WebSettings,
        templates: Mapping[str, Path],
        nav: tuple[Link, ...],
        around: Callable[[Connection, Session], Around],
        clock: Clock = system_clock,
    ) -> None:
        self.db, self.keys, self.settings, self.clock = db, keys, settings, clock
        self.nav, self.around = nav, around
        self.env = templating.environment(templates)
        self.static = StaticFiles()
        self.env.globals.update(
            static=self.static.address,
            product=settings.product,
            help_line=french.typeset(settings.help_line),
            help=french.typeset(settings.help),
        )
        self.env.globals["session_notice"] = sessions.NOTICE
        self.cookie = ("__Host-" if settings.https else "") + "-".join(filter(None, ("session", settings.realm)))

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
                if request.method == "POST" and (answer := await self._receive(visit, page)) is not None:
                    return answer
                if visit.session is None and not page.public:
                    return visit.to_sign_in(page)
                response = await page.handler(visit, deps)
            except errors.PageError as error:
                return visit.error(error)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it
            except Exception as fault:
                _log_fault(fault, visit.reference)
                return visit.error(errors.server_fault())
            await visit.close(response)
            return response

        return endpoint

    async def _receive(self, visit: Visit, page: Page) -> Response | None:
        """Reads and checks the form; an answer when the page must not run."""
        if not security.from_our_own_page(visit.request):
            raise errors.foreign_form()
        try:
            # Files are read for people we know only; what was typed just before a session ended is small, or theirs.
            known = visit.session is not None or visit.ended is not None
            visit.form = await read_form(visit.request, page.max_octets if known else MAX_TEXT)
        except BadForm as cause:
            raise errors.bad_form() from cause
        token = visit.form.values.get("_csrf", "")
        if visit.session is None and not page.public:
            return await visit.keep_for_later(page, token)
        if not compare_digest(token.encode(), visit.csrf.encode()):
            raise errors.foreign_form()
        return None

    async def _http_error(self, request: Request, exc: Exception) -> Response:
        visit = Visit(self, request, self.clock())
        await visit.open(public=True)
        wrong_method = isinstance(exc, HTTPException) and exc.status_code == 405
        return visit.error(errors.wrong_method() if wrong_method else errors.not_found())


class Visit:
    """One request of one person: what a handler reads and how it answers."""

    def __init__(self, web: Web, request: Request, now: int) -> None:
        self.web, self.request, self.now = web, request, now
        self.session: Session | None = None
        self.ended: Session | None = None  # a session of this browser that is over
        self.around = Around(())
        self.form = Form()
        self.reference: str = request.scope.get("state", {}).get("reference", "")
        self._cookie: str | None = None

    # ---------------------------------------------------------------- who
    @property
    def signed_in(self) -> Session:
        if self.session is None:
            raise RuntimeError("a page that is not public runs with a session")
        return self.session

    @property
    def person(self) -> int:
        """Box id of who signed in."""
        return self.signed_in.person

    @property
    def box(self) -> int:
        """Box id of the profile acted for: the person, or a child of theirs."""
        return self.signed_in.profile

    @property
    def profile(self) -> Profile:
        return next(p for p in self.around.profiles if p.box == self.box)

    @property
    def person_name(self) -> str:
        return next((p.name for p in self.around.profiles if p.box == self.person), "")

    @property
    def client_ip(self) -> str:
        return self.request.client.host if self.request.client else ""

    @property
    def csrf(self) -> str:
        if self.session is not None:
            return self.session.csrf()
        return sessions.csrf_token(self.browser_id(), 0)

    # ---------------------------------------------------------------- what was asked
    def number(self, name: str) -> int:
        """A number of the address; anything else does not exist."""
        text = str(self.request.path_params[name])
        if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_ID and int(text) <= LARGEST_ID):
            raise errors.not_found()
        return int(text)

    def query(self, name: str) -> str:
        return self.request.query_params.get(name, "")[:200]

    def page_number(self) -> int:
        text = self.query("page")
        return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1

    # ---------------------------------------------------------------- how to answer
    def render(self, template: str, title: str, status: int = 200, **context: Any) -> HTMLResponse:
        """A page; `errors` (a list of `Fault`) in the context makes it 422 and puts « Erreur : » in the title."""
        faults: list[Fault] = context.setdefault("errors", [])
        context.setdefault("back", None)
        if not context.get("banner"):
            context["banner"] = french.typeset(self.web.settings.banners.get(self.query("fait"), ""))
        html = self.web.env.get_template(template).render(
            title=french.typeset(title),
            visit=self,
            nav=self.web.nav if self.session is not None and self.session.stage is Stage.SIGNED_IN else (),
            profiles=self.around.profiles,
            badges=self.around.badges,
            path=self.request.url.path,
            csrf=self.csrf,
            once=sessions.new_id(),
            now=self.now,
            **context,
        )
        response = HTMLResponse(html, status_code=422 if faults and status == 200 else status)
        self._set_cookie(response)
        return response

    def redirect(self, path: str, done: str = "") -> Response:
        """After a POST: 303; `done` is a code the next page turns into its banner (`?fait=`), never a personal value."""
        response = RedirectResponse(path + (f"?fait={quote(done)}" if done else ""), status_code=303)
        self._set_cookie(response)
        return response

    async def once(self, act: Callable[[], Awaitable[Response]]) -> Response:
        """For forms that must not act twice; the form carries `{{ ui.once(once) }}`."""
        mark = self.form.values.get("_once", "")
        if not mark:
            return await act()
        return await only_once(self.web.db, self.now, f"{self.person} {mark}", act)

    def error(self, error: errors.PageError) -> Response:
        return self.render(
            "web/error.html",
            error.title,
            error.status,
            error=error,
            reference=self.reference,
            home=self.web.settings.home,
        )

    def to_sign_in(self, page: Page, kept: bool = False) -> Response:
        back_to = self.request.url.path if "GET" in page.methods else self.web.settings.home
        query = f"?suite={quote(back_to)}" + ("&garde=1" if kept else "&fin=1" if self.ended else "")
        return RedirectResponse(self.web.settings.sign_in + query, status_code=303)

    # ---------------------------------------------------------------- session
    async def open(self, public: bool, asking: bool = False) -> None:
        """Finds the session of the cookie and what stands around the page."""
        session_id = self.request.cookies.get(self.web.cookie, "")
        if not session_id or sessions.realm_of(session_id) != self.web.settings.realm:
            return
        session, around = await self.web.db.read(self._look, session_id)
        if session is None or (session.stage is Stage.ASKED and not asking):
            return
        usable = session.alive(self.now) and (public or session.stage is Stage.SIGNED_IN)
        gone = session.stage is Stage.SIGNED_IN and not around.profiles  # the person may not act at all any more
        if not usable or gone:
            self.ended = session
            return
        self.session, self.around = session, around
        if session.stage is Stage.SIGNED_IN and all(p.box != session.profile for p in around.profiles):
            # the right to act for that profile was withdrawn since
            self.session = replace(session, profile=session.person)
            await self.web.db.write(sessions.save, self.web.keys, self.session)
        if self.now - session.seen_at > sessions.TOUCH:
            await self.web.db.write(sessions.touch, session, self.now)

    def _look(self, conn: Connection, session_id: str) -> tuple[Session | None, Around]:
        session = sessions.find(conn, self.web.keys, session_id)
        if session is None or session.stage is not Stage.SIGNED_IN or not session.alive(self.now):
            return session, Around(())
        return session, self.web.around(conn, session)

    async def look_around_again(self) -> None:
        """The page has just changed what the numbers of the navigation count: they must not count it any more."""
        self.around = await self.web.db.read(self.web.around, self.signed_in)

    def adopt(self, session: Session | None) -> None:
        """After signing in or out: the answer carries the new session's cookie, or takes the cookie away."""
        self.session = session
        self._cookie = session.id if session is not None else ""

    async def remember(self, **data: str) -> None:
        """Adds to the session's sealed data; an empty value forgets."""
        self.session = await self.web.db.write(sessions.remember, self.web.keys, self.signed_in, data)

    async def kept_form(self) -> dict[str, str]:
        """What this person had typed on this page when their session ended; shown again, nothing is lost."""
        return await self.web.db.read(sessions.kept_form, self.web.keys, self.now, self.person, self.request.url.path)

    async def keep_for_later(self, page: Page, token: str) -> Response:
        """A form that arrives after the session's end: its text is kept, sealed, when the form was truly that session's."""
        ended = self.ended
        if ended is None or not compare_digest(token.encode(), ended.csrf().encode()):
            return self.to_sign_in(page)
        if "GET" not in page.methods or not any(self.form.texts().values()):
            return self.to_sign_in(page)
        path = self.request.url.path
        await self.web.db.write(sessions.keep_form, self.web.keys, self.now, ended.person, path, self.form.texts())
        return self.to_sign_in(page, kept=True)

    async def close(self, response: Response) -> None:
        """A form that went through: what was kept of an earlier try is no longer needed."""
        if self.request.method != "POST" or response.status_code != 303 or self.session is None:
            return
        if self.session.stage is Stage.SIGNED_IN and await self.kept_form():
            await self.web.db.write(sessions.drop_form, self.web.keys, self.person, self.request.url.path)

    def browser_id(self) -> str:
        """Before any session: a random id in the cookie, kept nowhere, that the sign-in form's token is bound to."""
        if self._cookie is None:
            known = self.request.cookies.get(self.web.cookie, "")
            if known:
                return known
            self._cookie = sessions.new_id()
        return self._cookie

    def _set_cookie(self, response: Response) -> None:
        if self._cookie is None:
            return
        secure = self.web.settings.https
        if self._cookie:
            response.set_cookie(self.web.cookie, self._cookie, httponly=True, samesite="lax", secure=secure, path="/")
        else:
            response.delete_cookie(self.web.cookie, httponly=True, samesite="lax", secure=secure, path="/")


async def _still_there(visit: Visit, _: None) -> Response:
    """Asked by session.js; opening the visit has already prolonged the session."""
    return Response(status_code=204)


def _log_fault(fault: Exception, reference: str) -> None:
    """Type and place only: an exception's text may hold personal data."""
    frames = traceback.extract_tb(fault.__traceback__)[-6:]
    places = [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames]
    log.error("web.fault", reference=reference, error=type(fault).__name__, at=places)

"""One request of one person: who asks, what was asked, and how a page answers.

`open` finds the session and what stands around the page; `close` forgets what a form that went through had left behind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from foundation.web import errors, french, sessions
from foundation.web.forms import Fault, Form
from foundation.web.once import once as only_once
from foundation.web.sessions import Session, Stage
from foundation.web.site import Around, Profile, Site

RETRY_AFTER = "30"  # seconds
LARGEST_ID = 2**63 - 1
LONGEST_ID = len(str(LARGEST_ID))


class Visit:
    """One request of one person: what a handler reads and how it answers."""

    def __init__(self, web: Site, request: Request, now: int) -> None:
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
        response = self.render(
            "web/error.html",
            error.title,
            error.status,
            error=error,
            reference=self.reference,
            home=self.web.settings.home,
        )
        if error.status == 503:
            response.headers["Retry-After"] = RETRY_AFTER
        return response

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

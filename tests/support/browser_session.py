"""A citizen's web session over plain http.client: signs in with password and one-time code, keeps its cookie."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from tests.support.demo import Demo, wait_until
from tests.support.html import Html, plain


@dataclass(frozen=True)
class Page(Html):
    """`path` is where the redirects ended."""

    status: int
    path: str
    body: bytes
    headers: http.client.HTTPMessage

    @property
    def token(self) -> str:
        return self.first("input[name=_csrf]").attributes["value"] or ""

    def hidden(self, names: Iterable[str]) -> dict[str, str]:
        """The hidden fields of the form that has fields of these names; of the first form with a token when there is none."""
        forms = [form for form in self.tree.css("form") if form.css_first("input[name=_csrf]") is not None]
        wanted = [form for form in forms if all(form.css_first(f'[name="{name}"]') is not None for name in names)]
        assert forms, (self.status, self.words)
        fields = (wanted or forms)[0].css("input[type=hidden]")
        return {node.attributes["name"] or "": node.attributes.get("value") or "" for node in fields}

    def links(self, beginning: str) -> dict[str, str]:
        """address -> label."""
        return {
            node.attributes["href"] or "": plain(node.text())
            for node in self.tree.css("a")
            if (node.attributes.get("href") or "").startswith(beginning)
        }


class WebSession:
    """`place`: the loopback address it comes from."""

    def __init__(self, demo: Demo, role: str | None = None, place: str = "127.0.0.1") -> None:
        self._demo, self._place = demo, place
        self.cookies: dict[str, str] = {}
        if role is not None:
            self.sign_in(role)

    def sign_in(self, role: str) -> None:
        person = self._demo.person(role)
        page = self.get("/connexion")
        since = time.time()
        page = self.post("/connexion", {"identifiant": person["login"], "mot_de_passe": person["password"]}, page.token)
        assert page.path == "/connexion/code", (page.status, page.words)
        page = self.post("/connexion/code", {"code": self._demo.code(role, since)}, page.token)
        assert page.path == "/accueil", (page.status, page.words)

    def get(self, path: str) -> Page:
        return self._ask("GET", path, None)

    def post(self, path: str, form: dict[str, str], token: str | None = None) -> Page:
        """`token` None: with all hidden fields of the form in the page at `path`, as a browser does."""
        hidden = {"_csrf": token} if token is not None else self.get(path).hidden(form)
        return self._ask("POST", path, urlencode({**hidden, **form}))

    # ---------------------------------------------------------------- what a citizen does
    def conversation(self, subject: str, timeout: float = 15) -> str:
        """Address of the conversation of this subject, once it is in the list."""

        def look() -> str | None:
            rows = self.get("/messagerie").links("/messagerie/")
            return next((href for href, label in rows.items() if plain(subject) in label), None)

        return wait_until(look, timeout, f"no conversation {subject!r}")

    def answer(self, conversation: str, text: str) -> Page:
        page = self.post(conversation, {"texte": text})
        assert "Votre message est envoyé." in page.words, page.words
        return page

    def _ask(self, method: str, path: str, body: str | None, hops: int = 0) -> Page:
        host, port = self._demo.door("web")
        connection = http.client.HTTPConnection(host, port, timeout=30, source_address=(self._place, 0))
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookies, "Origin": f"http://{host}:{port}"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        for cookie in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
        connection.close()
        if answer.status in (302, 303) and hops < 5:
            return self._ask("GET", answer.headers["Location"], None, hops + 1)
        return Page(answer.status, re.sub(r"\?.*", "", path), content, answer.headers)

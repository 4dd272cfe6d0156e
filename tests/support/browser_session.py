"""A citizen's web session over plain http.client: signs in with password and one-time code, keeps its cookie."""

from __future__ import annotations

import http.client
import re
import time
from urllib.parse import urlencode

from tests.support.demo import Demo


class WebSession:
    def __init__(self, demo: Demo, role: str | None = None) -> None:
        self._demo = demo
        self._cookies: dict[str, str] = {}
        if role is not None:
            self.sign_in(role)

    def sign_in(self, role: str) -> None:
        person = self._demo.person(role)
        _, page = self.get("/connexion")
        since = time.time()
        status, page = self.post(
            "/connexion", {**hidden(page), "identifiant": person["login"], "mot_de_passe": person["password"]}
        )
        assert status == 200, (status, page[:500])
        code = self._demo.code(role, since)
        status, page = self.post("/connexion/code", {**hidden(page), "code": code})
        assert status == 200, (status, page[:500])

    def get(self, path: str) -> tuple[int, str]:
        return self._ask("GET", path, None)

    def post(self, path: str, form: dict[str, str]) -> tuple[int, str]:
        return self._ask("POST", path, urlencode(form))

    def _ask(self, method: str, path: str, body: str | None, hops: int = 0) -> tuple[int, str]:
        host, port = self._demo.door("web")
        connection = http.client.HTTPConnection(host, port, timeout=30)
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items()), "Origin": f"http://{host}:{port}"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = cookie.split(";")[0].partition("=")
            self._cookies[name] = value
        connection.close()
        if answer.status in (302, 303) and hops < 5:
            return self._ask("GET", answer.headers["Location"], None, hops + 1)
        return answer.status, text


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of a page's forms."""
    fields = {}
    for tag in re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", page):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name:
            fields[name[1]] = value[1] if value else ""
    return fields

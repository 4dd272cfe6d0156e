"""npm's oidc-provider in a process of its own, and a mail program that gets a token from it: code with PKCE (RFC 7636)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx2

from tests.support.child import ends_with_us

FOLDER = Path(__file__).parent
AUDIENCE = "https://mail.alpha.example"
BACK = "http://127.0.0.1/retour"
ACCOUNT = ("compte", "un autre secret: code")
PAGES = ("pages", "encore un secret")
ASKING = ("operateur", "un secret de test")


@dataclass
class RealProvider:
    port: int

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def running(
        self, kid: str = "k1", form: str = "jwt", lives: int = 120, hasty: int = 0, level: str = "eidas1"
    ) -> AsyncIterator[None]:
        """`kid`: of a key made anew; `form`: "jwt" or "opaque" tokens; `lives`: their seconds; `hasty`: questions about a request
        on a telephone that are told to slow down; `level`: at which people sign in on its pages."""
        assert (FOLDER / "node_modules").exists(), "make clients"
        command = ends_with_us("node", str(FOLDER / "provider.mjs"), str(self.port), kid, form)
        pipe, env = asyncio.subprocess.PIPE, {**os.environ, "LIVES": str(lives), "HASTY": str(hasty), "LEVEL": level}
        process = await asyncio.create_subprocess_exec(
            *command, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, env=env
        )
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                if line == b"ready\n":
                    break
            else:
                raise RuntimeError("the provider did not start")
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()

    async def token(self, person: str, scope: str = "openid scope_all", audience: str = AUDIENCE) -> str:
        """The person signs in and consents on the provider's pages; the program has an access token."""
        verifier = secrets.token_urlsafe(32)
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {"client_id": "logiciel", "response_type": "code", "redirect_uri": BACK, "scope": scope}
        asked |= {"code_challenge": challenge, "code_challenge_method": "S256", "resource": audience}
        async with httpx2.AsyncClient(trust_env=False) as browser:
            back = await self._signs_in(browser, person, f"{self.issuer}/auth?{urlencode(asked)}")
            [code] = parse_qs(urlsplit(back).query)["code"]
            form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "client_id": "logiciel"}
            form |= {"code_verifier": verifier, "resource": audience}
            answer = await browser.post(self.issuer + "/token", data=form)
        token: str = answer.json()["access_token"]
        return token

    async def signs_in(self, person: str, address: str) -> str:
        """From where a site of ours sends the browser, to where the provider sends it back: path and query."""
        async with httpx2.AsyncClient(trust_env=False) as browser:
            found = urlsplit(await self._signs_in(browser, person, address))
        return f"{found.path}?{found.query}"

    async def _signs_in(self, browser: httpx2.AsyncClient, person: str, address: str) -> str:
        answer = await browser.get(address)
        for prompt in ("login", "consent"):
            page = await self._followed(browser, answer)
            form = {"prompt": prompt, "login": person, "password": "x"}
            answer = await self._followed(browser, await browser.post(page.url, data=form), stop="/interaction/")
        back: str = answer.headers["location"]
        return back

    async def gives_up(self, address: str) -> str:
        """The person does not want to."""
        async with httpx2.AsyncClient(trust_env=False) as browser:
            page = await self._followed(browser, await browser.get(address))
            found = urlsplit(
                (await self._followed(browser, await browser.get(f"{page.url}/abort"))).headers["location"]
            )
        return f"{found.path}?{found.query}"

    async def telephones(self) -> list[dict[str, str]]:
        """What was shown on telephones: who, which number, which level was asked for."""
        async with httpx2.AsyncClient(trust_env=False) as phone:
            found: list[dict[str, str]] = (await phone.get(self.issuer + "/telephone")).json()
        return found

    async def answers(self, request: dict[str, str], does: str = "confirms", level: str = "eidas1") -> None:
        """On the telephone: `does` is "confirms" or "refuses"."""
        said = {"request": request["request"], "person": request["person"], "does": does, "level": level}
        async with httpx2.AsyncClient(trust_env=False) as phone:
            assert (await phone.post(self.issuer + "/telephone", params=said)).status_code == 200

    async def revoke(self, token: str) -> None:
        async with httpx2.AsyncClient(trust_env=False) as program:
            form = {"token": token, "client_id": "logiciel"}
            answer = await program.post(self.issuer + "/token/revocation", data=form)
            assert answer.status_code == 200

    async def _followed(
        self, browser: httpx2.AsyncClient, answer: httpx2.Response, stop: str = "/retour"
    ) -> httpx2.Response:
        """Redirects inside the provider; one that leads to `stop` or back to the program is left to follow."""
        while answer.is_redirect:
            place = urljoin(str(answer.url), answer.headers["location"])
            if "/retour" in place or stop in place:
                return answer
            answer = await browser.get(place)
        return answer

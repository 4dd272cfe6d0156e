"""A FHIR server of the Annuaire Santé, asked over HTTP: key in a header, at most 17 requests a second, page after page.

The key goes to that server only: the address of a next page elsewhere is a fault.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2

from mssante.registers import fhir
from mssante.registers.fhir import Page

PER_SECOND = 17
PER_PAGE = 200
LARGEST = 32 << 20  # octets of a page
TRIES = 5
LONGEST_WAIT = 120.0  # seconds that a server may ask for
SECONDS = 60.0
MEDIA = "application/fhir+json"


class Unanswered(Exception):
    """The server cannot be asked, or answers something else; `str` says why, for the operator."""


@dataclass
class Pace:
    """Lets a request begin every 1/`per_second` of a second."""

    per_second: float = PER_SECOND
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _next: float = field(default=0.0, init=False)

    async def turn(self) -> None:
        now = self.now()
        begins = max(now, self._next)
        self._next = begins + 1 / self.per_second
        if begins > now:
            await self.sleep(begins - now)


@dataclass(frozen=True, slots=True)
class Server:
    """`url`: of the server's base, without a slash at its end. `tls`: who is believed over https."""

    url: str
    key: str = field(repr=False)
    tls: ssl.SSLContext
    pace: Pace = field(default_factory=Pace)

    async def pages(self, kind: str, since: str = "") -> AsyncIterator[Page]:
        """All resources of this type with a mailbox, or with `since` (ISO 8601) all that changed. Raises `Unanswered`."""
        asked = [("_count", str(PER_PAGE)), *(("_include", one) for one in fhir.INCLUDED.get(kind, ()))]
        asked.append(("_lastUpdated", f"ge{since}") if since else ("mailbox-mss:contains", "@"))
        address = f"{self.url}/{kind}?{urlencode(asked)}"
        async with self._client() as client:
            while address:
                found = fhir.page(await self._json(client, "GET", address))
                if found is None:
                    raise Unanswered("la réponse n’est pas un Bundle // the answer is not a Bundle")
                yield found
                address = found.next and self._own(found.next)

    async def holds(self, kind: str, address: str) -> bool:
        """Whether a resource of this type has this mailbox. Raises `Unanswered`."""
        asked = urlencode([("mailbox-mss:exact", address), ("_elements", "identifier"), ("_count", "1")])
        async with self._client() as client:
            found = fhir.page(await self._json(client, "GET", f"{self.url}/{kind}?{asked}"))
        if found is None:
            raise Unanswered("la réponse n’est pas un Bundle // the answer is not a Bundle")
        return bool(found.held)

    async def patch(self, kind: str, identifier: str, body: dict[str, Any]) -> None:
        """Conditional PATCH of the one resource with this identifier (`system|value`). Raises `Unanswered`."""
        address = f"{self.url}/{kind}?{urlencode([('identifier', identifier)])}"
        async with self._client() as client:
            await self._json(client, "PATCH", address, json.dumps(body).encode())

    def _client(self) -> httpx2.AsyncClient:
        headers = {"ESANTE-API-KEY": self.key, "Accept": MEDIA}
        return httpx2.AsyncClient(verify=self.tls, timeout=SECONDS, headers=headers, follow_redirects=False)

    def _own(self, address: str) -> str:
        mine, other = urlsplit(self.url), urlsplit(address)
        if (mine.scheme, mine.netloc) != (other.scheme, other.netloc):
            raise Unanswered("la page suivante est sur un autre serveur // the next page is on another server")
        return address

    async def _json(self, client: httpx2.AsyncClient, method: str, address: str, content: bytes | None = None) -> Any:
        """The JSON of a 200. A server that is busy is asked again when it says so."""
        for _ in range(TRIES):
            await self.pace.turn()
            status, wait, body = await self._asked(client, method, address, content)
            if status in (429, 503):
                await self.pace.sleep(wait)
                continue
            if status != 200:
                raise Unanswered(_STATUS.get(status, f"statut {status} // status {status}"))
            try:
                return json.loads(body)
            except (ValueError, RecursionError):
                raise Unanswered("la réponse n’est pas du JSON // the answer is not JSON") from None
        raise Unanswered("le serveur est trop chargé // the server is too busy")

    async def _asked(
        self, client: httpx2.AsyncClient, method: str, address: str, content: bytes | None
    ) -> tuple[int, float, bytes]:
        headers = {"Content-Type": MEDIA} if content is not None else {}
        body = bytearray()
        try:
            async with client.stream(method, address, content=content, headers=headers) as answer:
                async for piece in answer.aiter_bytes(65_536):
                    body += piece
                    if len(body) > LARGEST:
                        raise Unanswered("la réponse est trop longue // the answer is too long")
                return answer.status_code, _wait(answer.headers.get("retry-after", "")), bytes(body)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise Unanswered(str(error) or type(error).__name__) from None


_STATUS = {
    404: "personne n’a cet identifiant (statut 404) // nobody has this identifier (status 404)",
    412: "plusieurs ont cet identifiant (statut 412) // several have this identifier (status 412)",
}


def _wait(retry_after: str) -> float:
    """RFC 9110 10.2.3, in seconds; a date is not looked at."""
    return min(float(retry_after), LONGEST_WAIT) if retry_after.isascii() and retry_after.isdigit() else 1.0

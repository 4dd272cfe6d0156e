"""A FHIR server of the Annuaire Santé, asked over HTTP: key in a header, at its pace, page after page.

The key goes to that server only: the address of a next page elsewhere is a fault. Of an OperationOutcome only the codes are told
(FHIR R4 IssueType): its words may repeat an address that was asked for.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2

from mssante.registers import fhir
from mssante.registers.fhir import Page
from mssante.registers.pace import Pace

PER_PAGE = 200
LARGEST = 32 << 20  # octets of a page
TRIES = 5
LONGEST_WAIT = 120.0  # seconds that a server may ask for
SECONDS = 60.0  # the real one answers within 30 or fails
BUSY = (429, 502, 503, 504)
FORGOTTEN = (404, 410)  # of a further page: the search is no longer kept
REFUSING = (400, 404, 409, 412, 422)  # this change, not its sender
_WITH_MAILBOX = ("mailbox-mss:contains", "@")
MEDIA = "application/fhir+json"


class Unanswered(Exception):
    """The server cannot be asked, or answers something else; `str` says why, for the operator. `status` 0: no answer."""

    def __init__(self, why: str, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


class NotTaken(Unanswered):
    """This one change is refused; another may be taken."""


@dataclass(frozen=True, slots=True)
class Server:
    """`url`: of the server's base, without a slash at its end. `tls`: who is believed over https."""

    url: str
    key: str = field(repr=False)
    tls: ssl.SSLContext
    pace: Pace

    def pages(self, kind: str, since: str = "") -> AsyncIterator[Page]:
        """All resources of this type with a mailbox, or with `since` (ISO 8601) all that changed. Raises `Unanswered`."""
        return self._found(kind, ("_lastUpdated", f"ge{since}") if since else _WITH_MAILBOX)

    def roles(self, of: str, ids: Sequence[str]) -> AsyncIterator[Page]:
        """Roles with a mailbox of these persons (`practitioner`) or places (`organization`). Raises `Unanswered`."""
        return self._found("PractitionerRole", (of, ",".join(ids)), _WITH_MAILBOX)

    async def _found(self, kind: str, *conditions: tuple[str, str]) -> AsyncIterator[Page]:
        """Page after page; a server that forgot the search on the way is asked anew, once."""
        included = (("_include", one) for one in fhir.INCLUDED.get(kind, ()))
        first = f"{self.url}/{kind}?{urlencode([('_count', str(PER_PAGE)), *included, *conditions])}"
        address, again, read = first, True, set[str]()
        async with self._client() as client:
            while address:
                try:
                    found = _page(await self._json(client, "GET", address))
                except Unanswered as fault:
                    if fault.status not in FORGOTTEN or address == first or not again:
                        raise
                    address, again, read = first, False, set()
                    continue
                yield found
                read.add(address)
                address = found.next and self._own(found.next, read)

    async def mailbox(self, kind: str, address: str) -> dict[str, Any] | None:
        """The `telecom` that a resource of this type has for this mailbox; None when there is none. Raises `Unanswered`."""
        asked = urlencode([("mailbox-mss:exact", address), ("_count", "1")])
        async with self._client() as client:
            found = await self._json(client, "GET", f"{self.url}/{kind}?{asked}")
        _page(found)
        # A server may pass over a condition that it does not know (FHIR R4 3.1.1.3.1), and answer with anybody.
        return fhir.telecom(found, address)

    async def patch(self, kind: str, identifier: str, body: dict[str, Any]) -> None:
        """Conditional PATCH of the one resource with this identifier (`system|value`). Raises `NotTaken`, `Unanswered`."""
        address = f"{self.url}/{kind}?{urlencode([('identifier', identifier)])}"
        async with self._client() as client:
            try:
                await self._json(client, "PATCH", address, json.dumps(body).encode())
            except Unanswered as fault:
                if fault.status in REFUSING:
                    raise NotTaken(str(fault), fault.status) from None
                raise

    def _client(self) -> httpx2.AsyncClient:
        headers = {"ESANTE-API-KEY": self.key, "Accept": MEDIA}
        return httpx2.AsyncClient(verify=self.tls, timeout=SECONDS, headers=headers, follow_redirects=False)

    def _own(self, address: str, read: set[str]) -> str:
        mine, other = urlsplit(self.url), urlsplit(address)
        if (mine.scheme, mine.netloc) != (other.scheme, other.netloc):
            raise Unanswered("la page suivante est sur un autre serveur // the next page is on another server")
        if address in read:  # round and round it would never end
            raise Unanswered("la page suivante est déjà lue // the next page was read already")
        return address

    async def _json(self, client: httpx2.AsyncClient, method: str, address: str, content: bytes | None = None) -> Any:
        """The JSON of a 200. A server that is busy is asked again, when it says or ever later."""
        for turn in range(TRIES):
            await self.pace.turn()
            status, retry_after, body = await self._asked(client, method, address, content)
            if status in BUSY:
                await self.pace.sleep(_wait(retry_after, datetime.now(UTC), float(1 << turn)))
                continue
            if status != 200:
                raise Unanswered(_said(status, body), status)
            try:
                return json.loads(body)
            except (ValueError, RecursionError):
                raise Unanswered("la réponse n’est pas du JSON // the answer is not JSON") from None
        raise Unanswered("le serveur est trop chargé // the server is too busy")

    async def _asked(
        self, client: httpx2.AsyncClient, method: str, address: str, content: bytes | None
    ) -> tuple[int, str, bytes]:
        headers = {"Content-Type": MEDIA} if content is not None else {}
        body = bytearray()
        try:
            async with client.stream(method, address, content=content, headers=headers) as answer:
                async for piece in answer.aiter_bytes(65_536):
                    body += piece
                    if len(body) > LARGEST:
                        raise Unanswered("la réponse est trop longue // the answer is too long")
                return answer.status_code, answer.headers.get("retry-after", ""), bytes(body)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise Unanswered(str(error) or type(error).__name__) from None


def _page(answer: Any) -> Page:
    found = fhir.page(answer)
    if found is None:
        raise Unanswered("la réponse n’est pas un Bundle // the answer is not a Bundle")
    return found


_STATUS = {
    401: "clé refusée (statut 401) // key refused (status 401)",
    403: "clé sans ce droit (statut 403) // key without this right (status 403)",
    404: "personne n’a cet identifiant (statut 404) // nobody has this identifier (status 404)",
    412: "plusieurs ont cet identifiant (statut 412) // several have this identifier (status 412)",
}


def _said(status: int, body: bytes) -> str:
    if status in _STATUS:
        return _STATUS[status]
    codes = ", ".join(_codes(body))
    return (
        f"statut {status} {codes} // status {status} {codes}".replace("  ", " ")
        if codes
        else f"statut {status} // status {status}"
    )


def _codes(body: bytes) -> list[str]:
    """Of the issues of an OperationOutcome (FHIR R4 2.37)."""
    try:
        outcome = json.loads(body)
    except (ValueError, RecursionError):
        return []
    issues = outcome.get("issue") if isinstance(outcome, dict) else None
    codes = (one.get("code") for one in issues if isinstance(one, dict)) if isinstance(issues, list) else ()
    return [code for code in codes if isinstance(code, str) and _CODE.fullmatch(code)][:3]


_CODE = re.compile(r"[a-z-]{1,32}")  # of a mood of the server, never of a person


def _wait(retry_after: str, now: datetime, otherwise: float) -> float:
    """Seconds to wait: RFC 9110 10.2.3, a number or a date."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), LONGEST_WAIT)
    try:
        seconds = (parsedate_to_datetime(retry_after) - now).total_seconds()
    except (ValueError, TypeError):  # TypeError: a date without its zone
        return otherwise
    return min(max(seconds, 0.0), LONGEST_WAIT)

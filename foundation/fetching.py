"""One document fetched over HTTP (RFC 9110): bounded in size and in time, no redirect followed; what goes wrong is a value."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

import httpx2

SECONDS = 60.0  # for all of it


@dataclass(frozen=True, slots=True)
class NotFetched:
    """Why there is no document, in words for the operator: the library's, or the status."""

    reason: str

    def __str__(self) -> str:
        return self.reason


async def fetch(
    url: str,
    limit: int,
    *,
    tls: ssl.SSLContext | None = None,
    post: tuple[str, bytes] | None = None,
    seconds: float = SECONDS,
    basic: tuple[str, str] | None = None,
    also: int = 200,
) -> bytes | NotFetched:
    """The body of the 200 that answers, `limit` octets at most. `tls`: who is believed over https (nobody without it). `post`:
    (media type, body) of a POST; otherwise a GET. `basic`: name and password (RFC 7617). `also`: another status with a body worth
    reading.

    The outgoing proxy of the environment is used, as other programs of the machine do.
    """
    context = tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    method, headers, body = ("POST", {"Content-Type": post[0]}, post[1]) if post else ("GET", {}, None)
    try:
        async with asyncio.timeout(seconds), httpx2.AsyncClient(verify=context, timeout=seconds, auth=basic) as client:
            async with client.stream(method, url, headers=headers, content=body) as answer:
                return await _body(answer, limit, also)
    except TimeoutError:
        return NotFetched("no answer in time")
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        return NotFetched(str(error) or type(error).__name__)


async def _body(answer: httpx2.Response, limit: int, also: int) -> bytes | NotFetched:
    if answer.status_code not in (200, also):
        return NotFetched(f"status {answer.status_code}")
    found = bytearray()
    async for piece in answer.aiter_bytes(65_536):  # bounded by what comes out, also of a compressed body
        found += piece
        if len(found) > limit:
            return NotFetched(f"more than {limit} octets")
    return bytes(found)

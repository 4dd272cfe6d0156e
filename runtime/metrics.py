"""The door for the operator's machines: `/metrics`, `/livez`, `/readyz`. Its own socket: never where people's pages are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from foundation.clock import is_synchronised
from runtime import time_check
from runtime.figures import exposition
from runtime.house import House, Trust

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def application(house: House, trust: Trust, synchronised: Callable[[], bool] = is_synchronised) -> Starlette:
    def _all(conn: Connection, now: int) -> str:
        return exposition(conn, now) + "\n".join([*time_check.exposition(conn, now, synchronised), ""])

    async def metrics(_request: Request) -> Response:
        try:
            body = await house.db.read(_all, house.clock())
        except SQLAlchemyError:
            return PlainTextResponse("database\n", 503)
        return PlainTextResponse(body, media_type=CONTENT_TYPE)

    async def alive(_request: Request) -> Response:
        """The loop turns."""
        return PlainTextResponse("ok\n")

    async def ready(_request: Request) -> Response:
        """Mail can be taken: what stands against it is said, a word a line."""
        against = [*_lists(house, trust)]
        try:
            if await house.db.read(time_check.wrong, house.clock(), synchronised):
                against.append("clock")
        except SQLAlchemyError:
            against.append("database")
        return PlainTextResponse("\n".join(against or ["ok"]) + "\n", 503 if against else 200)

    return Starlette(routes=[Route("/metrics", metrics), Route("/livez", alive), Route("/readyz", ready)])


def _lists(house: House, trust: Trust) -> Iterator[str]:
    if trust.holder.current is None:
        yield "trust_list"
    if trust.store.fault:
        yield "anchors_or_revocation_lists"
    if any(
        house.clock() > one.next_update + house.settings.tls.crl_grace_hours * 3_600_000
        for one in trust.store.get().crls
    ):
        yield "revocation_lists_too_old"

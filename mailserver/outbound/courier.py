"""Connections to other operators (RFC 5321) over mutual TLS: open one, judge the peer, hand the message over (`transaction`).

STARTTLS is required and our certificate shown; the peer's is judged before anything of the message is said. Connections are kept
for a short while for the next message, within the limits that the peer announces (RFC 9422).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from OpenSSL import SSL

from certs.tls_session import TlsError
from foundation.clock import Clock, system_clock
from mailserver.outbound import peer
from mailserver.outbound.client import Client, Lost, Reply, connect
from mailserver.outbound.peer import Judge, Problem
from mailserver.outbound.transaction import Parcel, Result, fitted, transact, unfit
from mssante.operators import Route

TOTAL = 240.0  # for all of it: below the job's lease (5 minutes), so that two workers never send the same message
TOGETHER = 100  # recipients in one transaction: what every server takes (RFC 5321 4.5.3.1.8)
KEEP = 20.0  # seconds an idle connection is kept
KEPT = 2  # idle connections kept for one server


class Courier:
    """`name`: our host, said in EHLO; `context()`: the TLS context in force (`certs.contexts.relay_context`)."""

    def __init__(
        self, name: str, context: Callable[[], SSL.Context], judge: Judge, clock: Clock = system_clock
    ) -> None:
        self._name = name
        self._clock = clock
        self._context = context
        self._judge = judge
        self._idle: dict[Route, list[Client]] = {}

    async def deliver(self, routes: Sequence[Route], parcel: Parcel) -> dict[str, Result]:
        """Address -> result; the next route is tried only when a server could not be reached, recognised or bound to the terms."""
        problems: list[Problem] = []
        results: dict[str, Result] = {}
        try:
            async with asyncio.timeout(TOTAL):
                for route in routes:
                    problem = await self._by(route, parcel, results)
                    if problem is None:
                        break
                    problems.append(replace(problem, host=route.host))
        except TimeoutError:
            problems = [peer.CUT]
        # final only when every server said so
        problem = min(reversed(problems), key=lambda one: one.permanent, default=peer.NO_ROUTE)
        return {one.address: results.get(one.address, problem) for one in parcel.recipients}

    async def close(self) -> None:
        for clients in self._idle.values():
            for client in clients:
                client.leave()
        self._idle.clear()

    async def _by(self, route: Route, parcel: Parcel, results: dict[str, Result]) -> Problem | None:
        """As many connections as the peer's limits ask for; a problem when nobody there can take the message."""
        while left := tuple(one for one in parcel.recipients if one.address not in results):
            client = await self._open(route, parcel)
            if isinstance(client, Problem):
                return client
            await self._converse(client, route, replace(parcel, recipients=left), results)
        return None

    # ---------------------------------------------------------------- connection
    async def _open(self, route: Route, parcel: Parcel) -> Client | Problem:
        """A connection whose peer may receive mail for the domain, and promises what the sender demands."""
        client = await self._reuse(route) or await self._connect(route)
        if isinstance(client, Problem):
            return client
        problem = await self._judge(client.tls, parcel.domain) if client.tls is not None else peer.NO_TLS
        if problem is not None:
            client.leave()
            return problem
        # RFC 8689 4.2.1; a notice goes all the same (5): here its path is encrypted in any case
        if parcel.terms.require_tls and parcel.reverse_path and "requiretls" not in client.extensions:
            self._keep(route, client)
            return peer.NO_REQUIRETLS
        return client

    async def _connect(self, route: Route) -> Client | Problem:
        try:
            client, greeting = await connect(route.host, route.port)
        except (Lost, OSError):
            return peer.UNREACHABLE
        problem: Problem | None = peer.UNREACHABLE
        try:
            problem = await self._greet(client, greeting, route)
        except TlsError as error:
            problem = peer.TLS_FAILED if isinstance(error.__cause__, SSL.Error) else peer.UNREACHABLE
        except (Lost, OSError, ValueError):
            problem = peer.UNREACHABLE
        finally:
            if problem is not None:
                client.close()
        return problem or client

    async def _greet(self, client: Client, greeting: Reply, route: Route) -> Problem | None:
        """EHLO, STARTTLS and EHLO again: what was said before TLS is forgotten (RFC 3207 4.2)."""
        if greeting.code != 220:
            return peer.turned_away(greeting.code, greeting.text, route.host)
        reply = await client.hello(self._name)
        if reply.code != 250:
            return peer.turned_away(reply.code, reply.text, route.host)
        if "starttls" not in client.extensions:
            return peer.NO_TLS
        [reply] = await client.ask([b"STARTTLS"])
        if reply.code != 220:
            return peer.turned_away(reply.code, reply.text, route.host)
        await client.start_tls(self._context(), route.host)
        reply = await client.hello(self._name)
        return None if reply.code == 250 else peer.turned_away(reply.code, reply.text, route.host)

    async def _reuse(self, route: Route) -> Client | None:
        """RSET shows whether a kept connection still lives, before a message depends on it. One begun under a certificate that we
        renewed since is not gone on with.
        """
        while clients := self._idle.get(route):
            client = clients.pop()
            try:
                current = client.context is self._context()
                if current and client.is_open and (await client.ask([b"RSET"]))[0].code == 250:
                    return client
            except Lost:
                pass
            client.close()
        return None

    def _keep(self, route: Route, client: Client) -> None:
        clients = self._idle.setdefault(route, [])
        if len(clients) >= KEPT or not client.may_go_on:
            client.leave()
            return
        clients.append(client)
        asyncio.get_running_loop().call_later(KEEP, self._drop, route, client)

    def _drop(self, route: Route, client: Client) -> None:
        if client in self._idle.get(route, ()):
            self._idle[route].remove(client)
            client.leave()

    # ---------------------------------------------------------------- conversation
    async def _converse(self, client: Client, route: Route, parcel: Parcel, results: dict[str, Result]) -> None:
        """Fills `results` for one recipient at least; whoever is missing at the end must wait for another connection."""
        kept = False
        try:
            parcel = await fitted(client, parcel)
            problem = unfit(client, parcel, self._clock())
            if problem is not None:
                results.update((one.address, replace(problem, host=route.host)) for one in parcel.recipients)
            else:
                await self._transact(client, route, parcel, results)
            self._keep(route, client)
            kept = True
        except (Lost, OSError):
            for one in parcel.recipients:
                results.setdefault(one.address, replace(peer.CUT, host=route.host))
        finally:
            if not kept:
                client.close()

    async def _transact(self, client: Client, route: Route, parcel: Parcel, results: dict[str, Result]) -> None:
        """As many transactions as its limits ask for and allow."""
        together = min(TOGETHER, client.limit("RCPTMAX"))
        for start in range(0, len(parcel.recipients), together):
            if not client.may_go_on and start:
                break
            part = replace(parcel, recipients=parcel.recipients[start : start + together])
            await transact(client, route, part, self._clock(), results)

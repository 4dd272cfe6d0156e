"""Where a domain's mail goes: the operator's own table, else the domain's MX records (RFC 5321 section 5.1, RFC 7505)."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import dns.asyncresolver
import dns.exception
import dns.resolver

from mssante.operators import Route

MAX_HOSTS = 5  # of a domain, tried in one go: more only prolongs the job's lease


@dataclass(frozen=True, slots=True)
class NoRoute:
    """`permanent`: the domain says that it takes no mail (null MX, no such domain)."""

    reason: str
    permanent: bool


class Resolver(Protocol):
    async def __call__(self, domain: str) -> list[Route] | NoRoute: ...


class TableOrDns:
    """`table(domain)` gives the operator's own route or None; DNS answers the rest."""

    def __init__(
        self,
        table: Callable[[str], Route | None],
        resolver: dns.asyncresolver.Resolver | None = None,
        port: int = 25,
        shuffle: Callable[[list[Route]], None] = random.shuffle,
    ) -> None:
        self._table = table
        self._resolver = resolver
        self._port = port
        self._shuffle = shuffle

    async def __call__(self, domain: str) -> list[Route] | NoRoute:
        route = self._table(domain)
        return [route] if route is not None else await self._by_mx(domain)

    async def _by_mx(self, domain: str) -> list[Route] | NoRoute:
        resolver = self._resolver or dns.asyncresolver.get_default_resolver()
        try:
            answer = await resolver.resolve(domain, "MX")
        except dns.resolver.NXDOMAIN:
            return NoRoute("no_such_domain", permanent=True)
        except dns.resolver.NoAnswer:
            return [Route(domain, self._port)]  # RFC 5321 5.1: the domain's own address is its implicit MX
        except dns.exception.DNSException:
            return NoRoute("dns_unavailable", permanent=False)
        by_preference: dict[int, list[Route]] = {}
        for record in answer:
            host = record.exchange.to_text(omit_final_dot=True)
            by_preference.setdefault(record.preference, []).append(Route(host, self._port))
        if [route.host for routes in by_preference.values() for route in routes] in ([""], ["."]):
            return NoRoute("null_mx", permanent=True)  # RFC 7505
        return _in_order(by_preference, self._shuffle)[:MAX_HOSTS]


def _in_order(by_preference: Mapping[int, list[Route]], shuffle: Callable[[list[Route]], None]) -> list[Route]:
    """Lowest preference first; equals in a random order, to share the load."""
    ordered: list[Route] = []
    for _, routes in sorted(by_preference.items()):
        shuffle(routes)
        ordered += routes
    return ordered

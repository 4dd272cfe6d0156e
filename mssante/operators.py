"""This operator as plain values: the domains it serves, the citizens' domain of the space, where other operators' doors are.

Read from the settings by runtime. Which domains are trusted is not said here: that is the trust list's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mssante.address import Address
from mssante.kinds import Party


@dataclass(frozen=True, slots=True)
class Route:
    """An SMTP door of another operator."""

    host: str
    port: int = 25


@dataclass(frozen=True, slots=True)
class Operator:
    """Domains in the form of `Address.domain`. `citizen_domain` is the space's, ours when it is among `domains`."""

    host: str
    domains: frozenset[str]
    citizen_domain: str = "patient.mssante.fr"
    routes: Mapping[str, Route] = field(default_factory=dict)  # for a domain; none = by DNS

    def serves(self, domain: str) -> bool:
        return domain in self.domains

    def party_of(self, address: Address) -> Party:
        """Every address of the space is a citizen's or a professional's, and the domain tells which."""
        return Party.CITIZEN if address.domain == self.citizen_domain else Party.PROFESSIONAL

    def route(self, domain: str) -> Route | None:
        return self.routes.get(domain)


def parse_route(text: str) -> Route:
    """`host`, `host:port` or `[v6 address]:port`; ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, "25"
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError(f"not a route (host:port): {text!r}")
    return Route(host, int(port))

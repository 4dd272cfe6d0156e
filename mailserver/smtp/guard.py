"""How many connections one client may hold, per door and process; an IPv6 client is its /64, the least a subscriber gets."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv6Address, ip_address

from mailserver.smtp.limits import Limits


class Guard:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held: Counter[str] = Counter()
        self.total = 0

    def enter(self, client_ip: str) -> bool:
        """False when there is no room; otherwise `leave` must follow once."""
        network = network_of(client_ip)
        if self.total >= self._limits.connections or self._held[network] >= self._limits.connections_per_address:
            return False
        self._held[network] += 1
        self.total += 1
        return True

    def leave(self, client_ip: str) -> None:
        network = network_of(client_ip)
        self.total -= 1
        self._held[network] -= 1
        if not self._held[network]:
            del self._held[network]


def network_of(client_ip: str) -> str:
    if ":" not in client_ip:
        return client_ip
    address = ip_address(client_ip)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return address.exploded[:19]

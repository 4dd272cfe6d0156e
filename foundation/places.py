"""Where a client is, as far as counting goes: an IPv4 address, or the /64 of an IPv6 one, the least that a subscriber gets."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address


def network_of(client_ip: str) -> str:
    """About where, to be shown: « 192.0.2.x », or the /48 of an IPv6 address; "" for what is not an address."""
    place = place_of(client_ip)
    if not place:
        return ""
    return (
        place.rpartition(".")[0] + ".x"
        if "." in place
        else f"{IPv6Address(bytes.fromhex(place[:12]).ljust(16, bytes(1)))}/48"
    )


@lru_cache(maxsize=1024)
def place_of(client_ip: str) -> str:
    """ "" for what is not an address."""
    try:
        address = ip_address(client_ip)
    except ValueError:
        return ""
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return address.packed[:8].hex()

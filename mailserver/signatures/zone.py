"""Keys of operators that have no DNS, or none that is reached from here: the lines of their zones, in a file."""

from __future__ import annotations

from collections.abc import Mapping

import dns.exception
import dns.rdatatype
import dns.zonefile

from mailserver.signatures.records import Answer, Records


class BadZone(ValueError):
    """Not the lines of a zone (RFC 1035 5.1)."""


def read_zone(text: str) -> dict[str, bytes]:
    """name -> record, of the TXT records with absolute names; raises `BadZone`."""
    try:
        rows = dns.zonefile.read_rrsets(text, rdclass=None, default_ttl=0)
    except dns.exception.DNSException as fault:
        raise BadZone(str(fault)) from fault
    return {
        row.name.to_text(omit_final_dot=True).lower(): b"".join(row[0].strings)
        for row in rows
        if row.rdtype == dns.rdatatype.TXT
    }


class KnownRecords:
    """`known` ones first; `others` for the rest."""

    def __init__(self, known: Mapping[str, bytes], others: Records) -> None:
        self._known = known
        self._others = others

    async def __call__(self, name: str) -> Answer:
        found = self._known.get(name)
        return await self._others(name) if found is None else found

"""Keys in a file: the lines of a zone, looked at before DNS."""

from __future__ import annotations

import pytest

from mailserver.signatures.verdicts import Verdict
from mailserver.signatures.zone import BadZone, KnownRecords, read_zone
from tests.mailserver.signatures.signing import Zone

LINES = """\
mss._domainkey.Beta.example. 3600 IN TXT "v=DKIM1; k=rsa; p=AA" "BB" ; as `mssante dns` prints it
gamma.example. IN MX 10 mx.gamma.example.
mss._domainkey.gamma.example. IN TXT ( "v=DKIM1; "
    "p=CC" )
"""


def test_the_lines_of_a_zone() -> None:
    assert read_zone(LINES) == {
        "mss._domainkey.beta.example": b"v=DKIM1; k=rsa; p=AABB",
        "mss._domainkey.gamma.example": b"v=DKIM1; p=CC",
    }
    assert read_zone("") == {}


@pytest.mark.parametrize("text", ["x y", 'a. 3600 IN TXT "x', "a. 3600 IN A x"])
def test_what_is_no_zone(text: str) -> None:
    with pytest.raises(BadZone):
        read_zone(text)


async def test_dns_is_asked_for_the_rest() -> None:
    others = Zone({"b.example": b"v=DKIM1; p=BB"})
    ask = KnownRecords({"a.example": b"v=DKIM1; p=AA"}, others)
    assert await ask("a.example") == b"v=DKIM1; p=AA"
    assert others.asked == []
    assert await ask("b.example") == b"v=DKIM1; p=BB"
    assert await ask("c.example") is Verdict.NO_KEY

"""A peer whose authority we hold no list of is put off once: where its certificate says, the list is fetched, and it is recognised.

Like ours that authority is below our anchors, but no certificate of ours names its list.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from structlog.testing import capture_logs

import certs.authority as authority_module
from certs.authority import Authority, Issued, Points, new_key
from certs.chain import Fault, Refused, Trusted
from certs.profiles import INTERMEDIATE, OPERATOR, operator_subject
from foundation.clock import DAY, MINUTE
from runtime import doctor, met, revocation
from runtime.house import Trust
from tests.runtime.test_revocation import World

PEER = operator_subject("mail.autre.example", "1990000005", "Autre opérateur", "Villefleur (99)")
NAME = "CN=AC NEUVE ORGANISATIONS,O=AUTORITE DE DEVELOPPEMENT,C=FR"


def another(world: World, label: str = "NEUVE ORGANISATIONS", name: x509.Name | None = None) -> Authority:
    """One more intermediate of the same root."""
    root, key = world.authority.root, new_key()
    named = name or authority_module._authority_name(f"AC {label}")
    above = root.certificate.subject
    made = authority_module._sign(INTERMEDIATE, named, key, above, root.key, world.now - DAY, world.now + 900 * DAY)
    return Authority(root, Issued(made, key))


class Border(World):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.other = another(self)
        self.give(delta=self.authority.delta(self.lists[0], self.now))

    async def begin(self) -> None:
        self.house.jobs.handle(revocation.KIND, revocation.fetching(self.house))
        await self.house.db.write(self.house.jobs.ensure, revocation.KIND)
        await self.house.jobs.drain()
        self.trust = Trust(self.settings, lambda: self.now)
        self.trust.ocsp.unlisted = met.Noting(self.house, revocation.KIND)

    def peer(self, by: Authority, at: str = "/neuve") -> Issued:
        return by.issue(OPERATOR, PEER, self.now, points=Points(crl=f"{self.server.url}{at}"))

    async def comes(self, peer: Issued) -> Fault | None:
        der = [one.public_bytes(Encoding.DER) for one in (peer.certificate, *peer.chain)]
        verdict = await self.trust.ocsp.judge(self.trust.store.get(), der[0], der[1:])
        await asyncio.sleep(0.2)  # what is noted is noted behind the answer
        assert isinstance(verdict, Trusted | Refused)
        return verdict.fault if isinstance(verdict, Refused) else None

    async def later(self) -> None:
        self.now += MINUTE
        await self.house.jobs.drain()

    def doctor(self) -> list[str]:
        found = doctor.trusted.revocation(self.settings, self.now)
        return [one.head("en") for one in found]


@pytest.fixture
async def border(tmp_path: Path) -> AsyncIterator[Border]:
    made = Border(tmp_path)
    await made.begin()
    yield made
    made.server.__exit__()
    made.house.db.close_now()


async def test_the_list_is_fetched_where_the_peers_certificate_says(border: Border) -> None:
    peer, refused = border.peer(border.other), border.peer(border.other)
    border.other.revoke(refused.certificate, border.now)
    border.give(neuve=border.other.crls(border.now)[0])
    with capture_logs() as said:
        assert await border.comes(peer) is Fault.CRL_MISSING
        assert await border.comes(peer) is Fault.CRL_MISSING
    alarms = [(one["log_level"], one["issuer"]) for one in said if one["event"] == "revocation_list_missing"]
    assert alarms == [("warning", NAME)], "said once, not at each try"
    assert border.doctor() == [f"note    revocation lists: none of {NAME}, which issued another operator's certificate"]
    await border.later()  # the job was hurried
    assert (await border.comes(peer), border.doctor()) == (None, [])
    assert await border.comes(refused) is Fault.REVOKED
    border.server.asked.clear()
    border.now += 61 * MINUTE
    await border.house.jobs.drain()
    assert "/neuve" in border.server.asked, "from now on as ours"


async def test_what_a_full_disk_does_not_take_is_said_and_noted_at_a_later_try(
    border: Border, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    border.give(neuve=border.other.crls(border.now)[0])
    peer = border.peer(border.other)
    with capture_logs() as said, monkeypatch.context() as patch:
        patch.setattr(met, "write_file", full)
        assert await border.comes(peer) is Fault.CRL_MISSING
    assert [one["event"] for one in said if one["log_level"] == "error"] == ["revocation_lists_unusable"]
    border.now += met.AGAIN
    assert await border.comes(peer) is Fault.CRL_MISSING
    await border.later()
    assert await border.comes(peer) is None


async def test_a_stranger_makes_us_note_nothing(border: Border) -> None:
    """Neither an authority of its own, nor one that it sends along beside a chain of ours."""
    stranger = Authority.create(border.now)
    with capture_logs() as said:
        assert await border.comes(border.peer(stranger)) is Fault.UNTRUSTED
    assert (said, met.read(border.settings)) == ([], met.Met())
    peer = border.peer(border.other)
    crowd = Issued(peer.certificate, peer.key, (stranger.intermediate.certificate, *peer.chain))
    assert await border.comes(crowd) is Fault.CRL_MISSING
    noted = met.read(border.settings)
    assert noted == met.Met((border.other.intermediate.certificate,), (f"{border.server.url}/neuve",))


async def test_an_authority_renewed_under_its_name_has_two_lists(border: Border) -> None:
    """One for each of its keys: neither takes the other's place, and peers of both are recognised."""
    renewed = another(border, name=border.authority.intermediate.certificate.subject)
    border.give(neuve=renewed.crls(border.now)[0])
    old, new = border.peer(border.authority, "/full"), border.peer(renewed)
    assert (await border.comes(old), await border.comes(new)) == (None, Fault.CRL_MISSING)
    await border.later()
    assert (await border.comes(old), await border.comes(new)) == (None, None)
    border.now += 6 * DAY
    border.give(neuve=renewed.crls(border.now)[0], root=border.authority.crls(border.now)[1])
    await border.later()
    border.now += 3 * DAY
    assert border.doctor() == [], "a key that is used no more makes no alarm"


async def test_what_ended_is_noted_no_longer_and_there_are_never_too_many(border: Border) -> None:
    full = met.Met((), tuple(f"http://{number}.example" for number in range(met.MOST)))
    authority = border.other.intermediate.certificate
    more = full.with_more((authority, border.peer(border.other).certificate), ["http://new.example"], border.now)
    assert (more.authorities, len(more.urls), more.urls[-1]) == ((authority,), met.MOST, "http://new.example")
    assert more.with_more((), (), border.now + 1_000 * DAY).authorities == ()


async def test_a_file_that_is_not_ours_is_passed_over(border: Border) -> None:
    for text in ("", "{", "[]", "{}", '{"authorities": [7], "urls": []}', '{"authorities": ["x"], "urls": []}', "\xff"):
        met.file_of(border.settings).write_text(text)
        assert met.read(border.settings) == met.Met()

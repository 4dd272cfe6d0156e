"""Our courier at our own door, over mutual TLS: what one side promises in EHLO, the other keeps to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from OpenSSL import SSL

from certs.contexts import relay_context
from mailserver.delivery.api import Recipient, Terms
from mailserver.outbound.content import whole
from mailserver.outbound.courier import Courier
from mailserver.outbound.transaction import Accepted, Parcel
from mailserver.smtp import ports
from mailserver.smtp.limits import Limits
from mssante.operators import Route
from tests.mailserver.smtp.smtp_house import Memory, opened
from tests.mailserver.smtp.test_smtp_doors import (
    Pki,
    Play,
    mx_house,
    pki,  # noqa: F401  a fixture
    play,  # noqa: F401  a fixture
)

NOW = 1_800_000_000_000
WISH = Recipient("b@alpha.example", frozenset({"SUCCESS", "DELAY"}), "rfc822;b+c@alpha.example")
LETTER = b"Subject: x\r\n\r\n.\r\nhello\r\n"
PARCEL = Parcel("a@beta.example", (WISH,), "alpha.example", whole(LETTER), "e=1", "HDRS")


def context_of(pki: Pki) -> SSL.Context:  # noqa: F811
    identity = pki.certificate("beta")
    assert identity is not None
    return relay_context(identity)


async def believing(_tls: object, _domain: str) -> None:
    """A judge that every peer satisfies."""


@pytest.mark.parametrize(
    "terms",
    [
        Terms(),
        Terms(require_tls=True),
        Terms(deadline=NOW + 60_000, returns=True, traced=True),
        Terms(require_tls=True, deadline=NOW - 60_000),
    ],
)
def test_terms_and_wishes_arrive_as_they_left(
    terms: Terms,
    pki: Pki,  # noqa: F811
    tmp_path: Path,
    play: Play,  # noqa: F811
) -> None:
    acceptor = Memory()
    context = context_of(pki)

    async def scenario() -> None:
        home = replace(mx_house(tmp_path, pki, acceptor), clock=lambda: NOW)
        courier = Courier("mail.beta.example", lambda: context, believing, lambda: NOW)
        async with opened(ports.MX, home) as door:
            results = await courier.deliver([Route("localhost", door.port)], replace(PARCEL, terms=terms))
            await courier.close()
        assert results == {WISH.address: Accepted("localhost", reports=True, deliver_by=True)}

    play(scenario())
    [(envelope, _)] = acceptor.accepted
    assert (envelope.terms, envelope.recipients, envelope.envid, envelope.ret) == (terms, (WISH,), "e=1", "HDRS")
    assert acceptor.bodies == [LETTER]


def test_the_limits_announced_are_kept_to(pki: Pki, tmp_path: Path, play: Play) -> None:  # noqa: F811
    """RFC 9422: no refusal is ever met, whatever the figures."""
    acceptor = Memory()
    context = context_of(pki)
    many = tuple(Recipient(f"r{number}@alpha.example") for number in range(17))

    async def scenario() -> None:
        limits = Limits(recipients=5, messages=3, linger_s=0.05)
        home = replace(mx_house(tmp_path, pki, acceptor), limits=limits)
        courier = Courier("mail.beta.example", lambda: context, believing)
        async with opened(ports.MX, home) as door:
            for _ in range(2):
                results = await courier.deliver([Route("localhost", door.port)], replace(PARCEL, recipients=many))
                assert all(isinstance(one, Accepted) for one in results.values())
            await courier.close()

    play(scenario())
    assert [len(envelope.recipients) for envelope, _ in acceptor.accepted] == [5, 5, 5, 2] * 2

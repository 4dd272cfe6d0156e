"""A structure's certificate opens the APP mailboxes that are bound to it: those, and no other kind, and none that is closed."""

from __future__ import annotations

from typing import Any

import pytest

from foundation.dn import parse
from mssante.certificate_sign_in import opened_by
from mssante.kinds import BoxKind, BoxState

LAB = parse("CN=Envoi des résultats,OU=1990000029,O=LABO,ST=Villefleur (99),C=FR")
GROUP = parse("CN=groupe,OU=1990000037,O=GROUPE,ST=Villefleur (99),C=FR")


@pytest.fixture
async def opened(space: Any) -> Any:
    boxes = {}
    for name, kind, certificate in (
        ("resultats", BoxKind.APP, LAB),
        ("examens", BoxKind.APP, GROUP),
        ("images", BoxKind.APP, GROUP),
        ("service", BoxKind.ORG, LAB),
        ("libre", BoxKind.APP, None),
    ):
        boxes[name] = await space.box(f"{name}@labo.example", kind)
        if certificate is not None:
            await space.db.write(space.boxes.bind, boxes[name].id, certificate)

    async def ask(certificate: Any, address: str = "") -> str | None:
        found = await space.db.read(opened_by, space.boxes, certificate, address)
        return None if found is None else found.address.local

    ask.space, ask.boxes = space, boxes  # type: ignore[attr-defined]
    return ask


@pytest.mark.parametrize(
    ("certificate", "address", "name"),
    [
        (LAB, "", "resultats"),  # not the ORG mailbox, though it was bound by mistake
        (LAB, "Resultats@LABO.example", "resultats"),
        (parse("C=fr, ST=villefleur (99), O=labo, OU=1990000029, CN=envoi des  résultats"), "", None),  # another order
        (parse("CN=ENVOI DES RÉSULTATS,OU=1990000029,O=Labo,ST=villefleur (99),C=fr"), "", "resultats"),
        (LAB, "service@labo.example", None),
        (LAB, "examens@labo.example", None),  # the neighbour's
        (LAB, "libre@labo.example", None),
        (LAB, "personne@labo.example", None),
        (LAB, "pas une adresse", None),
        (GROUP, "", None),  # which of the two?
        (GROUP, "images@labo.example", "images"),
        (parse("CN=Envoi des résultats,OU=1990000029,O=LABO,C=FR"), "", None),
    ],
)
async def test_what_a_certificate_opens(opened: Any, certificate: Any, address: str, name: str | None) -> None:
    assert await opened(certificate, address) == name


async def test_states(opened: Any) -> None:
    space, box = opened.space, opened.boxes["resultats"]
    await space.db.write(space.boxes.set_state, box.id, BoxState.SUSPENDED, 1)
    assert await opened(LAB) == "resultats"  # still read
    await space.db.write(space.boxes.set_state, box.id, BoxState.CLOSED, 1)
    assert await opened(LAB) is None


async def test_freed_it_opens_nothing(opened: Any) -> None:
    await opened.space.db.write(opened.space.boxes.bind, opened.boxes["resultats"].id, None)
    assert await opened(LAB) is None

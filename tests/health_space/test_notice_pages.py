"""Notifications over a real socket, without JavaScript; the neighbour's numbers."""

from __future__ import annotations

from health_space.notices import operations as bell
from health_space.notices.rules import Kind
from tests.health_space.site import JACQUELINE, LOUISE, SARAH, Site, ring
from tests.support import files
from tests.support.clamd import EICAR, clamd  # noqa: F401  a fixture
from tests.support.web import Answer


async def test_notifications_are_read_and_lead_on(site: Site, origin: str) -> None:
    visitor = await site.visitor(origin, JACQUELINE)
    assert "Aucune notification." in (await visitor.get("/notifications")).words
    number = await site.put(JACQUELINE, files.pdf(), title="Compte rendu du 3 mai")
    await ring(site, JACQUELINE, Kind.DOCUMENT, [f"/documents/{number}"], 1)
    await ring(site, JACQUELINE, Kind.MESSAGE, [], 2, "no_address")
    await ring(site, JACQUELINE, Kind.DOCUMENT, ["/documents/777"], 3)
    page = await visitor.get("/notifications")
    assert "3 notifications non lues" in page.words
    assert "« Compte rendu du 3 mai », de Dr Camille Roche" in page.words
    assert "Un e-mail vous a été envoyé." in page.words
    assert "nous n'avons pas d'adresse e-mail" in page.words
    assert "Ce document n'est plus dans vos documents." in page.words
    [entry] = [
        n for n in await site.db.read(bell.notices_of, site.keys, [JACQUELINE]) if n.target.endswith(f"/{number}")
    ]
    seen = await visitor.post("/notifications", {"voir": str(entry.id)})
    assert seen.location == f"/documents/{number}"
    assert "2 notifications non lues" in (await visitor.get("/notifications")).words
    done = await visitor.follow(await visitor.post("/notifications", {}))
    assert "Toutes les notifications sont marquées comme lues." in done.words
    assert "Non lue" not in done.words


def badge(page: Answer, href: str = "/notifications") -> str:
    node = page.tree.css_first(f'nav.main a[href="{href}"] .badge')
    return "" if node is None else node.text(deep=False).strip()


async def test_opening_a_document_reads_its_own_notification(site: Site, origin: str) -> None:
    visitor = await site.visitor(origin, JACQUELINE)
    one = await site.put(JACQUELINE, files.pdf("Un"))
    other = await site.put(JACQUELINE, files.pdf("Autre"))
    await ring(site, JACQUELINE, Kind.DOCUMENT, [f"/documents/{one}", f"/documents/{other}"], 1)
    await ring(site, JACQUELINE, Kind.MESSAGE, [], 2)
    assert badge(await visitor.get("/documents")) == "3"
    assert badge(await visitor.get(f"/documents/{one}")) == "2"  # the page itself counts right
    assert badge(await visitor.get(f"/documents/{one}")) == "2"
    left = await site.db.read(bell.notices_of, site.keys, [JACQUELINE], 50, 0, True)
    assert {notice.target for notice in left} == {f"/documents/{other}", ""}


async def test_the_neighbours_notifications(site: Site, origin: str) -> None:
    await ring(site, JACQUELINE, Kind.MESSAGE, [], 1)
    await ring(site, LOUISE, Kind.MESSAGE, [], 2)
    await ring(site, SARAH, Kind.MESSAGE, [], 3)
    [theirs] = await site.db.read(bell.notices_of, site.keys, [JACQUELINE])
    sarah = await site.visitor(origin, SARAH)
    page = await sarah.get("/notifications")
    assert "Louise Lambert : 1 notification non lue." in page.words
    for values in ({"voir": str(theirs.id)}, {"lu": str(theirs.id)}, {"lu": "999"}, {"lu": "x"}):
        assert (await sarah.post("/notifications", values)).status == 404
    await sarah.post("/notifications", {})
    assert await site.db.read(bell.unread, [JACQUELINE]) == 1
    assert await site.db.read(bell.unread, [LOUISE]) == 1
    assert await site.db.read(bell.unread, [SARAH]) == 0

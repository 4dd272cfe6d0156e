"""Documents and Notifications over a real socket, without JavaScript: every task, every refusal, the neighbour's numbers."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Connection, select

from foundation.antivirus import Clamd
from foundation.audit import Audit
from foundation.blob_files import FolderFiles
from foundation.blobs import Blobs
from foundation.clock import DAY
from foundation.database import Database, Transaction, metadata
from foundation.keys import KeyRing
from foundation.tables import audit as audit_table
from foundation.web import french
from foundation.web.kit import Page, Visit, Web, WebSettings
from foundation.web.sessions import Session, Stage, open_session
from health_space import app as health
from health_space.accounts import chrome
from health_space.deps import Deps
from health_space.dossier import operations as ops
from health_space.dossier import refusals
from health_space.dossier.operations import NewDocument, Origin
from health_space.dossier.pages.add import parse_date
from health_space.dossier.readers import Readers
from health_space.notices import operations as bell
from health_space.notices.rules import Kind
from health_space.profiles import operations as profiles
from tests.support import files
from tests.support.clamd import EICAR, clamd  # noqa: F401  a fixture
from tests.support.web import Answer, Visitor, serving

JACQUELINE, SARAH, LOUISE = 1, 2, 3
NAMES = {JACQUELINE: "Jacqueline Morel", SARAH: "Sarah Lambert", LOUISE: "Louise Lambert"}


class Site:
    """The pages over a database of their own; sessions are opened directly."""

    def __init__(self, root: Path, antivirus: Clamd | None = None) -> None:
        self.now = 1_778_000_000_000  # 5 May 2026
        self.db = Database(f"sqlite:///{root}/db.sqlite")
        metadata.create_all(self.db.engine)
        self.keys = KeyRing(os.urandom(32))
        self.blobs = Blobs(FolderFiles(root / "blobs"))
        self.readers = Readers(workers=1, seconds=20)
        self.db.write_now(profiles.add_guardian, SARAH, LOUISE, profiles.Kind.PARENT, 1)
        badges = {"/notifications": lambda conn, box: bell.unread(conn, [box])}
        web = Web(
            self.db,
            self.keys,
            WebSettings(https=False),
            {"accounts": chrome.TEMPLATES, **health.TEMPLATES},
            chrome.NAV,
            chrome.around(self._name, badges),
            lambda: self.now,
        )
        self.deps = Deps(
            web,
            self.db,
            self.keys,
            self.blobs,
            self.readers,
            Audit(lambda: self.now),
            "/ordonnance/{document}",
            antivirus,
        )
        from health_space.accounts import sign_in

        switch = web.routes((Page("/profil", sign_in.switch_profile, "POST"), Page("/messagerie", _inbox)), None)
        self.app = web.app([*health.routes(self.deps), *switch])

    def _name(self, _: Connection, box: int) -> str:
        return NAMES[box]

    async def visitor(self, origin: str, person: int) -> Visitor:
        session: Session = await self.db.write(open_session, self.keys, self.now, Stage.SIGNED_IN, person, {})
        visitor = Visitor(origin)
        visitor.cookies["session"] = session.id
        return visitor

    async def put(self, box: int, content: bytes, media_type: str = "application/pdf", **changes: object) -> int:
        values: dict[str, object] = {
            "title": "Compte rendu",
            "file_name": "cr.pdf",
            "author_name": "Dr Camille Roche",
            "author_address": "camille.roche@medecins.alpha.example",
            "act_date": date(2026, 5, 3),
            "category": "CPT_REND",
            "type_code": "",
            "pages": 1,
            "origin": Origin.MESSAGE,
        }
        new = NewDocument(**{**values, **changes}, media_type=media_type, digest=sha256(content).digest())  # type: ignore[arg-type]
        prepared = self.blobs.prepare(content)

        def write(tx: Transaction) -> int:
            dossier = ops.open_dossier(tx, self.keys, box, 1)
            return ops.file_document(tx, self.blobs, dossier, new, prepared, self.now).document_id

        return await self.db.write(write)


async def _inbox(visit: Visit, _: object) -> object:
    return visit.render("accounts/help.html", "Messagerie")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    yield made
    await made.readers.close()
    await made.db.close()


@pytest.fixture
async def origin(site: Site) -> AsyncIterator[str]:
    async with serving(site.app) as address:
        yield address


FIELDS = {"nom": "", "date": "2026-05-03", "categorie": "ORD_SOIN"}


async def test_from_empty_to_a_first_document_in_two_pages(site: Site, origin: str) -> None:
    visitor = await site.visitor(origin, JACQUELINE)
    empty = await visitor.get("/documents")
    assert "Aucun document pour le moment." in empty.words
    form = await visitor.get("/documents/ajouter")  # page 1
    assert "5 Mo au plus" in form.words
    sent = await visitor.upload(
        "/documents/ajouter", FIELDS, [("fichier", "ordo_mai.pdf", "application/pdf", files.pdf("Doliprane"))]
    )
    shown = await visitor.follow(sent)  # page 2
    assert "Le document est ajouté à vos documents." in shown.words
    assert shown.title().startswith("ordo mai")
    assert "Doliprane 1" in shown.words  # the text can be read aloud
    assert "Jacqueline Morel" in shown.words
    listing = await visitor.get("/documents")
    assert "3 mai 2026" in listing.words
    assert "Ordonnances et soins" in listing.words
    dossier = await site.db.read(ops.dossier_of, site.keys, JACQUELINE)
    assert dossier is not None
    [document] = await site.db.read(ops.prescriptions, dossier)
    assert (document.type_code, document.origin) == ("DOCPAT02", Origin.CITIZEN)
    assert f"/ordonnance/{document.id}" in shown.text


async def test_adding_twice_leads_to_the_first(site: Site, origin: str) -> None:
    visitor = await site.visitor(origin, JACQUELINE)
    file = [("fichier", "a.pdf", "application/pdf", files.pdf())]
    first = await visitor.upload("/documents/ajouter", FIELDS, file)
    again = await visitor.upload("/documents/ajouter", FIELDS, file)
    assert again.location == first.location.replace("ajoute", "deja")
    assert "était déjà dans vos documents" in (await visitor.follow(again)).words


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"%PDF-1.4" + bytes(5_120_000), "Ce fichier pèse 5,2 Mo. La limite est de 5 Mo."),
        (files.archive(), "Ce fichier est une archive"),
        (files.pdf(locked=True), "Ce PDF est protégé par un mot de passe."),
        (files.jpg()[:300], "Ce fichier est abîmé ou incomplet"),
        (b"GIF89a\x01\x00\x01\x00\x00", "Les formats acceptés sont : PDF, JPG, PNG, TXT, RTF et TIF."),
        (b"", "Ce fichier est vide."),
    ],
)
async def test_a_refused_file_says_why_and_keeps_what_was_typed(
    site: Site, origin: str, content: bytes, sentence: str
) -> None:
    visitor = await site.visitor(origin, JACQUELINE)
    values = {"nom": "Mon <scanner>", "date": "2026-05-02", "categorie": "RADIO_SC"}
    answer = await visitor.upload("/documents/ajouter", values, [("fichier", "x.pdf", "application/pdf", content)])
    assert answer.status == 422
    assert answer.title().startswith("Erreur : ")
    assert answer.words.count(sentence) == 2  # in the summary and at the field
    assert 'value="Mon &lt;scanner&gt;"' in answer.text
    assert 'value="2026-05-02"' in answer.text
    checked = answer.tree.css_first("input[type=radio][checked]")
    assert checked is not None
    assert checked.attributes["value"] == "RADIO_SC"


async def test_far_over_the_limit_gets_our_page_too(site: Site, origin: str) -> None:
    visitor = await site.visitor(origin, JACQUELINE)
    file = [("fichier", "film.pdf", "application/pdf", bytes(12_340_000))]
    answer = await visitor.upload("/documents/ajouter", FIELDS, file)
    assert answer.status == 422
    assert "Ce fichier pèse 12,4 Mo. La limite est de 5 Mo." in answer.words


async def test_faults_of_the_fields(site: Site, origin: str) -> None:
    visitor = await site.visitor(origin, JACQUELINE)
    answer = await visitor.upload("/documents/ajouter", {"nom": "x" * 101, "date": "2026-05-09", "categorie": "?"}, [])
    for sentence in (
        "Choisissez un fichier.",
        "Ce nom a 101 lettres. La limite est de 100.",
        "Cette date n'est pas encore arrivée.",
        "Choisissez une catégorie.",
    ):
        assert sentence in answer.words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", date(2026, 5, 5)),
        ("2026-05-03", date(2026, 5, 3)),
        ("3/5/2026", date(2026, 5, 3)),
        ("03.05.26", date(2026, 5, 3)),
        ("14-5-87", date(1987, 5, 14)),
        ("31/02/2026", None),
        ("hier", None),
        ("٣/5/2026", None),
    ],
)
def test_dates_as_people_write_them(text: str, expected: date | None) -> None:
    assert parse_date(text, date(2026, 5, 5)) == expected


async def test_list_filters_sorts_and_pages(site: Site, origin: str) -> None:
    for index in range(30):
        category = "BIOLOGIE" if index % 3 == 0 else "CPT_REND"
        await site.put(
            JACQUELINE, b"%d" % index, title=f"Doc {index:02}", category=category, act_date=date(2026, 1, 1 + index)
        )
    visitor = await site.visitor(origin, JACQUELINE)

    async def titles(query: str) -> list[str]:
        answer = await visitor.get("/documents" + query)
        assert answer.status == 200
        return [node.text() for node in answer.tree.css("ul.list a.row")]

    assert (await titles(""))[:2] == ["Doc 29", "Doc 28"]
    assert len(await titles("")) == 25
    assert len(await titles("?page=2")) == 5
    assert await titles("?page=99") == await titles("?page=2")
    assert (await titles("?categorie=BIOLOGIE&tri=anciens"))[0] == "Doc 00"
    assert len(await titles("?categorie=BIOLOGIE")) == 10
    assert await titles("?categorie=CERT_MED") == []
    assert "Aucun document dans cette catégorie." in (await visitor.get("/documents?categorie=CERT_MED")).words
    assert len(await titles("?categorie=<script>&tri=nimporte")) == 25


async def test_preview_download_and_what_they_may_not_do(site: Site, origin: str) -> None:
    content = files.pdf("Tension", pages=6) + b"%" * 600_000
    number = await site.put(JACQUELINE, content, pages=6, title="Écho été", file_name='éc"ho.pdf')
    visitor = await site.visitor(origin, JACQUELINE)
    shown = await visitor.get(f"/documents/{number}")
    assert [node.attributes["src"] for node in shown.tree.css("img.paper")] == [
        f"/documents/{number}/pages/{page}" for page in (1, 2, 3, 4)
    ]
    assert "Page 1 sur 2" in shown.words
    assert "Lire le texte du document" in shown.words
    assert f"Télécharger ({french.size(len(content))})".replace("\u00a0", " ") in shown.words
    assert "Pour les professionnels" not in shown.words  # said only when it is masked
    assert len((await visitor.get(f"/documents/{number}?page=2")).tree.css("img.paper")) == 2
    image = await visitor.get(f"/documents/{number}/pages/6")
    assert image.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(image.body)).width == 1000
    file = await visitor.get(f"/documents/{number}/telecharger")
    assert file.body == content
    assert (
        file.headers["content-disposition"] == "attachment; filename=\"_c ho.pdf\"; filename*=UTF-8''%C3%A9c%20ho.pdf"
    )
    for answer in (image, file):
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
    for path in ("pages/0", "pages/7", "pages/x", "pages/99999999999999999999"):
        assert (await visitor.get(f"/documents/{number}/{path}")).status == 404


async def test_text_documents_are_shown_as_text_only(site: Site, origin: str) -> None:
    number = await site.put(
        JACQUELINE, "<script>alert(1)</script> été".encode(), "text/plain", pages=0, title="<b>note</b>"
    )
    visitor = await site.visitor(origin, JACQUELINE)
    shown = await visitor.get(f"/documents/{number}")
    assert "<script>alert" not in shown.text
    assert "<b>note" not in shown.text
    assert "<script>alert(1)</script> été" in shown.words
    file = await visitor.get(f"/documents/{number}/telecharger")
    assert file.headers["content-type"] == "text/plain; charset=utf-8"


async def test_a_very_long_text_is_cut_on_the_page_only(site: Site, origin: str) -> None:
    number = await site.put(JACQUELINE, b"mot " * 500_000, "text/plain", pages=0)
    visitor = await site.visitor(origin, JACQUELINE)
    shown = await visitor.get(f"/documents/{number}")
    assert "La suite du texte est dans le fichier à télécharger." in shown.words
    assert len(shown.body) < 100_000
    assert len((await visitor.get(f"/documents/{number}/telecharger")).body) == 2_000_000


async def test_the_neighbours_numbers_are_like_unknown_numbers(site: Site, origin: str) -> None:
    theirs = await site.put(JACQUELINE, files.pdf())
    childs = await site.put(LOUISE, files.pdf())
    sarah = await site.visitor(origin, SARAH)
    unknown = await sarah.get("/documents/999999")
    for number in (theirs, childs):  # Louise's only from Louise's profile
        for path in ("", "/pages/1", "/telecharger"):
            answer = await sarah.get(f"/documents/{number}{path}")
            assert answer.status == 404
            assert answer.words.split("Numéro")[0] == unknown.words.split("Numéro")[0]
    token = await sarah.token("/documents/ajouter")
    answer = await sarah.post(f"/documents/{theirs}", {"categorie": "ORD_SOIN"}, token)
    assert answer.status == 404
    for box, number in ((JACQUELINE, theirs), (LOUISE, childs)):
        dossier = await site.db.read(ops.dossier_of, site.keys, box)
        assert dossier is not None
        document = await site.db.read(ops.find, dossier, number)
        assert document is not None
        assert document.category == "CPT_REND"
    assert (await Visitor(origin).get(f"/documents/{theirs}")).status == 303  # to the sign-in page


async def test_a_mother_acts_for_her_child(site: Site, origin: str) -> None:
    childs = await site.put(LOUISE, files.pdf())
    sarah = await site.visitor(origin, SARAH)
    token = await sarah.token("/documents/ajouter")
    await sarah.post("/profil", {"profil": str(LOUISE)}, token)
    assert (await sarah.get(f"/documents/{childs}")).status == 200
    page = await sarah.get("/documents/ajouter")
    assert "Ce document ira dans les documents de Louise Lambert ." in page.words
    shown = await sarah.follow(
        await sarah.upload("/documents/ajouter", FIELDS, [("fichier", "b.txt", "text/plain", b"poids 12 kg")])
    )
    assert "Sarah Lambert" in shown.words  # who added it
    rows = await site.db.read(lambda conn: conn.execute(select(audit_table)).all())
    assert [(row.event, row.actor) for row in rows] == [("citizen:document:add", f"box {SARAH}")]


async def test_sorting_elsewhere(site: Site, origin: str) -> None:
    number = await site.put(JACQUELINE, files.pdf())
    visitor = await site.visitor(origin, JACQUELINE)
    shown = await visitor.follow(await visitor.post(f"/documents/{number}", {"categorie": "ORD_SOIN"}))
    assert "Le document a changé de catégorie." in shown.words
    assert "Envoyer à une pharmacie" in shown.words
    assert (await visitor.post(f"/documents/{number}", {"categorie": "NOPE"})).status == 400
    [row] = await site.db.read(lambda conn: conn.execute(select(audit_table)).all())
    assert (row.event, row.actor) == ("citizen:document:sort", f"box {JACQUELINE}")


async def test_refused_attachments_are_named_for_a_month(site: Site, origin: str) -> None:
    def write(tx: Transaction) -> None:
        dossier = ops.open_dossier(tx, site.keys, JACQUELINE, 1)
        new = refusals.NewRefusal("2", "document_too_large", 6_200_000, "scanner.pdf", "Dr Roche", "r@x.example")
        refusals.record_refusals(tx, dossier, b"k" * 16, [new], site.now)
        refusals.mark_told(tx, dossier, b"k" * 16, site.now)

    await site.db.write(write)
    visitor = await site.visitor(origin, JACQUELINE)
    page = await visitor.get("/documents")
    assert "scanner.pdf , de Dr Roche, le 5 mai 2026. Ce fichier pèse 6,2 Mo. La limite est de 5 Mo." in page.words
    assert "L'expéditeur est prévenu." in page.words
    assert "scanner.pdf" not in (await (await site.visitor(origin, SARAH)).get("/documents")).words
    site.now += 31 * DAY
    later = await site.visitor(origin, JACQUELINE)
    assert "scanner.pdf" not in (await later.get("/documents")).words


# ---------------------------------------------------------------- notifications
async def ring(site: Site, box: int, kind: Kind, targets: list[str], job_id: int, outcome: str = "sent") -> None:
    def write(tx: Transaction) -> None:
        bell.ring(tx, site.keys, box, kind, targets, b"%d" % job_id, site.now)
        bell.note_mail(tx, b"%d" % job_id, outcome)

    await site.db.write(write)


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


async def test_malware_is_not_added_and_nothing_without_the_antivirus(tmp_path: Path, clamd) -> None:  # noqa: F811
    made = Site(tmp_path, Clamd(clamd.address, 20))
    async with serving(made.app) as origin:
        visitor = await made.visitor(origin, JACQUELINE)

        async def added(content: bytes) -> str:
            file = ("fichier", "notes.txt", "text/plain", content)
            answer = await visitor.upload("/documents/ajouter", FIELDS, [file])
            return (await visitor.follow(answer) if answer.location else answer).words

        assert "contient un programme malveillant" in await added(b"Notes\n" + EICAR)
        assert "Le document est ajouté à vos documents." in await added(b"Notes\n")
        clamd.stop()
        assert "Le contrôle antivirus ne répond pas." in await added(b"Autres notes\n")
        assert (await visitor.get("/documents")).words.count("notes") == 1
    await made.readers.close()
    await made.db.close()

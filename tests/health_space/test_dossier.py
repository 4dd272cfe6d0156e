"""The dossier's operations on SQLite and on a real PostgreSQL: filing, folding, listing, the neighbour's ids, a stolen disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest

from foundation.blob_files import FolderFiles
from foundation.blobs import Blobs
from foundation.database import Database, Transaction, metadata
from foundation.keys import KeyRing
from health_space.dossier import operations as ops
from health_space.dossier import refusals
from health_space.dossier.categories import LABELS, OTHER, PATIENT_TYPES, guess, types
from health_space.profiles import operations as profiles

JACQUELINE, NEIGHBOUR = 80, 81


class Home:
    """A database, a blob folder and keys in one temporary folder."""

    def __init__(self, root: Path, url: str = "") -> None:
        self.root = root
        self.db = Database(url or f"sqlite:///{root}/db.sqlite")
        metadata.create_all(self.db.engine)
        self.blobs = Blobs(FolderFiles(root / "blobs"))
        self.keys = KeyRing(os.urandom(32))

    def file(self, box: int, content: bytes, now: int = 1, **changes: object) -> ops.Filed:
        values = {
            "title": "Ordonnance du 3 mai",
            "file_name": "ordo.pdf",
            "author_name": "Dr Amélie Diallo",
            "author_address": "a.diallo@cabinet.example",
            "act_date": date(2026, 5, 3),
            "category": "ORD_SOIN",
            "type_code": "",
            "media_type": "application/pdf",
            "pages": 1,
            "origin": ops.Origin.MESSAGE,
            "digest": sha256(content).digest(),
        }
        new = ops.NewDocument(**{**values, **changes})  # type: ignore[arg-type]
        prepared = self.blobs.prepare(content)

        def write(tx: Transaction) -> ops.Filed:
            return ops.file_document(tx, self.blobs, ops.open_dossier(tx, self.keys, box, now), new, prepared, now)

        filed = self.db.write_now(write)
        if filed.folded:
            prepared.discard()
        return filed

    def dossier(self, box: int) -> ops.Dossier:
        found = self.db.read_now(ops.dossier_of, self.keys, box)
        assert found is not None
        return found


@pytest.fixture(params=["sqlite", "postgresql"])
def home(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Home]:
    made = Home(tmp_path, request.getfixturevalue("postgres_url") if request.param == "postgresql" else "")
    yield made
    made.db.close_now()


@pytest.fixture
def lone_home(tmp_path: Path) -> Iterator[Home]:
    """On SQLite only: for what is read on the disk itself."""
    made = Home(tmp_path)
    yield made
    made.db.close_now()


def test_a_document_is_found_and_read_back(home: Home) -> None:
    content = os.urandom(300_000)
    filed = home.file(JACQUELINE, content)
    dossier = home.dossier(JACQUELINE)
    document = home.db.read_now(ops.find, dossier, filed.document_id)
    assert document is not None
    assert (document.title, document.author_name, document.act_date) == (
        "Ordonnance du 3 mai",
        "Dr Amélie Diallo",
        date(2026, 5, 3),
    )
    assert document.size == 300_000
    assert home.db.read_now(ops.read, home.blobs, document) == content
    assert home.db.read_now(ops.read, home.blobs, document, 70_000, 10) == content[70_000:70_010]


def test_the_same_file_is_folded_in_one_dossier_only(home: Home) -> None:
    first = home.file(JACQUELINE, b"same" * 30_000)
    again = home.file(JACQUELINE, b"same" * 30_000, title="Copie", now=2)
    assert again == ops.Filed(first.document_id, folded=True)
    assert not home.file(NEIGHBOUR, b"same" * 30_000).folded
    assert len(home.db.read_now(ops.documents_in, home.dossier(JACQUELINE))) == 1
    assert sum(1 for path in (home.root / "blobs").rglob("*") if path.is_file()) == 2  # one each, the copy discarded


def test_the_neighbours_document_does_not_exist(home: Home) -> None:
    theirs = home.file(NEIGHBOUR, b"theirs").document_id
    home.file(JACQUELINE, b"mine")
    mine = home.dossier(JACQUELINE)
    assert home.db.read_now(ops.find, mine, theirs) is None
    assert home.db.read_now(ops.find, mine, 10**12) is None
    assert home.db.write_now(ops.set_category, mine, theirs, OTHER) is False
    assert [d.title for d in home.db.read_now(ops.documents_in, home.dossier(NEIGHBOUR))] == ["Ordonnance du 3 mai"]


def test_sorts_categories_and_prescriptions(home: Home) -> None:
    home.file(JACQUELINE, b"1", title="Écho", category="RADIO_SC", act_date=date(2026, 1, 2), author_name="Zoé")
    home.file(JACQUELINE, b"2", title="bilan", category="BIOLOGIE", act_date=date(2026, 3, 2), author_name="Labo")
    home.file(JACQUELINE, b"3", title="Ordonnance", act_date=date(2025, 3, 2), author_name="amar")
    dossier = home.dossier(JACQUELINE)

    def titles(category: str | None = None, sort: ops.Sort = ops.Sort.RECENT) -> list[str]:
        return [d.title for d in home.db.read_now(ops.documents_in, dossier, category, sort)]

    assert titles() == ["bilan", "Écho", "Ordonnance"]
    assert titles(sort=ops.Sort.OLD) == ["Ordonnance", "Écho", "bilan"]
    assert titles(sort=ops.Sort.TITLE) == ["bilan", "Écho", "Ordonnance"]  # accents do not send a title to the end
    assert titles(sort=ops.Sort.AUTHOR) == ["Ordonnance", "bilan", "Écho"]
    assert titles("BIOLOGIE") == ["bilan"]
    assert [d.title for d in home.db.read_now(ops.prescriptions, dossier)] == ["Ordonnance"]


def test_sorted_elsewhere_becomes_a_prescription(home: Home) -> None:
    document_id = home.file(JACQUELINE, b"x", category=OTHER, type_code="EXPPAT_2").document_id
    dossier = home.dossier(JACQUELINE)
    assert home.db.write_now(ops.set_category, dossier, document_id, "ORD_SOIN")
    [document] = home.db.read_now(ops.prescriptions, dossier)
    assert document.type_code == "EXPPAT_2"  # rights hang on the type
    with pytest.raises(ValueError, match="category"):
        home.db.write_now(ops.set_category, dossier, document_id, "NOPE")


def test_ledger_of_a_message(home: Home) -> None:
    filed = home.file(JACQUELINE, b"x")
    dossier = home.dossier(JACQUELINE)
    key = ops.message_key(dossier, "<a@b.example>")
    no = refusals.NewRefusal(
        "3", "document_too_large", 6_200_000, "scanner.pdf", "Dr Diallo", "a.diallo@cabinet.example"
    )

    def write(tx: Transaction) -> None:
        ops.record_filings(tx, dossier, key, [("2", filed.document_id, 1)], 5)
        refusals.record_refusals(tx, dossier, key, [no], 5)

    home.db.write_now(write)
    assert home.db.read_now(ops.parts_settled, dossier, key) == {"2", "3"}
    assert list(home.db.read_now(ops.documents_of_message, dossier, key)) == ["2"]
    [seen] = home.db.read_now(refusals.refusals_of, home.keys, JACQUELINE, "<a@b.example>")
    assert seen.sentence == "Ce fichier pèse 6,2\u00a0Mo. La limite est de 5\u00a0Mo."
    assert (seen.file_name, seen.sender_name, seen.told_at) == ("scanner.pdf", "Dr Diallo", None)
    home.db.write_now(refusals.mark_told, dossier, key, 9)
    home.db.write_now(refusals.mark_told, dossier, key, 10)
    assert home.db.read_now(refusals.refusals, dossier)[0].told_at == 9
    assert home.db.read_now(refusals.refusals_of, home.keys, JACQUELINE, "<other@b.example>") == []
    assert home.db.read_now(refusals.refusals_of, home.keys, NEIGHBOUR) == []


def test_a_stolen_disk_says_nothing(lone_home: Home) -> None:
    home = lone_home
    words = [b"Ordonnance", b"Diallo", b"cabinet.example", b"ordo.pdf", b"scanner-secret", b"coeur regulier"]
    home.file(JACQUELINE, b"coeur regulier" * 20_000)
    home.file(JACQUELINE, b"coeur regulier")
    dossier = home.dossier(JACQUELINE)
    no = refusals.NewRefusal("3", "document_locked", 9, "scanner-secret.pdf", "Dr Diallo", "a@cabinet.example")
    home.db.write_now(refusals.record_refusals, dossier, ops.message_key(dossier, "<m@x>"), [no], 5)
    digest = sha256(b"coeur regulier").digest()  # an unkeyed hash would tell who holds a known file
    disk = b"".join(path.read_bytes() for path in home.root.rglob("*") if path.is_file())
    assert len(disk) > 280_000
    for word in [*words, digest]:
        assert word not in disk


def test_lone_surrogates_of_hostile_headers_are_kept_out(home: Home) -> None:
    document_id = home.file(JACQUELINE, b"x", title="bad\udcff").document_id
    document = home.db.read_now(ops.find, home.dossier(JACQUELINE), document_id)
    assert document is not None
    assert document.title == "bad?"


# ---------------------------------------------------------------- categories
@pytest.mark.parametrize(
    ("name", "subject", "category"),
    [
        ("Ordonnance_2026-05-03.pdf", "", "ORD_SOIN"),
        ("ORDO.PDF", "Votre bilan", "ORD_SOIN"),
        ("doc1.pdf", "Résultats de votre prise de sang", "BIOLOGIE"),
        ("CR_echographie_cardiaque.pdf", "", "RADIO_SC"),
        ("compte-rendu consultation.pdf", "", "CPT_REND"),
        ("Certificat d'aptitude.pdf", "", "CERT_MED"),
        ("carnet vaccination.jpg", "", "DEPISTAG"),
        ("IMG_0042.jpg", "Bonjour", OTHER),
        ("croissance.jpg", "recommandation", OTHER),  # words inside words do not count
    ],
)
def test_guess(name: str, subject: str, category: str) -> None:
    assert guess(name, subject) == category


def test_types_and_categories_agree() -> None:
    assert len(types()) == 108
    assert {t.category for t in types().values()} <= set(LABELS)
    assert len(LABELS) == 9
    for category, code in PATIENT_TYPES.items():
        assert types()[code].category == category


# ---------------------------------------------------------------- profiles
def test_who_may_act_for_whom(home: Home) -> None:
    mother, louise, hugo, grandmother = 1, 2, 3, 4
    home.db.write_now(profiles.add_guardian, mother, louise, profiles.Kind.PARENT, 10)
    home.db.write_now(profiles.add_guardian, mother, hugo, profiles.Kind.PARENT, 20)
    home.db.write_now(profiles.add_guardian, grandmother, mother, profiles.Kind.CARER, 30)

    def may(actor: int, person: int) -> bool:
        return home.db.read_now(profiles.may_act_for, actor, person)

    assert may(mother, mother)
    assert may(mother, louise)
    assert not may(louise, mother)
    assert not may(grandmother, louise)  # no chain
    assert [p.box_id for p in home.db.read_now(profiles.profiles_of, mother)] == [mother, louise, hugo]
    assert home.db.read_now(profiles.guardians_of, louise) == [mother]
    home.db.write_now(profiles.remove_guardian, mother, louise)
    assert not may(mother, louise)
    with pytest.raises(ValueError, match="own guardian"):
        home.db.write_now(profiles.add_guardian, mother, mother, profiles.Kind.PARENT, 1)

"""The directory: pharmacies by sector, search without accents, red list; operators and the facts built from all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text as sql

from foundation.database import Database, metadata
from foundation.keys import KeyRing
from mssante import directory, directory_search, facts
from mssante.address import Address, parse_address
from mssante.directory import Entry
from mssante.directory_search import Search
from mssante.identity import demo_ins
from mssante.kinds import BoxKind, BoxState, Party, ProfileState
from mssante.operators import Operator, Route, parse_route
from mssante.registers.nomenclatures import specialities
from mssante.rules import RecipientFacts, SenderFacts
from tests.support.properties import examples

MARCHE = Entry(
    "officine@pharmacie.example",
    BoxKind.ORG,
    "Pharmacie du Marché",
    "",
    "Villefleur",
    "99100",
    "SA33",
    hours="9 h à 19 h",
)
ETOILE = Entry("etoile@pharmacie.example", BoxKind.ORG, "Officine de l'Étoile", "", "Saint-Œuf", "99200", "SA38")
FALSE = Entry("conseil@social.example", BoxKind.ORG, "Conseil en pharmacie", "", "Villefleur", "99100", "SA25")
OWNER = Entry("ines.caron@pharmacie.example", BoxKind.PER, "Inès Caron", "Pharmacienne", "Villefleur", "99100", "SA33")
ALPHA = Operator("mail.alpha.example", frozenset({"medecins.example", "patient.example"}), "patient.example")


@pytest.fixture
async def filled(space: Any) -> Any:
    for entry in (MARCHE, ETOILE, FALSE, OWNER):
        assert await space.db.write(directory.add, space.keys, entry)
    return space


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [ETOILE, MARCHE]),  # by town
        ("marche", [MARCHE]),
        ("MARCHÉ ville", [MARCHE]),
        ("etoile", [ETOILE]),
        ("saint-oeuf", [ETOILE]),
        ("992", [ETOILE]),
        ("arche", []),  # words are found by their beginning
        ("marché %", [MARCHE]),
        ("_", [ETOILE, MARCHE]),
        ("conseil", []),  # the word « pharmacie » does not make one
        ("caron", []),  # nor does a pharmacist's own mailbox
        ("x " * 10_000, []),
    ],
)
async def test_search_pharmacies(filled: Any, text: str, found: list[Entry]) -> None:
    assert await filled.db.read(directory.search_pharmacies, text) == found


async def test_search_all_and_limit(filled: Any) -> None:
    assert await filled.db.read(directory.search, Search("pharmacienne")) == [OWNER]
    assert len(await filled.db.read(directory.search, Search(), 2)) == 2


ROCHE = Entry(
    "camille.roche@medecins.example", BoxKind.PER, "Dr Camille ROCHE", "Médecin", "Villefleur", "99100",
    given_name="Camille", family_name="ROCHE", speciality="Cardiologie", organisation="Cabinet des Tilleuls",
)  # fmt: skip
ROCHER = Entry("h.rocher@medecins.example", BoxKind.PER, "Dr Hélène ROCHER", "Sage-Femme", "Montclair", "98000")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (Search("camille roche"), [ROCHE]),
        (Search("roche"), [ROCHE, ROCHER]),  # the whole word first
        (Search("ROCHÉ"), [ROCHE, ROCHER]),
        (Search("rohce"), [ROCHE, ROCHER]),  # exchanged
        (Search("orche"), [ROCHE, ROCHER]),
        (Search("rche camile"), [ROCHE]),  # missing
        (Search("rocxhe vilefleur"), [ROCHE]),  # added
        (Search("rochir"), [ROCHER]),  # changed; roche has two errors
        (Search("helene"), [ROCHER]),
        (Search("cardiolgie"), [ROCHE]),
        (Search("cardiologue Villefleur"), [ROCHE]),
        (Search("Cardiologue à l'hôpital"), []),
        (Search("cardiologu"), [ROCHE]),  # not finished yet
        (Search("cardiolgue vilefleur"), [ROCHE]),
        (Search(profession="cardiologue", town="villefleur"), [ROCHE]),
        (Search(name="cardiologue"), []),
        (Search("pharmaciennes"), [OWNER]),
        (Search("tilleuls"), [ROCHE]),
        (Search("rocher@medecins"), [ROCHER]),
        (Search("noche"), []),  # the first letter is meant
        (Search("sage femme"), [ROCHER]),
        (Search(name="roche", town="mont"), [ROCHER]),
        (Search(name="villefleur"), []),
        (Search(town="roche"), []),
        (Search(profession="medecin", town="991"), [ROCHE]),
        (Search("villefleur", kinds=frozenset({BoxKind.PER})), [ROCHE, OWNER]),
        (Search(sectors=frozenset({"SA25"})), [FALSE]),
        (Search("*"), [ROCHER, ETOILE, FALSE, ROCHE, OWNER, MARCHE]),
        (Search('"roche" OR * NEAR(a b) : & | !'), []),
        (Search("l'étoile"), [ETOILE]),
    ],
)
async def test_search_by_field_and_despite_errors(filled: Any, asked: Search, found: list[Entry]) -> None:
    for entry in (ROCHE, ROCHER):
        await filled.db.write(directory.add, filled.keys, entry)
    shown = await filled.db.read(directory.search, asked)
    assert shown == found


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ("cardiologue", "SM04"),
        ("Cardiologue", "SM04"),
        ("généraliste", "SM26 SM53 SM54"),
        ("pédiatre", "SM40"),
        ("psychiatre", "SI04 SM33 SM42 SM43"),
        ("pédopsychiatre", ""),  # the registers have no word for it
        ("gynécologue", "SM19 SM20 SM51 SM52"),
        ("ORL", "SM34 SM39"),
        ("dermato", "SM15"),
        ("ophtalmologiste", "SM38"),
        ("anesthésiste", "SI07 SM02"),
        ("urgentiste", "SM59"),
        ("radiologue", "SM44 SM55"),
        ("chirurgien vasculaire", "SM11 SM13"),
        ("chirurgienne orthopédiste", "SM08"),
        ("neurochirurgien", "SM31"),
        ("gastro-entérologue", "SM24"),
        ("orthodontiste", "SCD01"),
        ("puéricultrice", "SI08"),
        ("infirmière", "SI01 SI02 SI03 SI04 SI05 SI06 SI07 SI08"),
        ("diabétologue", "SM16 SM62"),
        ("reumatologue", "SM48"),
    ],
)  # fmt: skip
async def test_what_people_call_a_speciality(space: Any, said: str, codes: str) -> None:
    """Of all of TRE_R38, whoever is meant and nobody else, whole words first."""
    for code, concept in specialities().items():
        entry = Entry(f"{code}@a.example", BoxKind.PER, code, speciality=concept.label)
        await space.db.write(directory.add, space.keys, entry)
    found = await space.db.read(directory.search, Search(said), 200)
    assert sorted(entry.display_name for entry in found) == codes.split()


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        (Search("petit", near="69003"), ["anne31", "anne32", "anne30"]),  # the same postcode, then the same département
        (Search("pet", near="69003"), ["anne31", "anne32", "anne30"]),  # beginnings
        (Search("petti", near="69003"), ["anne31", "anne32", "anne30"]),  # typing errors
        (Search("petit", near="97400"), ["anne0", "anne1", "anne2"]),
        (Search("petit", near="Lyon"), ["anne0", "anne1", "anne2"]),
        (Search("petit anne5", near="69003"), ["anne5"]),  # enough was said
        (Search("petit"), ["anne0", "anne1", "anne2"]),
    ],
)
async def test_of_many_namesakes_the_nearest_come_first(
    space: Any, asked: Search, first: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when there are more than any search looks at."""
    monkeypatch.setattr(directory_search, "SEEN", 10)
    places = {30: ("Bron", "69500"), 31: ("Lyon", "69003"), 32: ("Lyon", "69003")}
    for number in range(40):
        town, postcode = places.get(number, (f"Aville{number:02d}", "75001"))
        entry = Entry(f"anne{number}@a.example", BoxKind.PER, "Anne PETIT", town=town, postcode=postcode)
        await space.db.write(directory.add, space.keys, entry)
    found = await space.db.read(directory.search, asked, 5)
    assert [entry.address.partition("@")[0] for entry in found][: len(first)] == first


async def test_common_words_are_found_by_walking_and_rare_ones_by_the_index(
    filled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL; on SQLite the same answers without it. A search that goes on to beginnings and typing errors finds its index
    again."""
    for number in range(40):
        entry = Entry(f"m{number}@medecins.example", BoxKind.PER, f"Dr {number}", "Médecin", "Villefleur", "99100")
        await filled.db.write(directory.add, filled.keys, entry)
    await filled.db.write(directory.add, filled.keys, ROCHE)

    def found() -> list[list[str]]:
        asked = (Search("medecin"), Search("villefleur"), Search("roche"), Search("rohce"), Search("zzz"))
        return [sorted(one.address for one in filled.db.read_now(directory.search, search, 200)) for search in asked]

    def common(conn: Any, word: str) -> bool:
        return directory_search._common(conn, word)

    by_index = found()
    assert [len(one) for one in by_index] == [41, 44, 1, 1, 0]
    monkeypatch.setattr(directory_search, "FEWEST_COMMON", 10)
    monkeypatch.setattr(directory_search, "WALKED", 0)
    if filled.db.dialect == "postgresql":
        await filled.db.write(lambda tx: tx.execute(sql("ANALYZE directory_entries")))
        assert filled.db.read_now(common, "'pmedecin'")
        assert not filled.db.read_now(common, "'nroche'")
    assert found() == by_index


@settings(max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(), st.text(alphabet="'\"*():|&!<>-_ \0%\\étoile", max_size=40))
def test_no_text_is_an_order_to_the_index(searched: Any, one: str, two: str) -> None:
    """Whatever is typed is words, never the query language of the index."""
    for text in (one, two):
        searched.db.read_now(directory.search, Search(text, name=text, town=text))


@pytest.fixture(params=["sqlite", "postgresql"])
def searched(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    database = (
        request.getfixturevalue("postgres_url") if request.param == "postgresql" else f"sqlite:///{tmp_path}/s.db"
    )
    db = Database(database)
    metadata.create_all(db.engine)
    db.write_now(directory.add, KeyRing(b"k" * 32), ETOILE)
    yield SimpleNamespace(db=db)
    db.close_now()


async def test_get_replace_remove(filled: Any) -> None:
    address = parse_address("OFFICINE@pharmacie.example")
    assert isinstance(address, Address)
    assert await filled.db.read(directory.get, address) == MARCHE
    moved = Entry("Officine@pharmacie.example", BoxKind.ORG, "Pharmacie du Parc", sector="SA33")
    assert await filled.db.write(directory.add, filled.keys, moved)
    assert (await filled.db.read(directory.get, address)).display_name == "Pharmacie du Parc"
    assert await filled.db.read(directory.search_pharmacies, "marche") == []
    await filled.db.write(directory.remove, address)
    assert await filled.db.read(directory.get, address) is None
    with pytest.raises(ValueError):
        await filled.db.write(directory.add, filled.keys, Entry("nonsense", BoxKind.ORG, "x"))


async def test_red_list_is_never_published(filled: Any) -> None:
    hidden = await filled.box("hidden@pharmacie.example", BoxKind.ORG, red_list=True, sector="SA33")
    entry = Entry("hidden@pharmacie.example", BoxKind.ORG, "Cachée", sector="SA33")
    assert not await filled.db.write(directory.add, filled.keys, entry)
    assert await filled.db.read(directory.search, Search("cachee")) == []
    await filled.db.write(filled.boxes.set_red_list, hidden.id, False)
    assert await filled.db.write(directory.add, filled.keys, entry)
    await filled.db.write(filled.boxes.set_red_list, hidden.id, True)
    assert await filled.db.read(directory.search, Search("cachee")) == []


async def test_a_closed_mailbox_leaves_the_directory(filled: Any) -> None:
    box = await filled.box("officine@pharmacie.example", BoxKind.ORG)
    await filled.db.write(filled.boxes.set_state, box.id, BoxState.CLOSED, 1)
    assert await filled.db.read(directory.search_pharmacies, "marche") == []


def test_is_pharmacy() -> None:
    assert [entry.is_pharmacy for entry in (MARCHE, ETOILE, FALSE, OWNER)] == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("mx.beta.example", Route("mx.beta.example", 25)),
        ("127.0.0.1:8126", Route("127.0.0.1", 8126)),
        ("[::1]:2525", Route("::1", 2525)),
        ("[::1]", Route("::1", 25)),
    ],
)
def test_routes(text: str, route: Route) -> None:
    assert parse_route(text) == route


@pytest.mark.parametrize("text", ["", ":25", "h:", "h:x", "h:0", "h:70000"])
def test_wrong_routes(text: str) -> None:
    with pytest.raises(ValueError):
        parse_route(text)


def address(text: str) -> Address:
    parsed = parse_address(text)
    assert isinstance(parsed, Address)
    return parsed


def test_facts_of_another_operators_mailbox() -> None:
    trusted = {"pharmacie.example"}.__contains__
    there = address("officine@pharmacie.example")
    assert facts.recipient_facts(there, None, ALPHA, trusted, MARCHE) == RecipientFacts(
        Party.PROFESSIONAL, BoxKind.ORG, ours=False, sector="SA33", domain="pharmacie.example"
    )
    assert facts.sender_facts(there, None, ALPHA, trusted) == SenderFacts(
        Party.PROFESSIONAL, ours=False, domain="pharmacie.example"
    )
    outside = facts.recipient_facts(address("a@courrier.example"), None, ALPHA, trusted)
    assert not outside.domain_trusted


async def test_facts_of_our_mailboxes(space: Any) -> None:
    def nothing(domain: str) -> bool:
        return False

    citizen = await space.citizen(1, ProfileState.NOT_ACTIVATED)
    seen = facts.recipient_facts(citizen.address, citizen, ALPHA, nothing)
    assert (seen.party, seen.profile, seen.known, seen.ins_key_right) == (
        Party.CITIZEN, ProfileState.NOT_ACTIVATED, True, True,
    )  # fmt: skip
    unknown = facts.recipient_facts(address(f"{demo_ins(9).value}@patient.example"), None, ALPHA, nothing)
    assert (unknown.known, unknown.ins_key_right, unknown.domain_trusted) == (False, True, True)
    wrong = facts.recipient_facts(address("279035121518988@patient.example"), None, ALPHA, nothing)
    assert not wrong.ins_key_right
    robot = facts.recipient_facts(address("reponse.automatique-test@patient.example"), None, ALPHA, nothing)
    assert robot.ins_key_right
    await space.db.write(space.boxes.set_state, citizen.id, BoxState.CLOSED, 7)
    closed = await space.db.read(space.boxes.get, citizen.id)
    assert facts.recipient_facts(closed.address, closed, ALPHA, nothing).closed_at == 7
    assert facts.sender_facts(closed.address, closed, ALPHA, nothing).state is BoxState.CLOSED

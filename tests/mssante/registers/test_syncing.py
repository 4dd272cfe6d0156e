"""The directory follows a FHIR server, a real one over HTTP: pages, changes, red list, its key, its pace, its moods."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.clock import DAY, HOUR
from foundation.database import Database
from mssante import directory
from mssante.address import parse_address
from mssante.directory import Entry
from mssante.directory_search import Search
from mssante.identity import luhn_key
from mssante.kinds import BoxKind
from mssante.registers import fhir, importing
from mssante.registers.annuaire import Server, Unanswered
from mssante.registers.fhir import FINESS, PERSON
from mssante.registers.pace import Pace
from mssante.registers.syncing import Synced, rehearse, sync
from tests.mssante.registers.annuaire_server import (
    FINESS_NUMBER,
    KEY,
    NOS,
    RPPS,
    Annuaire,
    gone,
    mailbox,
    organization,
    practitioner,
    role,
)
from tests.support.there import there
from tests.support.web import serving

NOW = 1_796_000_000_000
OTHER = "8" + "1099900007" + luhn_key("1099900007")
PEOPLE = [
    practitioner("1", "Roche", "Camille", [mailbox("camille.roche@medecins.example", "PER")]),
    practitioner("2", "Rouge", "Paul", [mailbox("paul.rouge@medecins.example", "PER", red=True)]),
    practitioner("3", "Sans", "Boîte", []),
    practitioner("4", "Petit", "Anne", []),
    practitioner("5", "Vieux", "Louis", [mailbox("louis@medecins.example", "PER")], active=False),
]
PLACES = [
    organization("8", "Pharmacie du Marché", "SA33", [mailbox("officine@pharmacie.example", "ORG", phone="01 99 00 40 40")]),
    organization("9", "CHU de Villefleur", "SA01", [
        mailbox("cardio@chu.example", "ORG", service="Cardiologie"), mailbox("automate@chu.example", "APP"),
    ]),
    organization("10", "Cabinet des Tilleuls", "SA07", []),
]  # fmt: skip
ROLES = [role("20", "4", "10", [mailbox("anne.petit@tilleuls.example", "PER")])]


class Waiting:
    def __init__(self, db: Database) -> None:
        self.db, self.waited, self.at = db, list[float](), NOW

    def pace(self) -> Pace:
        async def sleep(seconds: float) -> None:
            self.waited.append(seconds)
            self.at += round(seconds * 1000)

        return Pace(self.db, "annuaire", lambda: self.at, sleep)


@pytest.fixture
async def annuaire(space: Any) -> AsyncIterator[tuple[Annuaire, Server, Waiting]]:
    held, waiting = Annuaire([*PEOPLE, *PLACES, *ROLES]), Waiting(space.db)
    async with serving(held.app()) as origin:
        yield held, Server(f"{origin}/fhir/v2", KEY, ssl.create_default_context(), waiting.pace()), waiting


def entry(space: Any, address: str) -> Entry | None:
    found: Entry | None = space.db.read_now(directory.get, parse_address(address))
    return found


def known(space: Any, address: str) -> Entry:
    return there(entry(space, address))


async def test_everything_then_what_changed(space: Any, annuaire: Any) -> None:
    held, server, _ = annuaire
    first = await sync(space.db, space.keys, server, lambda: NOW)
    assert first == Synced("", resources=6, entries=5)
    assert entry(space, "camille.roche@medecins.example") == Entry(
        "camille.roche@medecins.example", BoxKind.PER, "Dr Camille ROCHE", "Médecin", title="Dr", given_name="Camille",
        family_name="Roche", person_id=RPPS,
    )  # fmt: skip
    pharmacy = known(space, "officine@pharmacie.example")
    assert (pharmacy.is_pharmacy, pharmacy.structure_id, pharmacy.phone) == (True, FINESS_NUMBER, "01 99 00 40 40")
    assert known(space, "cardio@chu.example").display_name == "Cardiologie, CHU de Villefleur"
    at_place = known(space, "anne.petit@tilleuls.example")
    assert (at_place.display_name, at_place.town, at_place.speciality, at_place.organisation) == (
        "Dr Anne PETIT", "Villefleur", "Cardiologie et maladies vasculaires", "Cabinet des Tilleuls",
    )  # fmt: skip
    for absent in ("paul.rouge@medecins.example", "louis@medecins.example", "ordinary@mail.example"):
        assert entry(space, absent) is None
    held.changed = [
        practitioner("1", "Roche", "Camille", [mailbox("camille.roche@medecins.example", "PER", red=True)]),
        organization("9", "CHU de Villefleur", "SA01", [mailbox("cardio@chu.example", "ORG", service="Rythmologie")]),
    ]
    second = await sync(space.db, space.keys, server, lambda: NOW + DAY)
    assert (second.since, second.resources, second.entries, second.gone) == ("2026-11-29T23:53:20Z", 2, 1, 2)
    assert known(space, "cardio@chu.example").display_name == "Rythmologie, CHU de Villefleur"
    assert entry(space, "automate@chu.example") is None  # no longer its own
    assert entry(space, "camille.roche@medecins.example") is None  # on the red list since
    assert entry(space, "officine@pharmacie.example") is not None
    assert [one.address for one in space.db.read_now(directory.search, Search("rythmologie"))] == ["cardio@chu.example"]


async def test_a_role_learns_of_its_person_and_of_its_place(space: Any, annuaire: Any) -> None:
    """Neither change is told of the role: a person marries, a practice is renamed and moves; found by the new names at once."""
    held, server, _ = annuaire
    anne = "anne.petit@tilleuls.example"
    await sync(space.db, space.keys, server, lambda: NOW)
    before = known(space, anne)
    held.changed = [
        practitioner("4", "Chevalier", "Anne", []),
        organization("10", "Cabinet des Ormes", "SA05", [], address=[{"city": "Hautbourg", "postalCode": "99200"}]),
    ]
    held.resources = [*PEOPLE[:3], PEOPLE[4], *PLACES[:2], *held.changed, *ROLES]
    held.asked.clear()
    found = await sync(space.db, space.keys, server, lambda: NOW + HOUR)
    assert (found.resources, found.entries, found.roles) == (2, 0, 2)
    asked = [asked for _, kind, asked in held.asked if kind == "PractitionerRole" and "_lastUpdated" not in asked]
    assert [(one.get("practitioner"), one.get("organization")) for one in asked] == [("4", None), (None, "10")]
    assert entry(space, anne) == replace(
        before, display_name="Dr Anne CHEVALIER", family_name="Chevalier", organisation="Cabinet des Ormes",
        town="Hautbourg", postcode="99200", sector="SA05",
    )  # fmt: skip
    assert [one.address for one in space.db.read_now(directory.search, Search("chevalier ormes hautbourg"))] == [anne]
    assert space.db.read_now(directory.search, Search("petit tilleuls")) == []
    assert known(space, "camille.roche@medecins.example").family_name == "Roche"


async def test_of_persons_and_places_that_no_role_repeats_nothing_more_is_asked(space: Any, annuaire: Any) -> None:
    held, server, _ = annuaire
    await sync(space.db, space.keys, server, lambda: NOW)
    held.changed = [
        gone(PEOPLE[3]), gone(PLACES[2]),
        practitioner("4", "Chevalier", "Anne", [], identifier=[]),
        practitioner("6", "Autre", "Luc", [], identifier=[{"system": PERSON, "value": OTHER}]),
    ]  # fmt: skip
    held.asked.clear()
    assert (await sync(space.db, space.keys, server, lambda: NOW + HOUR)).roles == 0
    assert len(held.asked) == 4  # of practitioners two pages
    assert entry(space, "anne.petit@tilleuls.example") is not None


@pytest.mark.parametrize(
    ("own", "of_role", "named"),
    [  # prefix: « civilité »; suffix: « civilité d’exercice »
        ({"family": "PETIT", "given": ["ANNE"], "prefix": ["MME"], "suffix": ["DR"]}, None, "Dr Anne PETIT"),
        ({"family": "PETIT", "given": ["ANNE"], "prefix": ["MME"]}, None, "Mme Anne PETIT"),
        ({"family": "PETIT", "given": ["ANNE"]}, None, "Anne PETIT"),
        ({"family": "PETIT", "given": ["ANNE"]}, {"family": "CHEVALIER", "given": ["ANNE"], "suffix": ["PR"]}, "Pr Anne CHEVALIER"),
        ({"family": "PETIT", "suffix": ["DR"]}, {"family": "CHEVALIER", "given": ["ANNE"]}, "Dr Anne CHEVALIER"),
        ({"family": "PETIT", "given": ["ANNE"]}, {"given": ["Zoé"]}, "Anne PETIT"),
        ({"family": "PETIT", "given": ["ANNE"]}, "Zoé", "Anne PETIT"),
    ],
)  # fmt: skip
def test_by_which_name_a_person_is_known_at_a_place(own: Any, of_role: Any, named: str) -> None:
    """« La civilité, le nom et le prénom sous lesquels exerce le professionnel »: those of the role go before their own."""
    extension = [] if of_role is None else [{"url": fhir.ROLE_NAME, "valueHumanName": of_role}]
    person = practitioner("4", "", "", [], name=[own])
    at = role("20", "4", "10", [mailbox("anne@b.example", "PER")], extension=extension)
    entries = [{"resource": person, "search": {"mode": "include"}}, {"resource": at}]
    found = fhir.page({"resourceType": "Bundle", "entry": entries})
    assert found is not None
    assert [one.display_name for one in found.held[0].entries] == [named]


@pytest.mark.parametrize(
    ("of_person", "of_place", "known"),
    [
        ([(PERSON, RPPS)], [(FINESS, FINESS_NUMBER)], (RPPS, FINESS_NUMBER)),
        ([(fhir.RPPS, RPPS[1:])], [(fhir.STRUCTURE, f"1{FINESS_NUMBER}")], (RPPS, FINESS_NUMBER)),
        ([(fhir.RPPS, "1"), (PERSON, RPPS)], [(fhir.STRUCTURE, "41"), (FINESS, FINESS_NUMBER)], (RPPS, FINESS_NUMBER)),
        ([("https://rpps.fr", RPPS)], [], ("", "")),
    ],
)  # fmt: skip
def test_by_which_number_persons_and_places_are_known(of_person: Any, of_place: Any, known: Any) -> None:
    def identifier(pairs: Any) -> list[dict[str, str]]:
        return [{"system": system, "value": value} for system, value in pairs]

    person = practitioner("4", "Petit", "Anne", [mailbox("a@b.example", "PER")], identifier=identifier(of_person))
    place = organization("9", "CHU", "SA01", [mailbox("c@b.example", "ORG")], identifier=identifier(of_place))
    found = fhir.page({"resourceType": "Bundle", "entry": [{"resource": one} for one in (person, place)]})
    assert found is not None
    [one], [other] = (held.entries for held in found.held)
    assert (one.person_id, other.structure_id) == known
    assert tuple(held.number for held in found.held) == known


async def test_several_specialities_and_those_of_the_registers_files(space: Any, annuaire: Any, tmp_path: Path) -> None:
    """Of the role at the place, then of the person; what the registers' files say stays when the server speaks."""
    held, server, _ = annuaire
    angiology = {"code": {"coding": [{"code": "SM61"}]}}
    held.resources = [
        practitioner(
            "4", "Petit", "Anne", [], qualification=[*practitioner("4", "", "", [])["qualification"], angiology]
        ),
        *PLACES,
        *ROLES,
    ]
    address = "anne.petit@tilleuls.example"
    await sync(space.db, space.keys, server, lambda: NOW)
    heart = "Cardiologie et maladies vasculaires"
    assert known(space, address).specialities == (heart, "Médecine vasculaire")
    path = tmp_path / "PS_LibreAcces_SavoirFaire.txt"
    path.write_text(
        "Identification nationale PP|Code type savoir-faire|Code savoir-faire|Libellé savoir-faire\n"
        f"{RPPS}|S|SM04|{heart}\n{RPPS}|CAPA|C18|Gériatrie\n"
    )
    importing.run(space.db, space.keys, path, lambda: NOW)
    assert known(space, address).specialities == (heart, "Médecine vasculaire", "Gériatrie")
    await sync(space.db, space.keys, server, lambda: NOW, everything=True)
    for said in ("cardiologue", "angiologue", "gériatre villefleur"):
        assert [one.address for one in space.db.read_now(directory.search, Search(said))] == [address]


async def test_our_red_list_and_our_own_entries(space: Any, annuaire: Any) -> None:
    _, server, _ = annuaire
    await space.box("camille.roche@medecins.example", red_list=True)
    own = Entry("cardio@chu.example", BoxKind.ORG, "Cardio", hours="9 h à 19 h", phone="01 99 00 20 20")
    await space.db.write(directory.add, space.keys, own)
    assert (await sync(space.db, space.keys, server, lambda: NOW)).kept_out == 1
    assert entry(space, "camille.roche@medecins.example") is None
    kept = known(space, "cardio@chu.example")
    assert (kept.display_name, kept.hours, kept.phone) == ("Cardiologie, CHU de Villefleur", own.hours, own.phone)


async def test_an_interrupted_one_is_begun_again(space: Any, annuaire: Any) -> None:
    held, server, _ = annuaire
    held.elsewhere = "http://elsewhere.example/"
    with pytest.raises(Unanswered, match="another server"):  # the key goes nowhere else
        await sync(space.db, space.keys, server, lambda: NOW)
    held.elsewhere = ""
    assert (await sync(space.db, space.keys, server, lambda: NOW)).since == ""


async def test_pages_that_lead_in_a_ring_come_to_an_end(space: Any, annuaire: Any) -> None:
    held, server, _ = annuaire
    held.ring = True
    with pytest.raises(Unanswered, match="read already"):
        await asyncio.wait_for(sync(space.db, space.keys, server, lambda: NOW), 20)
    assert len(held.asked) < 10


@pytest.mark.parametrize("text", ["Ro\0che", "Ro\ud800che", "Roche" * 4_000, "\x1b[2JRo\x9bche\u202e"])
async def test_a_text_that_no_database_takes_holds_up_nobody(space: Any, annuaire: Any, text: str) -> None:
    """Otherwise one entry, and the directory would be followed no more."""
    held, server, _ = annuaire
    box = mailbox("camille.roche@medecins.example", "PER", service=text, description=text, phone=text)
    people = [
        practitioner(f"1{text}", text, text, [box], address=[{"city": text, "postalCode": text}]),
        practitioner("2", "Petit", "Anne", [mailbox("anne.petit@medecins.example", "PER")]),
    ]
    held.instead = json.dumps({"resourceType": "Bundle", "entry": [{"resource": one} for one in people]}).encode()
    await sync(space.db, space.keys, server, lambda: NOW)
    assert known(space, "anne.petit@medecins.example").family_name == "Petit"
    shown = known(space, "camille.roche@medecins.example")
    texts = [shown.display_name, shown.family_name, shown.given_name, shown.service, shown.phone]
    assert [one for one in texts if "oche" not in one or not one.isprintable()] == []


async def test_what_was_deleted_leaves_with_the_changes(space: Any, annuaire: Any) -> None:
    held, server, _ = annuaire
    await sync(space.db, space.keys, server, lambda: NOW)
    held.changed = [gone(PLACES[1]), gone(ROLES[0])]
    assert (await sync(space.db, space.keys, server, lambda: NOW + DAY)).gone == 3
    for address in ("cardio@chu.example", "automate@chu.example", "anne.petit@tilleuls.example"):
        assert entry(space, address) is None
    assert entry(space, "officine@pharmacie.example") is not None


@pytest.mark.parametrize(
    ("whole", "changes", "days", "everything"),
    [
        (0, 0, 1, False),
        (0, 6, 6.9, False),
        (0, 6, 7, True),  # every week
        (0, 1, 29.5, True),  # the server knows no longer what changed
    ],
)
async def test_everything_again(
    space: Any, annuaire: Any, whole: int, changes: int, days: float, everything: bool
) -> None:
    """What was deleted while nobody asked is in no changes: it leaves when everything is told again."""
    held, server, _ = annuaire
    await sync(space.db, space.keys, server, lambda: NOW + whole * DAY)
    held.changed = []
    await sync(space.db, space.keys, server, lambda: NOW + changes * DAY)
    many = [mailbox(f"service{number}@chu.example", "ORG") for number in range(20)]
    held.resources = held.changed = [organization("30", "CHU", "SA01", many), *PLACES]
    await sync(space.db, space.keys, server, lambda: NOW + changes * DAY + 1)
    held.resources, held.changed = [organization("30", "CHU", "SA01", many), *PEOPLE, *PLACES], []
    found = await sync(space.db, space.keys, server, lambda: NOW + round(days * DAY))
    assert (found.since == "", found.gone, found.doubtful) == (everything, int(everything), 0)
    assert (entry(space, "anne.petit@tilleuls.example") is None) == everything


@pytest.mark.parametrize("everything", [False, True])
async def test_a_rehearsal_says_what_is_then_done(space: Any, annuaire: Any, everything: bool) -> None:
    held, server, _ = annuaire

    async def told(now: int) -> Synced:
        before = space.db.read_now(directory.count)
        said = await rehearse(space.db, space.keys, server, lambda: now, everything)
        assert space.db.read_now(directory.count) == before
        assert await sync(space.db, space.keys, server, lambda: now, everything) == said
        return said

    await space.box("cardio@chu.example", BoxKind.ORG, red_list=True)
    first = await told(NOW)
    assert (first.entries, first.kept_out) == (4, 1)
    boxes = [mailbox(f"service{number}@chu.example", "ORG") for number in range(20)]
    many = organization("30", "CHU", "SA01", boxes, identifier=[])
    held.resources = [*held.resources, many]
    held.changed = [many, practitioner("4", "Chevalier", "Anne", []), gone(PLACES[0])]
    second = await told(NOW + DAY)
    assert (second.roles, second.gone) == ((0, 0) if everything else (1, 1))
    held.resources, held.changed = [many, *PLACES, *ROLES], []
    third = await told(NOW + 2 * DAY)
    assert (third.gone, third.doubtful) == ((1, 0) if everything else (0, 0))
    held.resources = [*PLACES]
    fourth = await told(NOW + 3 * DAY)
    assert (fourth.gone, fourth.doubtful) == ((0, 21) if everything else (0, 0))


async def test_answers_cut_short_take_nothing_away(space: Any, annuaire: Any) -> None:
    held, server, _ = annuaire
    extracted = Entry("from.a.file@medecins.example", BoxKind.PER, "D’un fichier")
    await space.db.write(directory.add, space.keys, extracted)
    await sync(space.db, space.keys, server, lambda: NOW)
    held.resources = [*PEOPLE]
    found = await sync(space.db, space.keys, server, lambda: NOW, everything=True)
    assert (found.gone, found.doubtful) == (0, 4)
    assert entry(space, "officine@pharmacie.example") is not None
    assert entry(space, extracted.address) == extracted


async def test_a_search_that_the_server_forgot_is_asked_anew_once(space: Any, annuaire: Any) -> None:
    held, server, _ = annuaire
    held.forgets = 1
    assert (await sync(space.db, space.keys, server, lambda: NOW)).entries >= 5
    assert entry(space, "automate@chu.example") is not None
    held.forgets = 9
    with pytest.raises(Unanswered, match="status 410 processing"):
        await sync(space.db, space.keys, server, lambda: NOW, everything=True)


async def test_its_pace_is_kept_and_it_is_waited_for(space: Any, annuaire: Any) -> None:
    held, server, waiting = annuaire
    held.busy = 2
    await sync(space.db, space.keys, server, lambda: NOW)
    assert [seconds for seconds in waiting.waited if seconds == 7] == [7, 7]
    steps = [seconds for seconds in waiting.waited if seconds != 7]
    assert len(steps) + 3 == len(held.asked)  # the first, and those after a wait, need none
    assert set(steps) == {0.059}  # 1/17, in whole milliseconds


@pytest.mark.parametrize(
    ("retry_after", "waited"),
    [
        ("7", 7),
        ("600", 120),  # no longer than that
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Sun, 06 Nov 2094 08:49:37 GMT", 120),
        ("", 1),
        ("soon", 1),
        ("²", 1),
    ],
)
async def test_how_long_a_busy_server_is_waited_for(space: Any, annuaire: Any, retry_after: str, waited: float) -> None:
    """RFC 9110 10.2.3; without a word of it a second, then two, then four."""
    held, server, waiting = annuaire
    held.busy, held.retry_after = 1, retry_after
    await server.mailbox("Practitioner", "camille.roche@medecins.example")
    assert waiting.waited[:1] == [waited]
    held.busy, held.retry_after = 9, ""
    waiting.waited.clear()
    with pytest.raises(Unanswered, match="too busy"):
        await server.mailbox("Practitioner", "camille.roche@medecins.example")
    assert [seconds for seconds in waiting.waited if seconds >= 1] == [1, 2, 4, 8, 16]


async def test_why_the_server_refuses_is_told_by_codes_only(annuaire: Any) -> None:
    """Its words may repeat whom it was asked for: never in a log."""
    held, server, _ = annuaire
    held.refuses = (400, "invalid")
    with pytest.raises(Unanswered) as refused:
        await server.mailbox("Practitioner", "camille.roche@medecins.example")
    assert str(refused.value) == "statut 400 invalid // status 400 invalid"
    held.refuses = (500, "Camille Roche")
    with pytest.raises(Unanswered) as refused:
        await server.mailbox("Practitioner", "camille.roche@medecins.example")
    assert str(refused.value) == "statut 500 // status 500"


async def test_a_server_that_passes_over_conditions_is_not_believed(annuaire: Any) -> None:
    held, server, _ = annuaire
    for lenient in (False, True):
        held.lenient = lenient
        assert await server.mailbox("Practitioner", "camille.roche@medecins.example") == PEOPLE[0]["telecom"][0]
        assert await server.mailbox("Practitioner", "nobody@medecins.example") is None


def test_a_code_of_another_table_is_none() -> None:
    """« 10 » in TRE_R14 is no profession; the service of a team mailbox may be in its description."""
    other = {"coding": [{"system": f"{NOS}/TRE_R14-TypeDiplome/FHIR/TRE-R14-TypeDiplome", "code": "10"}]}
    doctor = practitioner("1", "Roche", "Camille", [mailbox("a@b.example", "PER")], qualification=[{"code": other}])
    team = organization("2", "CHU", "SA01", [mailbox("c@b.example", "ORG", description="Accueil")])
    found = fhir.page({"resourceType": "Bundle", "entry": [{"resource": one} for one in (doctor, team)]})
    assert found is not None
    [[one], [two]] = [held.entries for held in found.held]
    assert (one.profession, two.display_name) == ("", "Accueil, CHU")


@pytest.mark.parametrize(
    ("key", "instead", "why"),
    [
        ("wrong", b"", "status 401"),
        (KEY, b"<html>", "not JSON"),
        (KEY, b"[" * 100_000, "not JSON"),
        (KEY, b"[]", "not a Bundle"),
        (KEY, b'{"resourceType": "OperationOutcome"}', "not a Bundle"),
        (KEY, b'{"resourceType": "Bundle", "link": [{"relation": "next", "url": "SELF"}]}', "read already"),
    ],
)
async def test_what_is_no_answer(space: Any, annuaire: Any, key: str, instead: bytes, why: str) -> None:
    held, server, waiting = annuaire
    held.instead = instead.replace(b"SELF", f"{server.url}/Organization?_count=200&mailbox-mss%3Acontains=%40".encode())
    with pytest.raises(Unanswered, match=why):
        await sync(space.db, space.keys, Server(server.url, key, server.tls, waiting.pace()), lambda: NOW)
    assert key not in repr(server)


async def test_a_server_that_is_not_there(space: Any) -> None:
    nobody = Server("http://127.0.0.1:1", KEY, ssl.create_default_context(), Pace(space.db, "nobody"))
    with pytest.raises(Unanswered):
        await sync(space.db, space.keys, nobody, lambda: NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["Bundle", "Practitioner", fhir.METADATA]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["resourceType", "entry", "resource", "telecom", "extension", "url", "name", "id", "value"]),
        inner, max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_any_answer_is_a_page_or_none(answer: object) -> None:
    found = fhir.page({"resourceType": "Bundle", "entry": [{"resource": answer}], "link": answer})
    assert found is not None
    assert fhir.page(answer) is None or isinstance(fhir.page(answer), fhir.Page)


@given(st.sampled_from([*PEOPLE, *PLACES, *ROLES]), st.data())
def test_a_resource_with_anything_in_a_field(resource: dict[str, Any], data: st.DataObject) -> None:
    changed = resource | {data.draw(st.sampled_from(sorted(set(resource) - {"resourceType"}))): data.draw(JSON)}
    assert fhir.page({"resourceType": "Bundle", "entry": [{"resource": changed}]}) is not None

"""What mail clients really send while an address is typed, each as a transcript with the attributes that it asks for: Outlook's
filter as its installation file (MAPISVC.INF) writes it, Thunderbird's default template, Apple's as recorded from Address Book.

`C:` base, scope, size limit, filter, attributes; `S:` entries, then the result (RFC 4511 4.5.2).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from foundation.database import Database, metadata
from foundation.keys import KeyRing
from mailserver.ldap import ber, messages
from mailserver.ldap.ber import element, number, string
from mailserver.ldap.entries import BASE
from mailserver.ldap.messages import Code
from mailserver.ldap.session import MOST
from mssante import directory
from mssante.directory import Entry
from mssante.kinds import BoxKind
from tests.mailserver.ldap.asking import search, written
from tests.mailserver.ldap.test_ldap_session import Client, bind, code

ROCHE = Entry(
    "camille.roche@medecins.example", BoxKind.PER, "Dr Camille ROCHE", "Médecin", "Villefleur", "99100", given_name="Camille",
    family_name="ROCHE", organisation="Cabinet des Tilleuls", phone="01 99 00 10 10", speciality="Cardiologie",
)  # fmt: skip
ROCHER = Entry("h.rocher@medecins.example", BoxKind.PER, "Dr Hélène ROCHER", given_name="Hélène", family_name="ROCHER")
MARCHE = Entry(
    "officine@pharmacie.example", BoxKind.ORG, "Pharmacie du Marché", town="Villefleur", postcode="99100", sector="SA33"
)
NAMESAKES = [
    Entry(f"anne.petit{n}@a.example", BoxKind.PER, f"Anne PETIT {n}", given_name="Anne", family_name="PETIT")
    for n in range(MOST + 5)
]

OUTLOOK = "(&(mail=*)(|(mail={0}*)(|(cn={0}*)(|(sn={0}*)(givenName={0}*)))))"
OUTLOOK_ASKS = (
    "cn commonName mail roleOccupant display-name displayname sn surname co organizationName o givenName legacyExchangeDN "
    "objectClass uid mailNickname title company physicalDeliveryOfficeName telephoneNumber"
).split()
THUNDERBIRD_ASKS = (
    "cn commonname mail objectClass sn surname givenname o company title telephonenumber l postalcode".split()
)
APPLE = "(|(givenname={0})(sn={0})(cn={0})(mail={0}))"
APPLE_ASKS = (
    "givenName sn cn mail telephoneNumber facsimileTelephoneNumber o title ou buildingName street l st postalCode c jpegPhoto "
    "mobile co pager destinationIndicator labeledURI IMHandle"
).split()


def thunderbird(typed: str) -> str:
    """Its template is `(|(cn=%v1*%v2-*)(mail=%v1*%v2-*)(sn=%v1*%v2-*))`: the first word, then the others."""
    first, _, others = typed.partition(" ")
    return "(|(cn={0})(mail={0})(sn={0}))".format(f"{first}*{others}*")


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    db = Database(f"sqlite:///{tmp_path}/ldap.db")
    metadata.create_all(db.engine)
    for entry in NAMESAKES:
        db.submit(directory.add, KeyRing(b"k" * 32), entry)
    for entry in (ROCHE, ROCHER, MARCHE):
        await db.write(directory.add, KeyRing(b"k" * 32), entry)
    found = Client(db)
    await found.ask(bind())
    yield found
    await db.close()


def shown(content: bytes) -> tuple[str, dict[str, list[str]]]:
    """(name, attributes) of a SearchResultEntry."""
    (_, name), (_, attributes) = ber.elements(content)
    said = {}
    for _, attribute in ber.elements(attributes):
        (_, kind), (_, values) = ber.elements(attribute)
        said[kind.decode()] = [value.decode() for _, value in ber.elements(values)]
    return name.decode(), said


async def asked(client: Client, text: str, base: str, limit: int, wanted: list[str]) -> tuple[list[str], Code]:
    """(addresses, result)."""
    answers = await client.ask(search(written(text), base, limit=limit, attributes=tuple(map(string, wanted))))
    return [shown(content)[1]["mail"][0] for _, tag, content in answers if tag == messages.ENTRY], code(answers)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("roche", [ROCHE, ROCHER]),
        ("Roche", [ROCHE, ROCHER]),
        ("camille ro", [ROCHE]),
        ("camille.roche@med", [ROCHE]),
        ("camille.roche@medecins.example", [ROCHE]),
        ("h.rocher@", [ROCHER]),
        ("hélène", [ROCHER]),
        ("helene rocher", [ROCHER]),
        ("officine", [MARCHE]),
        ("rohcer", [ROCHER]),  # a typing error
        ("cardiologue villefleur", [ROCHE]),  # nobody's name
        ("cardiolgue", [ROCHE]),
        ("villefleur", [ROCHE, MARCHE]),
        ("roche montclair", []),
        ("zzz", []),
    ],
)
async def test_an_address_is_completed(client: Client, typed: str, found: list[Entry]) -> None:
    expected = sorted(entry.address for entry in found)
    for filter_, base, limit, wanted in (
        (OUTLOOK.format(typed), BASE, MOST, OUTLOOK_ASKS),
        (OUTLOOK.format(typed), "", 0, OUTLOOK_ASKS),  # no base was given in its settings
        (thunderbird(typed), BASE, 100, THUNDERBIRD_ASKS),
        (APPLE.format(typed), "", 0, APPLE_ASKS),
    ):
        addresses, result = await asked(client, filter_, base, limit, wanted)
        assert (sorted(addresses), result) == (expected, Code.SUCCESS), filter_


async def test_an_address_and_something_else(client: Client) -> None:
    for town, found in (("villefleur", [ROCHE.address]), ("montclair", [])):
        wanted = f"(&(mail={ROCHE.address})(l={town}))"
        assert await asked(client, wanted, BASE, 0, ["mail"]) == (found, Code.SUCCESS)


@pytest.mark.parametrize(
    "text",
    [
        "(sn=villefleur)",  # a family name, not what one types
        "(&(cn=villefleur)(title=médecin))",
        "(&(cn=villefleur)(!(sn=roche)))",
        "(|(cn=villefleur)(mail=nobody@a.example))",
    ],
)
async def test_a_precise_question_is_not_widened(client: Client, text: str) -> None:
    assert await asked(client, text, BASE, 0, ["mail"]) == ([], Code.SUCCESS)


async def test_what_each_is_told_of_a_person(client: Client) -> None:
    for filter_, wanted, expected in (
        (OUTLOOK.format("roche"), OUTLOOK_ASKS, "objectClass cn displayName sn givenName mail o title telephoneNumber"),
        (
            thunderbird("roche"),
            THUNDERBIRD_ASKS,
            "objectClass cn sn givenName mail o title l postalCode telephoneNumber",
        ),
        (APPLE.format("roche"), APPLE_ASKS, "cn sn givenName mail o title l postalCode telephoneNumber"),
    ):
        answers = await client.ask(search(written(filter_), attributes=tuple(map(string, wanted))))
        name, said = shown(answers[0][2])
        assert (name, list(said)) == (f"mail={ROCHE.address},{BASE}", expected.split())
        assert (said["mail"], said["sn"], said["title"]) == ([ROCHE.address], ["ROCHE"], ["Médecin"])


async def test_more_than_is_shown(client: Client) -> None:
    """Clients show what came, and say that there is more (RFC 4511 4.5.1.4)."""
    for filter_, limit, most in (
        (OUTLOOK.format("petit"), 0, MOST),
        (thunderbird("petit"), 10, 10),
        (APPLE.format("petit"), 0, MOST),
    ):
        addresses, result = await asked(client, filter_, "", limit, ["mail"])
        assert (len(addresses), result) == (most, Code.SIZE_LIMIT_EXCEEDED)
    [*_, (_, _, done)] = await client.ask(search(written(APPLE.format("petit")), limit=1))
    assert b"more entries match" in done
    assert [tag for tag, _ in ber.elements(done)] == [0x0A, 0x04, 0x04]  # no referral, nothing to follow (4.1.10)


async def test_of_many_namesakes_those_near_to_who_asks(client: Client) -> None:
    """By the postcode of the asker's own mailbox in the directory; of a stranger's there is none."""
    own = Entry("dr@a.example", BoxKind.PER, "Dr A", town="Lyon", postcode="69003")
    near = Entry(
        "zoe.petit@a.example", BoxKind.PER, "Zoé PETIT", family_name="PETIT", town="Villeurbanne", postcode="69100"
    )
    db = client.session._db
    for entry in (own, near):
        await db.write(directory.add, KeyRing(b"k" * 32), entry)
    for filter_ in (OUTLOOK.format("petit"), thunderbird("petit"), APPLE.format("petit")):
        addresses, result = await asked(client, filter_, "", 10, ["mail"])
        assert (addresses[0], len(addresses), result) == (near.address, 10, Code.SIZE_LIMIT_EXCEEDED)


@pytest.mark.parametrize(
    ("base", "scope", "text", "found"),
    [
        ("", 0, "(objectClass=*)", [""]),  # each asks first what this server is
        ("", 0, "(objectclass=top)", [""]),
        ("", 0, "(cn=roche)", []),  # RFC 4512 5.1
        (BASE, 0, "(objectClass=*)", [BASE]),
        (BASE, 0, "(cn=roche)", []),
        (BASE.upper(), 0, "(ou=annuaire)", [BASE]),
    ],
)
async def test_the_root_and_the_base(client: Client, base: str, scope: int, text: str, found: list[str]) -> None:
    answers = await client.ask(search(written(text), base, scope))
    assert [shown(content)[0] for _, tag, content in answers if tag == messages.ENTRY] == found
    assert code(answers) is Code.SUCCESS


async def test_elsewhere_is_no_referral(client: Client) -> None:
    [(_, tag, done)] = answers = await client.ask(search(written("(cn=roche)"), "dc=autre,dc=example"))
    assert (tag, code(answers)) == (messages.SEARCH_DONE, Code.NO_SUCH_OBJECT)
    assert [kind for kind, _ in ber.elements(done)] == [0x0A, 0x04, 0x04]


async def test_starttls_is_refused_in_words_and_the_session_goes_on(client: Client) -> None:
    """A client set to STARTTLS on the TLS port; RFC 4511 4.14.1."""
    start_tls = element(0x30, number(3), element(0x77, string(messages.START_TLS, 0x80)))
    [(at, tag, content)] = answers = await client.ask(start_tls)
    assert (at, tag, code(answers)) == (3, messages.EXTENDED_ANSWER, Code.OPERATIONS_ERROR)
    assert b"TLS is there already" in content
    assert content.endswith(string(messages.START_TLS, 0x8A))
    assert (await asked(client, OUTLOOK.format("roche"), BASE, 0, ["mail"]))[1] is Code.SUCCESS


async def test_sorting_and_paging_that_outlook_would_like_are_passed_over(client: Client) -> None:
    """Server-side sorting (RFC 2891), VLV and paging (RFC 2696): not critical, as the root names no control."""
    named = [
        element(0x30, string(oid))
        for oid in ("1.2.840.113556.1.4.473", "2.16.840.1.113730.3.4.9", "1.2.840.113556.1.4.319")
    ]
    answers = await client.ask(search(written(OUTLOOK.format("roche")), more=element(0xA0, *named)))
    assert (len(answers), code(answers)) == (3, Code.SUCCESS)


async def test_unbind_ends_it_without_a_word(client: Client) -> None:
    """RFC 4511 4.3; what was sent behind it is not looked at."""
    client.session.receive(element(0x30, number(9), element(0x42)) + search(written("(cn=roche)"), at=10))
    assert [piece async for piece in client.run] == []

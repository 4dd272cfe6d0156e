"""curl asks the address book as Apple's Contacts does, on the product as it runs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.clients import Ran, run
from tests.support.demo import Demo

NAMES = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"'
CONDITION = (
    "<C:prop-filter name='{name}'><C:text-match collation='i;unicode-casemap' match-type='contains'>{{0}}</C:text-match>"
    "</C:prop-filter>"
)
CONTACTS = (
    f"<C:addressbook-query {NAMES}><D:prop><D:getetag/><C:address-data/></D:prop><C:filter test='anyof'>"
    + "".join(CONDITION.format(name=name) for name in ("FN", "EMAIL", "NICKNAME", "ORG"))
    + "</C:filter><C:limit><C:nresults>50</C:nresults></C:limit></C:addressbook-query>"
)


def curl(server: Demo, person: dict[str, Any], method: str, path: str, *options: str) -> Ran:
    command = [
        "curl",
        "--silent",
        "--show-error",
        "--request",
        method,
        "--user",
        f"{person['login']}:{person['password']}",
    ]
    return run(*command, "--write-out", "\n%{http_code}", *options, f"http://{server.operator()['web']}{path}")


@pytest.mark.parametrize("typed", ["roche", "Roché", "rohce", "camille.ro"])
def test_an_address_is_completed(server: Demo, typed: str) -> None:
    found = curl(server, server.person("medecin"), "REPORT", "/carddav/annuaire/", "--data", CONTACTS.format(typed))
    assert found.out.endswith("207"), found.out
    assert "EMAIL;TYPE=INTERNET,WORK:camille.roche@medecins.alpha.example" in found.out
    assert found.out.count("BEGIN:VCARD") == 1


def test_found_by_the_domain_alone(server: Demo) -> None:
    followed = ("--location", "--header", "Depth: 0")
    assert "/carddav/moi/" in curl(server, server.person("medecin"), "PROPFIND", "/.well-known/carddav", *followed).out


def test_strangers_and_citizens_see_nothing(server: Demo) -> None:
    for person in (server.person("medecin") | {"password": "faux"}, server.person("jacqueline")):
        refused = curl(server, person, "REPORT", "/carddav/annuaire/", "--data", CONTACTS.format("roche"))
        assert refused.out.strip() == "401"

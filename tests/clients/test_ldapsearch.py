"""OpenLDAP's ldapsearch, the server's certificate verified under its real name: what mail clients ask when an address is typed."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import Ran, run
from tests.support.demo import Demo

BASE = "ou=annuaire,o=mssante"
# What each client sends for « roche » typed in the To field.
THUNDERBIRD = "(|(displayName=*roche*)(mail=*roche*)(givenName=*roche*)(sn=*roche*)(cn=*roche*))"
OUTLOOK = "(&(mail=*)(|(mail=roche*)(|(cn=roche*)(|(sn=roche*)(givenName=roche*)(displayName=roche*)))))"
APPLE = "(&(objectClass=inetOrgPerson)(|(givenName=roche*)(sn=roche*)(cn=roche*)(mail=roche*)))"
NO_SUCH_OBJECT, INVALID_CREDENTIALS, NO_RIGHTS, READ_ONLY = 32, 49, 50, 53


@pytest.fixture
def ldap(server: Demo, tmp_path: Path) -> Any:
    host, port = server.door("ldaps")
    # libldap has no --connect-to: the name is not checked here (tests/clients/test_curl.py does), the chain is.
    conf = tmp_path / "ldap.conf"
    conf.write_text(f"TLS_CACERT {server.operator()['ca']}\nTLS_REQCERT try\n")

    def ask(person: dict[str, Any] | None, *words: str, sasl: str = "", program: str = "ldapsearch") -> Ran:
        command = ["env", f"LDAPCONF={conf}", "LDAPTLS_REQCERT=allow", program, "-H", f"ldaps://{host}:{port}"]
        if person is None:
            command += ["-x"]
        elif sasl:
            command += ["-Q", "-Y", sasl, "-U", person["login"], "-w", person["password"]]
        else:
            command += ["-x", "-D", person["login"], "-w", person["password"]]
        options = ["-LLL", "-o", "ldif-wrap=no"] if program == "ldapsearch" else []
        return run(*command, *options, *words)

    return ask


def said(answer: str, name: str) -> list[str]:
    """Values of an attribute in LDIF (RFC 2849)."""
    found = []
    for line in answer.splitlines():
        if line.startswith(f"{name}: "):
            found.append(line.removeprefix(f"{name}: "))
        elif line.startswith(f"{name}:: "):
            found.append(base64.b64decode(line.removeprefix(f"{name}:: ")).decode())
    return found


@pytest.mark.parametrize("asked", [THUNDERBIRD, OUTLOOK, APPLE])
def test_an_address_is_completed(server: Demo, ldap: Any, asked: str) -> None:
    done = ldap(
        server.person("medecin"), "-b", BASE, asked, "cn", "mail", "sn", "givenName", "o", "l", "telephoneNumber"
    )
    assert done.code == 0, done.out
    assert said(done.out, "mail") == ["camille.roche@medecins.alpha.example"]
    assert said(done.out, "cn") == ["Dr Camille Roche"]
    assert said(done.out, "telephoneNumber") == ["01 99 00 10 10"]
    assert said(done.out, "l") == ["Villefleur"]
    assert not said(done.out, "objectClass")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("(cn=cardiologie)", ["cardiologie@chu.alpha.example"]),
        ("(cn=marché)", ["officine@pharmacie.alpha.example"]),
        ("(sn=rohce)", ["camille.roche@medecins.alpha.example"]),
        ("(mail=Camille.Roche@medecins.alpha.example)", ["camille.roche@medecins.alpha.example"]),
        ("(mail=camille.ro*)", ["camille.roche@medecins.alpha.example"]),
        ("(&(l=villefleur)(title=pharmacie))", ["officine@pharmacie.alpha.example"]),
        ("(&(l=villefleur)(!(title=*))(cn=*))", []),
        ("(&(cn=camille)(!(sn=roche)))", []),
        ("(cn=nobody)", []),
        ("(employeeNumber=8*)", []),
    ],
)  # fmt: skip
def test_what_is_found(server: Demo, ldap: Any, asked: str, found: list[str]) -> None:
    done = ldap(server.person("medecin"), "-b", BASE, asked, "mail")
    assert (done.code, said(done.out, "mail")) == (0, found), done.out


def test_an_entry_by_its_name_and_the_root(server: Demo, ldap: Any) -> None:
    doctor = server.person("medecin")
    name = f"mail=camille.roche@medecins.alpha.example,{BASE}"
    one = ldap(doctor, "-b", name, "-s", "base")
    assert said(one.out, "objectClass") == ["top", "person", "organizationalPerson", "inetOrgPerson"]
    assert ldap(doctor, "-b", f"mail=nobody@alpha.example,{BASE}", "-s", "base").code == NO_SUCH_OBJECT
    assert ldap(doctor, "-b", "dc=elsewhere").code == NO_SUCH_OBJECT
    root = ldap(None, "-b", "", "-s", "base", "*", "+")
    assert said(root.out, "namingContexts") == [BASE]
    assert "SCRAM-SHA-256" in said(root.out, "supportedSASLMechanisms")


def test_strangers_see_nothing(server: Demo, ldap: Any) -> None:
    assert ldap(None, "-b", BASE, THUNDERBIRD).code == NO_RIGHTS
    assert ldap(server.person("medecin") | {"password": "faux"}, "-b", BASE, THUNDERBIRD).code == INVALID_CREDENTIALS
    assert (
        ldap(server.person("medecin") | {"password": ""}, "-b", BASE, THUNDERBIRD).code == READ_ONLY
    )  # no password at all
    citizen = server.person("jacqueline")
    assert ldap(citizen, "-b", BASE, THUNDERBIRD).code == INVALID_CREDENTIALS


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_sasl(server: Demo, ldap: Any, mechanism: str) -> None:
    done = ldap(server.person("medecin"), "-b", BASE, "(sn=roche)", "mail", sasl=mechanism)
    assert (done.code, said(done.out, "mail")) == (0, ["camille.roche@medecins.alpha.example"]), done.out


def test_it_is_read_only(server: Demo, ldap: Any) -> None:
    name = f"mail=camille.roche@medecins.alpha.example,{BASE}"
    done = ldap(server.person("medecin"), name, program="ldapdelete")
    assert done.code == READ_ONLY
    assert said(ldap(server.person("medecin"), "-b", BASE, "(sn=roche)", "mail").out, "mail")

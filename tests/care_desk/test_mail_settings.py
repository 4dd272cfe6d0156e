"""Mail clients configure themselves; a person finds every value on one page; no address is kept."""

from __future__ import annotations

import asyncio
import http.client
import plistlib
from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree import ElementTree

import dns.zone
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from care_desk.mail_doors import MailAccount, MailDoors, apple, mozilla, outlook, srv_records
from tests.care_desk.mail_settings import HOST, TABLE, settings_page
from tests.support.web import Answer, Visitor

ADDRESS = "nadia.benali@medecins.alpha.example"
PAGE, SIGN_IN = "/regler-ma-messagerie", "/mon-compte/connexion"
ASK = (
    '<?xml version="1.0" encoding="utf-8"?>{doctype}<Autodiscover xmlns='
    '"http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request><EMailAddress>{address}'
    "</EMailAddress><AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema"
    "/2006a</AcceptableResponseSchema></Request></Autodiscover>"
)
NAMES = {"a": "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"}


@pytest_asyncio.fixture(loop_scope="session")
async def origin(tmp_path: Path) -> AsyncIterator[str]:
    async with settings_page(tmp_path) as found:
        yield found


# ---------------------------------------------------------------- Mozilla
def as_thunderbird_reads(content: bytes, address: str) -> list[tuple[str, str, int, str, str, str]]:
    """As readFromXML.sys.mjs: the first emailProvider, known words only, placeholders replaced; whatever else is an error."""
    root = ElementTree.fromstring(content)
    assert (root.tag, root.get("version")) == ("clientConfig", "1.1")
    provider = root.find("emailProvider")
    assert provider is not None
    assert address.partition("@")[2] in [domain.text for domain in provider.findall("domain")]
    found = []
    for server in [*provider.findall("incomingServer"), *provider.findall("outgoingServer")]:
        kind, socket = server.get("type") or "", server.findtext("socketType") or ""
        assert kind in ("imap", "smtp")
        assert socket in ("SSL", "STARTTLS")
        assert server.findtext("authentication") == "password-cleartext"
        username = (server.findtext("username") or "").replace("%EMAILADDRESS%", address)
        found.append(
            (kind, server.findtext("hostname") or "", int(server.findtext("port") or 0), socket, username, server.tag)
        )
    return found


@pytest.mark.parametrize(
    "path", ["/.well-known/autoconfig/mail/config-v1.1.xml", f"/mail/config-v1.1.xml?emailaddress={ADDRESS}"]
)
async def test_thunderbird_configures_itself(origin: str, path: str) -> None:
    answer = await Visitor(origin).get(path)
    assert answer.status == 200
    assert (answer.headers["content-type"] or "").startswith("text/xml")
    assert as_thunderbird_reads(answer.body, ADDRESS) == [
        ("imap", HOST, 993, "SSL", ADDRESS, "incomingServer"),
        ("imap", HOST, 143, "STARTTLS", ADDRESS, "incomingServer"),
        ("smtp", HOST, 465, "SSL", ADDRESS, "outgoingServer"),
        ("smtp", HOST, 587, "STARTTLS", ADDRESS, "outgoingServer"),
    ]
    assert ADDRESS not in answer.text


def test_names_are_escaped() -> None:
    table = MailDoors("A & <B>", HOST, TABLE.domains, TABLE.doors)
    assert ElementTree.fromstring(mozilla(table)).findtext("emailProvider/displayName") == "A & <B>"


# ---------------------------------------------------------------- Outlook
async def ask_outlook(origin: str, body: bytes) -> Answer:
    return await asyncio.to_thread(_post, origin, body)


def _post(origin: str, body: bytes) -> Answer:
    connection = http.client.HTTPConnection(origin.removeprefix("http://"), timeout=10)
    connection.request("POST", "/autodiscover/autodiscover.xml", body, {"content-type": "text/xml"})
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


async def test_outlook_configures_itself(origin: str) -> None:
    answer = await ask_outlook(origin, ASK.format(doctype="", address=ADDRESS).encode())
    assert answer.status == 200
    account = ElementTree.fromstring(answer.body).find("a:Response/a:Account", NAMES)
    assert account is not None
    assert account.findtext("a:Action", namespaces=NAMES) == "settings"
    words = ("Type", "Server", "Port", "LoginName", "SSL", "Encryption")
    found = [
        tuple(one.findtext(f"a:{word}", namespaces=NAMES) for word in words)
        for one in account.findall("a:Protocol", NAMES)
    ]
    assert found == [("IMAP", HOST, "993", ADDRESS, "on", "SSL"), ("SMTP", HOST, "465", ADDRESS, "on", "SSL")]


HOSTILE = {
    "entity": ASK.format(doctype='<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>', address="&x;@alpha.example"),
    "bomb": ASK.format(doctype='<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]>', address="&y;@alpha.example"),
    "doctype": ASK.format(doctype='<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd">', address=ADDRESS),
    "deep": "<a>" * 20_000,
    "large": ASK.format(doctype="", address="a" * 70_000),
    "empty": "",
    "not xml": "adresse=x",
    "no address": "<a/>",
    "another operator's": ASK.format(doctype="", address="x@ailleurs.example"),
    "markup": ASK.format(doctype="", address="&lt;b&gt;@alpha.example"),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_hostile_questions_get_600(origin: str, case: str) -> None:
    answer = await ask_outlook(origin, HOSTILE[case].encode())
    assert answer.status == 200
    assert b"<ErrorCode>600</ErrorCode>" in answer.body.replace(b"ns0:", b"")
    assert b"root:" not in answer.body


# ---------------------------------------------------------------- Apple and DNS
def test_the_profile_is_stable_and_holds_no_password() -> None:
    nadia = MailAccount(ADDRESS, "nadia.b")
    profile = plistlib.loads(apple(TABLE, nadia))
    [mail] = profile["PayloadContent"]
    assert (mail["IncomingMailServerHostName"], mail["IncomingMailServerPortNumber"]) == (HOST, 993)
    assert (mail["OutgoingMailServerPortNumber"], mail["EmailAddress"]) == (465, ADDRESS)
    assert "IncomingPassword" not in mail
    assert [mail[f"{way}MailServerUsername"] for way in ("Incoming", "Outgoing")] == ["nadia.b", "nadia.b"]
    assert apple(TABLE, nadia) == apple(TABLE, nadia)


def test_one_profile_takes_no_other_s_place() -> None:
    """Apple, TopLevel: a profile takes the place of the one with the same PayloadIdentifier, and of no other."""
    accounts = [
        MailAccount(ADDRESS),
        MailAccount(ADDRESS, "nadia.b"),
        MailAccount(ADDRESS, "thomas"),
        MailAccount("x@a"),
    ]
    profiles = [plistlib.loads(apple(TABLE, account)) for account in accounts]
    for key in ("PayloadIdentifier", "PayloadUUID"):
        assert len({profile[key] for profile in profiles}) == len(accounts)


def test_a_device_asks_for_the_login_that_nobody_told() -> None:
    """Apple, Mail: a user name that is not there is asked for at installation."""
    [mail] = plistlib.loads(apple(TABLE, MailAccount(ADDRESS)))["PayloadContent"]
    assert [key for key in mail if key.endswith("Username")] == []


def test_srv_records_are_zone_lines() -> None:
    lines = list(srv_records(TABLE))
    zone = dns.zone.from_text(
        "\n".join(["@ 1 IN SOA a. b. 1 1 1 1 1", "@ 1 IN NS a.", *lines]), "alpha.example.", check_origin=False
    )
    found = {str(name): str(data) for name, _, data in zone.iterate_rdatas("SRV")}
    assert found["_imaps._tcp"] == f"0 1 993 {HOST.removesuffix('.alpha.example')}"
    assert found["_submissions._tcp"].startswith("0 1 465 ")
    assert found["_imap._tcp"].startswith("10 1 143 ")
    assert found["_submission._tcp.medecins"].startswith("10 1 587 ")
    without = MailDoors("A", HOST, ("a.example",), TABLE.doors[:2])
    assert "_imap._tcp.a.example. 3600 IN SRV 0 0 0 ." in list(srv_records(without))


# ---------------------------------------------------------------- the page
async def test_the_page_without_javascript(origin: str) -> None:
    visitor = Visitor(origin)
    page = await visitor.get(PAGE)
    values = [node.attributes.get("value") for node in page.tree.css("input[readonly]")]
    assert values == [HOST, "993", HOST, "465"]
    for name in ("Thunderbird", "Outlook", "Apple Mail", "Téléphone", "Autre logiciel"):
        assert name in page.words
    assert all("hidden" in node.attributes for node in page.tree.css("button[data-copy]"))
    assert any((node.attributes["href"] or "").startswith(SIGN_IN) for node in page.tree.css("main a"))
    assert not page.tree.css("input[type=password]")
    profile = await visitor.post(PAGE, {"adresse": ADDRESS})
    assert profile.headers["content-type"] == "application/x-apple-aspen-config"
    [mail] = plistlib.loads(profile.body)["PayloadContent"]
    assert mail["EmailAddress"] == ADDRESS
    assert "IncomingMailServerUsername" not in mail


@pytest.mark.parametrize(
    "address", ["", "nadia", "nadia@ailleurs.example", "<b>@alpha.example", "a" * 300 + "@alpha.example"]
)
async def test_an_address_that_is_not_ours(origin: str, address: str) -> None:
    page = await Visitor(origin).post(PAGE, {"adresse": address})
    assert page.status == 422
    assert "nom@medecins.alpha.example" in page.words
    assert "<b>@" not in page.text


async def test_the_address_is_in_no_log(origin: str) -> None:
    with capture_logs() as logs:
        await Visitor(origin).post(PAGE, {"adresse": ADDRESS})
        await ask_outlook(origin, ASK.format(doctype="", address=ADDRESS).encode())
    assert ADDRESS not in str(logs)


def test_outlook_escapes() -> None:
    assert b"<b>" not in outlook(TABLE, "<b>@alpha.example")

"""The trust list: read when it is right, refused with the right reason otherwise; attacks on the signature have no effect."""

from __future__ import annotations

import re
import xml.etree.ElementTree as stdlib_xml
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from certs.authority import Authority, Issued, KeyKind
from certs.chain import Checks
from certs.crl import from_x509
from certs.profiles import LIST_SIGNER, organisation_subject
from certs.trust_store import TrustStore
from foundation.clock import DAY
from foundation.dn import CN, parse
from mssante import signed_xml
from mssante.signed_xml import XmlFault, XmlRefused
from mssante.trust_list import NAMESPACE, Entry, ListFault, ListRefused, Signer, TrustList, read_list, sign_list
from tests.support.properties import examples

NOW = 1_795_000_000_000
DN_A1 = "CN=mx1.a.example,OU=344368557300034,O=OPÉRATEUR A,ST=Bouches-du-Rhône (13),C=FR"
DN_A2 = "CN=mx2.a.example,OU=344368557300034,O=OPÉRATEUR A,ST=Bouches-du-Rhône (13),C=FR"
DN_B = "CN=rassconsult,OU=1750048886,O=GIP B\\, L'UNION,ST=Paris (75),C=FR"
ENTRIES = [
    Entry("un.mssante.example", DN_A1, "Un « & » < deux"),
    Entry("un.mssante.example", DN_A2),
    Entry("DEUX.mssante.example", DN_B),
]


class Agency:
    """Signs lists as the real agency does; an authority of ours, RSA."""

    def __init__(self) -> None:
        self.authority = Authority.create(NOW - 400 * DAY, KeyKind.RSA)
        self.signer = self.named("alb.mssante.fr")

    def named(self, name: str, *, end: int | None = None, kind: KeyKind = KeyKind.RSA) -> Issued:
        subject = organisation_subject(name, "347976684200724", "AGENCE", "Hauts-de-Seine (92)")
        start = NOW - 300 * DAY
        return self.authority.issue(LIST_SIGNER, subject, NOW, start=start, end=end, kind=kind)

    def list(self, at: int = NOW, entries: list[Entry] | None = None, by: Issued | None = None) -> bytes:
        signer = by or self.signer
        return sign_list(ENTRIES if entries is None else entries, signer.key, signer.certificate, at, signer.chain)  # type: ignore[arg-type]

    def rule(self, checks: Checks | None = None) -> Signer:
        crls = from_x509(self.authority.crls(NOW))
        store = TrustStore((self.authority.root.certificate,), crls, checks=checks or Checks())
        return Signer(store.signer_judge())

    def read(self, data: bytes, at: int = NOW) -> TrustList | ListRefused:
        return read_list(data, self.rule(), at)


@pytest.fixture(scope="module")
def agency() -> Agency:
    return Agency()


def refused(found: TrustList | ListRefused) -> object:
    assert isinstance(found, ListRefused), found
    return found.fault


def test_a_good_list(agency: Agency) -> None:
    found = agency.read(agency.list())
    assert isinstance(found, TrustList)
    assert found.generated_at == NOW
    assert found.skipped == 0
    assert found.entries.keys() == {"un.mssante.example", "deux.mssante.example"}
    assert found.names_of("un.mssante.example") == {parse(DN_A1), parse(DN_A2)}
    assert found.domains_of(parse(DN_B)) == {"deux.mssante.example"}
    assert found.domains_of(parse("CN=other,C=FR")) == frozenset()


ALLOWED = [
    ("un.mssante.example", DN_A1, True),
    ("UN.MSSanté.example".replace("é", "e"), DN_A2, True),
    ("un.mssante.example.", DN_A1.upper().replace("É", "e\u0301".upper()), True),
    ("un.mssante.example", DN_B, False),
    ("deux.mssante.example", DN_B, True),
    ("deux.mssante.example", DN_A1, False),
    ("mssante.example", DN_A1, False),
    ("sub.un.mssante.example", DN_A1, False),
    ("un.mssante.example", DN_A1.replace("É", "E"), False),
    ("", DN_A1, False),
]


@pytest.mark.parametrize(("domain", "dn", "allowed"), ALLOWED)
def test_who_may_speak_for_a_domain(agency: Agency, domain: str, dn: str, allowed: bool) -> None:
    found = agency.read(agency.list())
    assert isinstance(found, TrustList)
    assert found.allows(domain, parse(dn)) is allowed


def test_the_shape_is_that_of_the_real_list(agency: Agency) -> None:
    root = etree.fromstring(agency.list())
    assert [etree.QName(child).localname for child in root] == ["DateDeGeneration", "ListeDomaines", "Signature"]
    assert [etree.QName(child).namespace for child in root] == [NAMESPACE, NAMESPACE, signed_xml.DS]
    first = root.find(f".//{{{NAMESPACE}}}Domaine")
    assert first is not None
    names = " ".join(etree.QName(child).localname for child in first)
    assert names == "Nom Description DNCertificatOperateur ResponsableContact SupportContact DateMAJ"


def test_the_digest_is_the_one_another_implementation_finds(agency: Agency) -> None:
    """The standard library's canonicalisation (written by others) over the text without its signature."""
    data = agency.list().decode()
    without = re.sub(r"<Signature .*</Signature>", "", data, flags=re.DOTALL)
    digest = sha256(stdlib_xml.canonicalize(without).encode()).digest()
    stated = re.search(r"<DigestValue>(.*?)</DigestValue>", data)
    assert stated is not None
    assert b64decode(stated[1]) == digest


def test_a_signature_with_line_ends_and_the_signature_in_another_place(agency: Agency) -> None:
    data = agency.list()
    wrapped = re.sub(
        rb"(?<=<SignatureValue>)(.*?)(?=</SignatureValue>)",
        lambda m: b"&#13;\n".join(re.findall(rb".{1,76}", m[0])),
        data,
    )
    assert isinstance(agency.read(wrapped), TrustList)
    signature = re.search(rb"<Signature .*</Signature>", data, re.DOTALL)
    assert signature is not None
    moved = data.replace(signature[0], b"").replace(b'schema">', b'schema">' + signature[0])
    assert isinstance(agency.read(moved), TrustList), "an enveloped signature may stand anywhere under the root"


# -- what is not a good list -----------------------------------------------------------------------------------------

Change = Callable[[bytes], bytes]


def swap(old: bytes, new: bytes) -> Change:
    def change(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new, 1)

    return change


def without_signature(data: bytes) -> bytes:
    return re.sub(rb"<Signature .*</Signature>", b"", data, flags=re.DOTALL)


def twice_signed(data: bytes) -> bytes:
    found = re.search(rb"<Signature .*</Signature>", data, re.DOTALL)
    assert found is not None
    return data.replace(found[0], found[0] * 2)


def with_other_key(data: bytes) -> bytes:
    """Same certificate embedded, signature made by another key."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    certificate = re.search(rb"<X509Certificate>(.*?)</X509Certificate>", data)
    assert certificate is not None
    signer = x509.load_der_x509_certificate(b64decode(certificate[1]))
    return signed_xml.sign(without_signature(data), rsa.generate_private_key(65537, 2048), (signer,))


EVIL = b"<Domaine><Nom>evil.example</Nom><DNCertificatOperateur>CN=evil,C=FR</DNCertificatOperateur></Domaine>"

FAULTS: list[tuple[str, Change, object]] = [
    ("empty", lambda data: b"", XmlFault.MALFORMED),
    ("not XML", lambda data: b"un.mssante.example;CN=a", XmlFault.MALFORMED),
    ("cut short", lambda data: data[:-30], XmlFault.MALFORMED),
    ("closing root tag missing", swap(b"</ListeBlancheMSSante>", b""), XmlFault.MALFORMED),
    ("text after the end", lambda data: data + b"x", XmlFault.MALFORMED),
    ("too large", lambda data: data + b" " * signed_xml.MAX_SIZE, XmlFault.TOO_LARGE),
    ("DOCTYPE", swap(b"<ListeB", b"<!DOCTYPE ListeBlancheMSSante><ListeB"), XmlFault.DOCTYPE),
    ("DOCTYPE in UTF-16", lambda data: recoded(swap(b"<ListeB", b"<!DOCTYPE a><ListeB")(data)), XmlFault.DOCTYPE),
    ("entity", swap(b"<ListeB", b'<!DOCTYPE a [<!ENTITY e "x">]><ListeB'), XmlFault.DOCTYPE),
    (
        "external entity",
        swap(b"<ListeB", b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><ListeB'),
        XmlFault.DOCTYPE,
    ),
    ("undeclared entity", swap(b"<Nom>un", b"<Nom>&e;un"), XmlFault.MALFORMED),
    ("unsigned", without_signature, XmlFault.UNSIGNED),
    ("signature in another namespace", swap(b"2000/09/xmldsig#", b"2000/09/xmldsig2#"), XmlFault.UNSIGNED),
    ("two signatures", twice_signed, XmlFault.SHAPE),
    ("domain changed", swap(b"<Nom>un.mssante", b"<Nom>xx.mssante"), XmlFault.DIGEST),
    ("entry added", swap(b"<ListeDomaines>", b"<ListeDomaines>" + EVIL), XmlFault.DIGEST),
    ("date changed", swap(b"<DateDeGeneration>20", b"<DateDeGeneration>21"), XmlFault.DIGEST),
    ("space added", swap(b"<ListeDomaines>", b"<ListeDomaines> "), XmlFault.DIGEST),
    ("processing instruction added", swap(b"<Nom>un", b"<Nom><?x?>un"), XmlFault.DIGEST),
    (
        "digest changed with the content",
        lambda data: redigested(swap(b"<Nom>un", b"<Nom>xx")(data)),
        XmlFault.SIGNATURE,
    ),
    ("other key", with_other_key, XmlFault.SIGNATURE),
    ("signature not base64", swap(b"<SignatureValue>", b"<SignatureValue>*"), XmlFault.SHAPE),
    ("signature empty", lambda data: re.sub(rb"<SignatureValue>.*?<", b"<SignatureValue><", data), XmlFault.SIGNATURE),
    ("certificate missing", lambda data: re.sub(rb"<X509Certificate>.*</X509Certificate>", b"", data), XmlFault.SHAPE),
    ("certificate spoiled", swap(b"<X509Certificate>", b"<X509Certificate>AAAA"), XmlFault.SHAPE),
    ("reference to a part", swap(b'URI=""', b'URI="#a"'), XmlFault.SHAPE),
    ("reference without URI", swap(b' URI=""', b""), XmlFault.SHAPE),
    ("two references", lambda data: re.sub(rb"(<Reference .*</Reference>)", rb"\1\1", data), XmlFault.SHAPE),
    ("no reference", lambda data: re.sub(rb"<Reference .*</Reference>", b"", data), XmlFault.SHAPE),
    ("SHA-1 digest", swap(signed_xml.SHA256.encode(), b"http://www.w3.org/2000/09/xmldsig#sha1"), XmlFault.SHAPE),
    (
        "HMAC",
        swap(signed_xml.RSA_SHA256.encode(), b"http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"),
        XmlFault.SHAPE,
    ),
    ("inclusive C14N", swap(b"2001/10/xml-exc-c14n#", b"TR/2001/REC-xml-c14n-20010315"), XmlFault.SHAPE),
    ("C14N with comments", swap(b"xml-exc-c14n#", b"xml-exc-c14n#WithComments"), XmlFault.SHAPE),
    (
        "XPath transform",
        swap(signed_xml.ENVELOPED.encode(), b"http://www.w3.org/TR/1999/REC-xpath-19991116"),
        XmlFault.SHAPE,
    ),
    ("transform left out", lambda data: re.sub(rb"<Transform A[^>]*exc-c14n#[^>]*>", b"", data), XmlFault.SHAPE),
    (
        "parameter in a transform",
        swap(b'exc-c14n#"/></Transforms>', b'exc-c14n#"><x/></Transform></Transforms>'),
        XmlFault.SHAPE,
    ),
    ("object in the signature", swap(b"</KeyInfo>", b"</KeyInfo><Object>" + EVIL + b"</Object>"), XmlFault.SHAPE),
    ("comment in SignedInfo", swap(b"<SignedInfo>", b"<SignedInfo><!-- x -->"), XmlFault.SHAPE),
]


def recoded(data: bytes) -> bytes:
    """UTF-16, where no byte search finds a DOCTYPE."""
    return data.decode().split("?>", 1)[1].encode("utf-16")


def redigested(data: bytes) -> bytes:
    root = etree.fromstring(data)
    signature = root[-1]
    signed_xml._detach(signature)
    digest = b64encode(sha256(signed_xml._canonical(root.getroottree())).digest())
    return re.sub(rb"<DigestValue>.*?<", b"<DigestValue>" + digest + b"<", data)


@pytest.mark.parametrize(("change", "fault"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_faults(agency: Agency, change: Change, fault: object) -> None:
    data = agency.list()
    changed = change(data)
    assert changed != data, "the change changes something"
    assert refused(agency.read(changed)) is fault


def test_wrapping_the_signed_root_in_another_one_is_refused(agency: Agency) -> None:
    """Signature wrapping: the good list hidden inside an evil one, with the signature in either place."""
    good = agency.list().split(b"?>", 1)[1].strip()
    signature = re.search(rb"<Signature .*</Signature>", good, re.DOTALL)
    assert signature is not None
    body = b"<DateDeGeneration>2026-11-20T00:00:00Z</DateDeGeneration><ListeDomaines>" + EVIL + b"</ListeDomaines>"
    opening, closing = f'<ListeBlancheMSSante xmlns="{NAMESPACE}">'.encode(), b"</ListeBlancheMSSante>"
    inside = opening + body + good + closing
    outside = opening + body + good.replace(signature[0], b"") + signature[0] + closing
    hidden = b"</KeyInfo><Object>" + good.replace(signature[0], b"") + b"</Object>"
    in_signature = opening + body + signature[0].replace(b"</KeyInfo>", hidden) + closing
    assert refused(agency.read(inside)) is XmlFault.SHAPE
    assert refused(agency.read(outside)) is XmlFault.DIGEST
    assert refused(agency.read(in_signature)) is XmlFault.SHAPE


def test_a_comment_cannot_cut_a_signed_name(agency: Agency) -> None:
    """Comments are outside the signature: they must not change what is read."""
    changed = agency.list().replace(b"<Nom>un.mssante.example", b"<Nom>un.mss<!-- x -->ante.example")
    found = agency.read(changed)
    assert isinstance(found, TrustList)
    assert found.entries.keys() == {"un.mssante.example", "deux.mssante.example"}


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_to_the_signed_part_is_refused(agency: Agency, data: st.DataObject) -> None:
    """One byte changed anywhere before the signature: refused, or (in comments, spaces inside tags) read the same."""
    good = agency.list()
    expected = agency.read(good)
    place = data.draw(st.integers(0, good.index(b"<Signature") - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != good[place]))
    found = agency.read(good[:place] + bytes([byte]) + good[place + 1 :])
    assert isinstance(found, ListRefused) or found == expected


# -- the signer -------------------------------------------------------------------------------------------------------


def test_the_signer(agency: Agency) -> None:
    stranger = Agency()
    revoked = agency.named("alb.mssante.fr")
    agency.authority.revoke(revoked.certificate, NOW)
    for by, fault, detail in (
        (agency.named("autre.mssante.fr"), ListFault.SIGNER_NAME, "CN=autre.mssante.fr"),
        (stranger.signer, ListFault.SIGNER_CHAIN, "trusted authority"),
        (agency.named("alb.mssante.fr", end=NOW - DAY), ListFault.SIGNER_CHAIN, "expired"),
        (revoked, ListFault.SIGNER_CHAIN, "revoked"),
    ):
        found = agency.read(agency.list(by=by))
        assert refused(found) is fault
        assert detail in str(found)


def test_an_operators_certificate_of_the_same_name_cannot_sign(agency: Agency) -> None:
    from certs.profiles import OPERATOR

    subject = organisation_subject("alb.mssante.fr", "347976684200724", "AGENCE", "Hauts-de-Seine (92)")
    operator = agency.authority.issue(OPERATOR, subject, NOW, kind=KeyKind.RSA)
    assert refused(agency.read(agency.list(by=operator))) is ListFault.SIGNER_CHAIN


def test_an_elliptic_key_is_not_the_accepted_shape(agency: Agency) -> None:
    elliptic = agency.named("alb.mssante.fr", kind=KeyKind.EC)
    data = agency.list()
    der = b64encode(elliptic.certificate.public_bytes(Encoding.DER))
    changed = re.sub(rb"<X509Certificate>.*?<", b"<X509Certificate>" + der + b"<", data, count=1)
    assert refused(agency.read(changed)) is XmlFault.SHAPE


def test_a_damaged_certificate_is_refused_in_words(agency: Agency) -> None:
    """Each 7th byte of the embedded certificate spoiled: always a refusal, never another error."""
    data = agency.list()
    stated = re.search(rb"<X509Certificate>(.*?)<", data)
    assert stated is not None
    der = b64decode(stated[1])
    for place in range(0, len(der), 7):
        damaged = der[:place] + bytes([der[place] ^ 0x41]) + der[place + 1 :]
        assert isinstance(agency.read(data.replace(stated[1], b64encode(damaged))), ListRefused), place


def test_no_pinned_name_means_no_signer(agency: Agency) -> None:
    rule = Signer(agency.rule().judge, ())
    assert refused(read_list(agency.list(), rule, NOW)) is ListFault.SIGNER_NAME
    other = Signer(agency.rule().judge, ((CN, "ALB.mssante.FR"),))
    assert isinstance(read_list(agency.list(), other, NOW), TrustList), "names are compared prepared"


# -- the content ------------------------------------------------------------------------------------------------------

ROOT = f"<ListeBlancheMSSante xmlns='{NAMESPACE}'>%s<ListeDomaines/></ListeBlancheMSSante>"
DATE = "<DateDeGeneration>%s</DateDeGeneration>"
CONTENTS = [
    (f"<Autre xmlns='{NAMESPACE}'/>", ListFault.CONTENT),
    ("<ListeBlancheMSSante/>", ListFault.CONTENT),
    (ROOT.replace("%s", ""), ListFault.CONTENT),
    (ROOT.replace("%s", DATE.replace("%s", "hier")), ListFault.CONTENT),
    (ROOT.replace("%s", DATE.replace("%s", "2026-11-20T10:00:00")), ListFault.CONTENT),  # no zone
    (ROOT.replace("%s", DATE.replace("%s", "2026-11-20T10:00:00Z")), ListFault.EMPTY),
]


@pytest.mark.parametrize(("text", "fault"), CONTENTS)
def test_signed_but_not_a_list(agency: Agency, text: str, fault: object) -> None:
    signer = agency.signer
    data = signed_xml.sign(text.encode(), signer.key, (signer.certificate, *signer.chain))  # type: ignore[arg-type]
    assert refused(agency.read(data)) is fault


def test_unreadable_entries_are_skipped_and_counted(agency: Agency) -> None:
    bad = [
        Entry("bad.example", "no name"),
        Entry("not a domain", DN_B),
        Entry("", DN_B),
        Entry("localhost", DN_B),
        Entry("-a.example", DN_B),
    ]
    found = agency.read(agency.list(entries=[*bad, *ENTRIES]))
    assert isinstance(found, TrustList)
    assert found.skipped == len(bad)
    assert found.entries.keys() == {"un.mssante.example", "deux.mssante.example"}


def test_parse_is_safe_by_itself() -> None:
    powers = b"".join(b'<!ENTITY %c "&%c;&%c;">' % (98 + n, 97 + n, 97 + n) for n in range(24))
    bomb = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + powers + b"]><a>&z;</a>"
    with pytest.raises(XmlRefused):
        signed_xml.parse(bomb)
    with pytest.raises(XmlRefused):
        signed_xml.parse(b"<a>" * 100_000)

"""Decision table of the certificate judge: each fault apart, and what hostile or odd certificates get."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs import crl
from certs.authority import Authority, Issued, KeyKind, new_key
from certs.chain import MAX_CHECKS, Checks, Fault, Purpose, Refused, Trusted, UsageRule, judge_chain
from certs.names import of_name, parse, to_name
from certs.profiles import INTERMEDIATE, LIST_SIGNER, OPERATOR, ORGANISATION, PERSON, person_subject
from certs.times import to_datetime
from certs.trust_store import TrustStore
from foundation.clock import DAY, HOUR, MINUTE, SECOND
from foundation.dn import CN

NOW = 1_795_000_000_000
SUBJECT = to_name("CN=mx.un.example,OU=344368557300034,O=OPÉRATEUR UN,ST=Bouches-du-Rhône (13),C=FR")


@dataclass
class Made:
    """One certificate built by hand, so that it can be wrong in one way."""

    subject: x509.Name = SUBJECT
    start: int = NOW - DAY
    end: int = NOW + DAY
    basic: tuple[bool, int | None] | None = (False, None)
    usage: tuple[str, ...] | None = ("digital_signature",)
    extended: Sequence[x509.ObjectIdentifier] | None = (
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.SERVER_AUTH,
    )
    extra: Sequence[tuple[x509.ExtensionType, bool]] = ()
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = field(default_factory=new_key)

    def by(self, issuer: Issued) -> Issued:
        builder = (
            x509.CertificateBuilder(
                issuer.certificate.subject, self.subject, self.key.public_key(), x509.random_serial_number()
            )
            .not_valid_before(to_datetime(self.start))
            .not_valid_after(to_datetime(self.end))
        )
        if self.basic is not None:
            builder = builder.add_extension(x509.BasicConstraints(*self.basic), critical=True)
        if self.usage is not None:
            names = (
                "digital_signature",
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
            )
            more = ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
            builder = builder.add_extension(
                x509.KeyUsage(**{name: name in self.usage for name in names + more}), critical=True
            )
        if self.extended is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(self.extended), critical=False)
        for extension, critical in self.extra:
            builder = builder.add_extension(extension, critical=critical)
        return Issued(builder.sign(issuer.key, hashes.SHA256()), self.key)


AUTHORITY = Authority.create(NOW - 400 * DAY)
CA_USAGE = ("key_cert_sign", "crl_sign")


def a_ca(**changes: object) -> Made:
    name = to_name("CN=AC ESSAI,O=ESSAI,C=FR")
    return replace(Made(subject=name, basic=(True, None), usage=CA_USAGE, extended=None), **changes)  # type: ignore[arg-type]


def judge(
    leaf: Issued | None,
    sent: Sequence[Issued] = (AUTHORITY.intermediate,),
    *,
    at: int = NOW,
    purpose: Purpose = Purpose.CLIENT,
    checks: Checks | None = None,
    anchors: Sequence[x509.Certificate] = (AUTHORITY.root.certificate,),
    crls: Sequence[crl.Usable] | None = None,
) -> Fault | None:
    lists = crl.from_x509(AUTHORITY.crls(NOW - HOUR)) if crls is None else crls
    found = judge_chain(
        leaf.certificate if leaf else None,
        [one.certificate for one in sent],
        anchors,
        lists,
        at,
        purpose,
        checks or Checks(),
    )
    return found.fault if isinstance(found, Refused) else None


def leaf(**changes: object) -> Issued:
    return replace(Made(), **changes).by(AUTHORITY.intermediate)  # type: ignore[arg-type]


GOOD = leaf()
OWN = leaf(subject=SUBJECT)
REVOKED = leaf()
AUTHORITY.revoke(REVOKED.certificate, NOW - DAY)
UNKNOWN_OID = x509.ObjectIdentifier("1.2.250.1.213.7.2.5")  # a real private extension of IGC-Santé certificates


def self_signed() -> Issued:
    made = Made()
    return made.by(Issued(GOOD.certificate, made.key))  # same subject as GOOD, so issuer = subject


def unknown(critical: bool) -> Issued:
    return leaf(extra=[(x509.UnrecognizedExtension(UNKNOWN_OID, b"\x04\x00"), critical)])


LEAVES: list[tuple[str, Callable[[], Issued | None], Fault | None]] = [
    ("good", lambda: GOOD, None),
    ("none", lambda: None, Fault.MISSING),
    ("expired", lambda: leaf(end=NOW - MINUTE), Fault.EXPIRED),
    ("end date is included", lambda: leaf(end=NOW), None),
    ("not yet valid", lambda: leaf(start=NOW + MINUTE), Fault.NOT_YET_VALID),
    ("start date is included", lambda: leaf(start=NOW), None),
    ("revoked", lambda: REVOKED, Fault.REVOKED),
    ("self-signed", self_signed, Fault.UNTRUSTED),
    ("same names, other authority", lambda: Authority.create(NOW).issue(OPERATOR, SUBJECT, NOW), Fault.UNTRUSTED),
    ("an authority's own certificate", lambda: AUTHORITY.intermediate, Fault.WRONG_USAGE),
    ("key usage without signature", lambda: leaf(usage=("key_encipherment",)), Fault.WRONG_USAGE),
    ("no key usage", lambda: leaf(usage=None), None),
    ("no basic constraints", lambda: leaf(basic=None), None),
    ("RSA 1024", lambda: leaf(key=rsa.generate_private_key(65537, 1024)), Fault.WEAK),
    ("RSA 2048", lambda: leaf(key=new_key(KeyKind.RSA)), None),
    ("curve P-192", lambda: leaf(key=ec.generate_private_key(ec.SECP192R1())), Fault.WEAK),
    ("curve P-384", lambda: leaf(key=ec.generate_private_key(ec.SECP384R1())), None),
    ("unknown critical extension", lambda: unknown(True), Fault.UNREADABLE),
    ("unknown extension, not critical", lambda: unknown(False), None),
    ("empty subject", lambda: leaf(subject=x509.Name([])), Fault.UNREADABLE),
]  # fmt: skip


@pytest.mark.parametrize(("make", "fault"), [row[1:] for row in LEAVES], ids=[row[0] for row in LEAVES])
def test_leaves(make: Callable[[], Issued | None], fault: Fault | None) -> None:
    assert judge(make()) is fault


def test_trusted_tells_the_name_and_the_end() -> None:
    found = judge_chain(
        GOOD.certificate, [AUTHORITY.intermediate.certificate], [AUTHORITY.root.certificate],
        crl.from_x509(AUTHORITY.crls(NOW)), NOW, Purpose.CLIENT,
    )  # fmt: skip
    assert found == Trusted(
        parse("cn=MX.un.example,ou=344368557300034,o=Opérateur Un,st=Bouches-du-Rhône (13),c=fr"), NOW + DAY
    )


def test_refused_tells_the_name_seen() -> None:
    found = judge_chain(GOOD.certificate, [], [], [], NOW, Purpose.CLIENT)
    assert found == Refused(
        Fault.UNTRUSTED, "CN=mx.un.example,OU=344368557300034,O=OPÉRATEUR UN,ST=Bouches-du-Rhône (13),C=FR"
    )


def test_every_fault_has_a_sentence_in_both_languages() -> None:
    assert len({fault.fr for fault in Fault}) == len({fault.en for fault in Fault}) == len(Fault)
    assert all(fault.fr and fault.en.isascii() for fault in Fault)


# -- authorities on the path ------------------------------------------------------------------------------------------


def under(authority: Made) -> Fault | None:
    """A good leaf under an authority made by hand, itself under the root; no revocation lists for it."""
    made = authority.by(AUTHORITY.root)
    return judge(Made().by(made), [made], checks=Checks(crl_required=False))


AUTHORITIES: list[tuple[str, dict[str, object], Fault | None]] = [
    ("good", {}, None),
    ("not an authority", {"basic": (False, None)}, Fault.UNTRUSTED),
    ("no basic constraints", {"basic": None}, Fault.UNTRUSTED),
    ("may not sign certificates", {"usage": ("crl_sign",)}, Fault.UNTRUSTED),
    ("no key usage", {"usage": None}, None),
    ("expired", {"end": NOW - MINUTE}, Fault.EXPIRED),
    ("not yet valid", {"start": NOW + MINUTE}, Fault.NOT_YET_VALID),
    ("limited to other uses", {"extended": [ExtendedKeyUsageOID.EMAIL_PROTECTION]}, Fault.WRONG_USAGE),
    ("limited to this use", {"extended": [ExtendedKeyUsageOID.CLIENT_AUTH]}, None),
    ("weak key", {"key": rsa.generate_private_key(65537, 1024)}, Fault.WEAK),
    (
        "name constraints",
        {"extra": [(x509.NameConstraints([x509.DNSName("a.example")], None), False)]},
        Fault.UNTRUSTED,
    ),
    (
        "unknown critical extension",
        {"extra": [(x509.UnrecognizedExtension(UNKNOWN_OID, b"\x05\x00"), True)]},
        Fault.UNTRUSTED,
    ),
]


@pytest.mark.parametrize(("changes", "fault"), [row[1:] for row in AUTHORITIES], ids=[row[0] for row in AUTHORITIES])
def test_authorities(changes: dict[str, object], fault: Fault | None) -> None:
    assert under(a_ca(**changes)) is fault


def test_path_length() -> None:
    lenient = Checks(crl_required=False)
    below = a_ca().by(AUTHORITY.intermediate)  # our intermediate says path length 0
    assert judge(Made().by(below), [AUTHORITY.intermediate, below], checks=lenient) is Fault.UNTRUSTED
    one = a_ca(basic=(True, 1)).by(AUTHORITY.root)
    two = a_ca(subject=to_name("CN=AC DEUX,C=FR")).by(one)
    three = a_ca(subject=to_name("CN=AC TROIS,C=FR")).by(two)
    assert judge(Made().by(two), [one, two], checks=lenient) is None
    assert judge(Made().by(three), [three, one, two], checks=lenient) is Fault.UNTRUSTED


def test_a_leaf_cannot_issue() -> None:
    assert judge(Made().by(GOOD), [GOOD, AUTHORITY.intermediate]) is Fault.UNTRUSTED


def test_the_intermediate_may_be_ours_theirs_or_the_anchor() -> None:
    assert judge(GOOD, []) is Fault.UNTRUSTED
    assert judge(GOOD, [AUTHORITY.root, AUTHORITY.intermediate, AUTHORITY.intermediate]) is None
    assert judge(GOOD, [], anchors=[AUTHORITY.intermediate.certificate]) is None
    store = TrustStore(
        (AUTHORITY.root.certificate,), crl.from_x509(AUTHORITY.crls(NOW)), (AUTHORITY.intermediate.certificate,)
    )
    assert isinstance(store.judge(GOOD.certificate.public_bytes(Encoding.DER), [b"junk"] * 50, NOW), Trusted)


def test_one_good_path_is_enough_and_the_first_bad_one_speaks_otherwise() -> None:
    """The intermediate renewed with the same key and name: the old one has ended."""
    key, name = new_key(), to_name("CN=AC ESSAI,O=ESSAI,C=FR")
    old = a_ca(key=key, subject=name, end=NOW - DAY).by(AUTHORITY.root)
    new = a_ca(key=key, subject=name).by(AUTHORITY.root)
    lenient = Checks(crl_required=False)
    assert judge(Made().by(new), [old, new], checks=lenient) is None
    assert judge(Made().by(new), [old], checks=lenient) is Fault.EXPIRED


def test_hostile_chains_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many authorities of one name and key, cross-signing each other: the number of signatures checked is bounded."""
    key, name = new_key(), to_name("CN=AC ESSAI,O=ESSAI,C=FR")
    loop = Issued(a_ca(key=key, subject=name).by(Issued(AUTHORITY.root.certificate, key)).certificate, key)
    many = [a_ca(key=key, subject=name).by(loop) for _ in range(40)]
    calls = 0
    import certs.chain as module

    original = module._issued

    def counting(*arguments: object) -> bool:
        nonlocal calls
        before = arguments[2][0]  # type: ignore[index]
        result = original(*arguments)  # type: ignore[arg-type]
        calls += before != arguments[2][0]  # type: ignore[index]
        return result

    monkeypatch.setattr(module, "_issued", counting)
    assert judge(Made().by(loop), many) is Fault.UNTRUSTED
    assert 0 < calls <= MAX_CHECKS


# -- revocation -------------------------------------------------------------------------------------------------------

BOTH = AUTHORITY.crls(NOW - 7 * DAY, 6 * DAY)  # ended one day before NOW
FRESH = AUTHORITY.crls(NOW - HOUR, 6 * DAY)

REVOCATION = [
    ("fresh", FRESH, Checks(), GOOD, None),
    ("revoked", FRESH, Checks(), REVOKED, Fault.REVOKED),
    ("within the grace", BOTH, Checks(crl_grace=DAY), GOOD, None),
    ("after the grace", BOTH, Checks(crl_grace=DAY - SECOND), GOOD, Fault.CRL_TOO_OLD),
    ("old, but not required", BOTH, Checks(False, 0), GOOD, None),
    ("revoked by an old list", BOTH, Checks(False, 0), REVOKED, Fault.REVOKED),
    ("one old and one fresh", (*BOTH, *FRESH), Checks(crl_grace=0), GOOD, None),
    ("missing", (), Checks(), GOOD, Fault.CRL_MISSING),
    ("missing, not required", (), Checks(crl_required=False), GOOD, None),
    ("only the root's", FRESH[1:], Checks(), GOOD, Fault.CRL_MISSING),
    ("only the intermediate's", FRESH[:1], Checks(), GOOD, Fault.CRL_MISSING),
    ("of another authority of the same name", Authority.create(NOW - DAY).crls(NOW), Checks(), GOOD, Fault.CRL_MISSING),
]


@pytest.mark.parametrize(
    ("lists", "checks", "issued", "fault"), [row[1:] for row in REVOCATION], ids=[row[0] for row in REVOCATION]
)
def test_revocation(
    lists: tuple[x509.CertificateRevocationList, ...], checks: Checks, issued: Issued, fault: Fault | None
) -> None:
    assert judge(issued, crls=crl.from_x509(lists), checks=checks) is fault


def test_a_revoked_intermediate() -> None:
    authority = Authority.create(NOW - DAY)
    issued = authority.issue(OPERATOR, SUBJECT, NOW)
    authority.revoke(authority.intermediate.certificate, NOW)
    lists = crl.from_x509(authority.crls(NOW))
    fault = judge(issued, [authority.intermediate], anchors=[authority.root.certificate], crls=lists)
    assert fault is Fault.REVOKED


def test_files_of_lists() -> None:
    data = b"".join(one.public_bytes(Encoding.PEM) for one in FRESH)
    assert len(crl.load(data)) == 2
    assert crl.load(FRESH[0].public_bytes(Encoding.DER))[0].revoked == {REVOKED.certificate.serial_number}
    for bad in (b"", b"junk", data[:200], b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"):
        with pytest.raises(crl.CrlError):
            crl.load(bad)


def a_list(
    *extensions: tuple[x509.ExtensionType, bool], digest: hashes.HashAlgorithm | None = None
) -> x509.CertificateRevocationList:
    builder = (
        x509.CertificateRevocationListBuilder(AUTHORITY.intermediate.certificate.subject)
        .last_update(to_datetime(NOW - HOUR))
        .next_update(to_datetime(NOW + DAY))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(AUTHORITY.intermediate.key, digest or hashes.SHA256())  # type: ignore[arg-type]


def point(**only: bool) -> x509.IssuingDistributionPoint:
    names = ("only_contains_user_certs", "only_contains_ca_certs", "indirect_crl", "only_contains_attribute_certs")
    where = [x509.UniformResourceIdentifier("http://a.example/crl")]
    return x509.IssuingDistributionPoint(
        where, None, only_some_reasons=None, **{name: only.get(name, False) for name in names}
    )


def test_partial_lists_are_refused_or_limited() -> None:
    for extension in (point(indirect_crl=True), point(only_contains_attribute_certs=True)):
        with pytest.raises(crl.CrlError):
            crl.from_x509([a_list((extension, True))])
    users = crl.from_x509([a_list((point(only_contains_user_certs=True), True)), FRESH[1]])
    authorities = crl.from_x509([a_list((point(only_contains_ca_certs=True), True)), FRESH[1]])
    assert judge(GOOD, crls=users) is None
    assert judge(GOOD, crls=authorities) is Fault.CRL_MISSING


def test_a_delta_brings_its_full_list_up_to_date() -> None:
    """RFC 5280 5.2.4: what it adds is revoked, what it takes off no longer is, and its end counts."""
    authority = Authority.create(NOW - 10 * DAY)
    held, later = (authority.issue(OPERATOR, SUBJECT, NOW) for _ in range(2))
    authority.revoke(held.certificate, NOW - 8 * DAY)
    full = authority.crls(NOW - 7 * DAY, 6 * DAY)  # ended one day before NOW
    authority.revoke(later.certificate, NOW - HOUR)
    delta = authority.delta(full[0], NOW - HOUR, released=frozenset({held.certificate.serial_number}))
    roots = authority.crls(NOW)[1:]

    def told(issued: Issued, *lists: x509.CertificateRevocationList) -> Fault | None:
        found = crl.from_x509([*roots, *lists])
        anchors, sent = [authority.root.certificate], [authority.intermediate]
        return judge(issued, sent, anchors=anchors, crls=found, checks=Checks(crl_grace=0))

    assert told(held, full[0]) is Fault.REVOKED
    assert told(later, full[0]) is Fault.CRL_TOO_OLD
    assert told(held, full[0], delta) is None
    assert told(later, full[0], delta) is Fault.REVOKED
    assert told(later, delta) is Fault.CRL_MISSING, "alone it proves nothing"
    of_a_newer_base = authority.delta(authority.crls(NOW - MINUTE)[0], NOW)
    assert told(later, full[0], of_a_newer_base) is Fault.CRL_TOO_OLD
    forged = replace_issuer(authority).delta(full[0], NOW, released=frozenset({held.certificate.serial_number}))
    assert told(held, full[0], forged) is Fault.REVOKED


def replace_issuer(authority: Authority) -> Authority:
    """The same names, another key."""
    other = Authority.create(NOW - 10 * DAY)
    other.revoked = authority.revoked
    return other


# -- usage ------------------------------------------------------------------------------------------------------------

CLIENT, SERVER, MAIL, ANY = (
    ExtendedKeyUsageOID.CLIENT_AUTH,
    ExtendedKeyUsageOID.SERVER_AUTH,
    ExtendedKeyUsageOID.EMAIL_PROTECTION,
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
)
USAGES = [  # extended key usage, purpose, allowed under (strict, standard, either)
    ([CLIENT], Purpose.CLIENT, "yes yes yes"),
    ([SERVER], Purpose.CLIENT, "no no yes"),
    ([CLIENT], Purpose.SERVER, "no no yes"),
    ([CLIENT, SERVER], Purpose.SERVER, "yes yes yes"),
    ([MAIL], Purpose.CLIENT, "no no no"),
    ([ANY], Purpose.CLIENT, "no yes yes"),
    (None, Purpose.SERVER, "no yes yes"),
    ([MAIL], Purpose.SIGNATURE, "yes yes yes"),
    ([CLIENT], Purpose.SIGNATURE, "no no no"),
    (None, Purpose.SIGNATURE, "no yes yes"),
]


@pytest.mark.parametrize(("extended", "purpose", "allowed"), USAGES)
def test_usage(extended: list[x509.ObjectIdentifier] | None, purpose: Purpose, allowed: str) -> None:
    issued = leaf(extended=extended)
    for rule, answer in zip(UsageRule, allowed.split(), strict=True):
        fault = judge(issued, purpose=purpose, checks=Checks(usage=rule))
        assert (fault is None, fault in (None, Fault.WRONG_USAGE)) == (answer == "yes", True), rule


def test_profiles_serve_what_they_are_for() -> None:
    person = person_subject("810003620000", "MARTIN", "Claire")
    for profile, subject, purposes in (
        (OPERATOR, SUBJECT, {Purpose.CLIENT, Purpose.SERVER}),
        (ORGANISATION, SUBJECT, {Purpose.CLIENT}),
        (PERSON, person, {Purpose.CLIENT}),
        (LIST_SIGNER, SUBJECT, {Purpose.SIGNATURE}),
        (INTERMEDIATE, SUBJECT, set()),
    ):
        issued = AUTHORITY.issue(profile, subject, NOW)
        assert {one for one in Purpose if judge(issued, purpose=one) is None} == purposes, profile.name


# -- unreadable certificates ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("der", [b"", b"\x30\x00", b"junk" * 100, GOOD.certificate.public_bytes(Encoding.DER)[:-1]])
def test_bytes_that_are_no_certificate(der: bytes) -> None:
    store = TrustStore((AUTHORITY.root.certificate,))
    assert store.judge(der, (), NOW) == Refused(Fault.UNREADABLE)


def test_damaged_certificates_never_raise_and_are_never_trusted() -> None:
    """Each byte of a good certificate flipped, one at a time."""
    der = GOOD.certificate.public_bytes(Encoding.DER)
    store = TrustStore((AUTHORITY.root.certificate,), crl.from_x509(FRESH), (AUTHORITY.intermediate.certificate,))
    assert isinstance(store.judge(der, (), NOW), Trusted)
    for place in range(len(der)):
        damaged = der[:place] + bytes([der[place] ^ 0x41]) + der[place + 1 :]
        assert isinstance(store.judge(damaged, (), NOW), Refused), place


def test_names_of_certificates() -> None:
    name = of_name(GOOD.certificate.subject)
    assert name == parse(name.text)
    assert name.values(CN) == ("mx.un.example",)
    assert GOOD.certificate.subject.rfc4514_string().split(",")[0] == "CN=mx.un.example", (
        "written leaf first, as in the list"
    )
    assert of_name(to_name(name.text)) == name
    assert next(iter(SUBJECT)).oid == NameOID.COUNTRY_NAME
    assert to_datetime(NOW) - to_datetime(NOW - DAY) == timedelta(days=1)

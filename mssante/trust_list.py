"""The trust list ("liste blanche"): which certificate subjects may speak for which mail domain.

Read from the signed XML that the national agency publishes (namespace below; shape in docs, section on the trust list),
or from one made by `sign_list` for development. A list that is unsigned, cut short, wrongly signed, signed by someone
else, or not newer than the one in use is refused with its reason. This file judges lists, not peers' certificates; the
chain of the signer is judged by a function given from outside (`certs.trust_store.TrustStore.signer_judge`), as this
package may not import that one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from foundation.dn import CN, DistinguishedName, DnError, Pair, from_pairs, parse, prepare
from foundation.wording import said
from mssante import signed_xml
from mssante.signed_xml import XmlFault, XmlRefused

NAMESPACE = "https://listeblanche.mssante.fr/schema"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)+")

ChainJudge = Callable[[x509.Certificate, Sequence[x509.Certificate], int], str | None]
"""(signer, certificates sent with it, at ms) -> None when trusted, else the fault: « français // English »."""


class ListFault(Enum):
    """Why a well-signed document is refused all the same."""

    SIGNER_NAME = "the list is signed by someone else than trust_list.signer"
    SIGNER_CHAIN = "the certificate of the signer is not trusted"
    CONTENT = "the content is not a trust list"
    EMPTY = "the list names no domain"
    FUTURE = "the list is dated in the future"
    NOT_NEWER = "the list is not newer than the one in use"


@dataclass(frozen=True, slots=True)
class ListRefused:
    """The list in use stays. `detail` has dates, names of the signer, or the chain's fault (« français // English »): nothing
    personal.
    """

    fault: ListFault | XmlFault
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.fault.value} ({said(self.detail, 'en')})" if self.detail else self.fault.value


@dataclass(frozen=True, slots=True)
class Signer:
    """Who may sign: pinned attributes of the subject (dotted OID, value), and the judge of its chain. The key is not
    pinned: it is renewed every three years. `kept`: the judge of a list that was taken up before, when it is another: what became
    of its signer since says nothing of the day it signed.
    """

    judge: ChainJudge
    pinned: tuple[Pair, ...] = ((CN, "alb.mssante.fr"),)
    kept: ChainJudge | None = None

    def fault(self, signed: signed_xml.Signed, at: int, kept: bool = False) -> ListRefused | None:
        try:
            name = from_pairs(
                [(one.oid.dotted_string, str(one.value)) for one in rdn] for rdn in signed.signer.subject.rdns
            )
        except (DnError, ValueError):
            return ListRefused(ListFault.SIGNER_NAME)
        if not self.pinned or any(prepare(value) not in name.values(oid) for oid, value in self.pinned):
            return ListRefused(ListFault.SIGNER_NAME, str(name))
        judge = (kept and self.kept) or self.judge
        fault = judge(signed.signer, signed.sent, at)
        return None if fault is None else ListRefused(ListFault.SIGNER_CHAIN, fault)


@dataclass(frozen=True, slots=True)
class TrustList:
    """`entries`: domain (lower case) -> names of the certificates that may speak for it. `skipped`: entries that could
    not be read.
    """

    generated_at: int  # ms
    entries: Mapping[str, frozenset[DistinguishedName]]
    skipped: int = 0
    _by_name: Mapping[DistinguishedName, frozenset[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: dict[DistinguishedName, set[str]] = {}
        for domain, names in self.entries.items():
            for name in names:
                found.setdefault(name, set()).add(domain)
        object.__setattr__(self, "entries", MappingProxyType(dict(self.entries)))
        object.__setattr__(self, "_by_name", {name: frozenset(domains) for name, domains in found.items()})

    def has(self, domain: str) -> bool:
        """Whether the domain belongs to the trust space."""
        return fold_domain(domain) in self.entries

    def allows(self, domain: str, dn: DistinguishedName) -> bool:
        """Whether a certificate with this subject may speak for the domain."""
        return dn in self.entries.get(fold_domain(domain), ())

    def names_of(self, domain: str) -> frozenset[DistinguishedName]:
        return self.entries.get(fold_domain(domain), frozenset())

    def domains_of(self, dn: DistinguishedName) -> frozenset[str]:
        """All domains that this subject may speak for (`Sender.peer_domains` of the MX door)."""
        return self._by_name.get(dn, frozenset())


@dataclass(frozen=True, slots=True)
class Entry:
    """One `Domaine` of a list to sign; `dn` as RFC 4514 text, leaf first."""

    domain: str
    dn: str
    description: str = ""
    contact: str = ""
    support: str = ""


def fold_domain(domain: str) -> str:
    """Domains are compared without case, and without the final dot."""
    return domain.strip().rstrip(".").casefold()


def is_domain(domain: str) -> bool:
    return _DOMAIN.fullmatch(fold_domain(domain)) is not None


def read_list(data: bytes, signer: Signer, at: int | None) -> TrustList | ListRefused:
    """Verifies and reads a list; the signer's chain is judged at `at` (ms), or at the list's own date when None."""
    try:
        signed = signed_xml.verify(data)
        if at is not None and (refused := signer.fault(signed, at)):
            return refused
        found = _read(signed_xml.parse(signed.content))
    except XmlRefused as error:
        return ListRefused(error.fault)
    if at is None and isinstance(found, TrustList):
        return signer.fault(signed, found.generated_at, kept=True) or found
    return found


def _read(root: etree._Element) -> TrustList | ListRefused:
    """`root` comes from the signed bytes: no comment is left in them, so that a text is whole."""
    children = list(root)
    if root.tag != _tag("ListeBlancheMSSante") or [one.tag for one in children] != [
        _tag("DateDeGeneration"),
        _tag("ListeDomaines"),
    ]:
        return ListRefused(ListFault.CONTENT)
    generated_at = _date(_text(children[0]))
    if generated_at is None:
        return ListRefused(ListFault.CONTENT, "DateDeGeneration")
    entries, skipped = _entries(children[1])
    if not entries:
        return ListRefused(ListFault.EMPTY)
    return TrustList(generated_at, {domain: frozenset(names) for domain, names in entries.items()}, skipped)


def _entries(holder: etree._Element) -> tuple[dict[str, set[DistinguishedName]], int]:
    """One unreadable entry closes one domain, not the whole space: it is skipped and counted."""
    entries: dict[str, set[DistinguishedName]] = {}
    names: dict[str, DistinguishedName | None] = {}  # thousands of entries, hundreds of names
    skipped = 0
    for element in holder:
        domain = fold_domain(_only(element, "Nom"))
        text = _only(element, "DNCertificatOperateur")
        if text not in names:
            names[text] = _name(text)
        name = names[text]
        if element.tag != _tag("Domaine") or name is None or not is_domain(domain):
            skipped += 1
        else:
            entries.setdefault(domain, set()).add(name)
    return entries, skipped


def _name(text: str) -> DistinguishedName | None:
    try:
        return parse(text)
    except DnError:
        return None


def _only(element: etree._Element, name: str) -> str:
    """The text of the only child of this name, "" when there is none or several."""
    found = element.findall(_tag(name))
    return _text(found[0]) if len(found) == 1 else ""


def _text(element: etree._Element) -> str:
    return (element.text or "").strip() if len(element) == 0 else ""


def _date(text: str) -> int | None:
    """Milliseconds, from ISO 8601 with its zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(milliseconds=1) if moment.tzinfo else None


def sign_list(
    entries: Iterable[Entry],
    key: rsa.RSAPrivateKey,
    certificate: x509.Certificate,
    generated_at: int,
    chain: tuple[x509.Certificate, ...] = (),
) -> bytes:
    """A signed list for development, in the shape of the real one; `generated_at` in ms, kept to the second."""
    stamp = (_EPOCH + timedelta(seconds=generated_at // 1000)).strftime("%Y-%m-%dT%H:%M:%SZ")
    root = etree.Element(_tag("ListeBlancheMSSante"), nsmap={None: NAMESPACE})
    etree.SubElement(root, _tag("DateDeGeneration")).text = stamp
    holder = etree.SubElement(root, _tag("ListeDomaines"))
    for entry in entries:
        element = etree.SubElement(holder, _tag("Domaine"))
        for name, text in (
            ("Nom", entry.domain),
            ("Description", entry.description or f"Domaine de messagerie {entry.domain}"),
            ("DNCertificatOperateur", entry.dn),
            ("ResponsableContact", entry.contact),
            ("SupportContact", entry.support),
            ("DateMAJ", stamp),
        ):
            etree.SubElement(element, _tag(name)).text = text
    etree.indent(root, "    ")
    return signed_xml.sign(etree.tostring(root), key, (certificate, *chain))


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"

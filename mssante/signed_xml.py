"""Enveloped XML signatures, in the one shape that the trust list uses (XML-DSig 1.1; exclusive C14N; RSA-SHA256;
SHA-256).

What is returned is what was signed: the canonical bytes over which the digest was taken, so that no caller can read
another part of the document than the signed one (signature wrapping). Every other shape, transform or algorithm is
refused, as are DOCTYPE and entities. Whether the signer is the right one is not decided here.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

DS = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = DS + "enveloped-signature"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_UNREADABLE = (  # what cryptography raises on certificates that it cannot read; some are not ValueErrors
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
MAX_SIZE = 64_000_000  # bytes; the real list has 5 million


class XmlFault(Enum):
    """Why a document is refused; the values are sentences for the operator."""

    TOO_LARGE = "the document is too large"
    MALFORMED = "the document is cut short or is not well-formed XML"
    DOCTYPE = "the document declares a DOCTYPE"
    UNSIGNED = "the document is not signed"
    SHAPE = "the signature does not have the only accepted shape"
    DIGEST = "the content is not what was signed"
    SIGNATURE = "the signature is wrong"


class XmlRefused(ValueError):
    """Carries the fault."""

    def __init__(self, fault: XmlFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Signed:
    """`content`: canonical XML without the signature. `signer` holds the key that signed; `sent` are the other
    certificates embedded.
    """

    content: bytes
    signer: x509.Certificate
    sent: tuple[x509.Certificate, ...]


def parse(data: bytes) -> etree._Element:
    """The root of a document, with entities, network and DTD off. Raises XmlRefused."""
    if len(data) > MAX_SIZE:
        raise XmlRefused(XmlFault.TOO_LARGE)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise XmlRefused(XmlFault.MALFORMED) from error
    if root is None:
        raise XmlRefused(XmlFault.MALFORMED)
    information = root.getroottree().docinfo
    if information.doctype or information.internalDTD is not None:
        raise XmlRefused(XmlFault.DOCTYPE)
    return root


def verify(data: bytes) -> Signed:
    """Checks digest and signature. Raises XmlRefused. The signer's certificate is only as good as its judge says."""
    root = parse(data)
    signature = _only_signature(root)
    signed_info, value, key_info = _children(signature, "SignedInfo", "SignatureValue", "KeyInfo")
    digest = _reference_digest(signed_info)
    signer, sent = _certificates(key_info)
    signed_bytes = _canonical(signed_info)
    _detach(signature)
    content = _canonical(root.getroottree())
    if not hmac.compare_digest(sha256(content).digest(), digest):
        raise XmlRefused(XmlFault.DIGEST)
    _check(signer, _decode(value), signed_bytes)
    return Signed(content, signer, sent)


def sign(data: bytes, key: rsa.RSAPrivateKey, certificates: tuple[x509.Certificate, ...]) -> bytes:
    """The document with an enveloped signature added at the end of its root; `certificates`, signer first, are
    embedded.
    """
    root = parse(data)
    digest = sha256(_canonical(root.getroottree())).digest()
    signature = etree.SubElement(root, _ds("Signature"), nsmap={None: DS})
    signed_info = etree.SubElement(signature, _ds("SignedInfo"))
    etree.SubElement(signed_info, _ds("CanonicalizationMethod"), Algorithm=EXCLUSIVE_C14N)
    etree.SubElement(signed_info, _ds("SignatureMethod"), Algorithm=RSA_SHA256)
    reference = etree.SubElement(signed_info, _ds("Reference"), URI="")
    transforms = etree.SubElement(reference, _ds("Transforms"))
    for algorithm in (ENVELOPED, EXCLUSIVE_C14N):
        etree.SubElement(transforms, _ds("Transform"), Algorithm=algorithm)
    etree.SubElement(reference, _ds("DigestMethod"), Algorithm=SHA256)
    etree.SubElement(reference, _ds("DigestValue")).text = b64encode(digest).decode()
    made = key.sign(_canonical(signed_info), padding.PKCS1v15(), hashes.SHA256())
    etree.SubElement(signature, _ds("SignatureValue")).text = b64encode(made).decode()
    holder = etree.SubElement(etree.SubElement(signature, _ds("KeyInfo")), _ds("X509Data"))
    for one in certificates:
        etree.SubElement(holder, _ds("X509Certificate")).text = b64encode(one.public_bytes(Encoding.DER)).decode()
    return etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True)


def _only_signature(root: etree._Element) -> etree._Element:
    """The signature must be the only one of the whole document and a child of its root."""
    found = list(root.iter(_ds("Signature")))
    if not found:
        raise XmlRefused(XmlFault.UNSIGNED)
    if len(found) != 1 or found[0].getparent() is not root:
        raise XmlRefused(XmlFault.SHAPE)
    return found[0]


def _reference_digest(signed_info: etree._Element) -> bytes:
    """The digest of the only reference, which must be to the whole document (URI "")."""
    canonicalization, method, reference = _children(
        signed_info, "CanonicalizationMethod", "SignatureMethod", "Reference"
    )
    transforms, digest_method, digest = _children(reference, "Transforms", "DigestMethod", "DigestValue")
    enveloped, exclusive = _children(transforms, "Transform", "Transform")
    for element, algorithm in (
        (canonicalization, EXCLUSIVE_C14N),
        (method, RSA_SHA256),
        (enveloped, ENVELOPED),
        (exclusive, EXCLUSIVE_C14N),
        (digest_method, SHA256),
    ):
        # A child would be a parameter (InclusiveNamespaces, XPath): it changes what is signed.
        if dict(element.attrib) != {"Algorithm": algorithm} or len(element):
            raise XmlRefused(XmlFault.SHAPE)
    if dict(reference.attrib) != {"URI": ""}:
        raise XmlRefused(XmlFault.SHAPE)
    return _decode(digest)


def _certificates(key_info: etree._Element) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    """(signer, others): the signer is the first that is not an authority's. Bare keys are ignored: they prove nothing."""
    try:
        found = [x509.load_der_x509_certificate(_decode(one)) for one in key_info.iter(_ds("X509Certificate"))]
        signer = next(one for one in found if not _is_authority(one))
    except (*_UNREADABLE, StopIteration) as error:
        raise XmlRefused(XmlFault.SHAPE) from error
    return signer, tuple(one for one in found if one is not signer)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _check(signer: x509.Certificate, value: bytes, signed: bytes) -> None:
    try:
        key = signer.public_key()
        if not isinstance(key, rsa.RSAPublicKey) or key.key_size < 2048:
            raise XmlRefused(XmlFault.SHAPE)
        key.verify(value, signed, padding.PKCS1v15(), hashes.SHA256())
    except XmlRefused:
        raise
    except (InvalidSignature, *_UNREADABLE) as error:
        raise XmlRefused(XmlFault.SIGNATURE) from error


def _children(parent: etree._Element, *names: str) -> list[etree._Element]:
    """The children, which must be exactly these, in this order; comments and processing instructions are refused with
    the rest.
    """
    found = list(parent)
    if [child.tag for child in found] != [_ds(name) for name in names]:
        raise XmlRefused(XmlFault.SHAPE)
    return found


def _detach(signature: etree._Element) -> None:
    """Removes it as the enveloped-signature transform does: the text after it stays (lxml's `remove` would take it
    along).
    """
    parent, before, tail = signature.getparent(), signature.getprevious(), signature.tail or ""
    assert parent is not None
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    parent.remove(signature)


def _canonical(node: etree._Element | etree._ElementTree) -> bytes:
    try:
        return etree.tostring(node, method="c14n", exclusive=True, with_comments=False)
    except etree.C14NError as error:  # a relative namespace, which the parser lets pass
        raise XmlRefused(XmlFault.MALFORMED) from error


def _decode(element: etree._Element) -> bytes:
    if len(element):
        raise XmlRefused(XmlFault.SHAPE)
    try:
        return b64decode("".join((element.text or "").split()), validate=True)
    except ValueError as error:
        raise XmlRefused(XmlFault.SHAPE) from error


def _ds(name: str) -> str:
    return f"{{{DS}}}{name}"

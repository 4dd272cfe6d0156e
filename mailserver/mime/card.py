"""ENVELOPE, BODY and BODYSTRUCTURE as the wire bytes of RFC 9051 7.5.2, rendered once at delivery.

Everything stays as the sender wrote it (encoded words, RFC 2231 parameters); only quoting is ours: a quoted string when the
value is ASCII without line ends, a literal otherwise (valid in IMAP4rev1 and rev2 alike).
"""

from __future__ import annotations

from mailserver.mime.addresses import RawAddress
from mailserver.mime.fields import Fields
from mailserver.mime.params import Params, split
from mailserver.mime.scanner import Part
from mailserver.store.api import PartOffsets

NIL = b"NIL"
_PLAIN = bytes({9, *range(32, 127)} - set(b'"\\'))
_MAX_QUOTED = 1_000  # longer strings go as literals: some clients read lines into small buffers


def string(value: bytes) -> bytes:
    """An IMAP string."""
    if len(value) <= _MAX_QUOTED and not value.translate(None, _PLAIN):
        return b'"' + value + b'"'
    if value.isascii() and len(value) <= _MAX_QUOTED and not any(octet in value for octet in b"\r\n\0"):
        return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    value = value.replace(b"\0", b"")  # NUL is in no string of IMAP4rev1
    return b"{%d}\r\n%b" % (len(value), value)


def nstring(value: bytes | None) -> bytes:
    return NIL if value is None else string(value)


# ---------------------------------------------------------------- ENVELOPE
def envelope(fields: Fields) -> bytes:
    """`(date subject from sender reply-to to cc bcc in-reply-to message-id)`."""
    sender = _address_list(fields, b"from")
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        nstring(fields.value(b"date")),
        nstring(fields.value(b"subject")),
        sender,
        _address_list(fields, b"sender", sender),  # absent or empty: the same as From
        _address_list(fields, b"reply-to", sender),
        _address_list(fields, b"to"),
        _address_list(fields, b"cc"),
        _address_list(fields, b"bcc"),
        nstring(fields.value(b"in-reply-to")),
        nstring(fields.value(b"message-id")),
    )


def _address_list(fields: Fields, name: bytes, default: bytes = NIL) -> bytes:
    found = fields.addresses(name)
    return b"(%b)" % b"".join(map(_address, found)) if found else default


def _address(address: RawAddress) -> bytes:
    name, route, local, domain = address
    if route is None and local and domain:
        text = (name or b"") + local + domain
        if len(text) <= _MAX_QUOTED and not text.translate(None, _PLAIN):
            return (
                b'(NIL NIL "%b" "%b")' % (local, domain)
                if name is None
                else b'("%b" NIL "%b" "%b")' % (name, local, domain)
            )
    return b"(%b %b %b %b)" % (nstring(name), nstring(route), nstring(local), nstring(domain))


# ---------------------------------------------------------------- BODY and BODYSTRUCTURE
def structures(part: Part, content: bytes) -> tuple[bytes, bytes]:
    """(BODY, BODYSTRUCTURE) of one entity and all below it."""
    if part.children:
        return _multipart(part, content)
    body = [
        string(part.type),
        string(part.subtype),
        _params(part.params),
        nstring(part.fields.value(b"content-id")),
        nstring(part.fields.value(b"content-description")),
        string(part.encoding),
        b"%d" % (part.end - part.body),
    ]
    full = body
    if part.nested is not None:
        inner, inner_full = structures(part.nested, content)
        head, lines = envelope(part.nested.fields), _lines(part, content)
        body, full = [*body, head, inner, lines], [*body, head, inner_full, lines]
    elif part.type == b"text":
        body.append(_lines(part, content))
    extension = [nstring(part.fields.value(b"content-md5")), *_common_extension(part)]
    return b"(%b)" % b" ".join(body), b"(%b)" % b" ".join([*full, *extension])


def _multipart(part: Part, content: bytes) -> tuple[bytes, bytes]:
    children = [structures(child, content) for child in part.children]
    subtype = string(part.subtype)
    extension = b" ".join([_params(part.params), *_common_extension(part)])
    return (
        b"(%b %b)" % (b"".join(body for body, _ in children), subtype),
        b"(%b %b %b)" % (b"".join(full for _, full in children), subtype, extension),
    )


def _lines(part: Part, content: bytes) -> bytes:
    return b"%d" % content.count(b"\n", part.body, part.end)


def _params(params: Params) -> bytes:
    if not params:
        return NIL
    return b"(%b)" % b" ".join(b"%b %b" % (string(name), string(value)) for name, value in params)


def _common_extension(part: Part) -> list[bytes]:
    """disposition, language, location."""
    fields = part.fields
    disposition = fields.value(b"content-disposition")
    if disposition:
        kind, params = split(disposition)
        disposition = b"(%b %b)" % (string(kind), _params(params))
    return [
        disposition or NIL,
        _language(fields.value(b"content-language")),
        nstring(fields.value(b"content-location")),
    ]


def _language(value: bytes | None) -> bytes:
    tags = [string(tag.strip()) for tag in (value or b"").split(b",") if tag.strip()]
    if len(tags) > 1:
        return b"(%b)" % b" ".join(tags)
    return tags[0] if tags else NIL


# ---------------------------------------------------------------- offsets
def offsets(root: Part, prefix: str = "") -> dict[str, PartOffsets]:
    """`Card.parts`; the keys are explained in `mailserver.mime.sections`."""
    found = {f"{prefix}TEXT": _offsets(root)}
    pending = [root]
    while pending:
        part = pending.pop()
        pending += reversed(part.children)
        if part.section and not (part is root and part.children):
            found[part.section] = _offsets(part)
        if part.nested is not None:
            found |= offsets(part.nested, f"{part.section}.")
    return found


def _offsets(part: Part) -> PartOffsets:
    return PartOffsets(part.start, part.body, part.end, part.encoding.decode("latin-1"), part.media_type)

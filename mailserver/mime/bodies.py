"""Which parts of a message are its text and which are attachments, told by their headers alone."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator

from mailserver.mime.params import Params, file_name, split
from mailserver.mime.scanner import Part

_RUN = {  # types of scripts, of which a machine may know nothing
    "application/hta": (".hta",),
    "application/javascript": (".js",),
    "application/x-javascript": (".js",),
    "application/x-bat": (".bat",),
    "application/x-msdos-program": (".exe", ".com", ".bat"),
    "application/x-ms-shortcut": (".lnk",),
    "application/x-powershell": (".ps1",),
    "application/x-sh": (".sh",),
    "text/javascript": (".js",),
    "text/jscript": (".js",),
    "text/scriptlet": (".sct",),
    "text/vbscript": (".vbs",),
}


def leaves(part: Part) -> Iterator[Part]:
    """Leaves of this message; an attached message is a leaf."""
    if part.children:
        for child in part.children:
            yield from leaves(child)
    else:
        yield part


def all_parts(part: Part) -> Iterator[Part]:
    """Every part, those of attached messages included."""
    yield part
    for child in part.children:
        yield from all_parts(child)
    if part.nested is not None:
        yield from all_parts(part.nested)


def disposition(part: Part) -> tuple[bytes, Params]:
    value = part.fields.value(b"content-disposition")
    return split(value) if value else (b"", [])


def is_body_text(part: Part) -> bool:
    """text/plain or text/html meant to be read in place: not marked as attachment, without a file name."""
    if part.type != b"text" or part.subtype not in (b"plain", b"html"):
        return False
    kind, params = disposition(part)
    if not params and not any(name.startswith(b"name") for name, _ in part.params):
        return kind != b"attachment"
    return kind != b"attachment" and not file_name(params, part.params)


def body_parts(part: Part, prefer: bytes) -> list[Part]:
    """The texts to read, in order; of an alternative (RFC 2046 5.1.4) the one in the `prefer`red subtype, else the last."""
    if not part.children:
        return [part] if is_body_text(part) else []
    choices = [found for child in part.children if (found := body_parts(child, prefer))]
    if part.subtype == b"alternative":
        fitting = [found for found in choices if any(text.subtype == prefer for text in found)]
        return fitting[0] if fitting else choices[-1] if choices else []
    return [text for found in choices for text in found]


def default_name(part: Part) -> str:
    return default_names(part)[0]


def default_names(part: Part) -> list[str]:
    """By its type: the first is what we call it; of the others too some program may make the ending."""
    if part.nested is not None:
        return [f"message-{part.section}.eml"]
    other = ".txt" if part.type in (b"text", b"message") else ".bin"
    usual = mimetypes.guess_extension(part.media_type) or other
    endings = dict.fromkeys((usual, *_RUN.get(part.media_type, ())))
    return [f"piece-jointe-{part.section}{ending}" for ending in endings]

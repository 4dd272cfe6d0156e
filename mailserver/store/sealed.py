"""Cards and search texts as octets, sealed with the box's key.

A card is sealed in two halves, for a list of messages opens the front only. The front carries the blob's own key: who holds the
box's key reads the mail, nobody else does; the same blob may stand behind cards of many boxes. The context names the blob, so
that a sealed value cannot be moved to another message unnoticed.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping

from foundation.blobs import BlobRef
from foundation.keys import Key
from mailserver.store.api import Card, Front, PartOffsets

VERSION = 1
_FRONT = struct.Struct(">BQ32s32sI")  # version, the blob's size, name and key, length of ENVELOPE
_BACK = struct.Struct(">B4I")  # version, lengths of the four fields
TEXT_LIMIT = 1 << 20  # octets after inflation: what `mime` may extract is less


def pack_front(ref: BlobRef, card: Card) -> bytes:
    head = _FRONT.pack(VERSION, ref.size, ref.name.encode(), ref.key, len(card.envelope))
    return head + card.envelope + card.body_structure


def unpack_front(packed: bytes) -> Front:
    version, _, _, _, length = _FRONT.unpack_from(packed)
    _check(version)
    middle = _FRONT.size + length
    return Front(packed[_FRONT.size : middle], packed[middle:])


def unpack_ref(packed: bytes) -> BlobRef:
    """Of a front."""
    version, size, name, key, _ = _FRONT.unpack_from(packed)
    _check(version)
    return BlobRef(name.decode(), key, size)


def pack_back(card: Card) -> bytes:
    parts = {number: (p.header, p.body, p.end, p.encoding, p.media_type) for number, p in card.parts.items()}
    fields = (
        card.body,
        card.header,
        card.preview.encode(errors="replace"),
        json.dumps(parts, separators=(",", ":")).encode(),
    )
    return _BACK.pack(VERSION, *map(len, fields)) + b"".join(fields)


def unpack_card(front: Front, packed: bytes) -> Card:
    """The whole card from its two halves."""
    version, *lengths = _BACK.unpack_from(packed)
    _check(version)
    at, fields = _BACK.size, []
    for length in lengths:
        fields.append(packed[at : at + length])
        at += length
    body, header, preview, parts = fields
    return Card(front.envelope, body, front.body_structure, header, preview.decode(), _Parts(parts))


def _check(version: int) -> None:
    if version != VERSION:
        raise ValueError(f"card of unknown version {version}")


class _Parts(Mapping[str, PartOffsets]):
    """`Card.parts` as packed: read when first asked, for most FETCHes never do."""

    __slots__ = ("_packed", "_read")

    def __init__(self, packed: bytes) -> None:
        self._packed = packed
        self._read: dict[str, PartOffsets] | None = None

    def _parts(self) -> dict[str, PartOffsets]:
        if self._read is None:
            self._read = {number: PartOffsets(*values) for number, values in json.loads(self._packed).items()}
        return self._read

    def __getitem__(self, number: str) -> PartOffsets:
        return self._parts()[number]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts())

    def __len__(self) -> int:
        return len(self._parts())


def pack_text(text: str) -> bytes:
    return zlib.compress(text.encode(errors="replace"), 1)


def unpack_text(packed: bytes) -> bytes:
    """In UTF-8."""
    return zlib.decompressobj().decompress(packed, TEXT_LIMIT)


def front_context(blob_id: int) -> bytes:
    return b"front %d" % blob_id


def back_context(blob_id: int) -> bytes:
    return b"back %d" % blob_id


def heads_context(blob_id: int) -> bytes:
    return b"heads %d" % blob_id


def texts_context(blob_id: int) -> bytes:
    return b"texts %d" % blob_id


def seal_name(key: Key, name: str) -> bytes:
    return key.seal(name.encode(), b"folder name")


def open_name(key: Key, sealed: bytes) -> str:
    return key.open(sealed, b"folder name").decode()

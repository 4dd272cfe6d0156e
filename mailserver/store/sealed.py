"""Cards and search texts as octets, sealed with the box's key.

The card of a row carries the blob's own key: who holds the box's key reads the mail, nobody else does; the same blob may stand
behind rows of many boxes. The context names the blob, so that a sealed value cannot be moved to another message unnoticed.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping

from foundation.blobs import BlobRef
from foundation.keys import Key
from mailserver.store.api import Card, PartOffsets

VERSION = 1
_HEAD = struct.Struct(">BQ8I")  # version, blob size, lengths of the eight fields
TEXT_LIMIT = 1 << 20  # octets after inflation: what `mime` may extract is less


def pack_card(ref: BlobRef, card: Card) -> bytes:
    parts = {number: (p.header, p.body, p.end, p.encoding, p.media_type) for number, p in card.parts.items()}
    fields = (
        ref.name.encode(),
        ref.key,
        card.envelope,
        card.body,
        card.body_structure,
        card.header,
        card.preview.encode(errors="replace"),
        json.dumps(parts, separators=(",", ":")).encode(),
    )
    return _HEAD.pack(VERSION, ref.size, *map(len, fields)) + b"".join(fields)


def unpack_card(packed: bytes) -> tuple[BlobRef, Card]:
    version, size, *lengths = _HEAD.unpack_from(packed)
    if version != VERSION:
        raise ValueError(f"card of unknown version {version}")
    at, fields = _HEAD.size, []
    for length in lengths:
        fields.append(packed[at : at + length])
        at += length
    name, key, envelope, body, structure, header, preview, parts = fields
    return BlobRef(name.decode(), key, size), Card(envelope, body, structure, header, preview.decode(), _Parts(parts))


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


def pack_texts(headers: str, body: str) -> bytes:
    return zlib.compress(headers.encode(errors="replace") + b"\0" + body.encode(errors="replace"), 1)


def unpack_texts(packed: bytes) -> tuple[str, str]:
    headers, _, body = zlib.decompressobj().decompress(packed, TEXT_LIMIT).partition(b"\0")
    return headers.decode(errors="replace"), body.decode(errors="replace")


def card_context(blob_id: int) -> bytes:
    return b"card %d" % blob_id


def texts_context(blob_id: int) -> bytes:
    return b"texts %d" % blob_id


def seal_name(key: Key, name: str) -> bytes:
    return key.seal(name.encode(), b"folder name")


def open_name(key: Key, sealed: bytes) -> str:
    return key.open(sealed, b"folder name").decode()

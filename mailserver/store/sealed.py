"""Cards and search texts as octets, sealed with the box's key.

A card is sealed in two halves, for a list of messages opens the front only. The front carries the blob's own key: who holds the
box's key reads the mail, nobody else does; the same blob may stand behind cards of many boxes. The context names the blob, so
that a sealed value cannot be moved to another message unnoticed.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate, pairwise

from foundation.blobs import BlobRef
from foundation.keys import Key
from mailserver.store.api import Card, Front, PartOffsets

VERSION = 1
_LENGTH = struct.Struct(">BI")  # of a front: version, length of ENVELOPE
_REF = struct.Struct(">Q32s32s")  # then the blob's size, name and key
_LISTS = _LENGTH.size + _REF.size  # then ENVELOPE and BODYSTRUCTURE
# Version, number of messages; then their UIDs, where each text ends, ENVELOPE and BODYSTRUCTURE of each.
_SHEET = struct.Struct(">BI")
_BACK = struct.Struct(">B4I")  # version, lengths of the four fields
TEXT_LIMIT = 1 << 20  # octets after inflation: what `mime` may extract is less
PLAIN = 8192  # octets of a text kept as it is: to inflate one costs SEARCH ten times what the cipher does
_front = partial(tuple.__new__, Front)  # of a pair: a list has thousands, and Front's own way takes half as long again
_text = json.encoder.encode_basestring_ascii
_DEFLATED = b"x\x01"  # how zlib's streams of level 1 begin


def pack_front(ref: BlobRef, card: Card) -> bytes:
    head = _LENGTH.pack(VERSION, len(card.envelope)) + _REF.pack(ref.size, ref.name.encode(), ref.key)
    return head + card.envelope + card.body_structure


def unpack_front(packed: bytes) -> Front:
    version, length = _LENGTH.unpack_from(packed)
    if version != VERSION:
        raise _unknown(version)
    return Front(packed[_LISTS : _LISTS + length], packed[_LISTS + length :])


def unpack_ref(packed: bytes) -> BlobRef:
    """Of a front."""
    if packed[0] != VERSION:
        raise _unknown(packed[0])
    size, name, key = _REF.unpack_from(packed, _LENGTH.size)
    return BlobRef(name.decode(), key, size)


def pack_sheet(fronts: Sequence[tuple[int, Front]]) -> bytes:
    """Fronts of neighbours by UID, as a list shows them: without the keys of their blobs."""
    texts = [text for _, front in fronts for text in front]
    numbers = [*(uid for uid, _ in fronts), *accumulate(map(len, texts))]
    return _SHEET.pack(VERSION, len(fronts)) + struct.pack(f">{len(numbers)}I", *numbers) + b"".join(texts)


def unpack_sheet(packed: bytes) -> Iterator[tuple[int, Front]]:
    version, count = _SHEET.unpack_from(packed)
    if version != VERSION:
        raise _unknown(version)
    numbers = struct.unpack_from(f">{3 * count}I", packed, _SHEET.size)
    texts = packed[_SHEET.size + 4 * len(numbers) :]
    each = [texts[start:end] for start, end in pairwise((0, *numbers[count:]))]
    return zip(numbers[:count], map(_front, zip(each[::2], each[1::2], strict=True)), strict=True)


def pack_back(card: Card) -> bytes:
    parts = [
        f"{_text(number)}:[{p.header},{p.body},{p.end},{_text(p.encoding)},{_text(p.media_type)}]"
        for number, p in card.parts.items()
    ]
    fields = (
        card.body,
        card.header,
        card.preview.encode(errors="replace"),
        b"{%b}" % ",".join(parts).encode(),
    )
    return _BACK.pack(VERSION, *map(len, fields)) + b"".join(fields)


def unpack_card(front: Front, packed: bytes) -> Card:
    """The whole card from its two halves."""
    version, *lengths = _BACK.unpack_from(packed)
    if version != VERSION:
        raise _unknown(version)
    at, fields = _BACK.size, []
    for length in lengths:
        fields.append(packed[at : at + length])
        at += length
    body, header, preview, parts = fields
    return Card(front.envelope, body, front.body_structure, header, preview.decode(), _Parts(parts))


def _unknown(version: int) -> ValueError:
    return ValueError(f"card of unknown version {version}")


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
    data = text.encode(errors="replace")
    return data if len(data) <= PLAIN and not data.startswith(_DEFLATED) else zlib.compress(data, 1)


def unpack_text(packed: bytes) -> bytes:
    """In UTF-8."""
    return zlib.decompressobj().decompress(packed, TEXT_LIMIT) if packed.startswith(_DEFLATED) else packed


def front_context(blob_id: int) -> bytes:
    return b"front %d" % blob_id


def sheet_context(folder_id: int, page: int) -> bytes:
    return b"sheet %d %d" % (folder_id, page)


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

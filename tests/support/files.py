"""Small files of every accepted format, and hostile ones, made here: nothing is copied from anyone."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

from PIL import Image


def pdf(text: str = "Ordonnance", pages: int = 1, locked: bool = False) -> bytes:
    """A PDF with `text` on each page; PDFium mends the missing cross-reference table."""
    kids = " ".join(f"{10 + 2 * i} 0 R" for i in range(pages))
    parts = [
        "%PDF-1.4",
        "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj",
        f"2 0 obj<</Type/Pages/Kids[{kids}]/Count {pages}>>endobj",
        "5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>endobj",
    ]
    for i in range(pages):
        stream = f"BT /F1 24 Tf 72 700 Td ({text} {i + 1}) Tj ET"
        parts += [
            f"{10 + 2 * i} 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents {11 + 2 * i} 0 R"
            "/Resources<</Font<</F1 5 0 R>>>>>>endobj",
            f"{11 + 2 * i} 0 obj<</Length {len(stream)}>>stream\n{stream}\nendstream endobj",
        ]
    if locked:
        parts.append(f"6 0 obj<</Filter/Standard/V 1/R 2/O<{'41' * 32}>/U<{'42' * 32}>/P -4>>endobj")
    lock = "/Encrypt 6 0 R/ID[<41><41>]" if locked else ""
    parts += [f"trailer<</Root 1 0 R/Size 99{lock}>>", "%%EOF", ""]
    return "\n".join(parts).encode("cp1252")


def jpg(width: int = 60, height: int = 40, with_place: bool = False) -> bytes:
    image = Image.new("RGB", (width, height), (200, 30, 30))
    exif = Image.Exif()
    if with_place:
        exif[0x0110] = "Telephone de Jacqueline"
        exif[0x0112] = 6  # to be turned by 90 degrees
        exif.get_ifd(0x8825)[1] = "N"
        exif.get_ifd(0x8825)[2] = (47.0, 13.0, 6.0)
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif, comment=b"vu a Nantes")
    return out.getvalue()


def png(mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, (60, 40)).save(out, "PNG")
    return out.getvalue()


def tif(pages: int = 2) -> bytes:
    out = io.BytesIO()
    sheets = [Image.new("1", (600, 850), i % 2) for i in range(pages)]
    sheets[0].save(out, "TIFF", compression="group4", save_all=True, append_images=sheets[1:])
    return out.getvalue()


def rtf(text: str = "Ordonnance") -> bytes:
    return b"{\\rtf1\\ansi\\ansicpg1252 " + text.encode("ascii") + b" \\'e9t\\'e9\\par}"


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bag:
        bag.writestr("bombe.txt", b"0" * 10_000_000)
    return out.getvalue()


def png_bomb(side: int = 30_000) -> bytes:
    """A few kilobytes that ask for `side` x `side` pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))

    header = struct.pack("!IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 4096))
        + chunk(b"IEND", b"")
    )


def locked_zip() -> bytes:
    """One picture, whose headers say that a password is needed (APPNOTE 4.4.4)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("radio.jpg", jpg())
    octets = bytearray(out.getvalue())
    octets[6] |= 1
    octets[octets.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(octets)

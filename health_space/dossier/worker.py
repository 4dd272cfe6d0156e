"""The program that opens documents and pictures, in a process of its own (`foundation.fence`): checks, pages, texts.

PDFium is not thread-safe: one task at a time.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

from foundation.fence import Answer, serve

MAX_PIXELS = 50_000_000  # a 1200 dpi scan of half an A4 page, twice the biggest phone photo
MAX_FRAMES = 200  # pages of a TIF
MAX_TEXT = 400_000  # characters given back
MAX_SIDE = 20_000  # pixels; PDF pages are scaled to the width asked for
JPG_LIMIT = 5_000_000
QUALITIES = (92, 85, 75, 65, 55)  # an image stored as JPG is compressed again until it fits


class Fault(Exception):
    """Named so that the server can say why: locked, broken, pixels, too_large."""


def check_pdf(data: bytes, _: dict[str, Any]) -> Answer:
    """Opens the document, draws its first page small and reads its text: what a reader of the page will cost, paid once here."""
    document = _open_pdf(data)
    try:
        _render(document, 0, 100)
        document[0].get_textpage().get_text_bounded()
    except MemoryError:
        raise
    except Exception as cause:
        raise Fault("broken") from cause
    return {"pages": len(document)}, b""


def check_tif(data: bytes, _: dict[str, Any]) -> Answer:
    """Decodes every page."""
    image = _open_image(data, "TIFF")
    frames = getattr(image, "n_frames", 1)
    if frames > MAX_FRAMES:
        raise Fault("pixels")
    total = 0
    for index in range(frames):
        _seek(image, index)
        total += image.width * image.height
        if total > 4 * MAX_PIXELS:
            raise Fault("pixels")
    return {"pages": frames}, b""


def to_jpg(data: bytes, options: dict[str, Any]) -> Answer:
    """The picture alone as JPG: turned upright, EXIF (place, device) and every other note left behind."""
    from PIL import Image, ImageOps

    image = _open_image(data, options["format"])
    _seek(image, 0)
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("RGBA", "LA", "PA") or (upright.mode in ("P", "RGB", "L") and "transparency" in upright.info):
        layer = upright.convert("RGBA")
        flat = Image.new("RGB", layer.size, "white")
        flat.paste(layer, mask=layer.getchannel("A"))
    else:
        flat = _eight_bits(upright)
    flat.info.clear()  # Pillow would write the comment, XMP and colour profile again
    for quality in QUALITIES:
        out = io.BytesIO()
        flat.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= JPG_LIMIT:
            return {"pages": 1, "width": flat.width, "height": flat.height}, out.getvalue()
    raise Fault("too_large")


def page(data: bytes, options: dict[str, Any]) -> Answer:
    """One page as WebP, `width` pixels wide at most."""
    number, width = int(options["number"]), int(options["width"])
    if options["media_type"] == "application/pdf":
        document = _open_pdf(data)
        total = len(document)
        image = _render(document, number, width) if number < total else None
    else:
        source = _open_image(data, "TIFF" if options["media_type"] == "image/tiff" else "JPEG")
        total = getattr(source, "n_frames", 1)
        image = _frame(source, number, width) if number < total else None
    if image is None:
        return {"pages": total}, b""
    out = io.BytesIO()
    image.save(out, "WEBP", quality=78, method=2)
    return {"pages": total, "width": image.width, "height": image.height}, out.getvalue()


def text(data: bytes, options: dict[str, Any]) -> Answer:
    """Readable text of a PDF or RTF, at most MAX_TEXT characters, UTF-8."""
    found = _pdf_text(data) if options["media_type"] == "application/pdf" else _rtf_text(data)
    return {}, found[:MAX_TEXT].encode("utf-8", "replace")


def _pdf_text(data: bytes) -> str:
    document = _open_pdf(data)
    pieces: list[str] = []
    length = 0
    for index in range(len(document)):
        piece = document[index].get_textpage().get_text_bounded().replace("\r\n", "\n").strip()
        pieces.append(piece)
        length += len(piece)
        if length > MAX_TEXT:
            break
    return "\n\n".join(piece for piece in pieces if piece)


def _rtf_text(data: bytes) -> str:
    from striprtf.striprtf import rtf_to_text

    try:
        plain: str = rtf_to_text(data.decode("latin-1"), encoding="cp1252", errors="replace")  # type: ignore[no-untyped-call]
    except Exception as cause:
        raise Fault("broken") from cause
    return plain.strip()


def _open_pdf(data: bytes) -> Any:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise Fault("locked" if error.err_code == 4 else "broken") from error  # 4: FPDF_ERR_PASSWORD
    if len(document) < 1:
        raise Fault("broken")
    return document


def _render(document: Any, number: int, width: int) -> Any:
    sheet = document[number]
    across, down = sheet.get_size()
    if across <= 0 or down <= 0:
        raise Fault("broken")
    scale = width / across
    if down * scale > MAX_SIDE:
        scale = MAX_SIDE / down
    if across * scale < 1 or down * scale < 1:
        raise Fault("broken")
    return sheet.render(scale=scale).to_pil()


def _open_image(data: bytes, name: str) -> Any:
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow raises at twice this
    try:
        image = Image.open(io.BytesIO(data), formats=[name])
    except Image.DecompressionBombError as cause:
        raise Fault("pixels") from cause
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as cause:
        raise Fault("broken") from cause
    if image.width * image.height > MAX_PIXELS:
        raise Fault("pixels")
    return image


def _seek(image: Any, index: int) -> None:
    from PIL import Image

    try:
        image.seek(index)
        if image.width * image.height > MAX_PIXELS:
            raise Fault("pixels")
        image.load()
    except Image.DecompressionBombError as cause:
        raise Fault("pixels") from cause
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, struct.error) as cause:
        raise Fault("broken") from cause


def _frame(image: Any, number: int, width: int) -> Any:
    _seek(image, number)
    picture = _eight_bits(image)
    height = max(1, round(picture.height * width / picture.width))
    if height > 16_000:  # WebP's own limit is 16,383
        raise Fault("pixels")
    return picture.resize((width, height)) if picture.width > width else picture


def _eight_bits(image: Any) -> Any:
    """Grey or RGB. Deeper greys (a radiograph of 12 or 16 bits) are spread over 0 to 255: Pillow alone would cut them to white."""
    if image.mode in ("1", "L"):
        return image.convert("L")
    if not image.mode.startswith(("I", "F")):
        return image.convert("RGB")
    deep = image.convert("F")
    darkest, lightest = deep.getextrema()
    scale = 255 / (lightest - darkest) if lightest > darkest else 0
    return deep.point(lambda value: value * scale - darkest * scale).convert("L")


TASKS: dict[str, Callable[[bytes, dict[str, Any]], Answer]] = {
    "check_pdf": check_pdf,
    "check_tif": check_tif,
    "to_jpg": to_jpg,
    "page": page,
    "text": text,
}


def run(head: dict[str, Any], data: bytes) -> Answer:
    try:
        return TASKS[head["task"]](data, head)
    except Fault as fault:
        return {"fault": str(fault)}, b""
    except (MemoryError, RecursionError):
        return {"fault": "slow"}, b""
    except Exception:  # a reader's bug on a hostile file: the file is at fault as far as anyone can tell
        return {"fault": "broken"}, b""


if __name__ == "__main__":
    serve(run)

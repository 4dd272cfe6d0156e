"""Recognition by content: a table of files and what they are; then the same files opened by the real readers."""

from __future__ import annotations

import io
import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from health_space.dossier import reasons
from health_space.dossier.formats import MAX_BYTES, Format, Recognised, Refused, decode, file_name, recognise
from health_space.dossier.readers import Accepted, Page, Readers
from mssante.reason import Reason
from tests.support import files

RECOGNISED = [
    (files.pdf(), Format.PDF),
    (files.jpg(), Format.JPG),
    (files.png(), Format.PNG),
    (files.tif(), Format.TIF),
    (b"MM\x00*" + bytes(20), Format.TIF),
    (files.rtf(), Format.RTF),
    ("Tension : 12/8, suivi à 3 mois".encode(), Format.TXT),
    ("Suivi à 3 mois, cœur régulier".encode("cp1252"), Format.TXT),
    (b"\xef\xbb\xbfavec marque", Format.TXT),
    (b"a" * MAX_BYTES, Format.TXT),  # exactly the limit
]
REFUSED = [
    (b"", reasons.EMPTY),
    (b"a" * (MAX_BYTES + 1), reasons.TOO_LARGE),
    (files.archive(), reasons.ARCHIVE),
    (b"\x1f\x8b\x08\x00rest", reasons.ARCHIVE),
    (files.pdf() + files.archive(), reasons.POLYGLOT),
    (files.jpg() + files.archive(), reasons.POLYGLOT),
    (b"GIF89a\x00\x00" + files.pdf(), reasons.POLYGLOT),
    (b"GIF89a\x01\x00\x01\x00\x00", reasons.FORMAT),
    (b"MZ\x90\x00\x03", reasons.FORMAT),
    (b"<!DOCTYPE html><script>alert(1)</script>", reasons.FORMAT),
    (b'\xef\xbb\xbf <?xml version="1.0"?><ClinicalDocument/>', reasons.FORMAT),
    ("utf-16 a un octet nul".encode("utf-16"), reasons.FORMAT),
    (b"\x81\x8d not even cp1252", reasons.FORMAT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old Word", reasons.FORMAT),
]


@pytest.mark.parametrize(("data", "expected"), RECOGNISED)
def test_recognised(data: bytes, expected: Format) -> None:
    assert recognise(data) == Recognised(expected)


@pytest.mark.parametrize(("data", "expected"), REFUSED)
def test_refused(data: bytes, expected: Reason) -> None:
    assert recognise(data) == Refused(expected)


@given(st.binary(max_size=400))
def test_any_octets_get_an_answer(data: bytes) -> None:
    assert isinstance(recognise(data), Recognised | Refused)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1))
def test_utf8_text_keeps_its_letters(text: str) -> None:
    assert decode(text.encode()) == text.removeprefix("\ufeff")


@pytest.mark.parametrize(
    ("title", "media_type", "expected"),
    [
        ("Ordonnance", "application/pdf", "Ordonnance.pdf"),
        ("photo.png", "image/jpeg", "photo.png.jpg"),  # a PNG is stored as JPG
        ("photo.JPEG", "image/jpeg", "photo.JPEG"),
        ("virus.bat", "text/plain", "virus.bat.txt"),
        ("../../etc/passwd", "text/plain", "etc passwd.txt"),
        ("bilan\u202efdp.exe", "application/pdf", "bilan fdp.exe.pdf"),
        ("", "application/pdf", "document.pdf"),
    ],
)
def test_download_name(title: str, media_type: str, expected: str) -> None:
    assert file_name(title, media_type) == expected


@pytest.mark.parametrize(
    ("size", "words"),
    [(1, "1 Ko"), (312_400, "313 Ko"), (5_000_000, "5 Mo"), (5_000_001, "5,1 Mo"), (12_340_000, "12,4 Mo")],
)
def test_sizes_in_words(size: int, words: str) -> None:
    assert reasons.megabytes(size) == words.replace(" ", "\u00a0")


def test_every_reason_is_distinct_and_gives_both_figures() -> None:
    assert len({r.fr for r in reasons.ALL.values()}) == len(reasons.ALL)
    assert reasons.sentence("document_too_large", 6_200_000, 5_000_000) == (
        "Ce fichier pèse 6,2\u00a0Mo. La limite est de 5\u00a0Mo."
    )


# ---------------------------------------------------------------- opened by the real readers, in a worker process
@pytest.fixture
async def readers() -> AsyncIterator[Readers]:
    pool = Readers(workers=1, seconds=5)
    yield pool
    await pool.close()


@pytest.mark.parametrize(
    ("data", "media_type", "pages"),
    [
        (files.pdf(pages=3), "application/pdf", 3),
        (files.jpg(), "image/jpeg", 1),
        (files.png("RGBA"), "image/jpeg", 1),
        (files.png("P"), "image/jpeg", 1),
        (files.tif(2), "image/tiff", 2),
        (files.rtf(), "application/rtf", 0),
        (b"simple texte", "text/plain", 0),
    ],
)
async def test_accepted(readers: Readers, data: bytes, media_type: str, pages: int) -> None:
    answer = await readers.accept(data)
    assert isinstance(answer, Accepted)
    assert (answer.media_type, answer.pages) == (media_type, pages)


async def test_text_is_kept_as_utf8(readers: Readers) -> None:
    answer = await readers.accept("cœur".encode("cp1252"))
    assert isinstance(answer, Accepted)
    assert answer.content == "cœur".encode()


async def test_a_photo_loses_its_place_and_device_and_stands_upright(readers: Readers) -> None:
    original = files.jpg(60, 40, with_place=True)
    assert b"Jacqueline" in original
    answer = await readers.accept(original)
    assert isinstance(answer, Accepted)
    assert b"Jacqueline" not in answer.content
    assert b"Nantes" not in answer.content
    stored = Image.open(io.BytesIO(answer.content))
    assert dict(stored.getexif()) == {}
    assert stored.size == (40, 60)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (files.pdf(locked=True), reasons.LOCKED),
        (b"%PDF-1.7 and then nothing of a PDF", reasons.BROKEN),
        (files.jpg()[:200], reasons.BROKEN),
        (files.png()[:60], reasons.BROKEN),
        (files.tif()[:40], reasons.BROKEN),
        (b"\xff\xd8\xff" + bytes(500), reasons.BROKEN),
        (files.png_bomb(), reasons.TOO_MANY_PIXELS),
    ],
)
async def test_hostile_files_get_a_named_reason(readers: Readers, data: bytes, reason: Reason) -> None:
    assert await readers.accept(data) == Refused(reason)


async def test_a_reader_that_hangs_is_killed_and_the_next_file_is_served() -> None:
    pool = Readers(workers=1, seconds=1.0)
    try:
        assert isinstance(await pool.accept(files.pdf()), Accepted)
        slow = b"{\\rtf1 " + b"{" * 400_000  # seconds of regular expressions
        pool._pool._seconds = 0.05
        assert await pool.accept(slow) == Refused(reasons.TOO_SLOW)
        pool._pool._seconds = 5.0
        assert isinstance(await pool.accept(files.pdf()), Accepted)
    finally:
        await pool.close()


def pdf_bomb(megabytes: int = 150) -> bytes:
    """A page whose content stream swells a thousandfold, and says it is text."""
    stream = zlib.compress(b"(" + b" " * 1_000_000 * megabytes + b") Tj", 9)
    head = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    sheet = b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>endobj\n"
    body = b"4 0 obj<</Filter/FlateDecode/Length %d>>stream\n" % len(stream) + stream + b"\nendstream endobj\n"
    return head + sheet + body + b"trailer<</Root 1 0 R/Size 9>>\n%%EOF\n"


async def test_a_pdf_that_swells_costs_a_worker_at_most() -> None:
    pool = Readers(workers=1, seconds=1.5)
    bomb = pdf_bomb()
    assert len(bomb) < 1_000_000
    try:
        assert await pool.accept(bomb) == Refused(reasons.TOO_SLOW)
        assert isinstance(await pool.page(files.pdf(), "application/pdf", 0), Page)
    finally:
        await pool.close()


@pytest.mark.parametrize("box", ["0 0 1 9000000", "0 0 9000000 1", "0 0 0 0", "5 5 1 1", "0 0 1e30 1e30"])
async def test_pages_of_absurd_shapes(readers: Readers, box: str) -> None:
    answer = await readers.page(files.pdf().replace(b"0 0 595 842", box.encode()), "application/pdf", 0)
    assert isinstance(answer, Page | Refused)
    if isinstance(answer, Page):
        assert answer.width * answer.height <= 30_000_000


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("depth", [4_096, 65_536])
async def test_a_deep_grey_radiograph_keeps_its_greys(readers: Readers, kind: str, depth: int) -> None:
    deep = Image.new("I;16", (256, 16))
    deep.putdata([x * (depth // 256) for _ in range(16) for x in range(256)])
    out = io.BytesIO()
    deep.save(out, kind)
    answer = await readers.accept(out.getvalue())
    assert isinstance(answer, Accepted)
    shown = await readers.page(answer.content, answer.media_type, 0)
    assert isinstance(shown, Page)
    grey = Image.open(io.BytesIO(shown.image)).convert("L")
    for x in (10, 128, 245):
        value = grey.getpixel((x, 8))
        assert isinstance(value, int)
        assert abs(value - x) < 12


async def test_a_page_that_only_shows_may_look_at_more(readers: Readers) -> None:
    big = files.pdf() + b"%" * MAX_BYTES
    assert await readers.accept(big) == Refused(reasons.TOO_LARGE)
    assert isinstance(await readers.accept(big, limit=20_000_000), Accepted)


async def test_pages_and_text(readers: Readers) -> None:
    content = files.pdf("Doliprane", pages=2)
    page = await readers.page(content, "application/pdf", 1)
    assert isinstance(page, Page)
    assert (page.pages, page.width) == (2, 1000)
    assert Image.open(io.BytesIO(page.image)).format == "WEBP"
    assert await readers.page(content, "application/pdf", 2) is None
    assert await readers.text(content, "application/pdf") == "Doliprane 1\n\nDoliprane 2"
    assert await readers.text(files.rtf("Kine"), "application/rtf") == "Kine été"
    tif_page = await readers.page(files.tif(2), "image/tiff", 1)
    assert isinstance(tif_page, Page)


async def test_the_worker_has_none_of_our_environment(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSSANTE_SECRET", "do not leak")
    await readers.accept(files.pdf())
    process = readers._pool._all[0]._process
    assert process is not None
    with open(f"/proc/{process.pid}/environ", "rb") as environment:
        assert b"MSSANTE" not in environment.read()

"""Archives to their bottom, in the fenced process: files that other programs made, what they hide, what they cost at most."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import time
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.fenced import Fenced
from mailserver.contents.descent import LEVELS
from mailserver.contents.opening import Opener, Shut
from mailserver.contents.purse import OF_MESSAGE
from mailserver.contents.rar5 import split
from tests.mailserver.contents.compound_writer import compound
from tests.mailserver.contents.conftest import LETTER, SCRIPT, found
from tests.mailserver.contents.test_kinds import EXE, SCRIPTS, archive, encrypted, tape
from tests.mailserver.contents.tnef_writer import outlook
from tests.mailserver.contents.writers import arj, cab, lha, rar5

FILES = Path(__file__).with_name("files")
VBA = compound({"WordDocument": bytes(64), "Macros/VBA/_VBA_PROJECT": b"x"})
ZIP_BROKEN = "unreadable: ZIP illisible / unreadable ZIP"


def seven_zip(folder: Path, files: dict[str, bytes], *options: str) -> bytes:
    """Made by 7-Zip itself."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    made = ["7z", "a", "-bso0", "-bsp0", *options, "made.7z", *files]
    subprocess.run(made, cwd=folder, check=True, stdin=subprocess.DEVNULL)
    return (folder / "made.7z").read_bytes()


def message(name: str, content: bytes) -> bytes:
    made = EmailMessage()
    made["Subject"] = "Compte rendu"
    made.set_content("Bonjour\n")
    made.add_attachment(content, "application", "octet-stream", filename=name)
    return made.as_bytes()


BEFORE_MIME = b'Subject: x\r\n\r\nbegin 644 cr.js\r\n#>"@I\r\n`\r\nend\r\n'
SEVEN = [
    ({"cr.pdf": LETTER}, [], []),
    ({"cr.pdf": LETTER, "b.pdf": EXE}, [], ["executable: 7z > Windows EXE"]),
    ({"cr.pdf": LETTER, "b.JS": SCRIPT}, [], ["script: 7z > script .js"]),
    ({"a.doc": VBA}, ["-m0=BZip2"], ["macros: 7z > Microsoft Office + macros VBA"]),
    ({"a.docm": archive({"word/vbaProject.bin": b""})}, ["-m0=PPMd"], ["macros: 7z > Microsoft Office + macros VBA"]),
    ({"a.zip": archive({"b.exe": EXE})}, [], ["executable: 7z > ZIP > Windows EXE"]),
    ({"a.zip": encrypted({"b.pdf": LETTER})}, [], ["encrypted: 7z > ZIP chiffré / encrypted ZIP"]),
    ({"a.eml": message("b.pdf", EXE)}, [], ["executable: 7z > message > Windows EXE"]),
    ({"a.eml": message("b.js", SCRIPT)}, [], ["script: 7z > message > script .js"]),
    ({"a.eml": message("b.pdf", LETTER)}, [], []),
    ({"a.eml": BEFORE_MIME}, [], ["script: 7z > message > script .js"]),
    ({"a.zip": archive({"b.EML": message("c.pdf", EXE)})}, [], ["executable: 7z > ZIP > message > Windows EXE"]),
    ({"a.iso": bytes(32_769) + b"CD001"}, [], ["disk_image: 7z > ISO"]),
    ({"cr.js": SCRIPT, "cr.pdf": LETTER}, ["-pune"], ["script: 7z > script .js", "encrypted: 7z chiffré / encrypted 7z"]),
    ({"cr.js": SCRIPT}, ["-pune", "-mhe=on"], ["encrypted: 7z chiffré / encrypted 7z"]),
]  # fmt: skip


@pytest.mark.parametrize(("files", "options", "expected"), SEVEN, ids=range(len(SEVEN)))
async def test_7z(
    opener: Opener, tmp_path: Path, files: dict[str, bytes], options: list[str], expected: list[str]
) -> None:
    data = seven_zip(tmp_path, files, *options)
    assert await found(opener, data) == ["other_archive: 7z", *expected]


RAR = [  # in each: two texts
    ("rar3-subdirs.rar", ["script: RAR > script .txt"]),
    ("rar5-solid.rar", ["script: RAR > script .txt"]),
    ("rar3-comment-hpsw.rar", ["encrypted: RAR chiffré / encrypted RAR"]),
    ("rar5-psw.rar", ["script: RAR > script .txt", "encrypted: RAR chiffré / encrypted RAR"]),
    ("rar5-hpsw.rar", ["encrypted: RAR chiffré / encrypted RAR"]),
]


@pytest.mark.parametrize(("name", "expected"), RAR)
async def test_rar(opener: Opener, name: str, expected: list[str]) -> None:
    data = (FILES / name).read_bytes()
    assert await found(opener, data, scripts=frozenset({"txt"})) == ["other_archive: RAR", *expected]
    assert "script: RAR > script .txt" not in await found(opener, data, scripts=frozenset({"js"}))


RAR_LOCKED, RAR_BROKEN = "encrypted: RAR chiffré / encrypted RAR", "unreadable: RAR illisible / unreadable RAR"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (rar5({"cr.pdf": LETTER}), []),
        (rar5({"cr.pdf": EXE}), ["executable: RAR > Windows EXE"]),
        (rar5({"cr.pdf": LETTER, "b.pdf": LETTER}, locked=("cr.pdf",)), [RAR_LOCKED]),
        (rar5({"cr.pdf": LETTER, "b.pdf": EXE}, locked=("cr.pdf",)), [RAR_LOCKED, "executable: RAR > Windows EXE"]),
        (rar5({"a": EXE, "cr.js": LETTER}, locked=("cr.js",)),
         ["script: RAR > script .js", RAR_LOCKED, "executable: RAR > Windows EXE"]),
        (rar5({"cr.js": LETTER}, locked=("cr.js",))[:-8], ["script: RAR > script .js", RAR_LOCKED]),
        (rar5({"cr.pdf": LETTER}, locked=("cr.pdf",))[:-200], [RAR_BROKEN]),
        (rar5({"cr.pdf": LETTER}, locked=("cr.pdf",)) + b"\x01" * 30, [RAR_LOCKED, RAR_BROKEN]),
    ],
    ids=range(8),
)  # fmt: skip
async def test_what_stands_beside_a_locked_file(opener: Opener, data: bytes, expected: list[str]) -> None:
    assert await found(opener, data) == ["other_archive: RAR", *expected]


@pytest.mark.parametrize("mode", [0, 0o20666, 0o40755, 0o120777], ids=["none", "device", "folder", "link"])
async def test_what_an_entry_is_said_to_be_hides_nothing(opener: Opener, mode: int) -> None:
    """A mode that the archive's own program does not heed: it makes a file."""
    data = rar5({"cr.pdf": EXE}, mode=mode)
    assert await found(opener, data) == ["other_archive: RAR", "executable: RAR > Windows EXE"]


OTHERS = [
    (tape({"cr.pdf": LETTER, "b": EXE}), "a.tar", ["other_archive: TAR", "executable: TAR > Windows EXE"]),
    (tape({"b": EXE}, "w:gz"), "a.tgz", ["other_archive: GZIP", "executable: GZIP > Windows EXE"]),
    (tape({"b.js": SCRIPT}, "w:bz2"), "a.tbz", ["other_archive: BZIP2", "script: BZIP2 > script .js"]),
    (tape({"b.pdf": LETTER}, "w:xz"), "a.txz", ["other_archive: XZ"]),
    (gzip.compress(SCRIPT), "cr.js.gz", ["other_archive: GZIP", "script: GZIP > script .js"]),
    (gzip.compress(archive({"b": EXE})), "a.gz", ["other_archive: GZIP", "executable: GZIP > ZIP > Windows EXE"]),
    (b"7z\xbc\xaf\x27\x1c" + bytes(100), "a", ["other_archive: 7z", "unreadable: 7z illisible / unreadable 7z"]),
    (bytes(7) + b"**ACE**" + bytes(50), "a", ["other_archive: ACE", "unreadable: ACE illisible / unreadable ACE"]),
    (cab({"cr.pdf": LETTER}), "a.cab", ["other_archive: CAB"]),
    (cab({"cr.pdf": LETTER * 90, "b": EXE}, deflated=True), "a", ["other_archive: CAB", "executable: CAB > Windows EXE"]),
    (cab({"b.js": SCRIPT}), "a.cab", ["other_archive: CAB", "script: CAB > script .js"]),
    (b"MSCF\xff" + bytes(99), "cr.js",
     ["script: script .js", "other_archive: CAB", "unreadable: CAB illisible / unreadable CAB"]),
    (cab({"cr.pdf": LETTER})[:-9], "a.cab", ["other_archive: CAB", "unreadable: CAB illisible / unreadable CAB"]),
    (lha({"cr.pdf": LETTER}), "a.lzh", ["other_archive: LHA"]),
    (lha({"cr.pdf": LETTER, "b": EXE}), "a.lzh", ["other_archive: LHA", "executable: LHA > Windows EXE"]),
    (lha({"cr.pdf": LETTER, "b.js": EXE}, level=2), "a",
     ["other_archive: LHA", "script: LHA > script .js", "executable: LHA > Windows EXE"]),
    (lha({"a.zip": archive({"b.exe": EXE})}), "a", ["other_archive: LHA", "executable: LHA > ZIP > Windows EXE"]),
    (arj({"b.exe": EXE}), "a.arj", ["other_archive: ARJ", "unreadable: ARJ illisible / unreadable ARJ"]),
    (arj({"b.exe": EXE}), "cr.pdf", ["other_archive: ARJ", "unreadable: ARJ illisible / unreadable ARJ"]),
    (b"MZ" + arj({"b.exe": EXE}), "a.arj", ["unreadable: archive illisible / unreadable archive", "executable: Windows EXE"]),
    (archive({"a.arj": arj({"b.exe": EXE})}), "a.zip",
     ["other_archive: ZIP > ARJ", "unreadable: ZIP > ARJ illisible / unreadable ARJ"]),
    (archive({"a.zip": archive({"b.exe": EXE})}), "a.zip", ["executable: ZIP > ZIP > Windows EXE"]),
    (archive({"a.docm": archive({"word/vbaProject.bin": b""})}), "a.zip",
     ["macros: ZIP > Microsoft Office + macros VBA"]),
    (archive({"a.doc": VBA}), "a.zip", ["macros: ZIP > Microsoft Office + macros VBA"]),
    (archive({"a.tgz": tape({"b": EXE}, "w:gz")}), "a.zip",
     ["other_archive: ZIP > GZIP", "executable: ZIP > GZIP > Windows EXE"]),
    (archive({"a.rar": b"%PDF-1.7\nRar!\x1a\x07\x01\x00"}), "a.zip",
     ["unreadable: ZIP > archive illisible / unreadable archive"]),
    (archive({"winmail.dat": outlook(b"b", EXE)}), "a.zip", ["executable: ZIP > winmail.dat > Windows EXE"]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "name", "expected"), OTHERS, ids=range(len(OTHERS)))
async def test_others(opener: Opener, data: bytes, name: str, expected: list[str]) -> None:
    assert await found(opener, data, name) == expected


WRITTEN = [
    cab({"b": EXE}),
    cab({"b": EXE * 200}, deflated=True),
    lha({"b": EXE}),
    lha({"b": EXE}, 2),
    arj({"b": EXE}),
    rar5({"b": EXE}),
]


@pytest.mark.parametrize("data", WRITTEN, ids=["CAB", "MSZIP", "LHA", "LHA 2", "ARJ", "RAR 5"])
def test_what_the_tests_write_another_program_reads(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    subprocess.run(["7z", "x", "-bso0", "-bsp0", "a", "-oout"], cwd=tmp_path, check=True, stdin=subprocess.DEVNULL)
    assert (tmp_path / "out" / "b").read_bytes().startswith(EXE)


# ---------------------------------------------------------------- bounds
async def test_levels(opener: Opener) -> None:
    def boxes(levels: int) -> bytes:
        data = archive({"b.exe": EXE})
        for _ in range(levels):
            data = archive({"a.zip": data})
        return data

    path = "ZIP > " * (LEVELS + 1)
    assert await found(opener, boxes(LEVELS)) == [f"executable: {path}Windows EXE"]
    assert await found(opener, boxes(LEVELS + 1)) == [f"unreadable: {path}archive illisible / unreadable archive"]


async def test_entries_of_all_levels_together(opener: Opener) -> None:
    full = archive({f"{number}.txt": b"" for number in range(900)})
    many = archive({f"{number}.zip": full for number in range(6)})
    assert OF_MESSAGE < 6 * 900
    assert await found(opener, many) == ["unreadable: ZIP > ZIP illisible / unreadable ZIP", ZIP_BROKEN]


async def test_a_container_that_swells(opener: Opener) -> None:
    """Of more than 32 MiB: not looked into, whatever it is."""
    swollen = archive({"a.zip": archive({"b.exe": EXE}) + bytes(40_000_000)})
    assert await found(opener, swollen) == ["unreadable: ZIP > archive illisible / unreadable archive"]


async def test_time() -> None:
    """Gibibytes of nothing before a program: the process is ended, and the next file is opened."""
    header = tape({"a": b""})[:512]
    size = b"%011o" % (1 << 32)
    header = header[:124] + size + header[135:]
    checked = header[:148] + b" " * 8 + header[156:]
    header = header[:148] + b"%06o\0 " % sum(checked) + header[156:]
    bomb = gzip.compress(header) + gzip.compress(bytes(1 << 26)) * 64
    assert len(bomb) < 10_000_000
    opener = Opener(workers=1, seconds=1.0)
    try:
        assert await found(opener, archive({"a.zip": archive({"b": EXE})})) == ["executable: ZIP > ZIP > Windows EXE"]
        started = time.monotonic()
        shut = [Shut(str(number), "a.gz", SCRIPTS, bomb) for number in range(20)]
        opened = await opener.open(shut)
        assert {one.kind.value for each in opened.values() for one in each} == {"unreadable"}
        assert time.monotonic() - started < 15, "one patience for all files of a message"
        assert await found(opener, archive({"a.zip": archive({"b": EXE})})) == ["executable: ZIP > ZIP > Windows EXE"]
    finally:
        await opener.close()


@pytest.mark.parametrize(
    "said",
    [
        "{}",
        "{'found': None}",
        "{'found': [['executable']]}",
        "{'found': [['nothing', 'a']]}",
        "{'found': [['script', 1]]}",
        "{'found': [['script', 'a\\r\\n250 OK']]}",
        "{'found': [['script', 'a' * 201]]}",
    ],
)
async def test_a_process_that_was_taken_over_only_says_unreadable(tmp_path: Path, said: str) -> None:
    """Its words would go into replies and pages."""
    taken = tmp_path / "taken.py"
    taken.write_text(
        f"import sys; sys.path[0:0] = {[str(Path(__file__).parents[3])]!r}\n"
        f"from foundation.fence import serve\nserve(lambda head, data: ({said}, b''))\n"
    )
    opener = Opener(workers=1)
    opener._pool = Fenced(taken, 1)
    try:
        assert await found(opener, b"7z") == ["unreadable: archive illisible / unreadable archive"]
    finally:
        await opener.close()


async def test_who_sends_many_waits_for_themselves(tmp_path: Path) -> None:
    """Two processes, ten slow files of one sender: another's is opened beside the first of them."""
    slow = tmp_path / "slow.py"
    slow.write_text(
        f"import sys, time; sys.path[0:0] = {[str(Path(__file__).parents[3])]!r}\n"
        "from foundation.fence import serve\n"
        "serve(lambda head, data: (time.sleep(len(data)), ({'found': []}, b''))[1])\n"
    )
    opener = Opener(workers=2)
    opener._pool = Fenced(slow, 2, 60.0)
    flood = [asyncio.ensure_future(opener.open([Shut("1", "a", SCRIPTS, b"." * 30)], "flood")) for _ in range(10)]
    try:
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            assert await opener.open([Shut("1", "a", SCRIPTS, b"")], "other") == {("1", SCRIPTS): []}
    finally:
        for one in flood:
            one.cancel()
        await asyncio.gather(*flood, return_exceptions=True)
        await opener.close()


@given(st.data())
def test_any_list_of_rar_ends(data: st.DataObject) -> None:
    made = bytearray(rar5({"cr.pdf": LETTER, "a.js": SCRIPT}, locked=("cr.pdf",)))
    for _ in range(3):
        made[data.draw(st.integers(8, len(made) - 1))] = data.draw(st.integers(0, 255))
    names, rest = split(bytes(made))
    assert len(names) <= 2
    assert rest is None or len(rest) <= len(made)

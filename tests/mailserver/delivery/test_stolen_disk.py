"""ARCHITECTURE.md, principle 5: a stolen disk says nothing. The raw files are searched after real deliveries."""

from __future__ import annotations

import base64
from pathlib import Path

from mailserver.store.api import Flag, FlagOp, Flags, NewMessage
from tests.mailserver.delivery.conftest import CITIZEN, DOCTOR, PEER, make_world

SUBJECT, NAME, SENTENCE, FILE_NAME = (
    "Mammographie-Zorglub",
    "Annabelle Quinquina",
    "suspicion de kaleidoscopite",
    "biopsie-wxyz.pdf",
)
FOLDER, KEYWORD_FREE_TEXT, CLOSING = "Patients fragiles", "piece jointe parlante", "[FIN] Hysterosalpingographie"
INS = CITIZEN.partition("@")[0]
SECRETS = [
    SUBJECT,
    NAME,
    SENTENCE,
    FILE_NAME,
    FOLDER,
    KEYWORD_FREE_TEXT,
    "Hysterosalpingographie",
    INS,
    DOCTOR,
    PEER,
    "dr.loin",
    "Jacqueline",
    "Claire Martin",
]


def letter(sender: str, size: int, subject: str = SUBJECT) -> bytes:
    attachment = base64.encodebytes(KEYWORD_FREE_TEXT.encode() + b"x" * size).replace(b"\n", b"\r\n")
    return (
        (
            f"From: {NAME} <{sender}>\r\nTo: <{CITIZEN}>\r\nSubject: {subject}\r\nMessage-ID: <{NAME.replace(' ', '.')}@x>\r\n"
            f"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
            f"Madame, {SENTENCE}.\r\n--b\r\nContent-Type: text/plain; name={FILE_NAME}\r\n"
            f"Content-Disposition: attachment; filename={FILE_NAME}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        ).encode()
        + attachment
        + b"--b--\r\n"
    )


def encodings(secret: str) -> list[bytes]:
    """As written, in another case, in UTF-16, and in base64 at each of its three alignments."""
    raw = secret.encode()
    inner = [base64.b64encode(b"x" * shift + raw)[4 if shift else 0 : -4] for shift in range(3)]
    return [raw, raw.lower(), raw.upper(), secret.encode("utf-16-le"), *inner]


async def test_raw_files_hold_no_secret(tmp_path: Path) -> None:
    world = await make_world(f"sqlite:///{tmp_path}/mail.db", tmp_path)
    for size in (10, 300_000):
        await world.send(PEER, [CITIZEN, DOCTOR, "nobody@cabinet.example"], letter(PEER, size))
        await world.send(DOCTOR, [CITIZEN, PEER], letter(DOCTOR, size))
    await world.send(DOCTOR, CITIZEN, letter(DOCTOR, 10, CLOSING))
    await world.send(CITIZEN, PEER, letter(CITIZEN, 300_000))
    store, folders = world.space.store, await world.folders(DOCTOR)
    own = await store.create(world.ids[DOCTOR], FOLDER)
    await store.append(own.id, [NewMessage(letter(DOCTOR, 10)), NewMessage(letter(DOCTOR, 300_000))])
    await store.copy(own.id, [1, 2], folders["Archives"].id)
    await store.store_flags(own.id, [1, 2], FlagOp.ADD, Flags(Flag.DELETED))
    await store.expunge(own.id)

    def searched() -> dict[str, int]:
        """Every file (database, write-ahead log, blobs), read raw; sizes, to show that there was something to search."""
        sizes = {}
        for path in sorted(found for found in tmp_path.rglob("*") if found.is_file()):
            octets = path.read_bytes()
            sizes[path.name] = len(octets)
            for secret in SECRETS:
                for form in encodings(secret):
                    assert form not in octets, (path.name, secret, form)
                    assert secret.encode() not in path.name.encode()
        return sizes

    sizes = searched()
    assert sizes["mail.db-wal"] > 100_000
    assert sum(size > 300_000 for size in sizes.values()) >= 4
    assert SENTENCE.encode() in await world.last(CITIZEN), "with the keys it can be read"
    await world.space.db.close()
    searched()

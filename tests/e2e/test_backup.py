"""Backup while mail comes in, everything lost, restore into the empty place: every mailbox is as it was."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import select

from mailserver.store.api import Folder
from mssante.tables import mailboxes as boxes
from runtime.house import House
from runtime.settings import read
from tests.support.demo import Demo, mssante, printed
from tests.support.peer import Peer, certificate_of, mail
from tests.support.there import there

BETA = "antoine.vidal@medecins.beta.example"
GP = "camille.roche@medecins.alpha.example"
LARGE = ("z" * 70 + "\r\n") * 2_000
pytestmark = pytest.mark.xdist_group("backup")  # a demo of its own

Messages = dict[int, tuple[str, str]]  # UID -> flags, digest


def test_every_mailbox_comes_back(own_demo: Demo, tmp_path: Path) -> None:
    alpha, copy = own_demo.data / "alpha", tmp_path / "copy"
    with Peer(own_demo, certificate_of(own_demo)) as peer:
        assert all(peer.send(BETA, GP, mail(BETA, GP, f"Avant {n}", LARGE * (n % 2)))[0] == 250 for n in range(20))
    flag_some(own_demo)
    before = mailboxes(alpha)
    with deliveries(own_demo):
        told = printed(mssante(alpha, "backup", str(copy), "--json"))
    assert told["blobs"] >= 10
    assert (copy / "manifest.json").exists()
    after = mailboxes(alpha)
    secret = (alpha / "keys" / "master.key").read_bytes()
    assert not [path for path in copy.rglob("*") if path.is_file() and secret in path.read_bytes()]

    own_demo.stop()
    for path in (path for path in alpha.glob("*.db*") if path.is_file()):
        path.unlink()
    shutil.rmtree(alpha / "blobs")
    printed(mssante(alpha, "restore", str(copy), "--json"))
    own_demo.start()

    with own_demo.imap(own_demo.person("medecin")) as imap:
        assert int(there(imap.select("INBOX")[1][0])) >= 19
    restored = mailboxes(alpha)
    assert restored.keys() == after.keys()
    for name, (validity, messages) in restored.items():
        assert validity > after[name][0], "numbers of before are void"
        assert before[name][1].items() <= messages.items() <= after[name][1].items(), name
    assert "il y a déjà une base" in mssante(alpha, "restore", str(copy)).stderr


def test_a_backup_that_cannot_be_used_is_said_in_words(own_demo: Demo, tmp_path: Path) -> None:
    alpha, copy, place = own_demo.data / "alpha", tmp_path / "copy", tmp_path / "place"
    own_demo.send("medecin", GP, "Une grande", LARGE)
    printed(mssante(alpha, "backup", str(copy), "--json"))
    shutil.copytree(alpha, place, ignore=shutil.ignore_patterns("*.db*", "blobs"))

    def fault(folder: Path = copy) -> str:
        """What a rehearsal says in both languages, the French first."""
        said = [mssante(place, "restore", str(folder), "--dry-run", "--lang", lang) for lang in ("fr", "en")]
        assert [one.returncode for one in said] == [1, 1]
        return said[0].stderr + said[1].stderr

    key = place / "keys" / "master.key"
    right = key.read_bytes()
    key.write_bytes(bytes(32))
    assert "pas la clé maîtresse de cette sauvegarde" in fault()
    assert "not the master key of this backup" in fault()
    key.unlink()
    assert "la clé maîtresse manque" in fault()
    key.write_bytes(right)
    blob = next(path for path in (copy / "blobs").rglob("*") if path.is_file())
    whole = blob.read_bytes()
    blob.unlink()  # a link: the server's own must stay as it is
    assert f"{blob} : manque" in fault()
    blob.write_bytes(whole[:-1])
    assert f"{blob} : abîmé" in fault()
    blob.write_bytes(whole)
    assert "n’est pas une sauvegarde" in fault(place)
    assert printed(mssante(place, "restore", str(copy), "--dry-run", "--json"))["blobs"] >= 1
    assert not list(place.glob("*.db")), "a rehearsal changes nothing"
    with open(copy / "mssante.db", "rb+") as database:
        database.seek(5_000)
        database.write(b"x")
    assert f"{copy / 'mssante.db'} : abîmé" in fault()
    assert "n’est pas vide" in mssante(alpha, "backup", str(copy)).stderr


# -------------------------------------------------------------------- parts
def flag_some(demo: Demo) -> None:
    with demo.imap(demo.person("medecin")) as imap:
        imap.select("INBOX")
        imap.uid("STORE", "1:3", "+FLAGS", r"(\Flagged $Suivi)")
        imap.uid("STORE", "4", "+FLAGS", r"(\Deleted)")
        imap.expunge()


@contextmanager
def deliveries(demo: Demo) -> Iterator[None]:
    """Mail keeps coming in meanwhile."""
    begun, stop = threading.Event(), threading.Event()

    def deliver() -> None:
        with Peer(demo, certificate_of(demo)) as peer:
            for number in itertools.takewhile(lambda _: not stop.is_set(), itertools.count()):
                peer.send(BETA, GP, mail(BETA, GP, f"Pendant {number}", LARGE * (number % 2)))
                begun.set()

    thread = threading.Thread(target=deliver)
    thread.start()
    assert begun.wait(20)
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


def mailboxes(folder: Path) -> dict[str, tuple[int, Messages]]:
    """ "box/folder" -> UIDVALIDITY and messages of every mailbox of the operator, the citizens' too, read beside the server."""
    house = House(read(folder / "mssante.toml"))

    async def found() -> dict[str, tuple[int, Messages]]:
        ids = house.db.read_now(lambda conn: conn.execute(select(boxes.c.id)).scalars().all())
        return {f"{box}/{one.name}": await content(one) for box in ids for one in await house.store.folders(box)}

    async def content(one: Folder) -> tuple[int, Messages]:
        _, rows = await house.store.rows(one.id)
        octets = {row.uid: await house.store.content(one.id, row.uid) for row in rows}
        return one.uid_validity, {row.uid: (str(row.flags), sha256(there(octets[row.uid])).hexdigest()) for row in rows}

    try:
        return asyncio.run(found())
    finally:
        house.db.close_now()

"""A stolen disk says nothing, and neither do the logs: known values are searched in every file that the story left behind."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support.demo import Demo

SUBJECT = "Bilan lipidique inquiétant"
SENTENCE = "Le traitement par atorvastatine est poursuivi trois mois"
FILE_NAME = "resultats-lipides-octobre.txt"


def test_nothing_personal_lies_readable_on_the_disk_or_in_the_logs(demo: Demo) -> None:
    patient = demo.person("jacqueline")
    attachment = (FILE_NAME, b"LDL 1,9 g/L chez la patiente\n" * 20, "text", "plain")
    large = ("radio.pdf", b"%PDF-1.4 " + b"cardiomegalie moderee " * 9000, "application", "pdf")
    demo.send("medecin", patient["address"], SUBJECT, SENTENCE + ".", attachments=[attachment, large])
    demo.wait_for(demo.person("medecin"), f"non rangée : {SUBJECT}", timeout=20)  # told by the bridge: a broken PDF

    secrets = {
        "subject": [SUBJECT, "lipidique"],
        "sentence": [SENTENCE, "atorvastatine"],
        "name of the patient": ["Jacqueline", "Morel"],
        "INS": [patient["address"].split("@")[0]],
        "file name": [FILE_NAME, "resultats-lipides"],
        "content": ["cardiomegalie", "LDL 1,9"],
        "private address": ["jacqueline@courrier"],
    }
    found = [
        f"{what} ({word!r}) in {path.relative_to(demo.data)}"
        for path in stored_files(demo.data)
        for what, words in secrets.items()
        for word in words
        if word.encode() in path.read_bytes()
    ]
    found += [
        f"{what} ({word!r}) in the log" for what, words in secrets.items() for word in words if word in demo.log()
    ]
    assert not found, "\n".join(found)


def stored_files(data: Path) -> list[Path]:
    """All but what exists to show the demo: its table of people, and the letters that went out by ordinary mail."""
    shown = {"demo.json", "bench.json", "demo.log"}  # the log begins with the table: it is read apart
    files = [
        path
        for path in data.rglob("*")
        if path.is_file() and path.name not in shown and not {"outbox", "codes"} & set(path.relative_to(data).parts)
    ]
    assert any(path.suffix == ".db" for path in files)
    return files


def test_notices_to_private_addresses_hold_no_health_data(demo: Demo) -> None:
    patient = demo.person("jacqueline")
    demo.send("medecin", patient["address"], SUBJECT, SENTENCE)
    outbox = demo.data / "alpha" / "outbox"
    deadline = time.monotonic() + 10
    while not (letters := [p.read_text() for p in outbox.glob("*.eml") if "Connectez-vous" in p.read_text()]):
        assert time.monotonic() < deadline, "no notice"
        time.sleep(0.1)
    for letter in letters:
        for word in ("lipidique", "atorvastatine", "Roche", "Morel", patient["address"], "http"):
            assert word not in letter

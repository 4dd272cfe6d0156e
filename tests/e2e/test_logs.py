"""After the whole story the servers' log names nobody. Runs last of the folder (conftest.py): all the rest has been logged."""

from __future__ import annotations

import json
import re
import time

from tests.support import files
from tests.support.browser_session import WebSession
from tests.support.demo import Demo, wait_until

INS = re.compile(r"(?<!\d)[12]\d{2}(?:0[1-9]|[1-9]\d)(?:\d{2}|2[AB])\d{6}(?:\d{2})?(?!\d)")
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.\w+")


def test_the_log_after_the_story_names_nobody(demo: Demo, jacqueline: WebSession) -> None:
    """Faults that like to talk come first: an unknown sign-in, a broken form, a hostile message, a lost connection."""
    stamp = str(time.time_ns())
    subject, file = f"Grossesse confirmee {stamp}", f"echographie-{stamp}.pdf"
    person = demo.person("jacqueline")
    demo.send(
        "medecin", person["address"], subject, "Bonjour.", attachments=[(file, files.pdf("x")[:300], "application", "pdf")]
    )  # fmt: skip
    demo.send("medecin", "personne@medecins.beta.example", subject, "Bonjour.")
    conversation = jacqueline.conversation(subject)
    WebSession(demo).post("/connexion", {"identifiant": person["login"] + "?", "mot_de_passe": f"secret {stamp}"})
    jacqueline.get(f"{conversation}/1/pieces/zz")
    jacqueline.post("/messagerie/recherche", {"mots": "grossesse"})
    demo.wait_for(demo.person("medecin"), f"non rangée : {subject}", timeout=20)
    wait_until(lambda: '"answered_550"' in demo.log() or '"relay"' in demo.log(), 20, "the relay's line in the log")

    log = demo.log()
    events = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert len(events) > 3, "there is something to look at"
    shown = [line for line in log.splitlines() if line.strip() and not line.startswith("{")]
    assert shown == [], "all that a server prints is an event"
    words = {subject, stamp, file, "grossesse", "ographie", "tests.example"}
    for one in demo.facts["people"]:
        words |= {
            one["address"],
            one["address"].split("@")[0],
            one["password"],
            one["login"],
            *one["name"].split()[-1:],
        }
    found = [word for word in words - {""} if word.casefold() in log.casefold()]
    assert found == []
    assert INS.findall(log) == []
    assert ADDRESS.findall(log) == []

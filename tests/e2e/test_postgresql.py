"""The whole product on PostgreSQL, two processes: delivered, announced between processes, read, answered by IMAP flags."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from imapclient import IMAPClient

from tests.support.browser_session import WebSession
from tests.support.demo import Demo, free_port_base
from tests.support.postgres import other_database

pytestmark = pytest.mark.xdist_group("postgresql")


def test_the_story_on_postgresql(postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSSANTE_STORAGE__DATABASE", other_database(postgres_server, "product"))
    demo = Demo(tmp_path / "demo", free_port_base(), ("--operators", "1", "--workers", "2"))
    try:
        demo.start()
        doctor, team = demo.person("medecin"), demo.person("cardiologie")
        host, port = demo.door("imaps")
        with IMAPClient(host, port, ssl_context=demo.trust()) as watching:
            watching.login(team["login"], team["password"])
            watching.select_folder("INBOX")
            watching.idle()
            demo.send("medecin", team["address"], "Avis demandé", "Bonjour, merci de votre avis.")
            heard: list[object] = []
            deadline = time.monotonic() + 10
            while not any(b"EXISTS" in str(one).encode() for one in heard):
                assert time.monotonic() < deadline, heard
                heard += watching.idle_check(timeout=1)
            watching.idle_done()
            assert watching.search(["SUBJECT", "Avis"], charset="UTF-8") == [1]
        demo.send("medecin", demo.person("jacqueline")["address"], "Votre bilan", "Tout va bien.")
        web = WebSession(demo, "jacqueline")
        page = web.get("/messagerie")
        assert page.status == 200
        assert "Votre bilan" in page.words
        assert demo.wait_for(team, "Avis")
        assert doctor["address"].encode() in demo.wait_for(team, "Avis")
    finally:
        demo.stop()

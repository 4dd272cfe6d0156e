"""The whole product on PostgreSQL, two processes: delivered, announced between processes, read, answered by IMAP flags."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from imapclient import IMAPClient
from sqlalchemy import create_engine, make_url, text

from tests.support.browser_session import WebSession
from tests.support.demo import Demo, free_port_base
from tests.support.postgres import postgres_server  # noqa: F401  a fixture

pytestmark = pytest.mark.xdist_group("postgresql")


def test_the_story_on_postgresql(postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    admin = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.execute(text("DROP DATABASE IF EXISTS product WITH (FORCE)"))
        conn.execute(text("CREATE DATABASE product"))
    admin.dispose()
    url = make_url(postgres_server).set(database="product").render_as_string(hide_password=False)
    monkeypatch.setenv("MSSANTE_STORAGE__DATABASE", url)
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
            heard, deadline = [], time.monotonic() + 10
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

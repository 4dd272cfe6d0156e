"""Settings: every fault at once, in words; the environment over the file; paths relative to the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.settings import BadSettings, load
from foundation.web.site import WebSettings
from health_space.accounts.chrome import BANNERS
from runtime.pages import web_settings
from runtime.settings import Settings

GOOD = """
[operator]
name = "Essai"
host = "mail.essai.example"
domains = ["medecins.essai.example"]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mssante.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_are_relative_to_the_settings_file(tmp_path: Path) -> None:
    settings = load(Settings, write(tmp_path, GOOD), {})
    assert settings.tls.certificate == tmp_path / "tls/server.pem"
    assert settings.storage.database == f"sqlite:///{tmp_path}/mssante.db"
    assert settings.storage.master_key == tmp_path / "keys/master.key"


def test_the_environment_goes_over_the_file(tmp_path: Path) -> None:
    environment = {"MSSANTE_DOORS__IMAPS": "0.0.0.0:993", "MSSANTE_WORKERS": "4", "HOME": "/nowhere"}
    settings = load(Settings, write(tmp_path, GOOD), environment)
    assert (settings.doors.imaps, settings.workers) == ("0.0.0.0:993", 4)


def test_the_pages_get_their_settings(tmp_path: Path) -> None:
    bare = web_settings(load(Settings, write(tmp_path, GOOD), {}).web)
    assert bare == WebSettings(https=False, help="", banners=BANNERS)
    text = GOOD + '[web]\norigin = "https://sante.example"\nhelp = "01 23 45 67 89"\n'
    told = web_settings(load(Settings, write(tmp_path, text), {}).web)
    assert told == WebSettings(origin="https://sante.example", https=True, help="01 23 45 67 89", banners=BANNERS)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    text = """
    workers = 0
    [operator]
    name = "Essai"
    host = "mail essai"
    [doors]
    mx = "25"
    imapz = "127.0.0.1:993"
    [web]
    certificate = "web.pem"
    """
    with pytest.raises(BadSettings) as bad:
        load(Settings, write(tmp_path, text), {})
    said = "\n".join(bad.value.faults)
    for fault in (
        "operator.host: not a domain name",
        "operator.domains: is missing",
        "doors.mx: a door is written host:port",
        "doors.imapz: no such setting",
        "web: certificate and key go together",
        "workers: input should be greater than or equal to 1",
    ):
        assert fault in said


def test_the_tables_of_attachments_tell_all_their_faults(tmp_path: Path) -> None:
    text = (
        GOOD
        + """
    [attachments]
    script = "no"
    [attachments.app]
    macros = "maybe"
    pictures = "warn"
    [attachments.pharmacy]
    macros = "warn"
    [attachments_sent.cit]
    encrypted = "refuse it"
    """
    )
    with pytest.raises(BadSettings) as bad:
        load(Settings, write(tmp_path, text), {"MSSANTE_ATTACHMENTS__PER__MACROS": "never"})
    said = "\n".join(bad.value.faults)
    assert len(bad.value.faults) == 7  # and what to do
    for fault in (
        "attachments.script: input should be 'accept', 'warn' or 'refuse' (here: 'no')",
        "attachments.app.macros: input should be 'accept', 'warn' or 'refuse' (here: 'maybe')",
        "attachments.app.pictures: no such setting",
        "attachments.pharmacy: no such setting",
        "attachments.per.macros: input should be 'accept', 'warn' or 'refuse' (here: 'never')",
        "attachments_sent.cit.encrypted: input should be",
    ):
        assert fault in said


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "no such file"),
        ("operator = [", "not valid TOML"),
        (GOOD + '[doors]\nbench = "0.0.0.0:26"\n', "loopback"),
        (GOOD + '[openid]\nissuer = "http://psc.example"\naudience = "x"\n', "issuer: https://"),
        (GOOD + '[openid]\nissuer = "https://psc.example"\n', "audience is missing"),
        (GOOD + '[openid]\nclient_id = "x"\n', "client_id and client_secret go together"),
        (GOOD + '[storage]\ndatabase = "mysql://x"\n', "sqlite:///"),
    ],
)
def test_each_of_these_is_refused(tmp_path: Path, text: str | None, fault: str) -> None:
    path = tmp_path / "mssante.toml" if text is None else write(tmp_path, text)
    with pytest.raises(BadSettings, match=fault):
        load(Settings, path, {})

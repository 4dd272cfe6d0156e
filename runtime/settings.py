"""The settings of one operator's server, as written in `mssante.toml` (docs/settings.md is made from this file).

Paths are relative to the folder of the settings file. Doors that are left empty are not opened.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from foundation.settings import Section, load

_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


def _is_door(value: str) -> str:
    host, _, port = value.rpartition(":")
    if value and (not host or not port.isdigit() or int(port) > 65535):
        raise ValueError("a door is written host:port")
    return value


def _is_domain(value: str) -> str:
    if not _DOMAIN.fullmatch(value.lower()):
        raise ValueError("not a domain name")
    return value.lower()


def _in_folder(value: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder", Path())
    return value if str(value) in ("", ".") else Path(folder) / value


_EMPTY: Any = dict  # a section left out is validated like an empty one, so that its paths find their folder

Door = Annotated[str, AfterValidator(_is_door)]
Domain = Annotated[str, AfterValidator(_is_domain)]
InFolder = Annotated[Path, AfterValidator(_in_folder)]
Role = Literal["mx", "submission", "imap", "web", "jobs"]
ROLES: tuple[Role, ...] = ("mx", "submission", "imap", "web", "jobs")


class Operator(Section):
    name: str
    host: Domain  # name in greetings and Received lines; the CN of the server's certificate
    domains: list[Domain] = Field(min_length=1)  # professionals' mail domains served here
    citizen_domain: Domain | None = None  # set where citizens' mailboxes live
    citizen_domain_of_space: Domain = "patient.mssante.fr"  # the domain of citizens in the whole trust space
    product_number: str = "MSSPY0001"  # X-MSS-NIL on every message we send


class Storage(Section):
    database: str = "sqlite:///mssante.db"  # or postgresql+psycopg://…
    blobs: InFolder = Path("blobs")
    master_key: InFolder = Path("keys/master.key")

    @field_validator("database")
    @classmethod
    def _relative_to_the_file(cls, value: str, info: ValidationInfo) -> str:
        if value.startswith("sqlite:///") and not value.startswith("sqlite:////"):
            return f"sqlite:///{_in_folder(Path(value.removeprefix('sqlite:///')), info).absolute()}"
        if not value.startswith(("sqlite:////", "postgresql+psycopg://")):
            raise ValueError("give sqlite:///file or postgresql+psycopg://user@host/name")
        return value


class Doors(Section):
    mx: Door = ""  # other operators, STARTTLS and client certificate
    submission: Door = ""  # mail clients, STARTTLS
    submissions: Door = ""  # mail clients, implicit TLS
    imap: Door = ""  # STARTTLS
    imaps: Door = ""  # implicit TLS
    web: Door = ""  # citizens' pages
    bench: Door = ""  # benchmarks only: no TLS, no sign-in, loopback addresses only


class Tls(Section):
    certificate: InFolder = Path("tls/server.pem")  # our certificate and the intermediates
    key: InFolder = Path("tls/server.key")
    anchors: InFolder = Path("tls/anchors.pem")  # roots that peers' certificates must end at
    crl: InFolder = Path("tls/crl.pem")
    crl_grace_hours: int = 24  # after a list's own end date; then peers are refused


class TrustList(Section):
    file: InFolder = Path("trust-list.xml")
    signer: str = "CN=alb.mssante.fr"  # attributes that the signer's name must hold
    anchors: InFolder = Path("tls/anchors.pem")


class Web(Section):
    origin: str = ""  # public address, https://…; by default http://<door>
    certificate: InFolder | None = None  # with `key`: HTTPS without a reverse proxy
    key: InFolder | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Web:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self


class Outbox(Section):
    """Where notices to citizens' private addresses go: a relay, or a folder of .eml files."""

    folder: InFolder | None = Path("outbox")
    relay: Door = ""
    sender: str = "ne-pas-repondre@notices.example"
    codes: InFolder | None = None  # demo only: one-time codes are also written to files in this folder


class Limits(Section):
    message_bytes: int = Field(26_214_400, ge=65_536)  # 25 MB, what Mon espace santé takes
    recipients: int = Field(1_000, ge=1)
    connections_per_address: int = Field(200, ge=1)
    quota_bytes: int = Field(2_000_000_000, ge=1_000_000)


class Dkim(Section):
    selector: str = "mss"
    key: InFolder | None = None  # PEM, RSA or Ed25519; without it nothing is signed


class Settings(Section):
    """All of `mssante.toml`."""

    operator: Operator
    storage: Storage = Field(default_factory=_EMPTY)
    doors: Doors = Field(default_factory=_EMPTY)
    tls: Tls = Field(default_factory=_EMPTY)
    trust_list: TrustList = Field(default_factory=_EMPTY)
    routes: dict[Domain, Door] = Field(
        default_factory=dict
    )  # domain -> host:port of its operator; else the domain's MX
    web: Web = Field(default_factory=_EMPTY)
    outbox: Outbox = Field(default_factory=_EMPTY)
    limits: Limits = Field(default_factory=_EMPTY)
    dkim: Dkim = Field(default_factory=_EMPTY)
    roles: list[Role] = Field(default_factory=lambda: list(ROLES))
    workers: int = Field(1, ge=1, le=64)

    @model_validator(mode="after")
    def _bench_stays_here(self) -> Settings:
        if self.doors.bench and not self.doors.bench.startswith("127."):
            raise ValueError("doors.bench: loopback addresses only")
        return self


def read(path: Path) -> Settings:
    """The settings in `path` and the environment; raises `foundation.settings.BadSettings`."""
    return load(Settings, path)

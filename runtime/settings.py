"""The settings of one operator's server, as written in `mssante.toml` (docs/settings.md is made from this file).

Paths are relative to the folder of the settings file. Doors that are left empty are not opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator, model_validator

from foundation.settings import Section, load
from runtime.attachment_settings import Attachments, AttachmentsSent
from runtime.openid_settings import OpenId
from runtime.settings_values import Domain, Door, HttpsUrl, InFolder, Selector, in_folder, is_door

_EMPTY: Any = dict  # a section left out is validated like an empty one, so that its paths find their folder

Role = Literal["mx", "submission", "imap", "web", "jobs"]
ROLES: tuple[Role, ...] = ("mx", "submission", "imap", "web", "jobs")


class Operator(Section):
    """Who runs this server, and for whom."""

    name: str = Field(description="shown to people in notices")
    host: Domain = Field(description="name in greetings and Received lines; the CN of the server's certificate")
    domains: list[Domain] = Field(min_length=1, description="professionals' mail domains served here")
    citizen_domain: Domain | None = Field(None, description="set where citizens' mailboxes live")
    citizen_domain_of_space: Domain = Field(
        "patient.mssante.fr", description="the domain of citizens in the whole trust space"
    )
    product_number: str = Field("MSSPY0001", description="X-MSS-NIL on every message sent from here")
    products: list[str] = Field(
        default_factory=list,
        description="others' product numbers that the figures tell apart (`DEV935997`); all others are counted together",
    )


class Storage(Section):
    """Where everything is kept. Who holds the master key can read all of it."""

    database: str = Field("sqlite:///mssante.db", description="or `postgresql+psycopg://user@host/name`")
    blobs: InFolder = Field(Path("blobs"), description="folder of large messages and documents, encrypted")
    master_key: InFolder = Field(Path("keys/master.key"), description="32 bytes, mode 0600, made by `mssante init`")
    backup_hours: int = Field(
        48,
        ge=0,
        description="age of the last `mssante backup` that the doctor speaks of; 0: backups are made otherwise",
    )

    @field_validator("database")
    @classmethod
    def _relative_to_the_file(cls, value: str, info: ValidationInfo) -> str:
        if value.startswith("sqlite:///") and not value.startswith("sqlite:////"):
            return f"sqlite:///{in_folder(Path(value.removeprefix('sqlite:///')), info).absolute()}"
        if not value.startswith(("sqlite:////", "postgresql+psycopg://")):
            raise ValueError(
                "écrivez sqlite:///fichier ou postgresql+psycopg://compte@hôte/nom // give sqlite:///file or postgresql+psycopg://user@host/name"
            )
        return value


class Doors(Section):
    """Where the server listens, each written `host:port`; a door left empty is not opened."""

    mx: Door = Field("", description="other operators: STARTTLS and client certificate (port 25)")
    submission: Door = Field("", description="mail clients send: STARTTLS (port 587)")
    submissions: Door = Field("", description="mail clients send: TLS (port 465)")
    imap: Door = Field("", description="mail clients read: STARTTLS (port 143)")
    imaps: Door = Field("", description="mail clients read: TLS (port 993)")
    ldaps: Door = Field("", description="mail clients complete addresses from the directory: LDAP, TLS (port 636)")
    web: Door = Field("", description="citizens' pages; also what `mssante health` asks")
    metrics: Door = Field(
        "", description="/metrics for Prometheus, /livez and /readyz, without TLS: a loopback or private address"
    )
    bench: Door = Field("", description="benchmarks only: no TLS, no sign-in, loopback addresses only")


class Tls(Section):
    """Our certificate and whom we believe. All files are read again when they change, without a restart."""

    certificate: InFolder = Field(Path("tls/server.pem"), description="our certificate, then the intermediates")
    key: InFolder = Field(Path("tls/server.key"), description="its key, unencrypted, mode 0600")
    anchors: InFolder = Field(Path("tls/anchors.pem"), description="roots that peers' certificates must end at")
    crl: InFolder = Field(
        Path("tls/crl.pem"), description="revocation lists of every authority, deltas too, one after the other"
    )
    crl_urls: list[str] = Field(
        default_factory=list,
        description="lists to fetch beside those that our certificates, our anchors and peers' certificates name",
    )
    crl_minutes: int = Field(60, ge=1, le=1_440, description="between two fetches of the lists, sooner when one ends")
    ask_clients: bool = Field(
        False,
        description="ask mail clients for a certificate, which opens APP mailboxes; some clients show their user a question",
    )
    bind_submission: bool = Field(
        False,
        description="offer SCRAM-SHA-256-PLUS on port 587 too, as on 465; Debian's mutt and neomutt then send nothing there",
    )
    crl_grace_hours: int = Field(24, description="after a list's own end date; then peers are put off")
    crl_missing: Literal["refuse", "accept"] = Field(
        "refuse",
        description="peers of an authority whose list is missing or too old: put off (450), or taken all the same; a known "
        "revocation counts always",
    )
    usage: Literal["either", "standard", "strict"] = Field(
        "either",
        description="extended key usage of other operators' certificates: `strict`: it names what is done, `standard`: or says "
        "nothing, `either`: server or client usage serves both",
    )


class TrustList(Section):
    """The signed list of the operators of the trust space; its file is looked at every 30 seconds."""

    file: InFolder = Field(Path("trust-list.xml"), description="the list in use, the last good one")
    url: HttpsUrl = Field("", description="`https://…` that it is fetched from; empty: `mssante trust-list fetch FILE`")
    every_minutes: int = Field(60, ge=1, le=1_440, description="between two fetches; after a failure 5 at most")
    stale_hours: int = Field(24, ge=1, description="without a good list seen, before the alarm")
    signer: str = Field("CN=alb.mssante.fr", description="attributes that the signer's name must hold")
    anchors: InFolder = Field(
        Path("tls/anchors.pem"),
        description="roots that the certificates of the signer and of the web server must end at",
    )


class Web(Section):
    """Citizens' pages."""

    origin: str = Field("", description="public address; `https://…` behind a reverse proxy makes cookies secure")
    certificate: InFolder | None = Field(None, description="with `key`: HTTPS without a reverse proxy")
    key: InFolder | None = Field(None, description="goes with `certificate`")
    passkey_domain: str = Field(
        "",
        description="for which passkeys are made: the host of `origin`, or a domain above it; empty: that host. None are "
        "offered without an `origin`, or with an IP address in it. Those made for one domain are useless in another",
    )
    help: str = Field(
        "", description="who helps, as shown on the help and error pages: « 01 23 45 67 89, du lundi au vendredi »"
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Web:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate et key vont ensemble // certificate and key go together")
        return self

    @property
    def host(self) -> str:
        """Of the origin; empty: none."""
        return urlsplit(self.origin).hostname or ""

    @model_validator(mode="after")
    def _domain_of_the_origin(self) -> Web:
        if self.passkey_domain and not f".{self.host}".endswith(f".{self.passkey_domain}"):
            raise ValueError(
                "passkey_domain : l’hôte d’origin, ou un domaine au-dessus // "
                "passkey_domain: the host of origin, or a domain above it"
            )
        return self


class Annuaire(Section):
    """The FHIR server of the Annuaire Santé, which the directory follows; `mssante directory sync` does so at once."""

    url: str = Field("", description="its base, for example `https://gateway.api.esante.gouv.fr/fhir/v2`; empty: none")
    key: InFolder | None = Field(None, description="file, mode 0600: the key sent in `ESANTE-API-KEY`")
    anchors: InFolder | None = Field(None, description="roots of its certificate; none: this machine's")
    sync_minutes: int = Field(60, ge=0, description="how often what changed there is taken up; 0: by command only")
    publish_hours: int = Field(
        0,
        ge=0,
        description="how often what changed of our mailboxes is published there; 0: by command. Red list: taken away at once",
    )
    stale_hours: int = Field(72, ge=1, description="without success for longer: the alarm `annuaire_stale` in the log")

    @model_validator(mode="after")
    def _whole(self) -> Annuaire:
        if self.url and not self.url.startswith(("https://", "http://127.0.0.1:")):
            raise ValueError("url : https seulement // url: https only")
        if self.url and self.key is None:
            raise ValueError("url et key vont ensemble // url and key go together")
        return self


class Outbox(Section):
    """Where notices to citizens' private addresses go: a relay, or a folder of .eml files."""

    folder: InFolder | None = Field(Path("outbox"), description="where .eml files are written when there is no relay")
    relay: Door = Field("", description="`host:port` of the SMTP relay; goes before the folder")
    sender: str = Field("ne-pas-repondre@notices.example", description="From of notices and one-time codes")
    codes: InFolder | None = Field(None, description="demo only: one-time codes also go to files in this folder")


class Limits(Section):
    """What one client may ask."""

    message_bytes: int = Field(
        26_214_400, ge=65_536, description="octets of one message; 25 MB is what Mon espace santé takes"
    )
    recipients: int = Field(1_000, ge=1, le=999_999, description="of one message")
    messages_per_session: int = Field(10_000, ge=1, le=999_999, description="SMTP messages of one connection")
    hold_days: int = Field(
        30, ge=1, le=366, description="longest wait for the hour of sending that a mail client may ask"
    )
    held_messages: int = Field(50, ge=1, description="of one mailbox, waiting for that hour")
    connections_per_address: int = Field(200, ge=1, description="SMTP connections of one IP address to one door")
    imap_sessions: int = Field(100, ge=5, description="IMAP connections of one person to one process")
    peer_messages_per_minute: int = Field(
        6_000,
        ge=1,
        description="of another operator: so many at once, then as steadily; this and the next four for each process",
    )
    account_recipients_per_hour: int = Field(3_000, ge=1, description="of the messages that one mailbox sends")
    recipient_messages_per_hour: int = Field(3_000, ge=1, description="for one address, whoever sends them")
    pair_messages_per_hour: int = Field(
        600,
        ge=1,
        description="for one address from one sender; far fewer, so that nobody alone uses up the turns of all",
    )
    peer_pair_messages_per_hour: int = Field(
        1_500, ge=1, description="for one address from one other operator, whatever senders it names"
    )
    trace_days: int = Field(
        186,
        ge=1,
        description="how long it can be asked what became of a message; six months are recommended. Lowered, it acts after 7 days",
    )
    quota_bytes: int = Field(2_000_000_000, ge=1_000_000, description="of a new mailbox; each can have its own")
    holder_quota_bytes: int = Field(
        0,
        ge=0,
        description="up to which who holds a mailbox may set its quota from a mail program; 0: only the operator",
    )
    retention_days: int = Field(
        180, ge=1, le=7_300, description="mail of a closed mailbox is kept sealed so long; then its key is destroyed"
    )


class Dkim(Section):
    """DKIM signatures: ours on what leaves, one for each key, and those of other operators on what comes in."""

    rsa_key: InFolder | None = Field(
        None, description="PEM, mode 0600, 2,048 bits or more; every operator can check it"
    )
    rsa_selector: Selector = Field("mss-rsa", description="of the TXT record, which `mssante dns` prints")
    ed25519_key: InFolder | None = Field(None, description="PEM, mode 0600; shorter and stronger, and not known to all")
    ed25519_selector: Selector = Field("mss-ed25519", description="of its own record: a record holds one key")
    records: InFolder | None = Field(None, description="zone file with others' keys, looked at before DNS")
    verify: bool = Field(
        True, description="say in Authentication-Results what others' are worth; nothing is refused for it"
    )

    @model_validator(mode="after")
    def _one_record_a_key(self) -> Dkim:
        if self.rsa_selector == self.ed25519_selector:
            raise ValueError(
                "rsa_selector et ed25519_selector doivent différer // rsa_selector and ed25519_selector must differ"
            )  # RFC 8463 6
        return self


class Antivirus(Section):
    """Who looks at messages before they are accepted: clamd."""

    clamd: str = Field(
        "",
        description="path of its socket (`/run/clamav/clamd.ctl`), or `host:port` of a network of ours; empty: nobody looks",
    )
    when_absent: Literal["defer", "accept"] = Field(
        "defer", description="while it does not answer: senders try again later (451), or mail is taken unseen"
    )
    seconds: float = Field(60.0, gt=0, description="for one message; then it counts as absent")

    @field_validator("clamd")
    @classmethod
    def _is_address(cls, value: str) -> str:
        return value if value.startswith("/") else is_door(value)


class Settings(Section):
    """All of `mssante.toml`."""

    operator: Operator
    storage: Storage = Field(default_factory=_EMPTY)
    doors: Doors = Field(default_factory=_EMPTY)
    tls: Tls = Field(default_factory=_EMPTY)
    trust_list: TrustList = Field(default_factory=_EMPTY)
    routes: dict[Domain, Door] = Field(
        default_factory=dict, description='`"domain" = "host:port"` of its operator; else the domain\'s MX'
    )
    web: Web = Field(default_factory=_EMPTY)
    openid: OpenId = Field(default_factory=_EMPTY)
    annuaire: Annuaire = Field(default_factory=_EMPTY)
    outbox: Outbox = Field(default_factory=_EMPTY)
    limits: Limits = Field(default_factory=_EMPTY)
    dkim: Dkim = Field(default_factory=_EMPTY)
    antivirus: Antivirus = Field(default_factory=_EMPTY)
    attachments: Attachments = Field(default_factory=_EMPTY)
    attachments_sent: AttachmentsSent = Field(default_factory=_EMPTY)
    roles: list[Role] = Field(
        default_factory=lambda: list(ROLES), description="what this server plays: its doors, and the jobs"
    )
    workers: int = Field(1, ge=1, le=64, description="processes on the same ports")
    one_core_each: bool = Field(
        True, description="each of several processes keeps to a core of its own; false: it roams"
    )

    @model_validator(mode="after")
    def _bench_stays_here(self) -> Settings:
        if self.doors.bench and not self.doors.bench.startswith("127."):
            raise ValueError("doors.bench : adresses de bouclage seulement // doors.bench: loopback addresses only")
        return self


def read(path: Path) -> Settings:
    """The settings in `path` and the environment; raises `foundation.settings.BadSettings`."""
    return load(Settings, path)
